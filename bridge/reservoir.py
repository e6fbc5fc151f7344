"""MagBridge-Embed: the quantum reservoir that turns a signal into 171 numbers.

Ten qubits, four of memory and six of processor. At every time step the six scaled channels are
encoded into the processor, the previous step's memory readout into the memory; a fixed circuit
mixes them; 57 expectation values are read. Pooling over time (last, mean, std) gives the embedding.

`circuit` is the definition, in PennyLane. `features` computes the same numbers for many signals at
once: the gates after the encoding never change and all mixing rotations are real, so a step is a
handful of plain loops over an array of amplitudes. Several signals travel through the loops side by side; no signal's numbers
depend on its neighbours, so results do not depend on batch size or threads.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numba
import numpy as np

from dataset_card.schema import CHANNELS

MEMORY, PROCESSOR = 4, 6
QUBITS = MEMORY + PROCESSOR
LAYERS = 2
PARAMETER_SEED = 42
INPUT_SCALE = 0.5
MEMORY_TO_PROCESSOR, PROCESSOR_TO_MEMORY, SKIP = 0.3 * math.pi, 0.15 * math.pi, 0.09 * math.pi
"""Angles of the controlled rotations that couple memory and processor, in rad."""

PROCESSOR_PAIRS = tuple(combinations(range(PROCESSOR), 2))
FEATURES = 3 * PROCESSOR + len(PROCESSOR_PAIRS) + MEMORY * PROCESSOR
EMBEDDING = 3 * FEATURES
CLIP_SIGMA = 3.0
"""Inputs are clipped at this many standard deviations, which map to an angle of pi."""


class Parameters(NamedTuple):
    """The reservoir's fixed random parameters.

    Attributes:
        rotations: (2, 10, 2) angles of RY and RZ in each layer, on each qubit, in rad.
        projection: (6, 6) weights from scaled channels to processor angles.
        memory_phases: (4,) RZ angles of the memory encoding, in rad.
    """

    rotations: np.ndarray
    projection: np.ndarray
    memory_phases: np.ndarray


@cache
def parameters() -> Parameters:
    """The parameters of v1.0, from `RandomState(42)`."""
    rng = np.random.RandomState(PARAMETER_SEED)
    rotations = rng.uniform(0, 2 * np.pi, (LAYERS, QUBITS, 2))
    projection = rng.randn(PROCESSOR, PROCESSOR) * INPUT_SCALE
    memory_phases = rng.uniform(0, 2 * np.pi, (MEMORY, 2))[:, 0].copy()
    return Parameters(rotations, projection, memory_phases)


def circuit(x: np.ndarray, m: np.ndarray) -> list:
    """One reservoir step as a PennyLane quantum function: the definition of MagBridge-Embed.

    Args:
        x: (6,) processor angles in rad.
        m: (4,) memory angles in rad.

    Returns:
        61 expectation values: the 57 features (X, Y, Z of each processor qubit; ZZ of the 15 processor
        pairs; ZZ of the 24 memory-processor pairs), then Z of the four memory qubits.
    """
    import pennylane as qml

    p = parameters()
    for i in range(MEMORY):
        qml.RY(m[i], wires=i)
        qml.RZ(p.memory_phases[i], wires=i)
    for i in range(PROCESSOR):
        qml.RY(x[i], wires=MEMORY + i)
        qml.RZ(0.5 * x[i], wires=MEMORY + i)
    for control, target in encoding_cnots():
        qml.CNOT(wires=[control, target])
    for i in range(MEMORY):
        qml.CRY(MEMORY_TO_PROCESSOR, wires=[i, MEMORY + i])
        qml.CRY(PROCESSOR_TO_MEMORY, wires=[MEMORY + i, i])
    for i in range(MEMORY):
        qml.CRY(SKIP, wires=[i, MEMORY + (i + 2) % PROCESSOR])
    for layer in range(LAYERS):
        for q in range(QUBITS):
            qml.RY(p.rotations[layer, q, 0], wires=q)
            qml.RZ(p.rotations[layer, q, 1], wires=q)
        for control, target in layer_cnots():
            qml.CNOT(wires=[control, target])
    processor = range(MEMORY, QUBITS)
    readout = [qml.expval(pauli(q)) for q in processor for pauli in (qml.X, qml.Y, qml.Z)]
    readout += [qml.expval(qml.Z(MEMORY + i) @ qml.Z(MEMORY + j)) for i, j in PROCESSOR_PAIRS]
    readout += [qml.expval(qml.Z(i) @ qml.Z(q)) for i in range(MEMORY) for q in processor]
    return readout + [qml.expval(qml.Z(i)) for i in range(MEMORY)]


def encoding_cnots() -> list[tuple[int, int]]:
    """CNOTs after the encoding: a chain through the memory, a ring through the processor."""
    chain = [(i, i + 1) for i in range(MEMORY - 1)]
    ring = [(MEMORY + i, MEMORY + (i + 1) % PROCESSOR) for i in range(PROCESSOR)]
    return chain + ring


def layer_cnots() -> list[tuple[int, int]]:
    """CNOTs at the end of each layer: a ring through all qubits, then four steps of two."""
    return [(i, (i + 1) % QUBITS) for i in range(QUBITS)] + [(i, i + 2) for i in (0, 2, 4, 6)]


def embed(signals: np.ndarray, mean: np.ndarray, std: np.ndarray, workers: int | None = None) -> np.ndarray:
    """Embeds signals.

    Args:
        signals: (n, T, 6) in nT.
        mean: (6,) channel means of the angle scaler, in nT.
        std: (6,) channel standard deviations of the angle scaler, in nT.
        workers: Threads; all cores by default. The result does not depend on it.

    Returns:
        (n, 171) embeddings: the features of the last step, their mean and their population std over time.
    """
    return _in_chunks(_embed_chunk, np.asarray(signals, float), (EMBEDDING,), mean, std, workers)


def features(signals: np.ndarray, mean: np.ndarray, std: np.ndarray, workers: int | None = None) -> np.ndarray:
    """Reservoir features of every time step, (n, T, 57); arguments as in `embed`."""
    signals = np.asarray(signals, float)
    return _in_chunks(_features_chunk, signals, (signals.shape[1], FEATURES), mean, std, workers)


def angles(signals: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Processor angles (n, T, 6) in rad: channels standardised, clipped at 3 sigma, scaled to pi, projected."""
    scaled = np.clip((signals - mean) / std, -CLIP_SIGMA, CLIP_SIGMA) * (math.pi / CLIP_SIGMA)
    x = np.zeros_like(scaled)
    # Summed by hand: a BLAS product may round differently with the batch size.
    for channel, weights in enumerate(parameters().projection):
        x += scaled[..., channel, None] * weights
    return np.clip(x, -math.pi, math.pi)


CHUNK = 32
"""Signals handed to a thread at a time."""


def _in_chunks(function, signals, shape, mean, std, workers) -> np.ndarray:
    if signals.ndim != 3 or signals.shape[2] != len(CHANNELS):
        raise ValueError(f"signals of shape {signals.shape}: expected (n, T, {len(CHANNELS)})")
    out = np.empty((len(signals), *shape))
    starts = range(0, len(signals), CHUNK)

    def run(start):
        function(angles(signals[start : start + CHUNK], mean, std), out[start : start + CHUNK])

    with ThreadPoolExecutor(workers or len(os.sched_getaffinity(0))) as pool:
        for _ in pool.map(run, starts):
            pass
    return out


def _features_chunk(x: np.ndarray, out: np.ndarray) -> None:
    n, steps = x.shape[:2]
    padded = np.zeros((-(-n // LANES) * LANES, steps, PROCESSOR))
    padded[:n] = x
    found = np.empty((len(padded), steps, FEATURES))
    _run(padded, parameters().memory_phases, *_tables(), found)
    out[:] = found[:n]


def _embed_chunk(x: np.ndarray, out: np.ndarray) -> None:
    found = np.empty((*x.shape[:2], FEATURES))
    _features_chunk(x, found)
    _pool(found, out)


# The kernel. Amplitude k of the state has qubit q in bit 9 - q, so the memory is the high four bits
# and the processor the low six. LANES signals go through the circuit side by side: the state is one
# flat array of rows, one row per amplitude, the real parts of all lanes and then their imaginary parts.
# Loops run over slices: their indices are known to be in range, and the compiler vectorises them.

LANES = 8
ROW = 2 * LANES
DIM, MEM_DIM, PROC_DIM = 2**QUBITS, 2**MEMORY, 2**PROCESSOR
BLOCK = PROC_DIM * ROW
"""Length of the run of rows with the same memory bits."""
PLANE = DIM * LANES
"""Length of all real, or all imaginary, parts where the two are kept apart."""


def _permutation(cnots: list[tuple[int, int]]) -> np.ndarray:
    """Where each amplitude goes under a sequence of CNOTs."""
    index = np.arange(DIM)
    for control, target in cnots:
        index ^= ((index >> (QUBITS - 1 - control)) & 1) << (QUBITS - 1 - target)
    return index


@cache
def _tables() -> tuple[np.ndarray, ...]:
    """The fixed circuit as arrays: CNOT permutations, RY cosines and sines, RZ phases, Z products as bit masks."""
    bits = (np.arange(DIM)[:, None] >> (QUBITS - 1 - np.arange(QUBITS))) & 1
    ry, rz = parameters().rotations[..., 0], parameters().rotations[..., 1]
    phases = np.exp(1j * (bits[None] - 0.5) @ rz[:, :, None])[:, :, 0]
    encoding = _permutation(encoding_cnots())
    # RY(a) RY(b) = RY(a + b): the last controlled rotations merge with the first layer's, per control bit.
    skip = np.zeros((PROCESSOR, MEM_DIM))
    for i in range(MEMORY):
        skip[(i + 2) % PROCESSOR] += SKIP * ((np.arange(MEM_DIM) >> (MEMORY - 1 - i)) & 1)
    first = (ry[0, MEMORY:, None] + skip) / 2
    memory, processor = 1 << np.arange(QUBITS - 1, PROCESSOR - 1, -1), 1 << np.arange(PROCESSOR - 1, -1, -1)
    z_masks = np.concatenate(
        [
            np.repeat(processor, 3),  # X and Y are filled in from elsewhere
            [processor[i] | processor[j] for i, j in PROCESSOR_PAIRS],
            (memory[:, None] | processor).ravel(),
            memory,
        ]
    )
    return (
        (encoding[::PROC_DIM] // PROC_DIM).copy(),
        (encoding[:PROC_DIM] % PROC_DIM).copy(),
        _permutation(layer_cnots()),
        np.stack([np.cos(first), np.sin(first)], axis=-1),
        np.stack([np.cos(ry / 2), np.sin(ry / 2)], axis=-1),
        np.stack([phases.real, phases.imag], axis=-1),
        z_masks,
    )


_jit = numba.njit(cache=True, nogil=True, error_model="numpy")
_inline = numba.njit(inline="always", nogil=True, error_model="numpy")


@_inline
def _rotate(state, first, second, length, c, s):
    """Real rotation between two runs of rows: (a, b) -> (c a - s b, s a + c b)."""
    low = state[first : first + length]
    high = state[second : second + length]
    for t in range(length):
        a = low[t]
        b = high[t]
        low[t] = c * a - s * b
        high[t] = s * a + c * b


@_jit
def _rotate_processor(state, block, q, c, s):
    """RY on processor qubit q within one memory block of rows."""
    run = (PROC_DIM >> (q + 1)) * ROW
    for first in range(block, block + BLOCK, 2 * run):
        _rotate(state, first, first + run, run, c, s)


@_jit
def _rotate_memory(state, i, c, s):
    """RY on memory qubit i, on all rows."""
    run = (MEM_DIM >> (i + 1)) * BLOCK
    for first in range(0, DIM * ROW, 2 * run):
        _rotate(state, first, first + run, run, c, s)


@_jit
def _rotate_memory_if_processor(state, i, c, s):
    """CRY from processor qubit i to memory qubit i."""
    half = MEM_DIM >> (i + 1)
    run = (PROC_DIM >> (i + 1)) * ROW
    for m in range(MEM_DIM):
        if m & half == 0:
            for first in range(m * BLOCK + run, (m + 1) * BLOCK, 2 * run):
                _rotate(state, first, first + half * BLOCK, run, c, s)


@_jit
def _encode(half_angle, half_phase, order, real, imag):
    """Product state of RY(2 half_angle) then RZ(2 half_phase) on each qubit's |0>, moved by the CNOTs after it.

    Both angles are (qubits, lanes); `order` says where each amplitude goes; real and imag are (amplitudes, lanes).
    """
    qubits = half_angle.shape[0]
    re = np.empty(1 << qubits)
    im = np.empty(1 << qubits)
    for lane in range(LANES):
        re[0] = 1.0
        im[0] = 0.0
        size = 1
        # Each qubit doubles the list; later qubits are lower bits.
        for q in range(qubits):
            c = math.cos(half_angle[q, lane])
            s = math.sin(half_angle[q, lane])
            pr = math.cos(half_phase[q, lane])
            pi = math.sin(half_phase[q, lane])
            for k in range(size - 1, -1, -1):
                a = re[k]
                b = im[k]
                re[2 * k] = c * (a * pr + b * pi)
                im[2 * k] = c * (b * pr - a * pi)
                re[2 * k + 1] = s * (a * pr - b * pi)
                im[2 * k + 1] = s * (b * pr + a * pi)
            size *= 2
        for k in range(size):
            real[order[k], lane] = re[k]
            imag[order[k], lane] = im[k]


@_jit
def _permute(state, phase, target, out, row, apart):
    """Multiplies each amplitude by its phase and moves it: the RZs and CNOTs at the end of a layer.

    Amplitude k goes to `out` at `row * target[k]`, its imaginary parts `apart` further on.
    """
    for k in range(DIM):
        pr = phase[k, 0]
        pi = phase[k, 1]
        old = state[k * ROW : (k + 1) * ROW]
        start = target[k] * row
        re = out[start : start + LANES]
        im = out[start + apart : start + apart + LANES]
        for lane in range(LANES):
            a = old[lane]
            b = old[LANES + lane]
            re[lane] = a * pr - b * pi
            im[lane] = a * pi + b * pr


@_jit
def _entangle(state, mem_re, mem_im, proc_re, proc_im, first_layer):
    """Product of memory and processor, their controlled rotations, and the first layer's RYs on the processor."""
    c = math.cos(MEMORY_TO_PROCESSOR / 2)
    s = math.sin(MEMORY_TO_PROCESSOR / 2)
    for m in range(MEM_DIM):
        block = m * BLOCK
        for k in range(PROC_DIM):
            row = block + k * ROW
            for lane in range(LANES):
                a, b = mem_re[m, lane], mem_im[m, lane]
                re, im = proc_re[k, lane], proc_im[k, lane]
                state[row + lane] = a * re - b * im
                state[row + LANES + lane] = a * im + b * re
        for i in range(MEMORY):
            if (m >> (MEMORY - 1 - i)) & 1:
                _rotate_processor(state, block, i, c, s)
    c = math.cos(PROCESSOR_TO_MEMORY / 2)
    s = math.sin(PROCESSOR_TO_MEMORY / 2)
    for i in range(MEMORY):
        _rotate_memory_if_processor(state, i, c, s)
    for m in range(MEM_DIM):
        for q in range(PROCESSOR):
            _rotate_processor(state, m * BLOCK, q, first_layer[q, m, 0], first_layer[q, m, 1])


@_jit
def _read(planes, parity, x_sums, y_sums, z_masks, out):
    """Expectation values of all lanes, in the order of `circuit`: out (57 + 4, lanes).

    `planes` holds all real parts, then all imaginary parts; the other arrays are workspace.
    """
    re = planes[:PLANE]
    im = planes[PLANE:]
    for t in range(PLANE):
        parity[t] = re[t] * re[t] + im[t] * im[t]
    # One Walsh-Hadamard transform turns probabilities into the expectations of all products of Z.
    run = PLANE
    while run > LANES:
        run //= 2
        for first in range(0, PLANE, 2 * run):
            low = parity[first : first + run]
            high = parity[first + run : first + 2 * run]
            for t in range(run):
                a = low[t]
                b = high[t]
                low[t] = a + b
                high[t] = a - b
    for f in range(FEATURES + MEMORY):
        start = z_masks[f] * LANES
        for lane in range(LANES):
            out[f, lane] = parity[start + lane]
    # X and Y of a processor qubit: 2 conj(a) b over the pairs of amplitudes that differ in its bit.
    half = PROC_DIM // 2 * LANES
    for q in range(PROCESSOR):
        x_sums[:] = 0.0
        y_sums[:] = 0.0
        run = (PROC_DIM >> (q + 1)) * LANES
        for block in range(0, PLANE, PROC_DIM * LANES):
            for pair in range(0, half, run):
                first = block + 2 * pair
                ar, ai = re[first : first + run], im[first : first + run]
                br, bi = re[first + run : first + 2 * run], im[first + run : first + 2 * run]
                xs, ys = x_sums[pair : pair + run], y_sums[pair : pair + run]
                for t in range(run):
                    xs[t] += ar[t] * br[t] + ai[t] * bi[t]
                    ys[t] += ar[t] * bi[t] - ai[t] * br[t]
        for lane in range(LANES):
            x = 0.0
            y = 0.0
            for k in range(lane, half, LANES):
                x += x_sums[k]
                y += y_sums[k]
            out[3 * q, lane] = 2 * x
            out[3 * q + 1, lane] = 2 * y


@_jit
def _run(x, memory_phases, memory_order, processor_order, layer_order, first_layer, ry, rz, z_masks, out):
    """Runs the reservoir over signals: x (n, T, 6) angles, n a multiple of LANES; out (n, T, 57)."""
    state = np.empty(DIM * ROW)
    moved = np.empty(DIM * ROW)
    mem_re, mem_im = np.empty((MEM_DIM, LANES)), np.empty((MEM_DIM, LANES))
    proc_re, proc_im = np.empty((PROC_DIM, LANES)), np.empty((PROC_DIM, LANES))
    parity = np.empty(PLANE)
    x_sums, y_sums = np.empty(PROC_DIM // 2 * LANES), np.empty(PROC_DIM // 2 * LANES)
    readout = np.empty((FEATURES + MEMORY, LANES))
    mem_angle, mem_phase = np.empty((MEMORY, LANES)), np.empty((MEMORY, LANES))
    proc_angle, proc_phase = np.empty((PROCESSOR, LANES)), np.empty((PROCESSOR, LANES))
    for i in range(MEMORY):
        mem_phase[i, :] = memory_phases[i] / 2
    for start in range(0, x.shape[0], LANES):
        mem_angle[:] = 0.0
        for t in range(x.shape[1]):
            for lane in range(LANES):
                for i in range(PROCESSOR):
                    proc_angle[i, lane] = x[start + lane, t, i] / 2
                    proc_phase[i, lane] = x[start + lane, t, i] / 4
            _encode(mem_angle, mem_phase, memory_order, mem_re, mem_im)
            _encode(proc_angle, proc_phase, processor_order, proc_re, proc_im)
            _entangle(state, mem_re, mem_im, proc_re, proc_im, first_layer)
            for i in range(MEMORY):
                _rotate_memory(state, i, ry[0, i, 0], ry[0, i, 1])
            _permute(state, rz[0], layer_order, moved, ROW, LANES)
            for i in range(MEMORY):
                _rotate_memory(moved, i, ry[1, i, 0], ry[1, i, 1])
            for m in range(MEM_DIM):
                for q in range(PROCESSOR):
                    _rotate_processor(moved, m * BLOCK, q, ry[1, MEMORY + q, 0], ry[1, MEMORY + q, 1])
            _permute(moved, rz[1], layer_order, state, LANES, PLANE)
            _read(state, parity, x_sums, y_sums, z_masks, readout)
            for lane in range(LANES):
                for f in range(FEATURES):
                    out[start + lane, t, f] = readout[f, lane]
                for i in range(MEMORY):
                    mem_angle[i, lane] = (readout[FEATURES + i, lane] + 1.0) * math.pi / 2


@_jit
def _pool(steps, out):
    """Last, mean and population std over time: steps (n, T, 57), out (n, 171)."""
    n, length, width = steps.shape
    for i in range(n):
        for f in range(width):
            total = 0.0
            for t in range(length):
                total += steps[i, t, f]
            mean = total / length
            squares = 0.0
            for t in range(length):
                squares += (steps[i, t, f] - mean) ** 2
            out[i, f] = steps[i, length - 1, f]
            out[i, width + f] = mean
            out[i, 2 * width + f] = math.sqrt(squares / length)
