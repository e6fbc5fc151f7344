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
# and the processor the low six. The state is one flat array of rows, one row per amplitude: the real
# parts of LANES signals, then their imaginary parts.

LANES = 4
ROW = 2 * LANES
DIM, MEM_DIM, PROC_DIM = 2**QUBITS, 2**MEMORY, 2**PROCESSOR
BLOCK = PROC_DIM * ROW
"""Length of the run of rows with the same memory bits."""


def _permutation(cnots: list[tuple[int, int]]) -> np.ndarray:
    """Where each amplitude goes under a sequence of CNOTs."""
    index = np.arange(DIM)
    for control, target in cnots:
        index ^= ((index >> (QUBITS - 1 - control)) & 1) << (QUBITS - 1 - target)
    return index


@cache
def _tables() -> tuple[np.ndarray, ...]:
    """The fixed circuit as arrays: CNOT permutations, RY cosines and sines, RZ phases."""
    bits = (np.arange(DIM)[:, None] >> (QUBITS - 1 - np.arange(QUBITS))) & 1
    ry, rz = parameters().rotations[..., 0], parameters().rotations[..., 1]
    phases = np.exp(1j * (bits[None] - 0.5) @ rz[:, :, None])[:, :, 0]
    encoding = _permutation(encoding_cnots())
    # RY(a) RY(b) = RY(a + b): the last controlled rotations merge with the first layer's, per control bit.
    skip = np.zeros((PROCESSOR, MEM_DIM))
    for i in range(MEMORY):
        skip[(i + 2) % PROCESSOR] += SKIP * ((np.arange(MEM_DIM) >> (MEMORY - 1 - i)) & 1)
    first = (ry[0, MEMORY:, None] + skip) / 2
    return (
        (encoding[::PROC_DIM] // PROC_DIM).copy(),
        (encoding[:PROC_DIM] % PROC_DIM).copy(),
        _permutation(layer_cnots()),
        np.stack([np.cos(first), np.sin(first)], axis=-1),
        np.stack([np.cos(ry / 2), np.sin(ry / 2)], axis=-1),
        np.stack([phases.real, phases.imag], axis=-1),
    )


_jit = numba.njit(cache=True, nogil=True, error_model="numpy")
_inline = numba.njit(inline="always", nogil=True, error_model="numpy")


@_inline
def _rotate(state, first, second, length, c, s):
    """Real rotation between two runs of rows: (a, b) -> (c a - s b, s a + c b)."""
    for t in range(length):
        a = state[first + t]
        b = state[second + t]
        state[first + t] = c * a - s * b
        state[second + t] = s * a + c * b


@_jit
def _rotate_processor(state, block, q, c, s):
    """RY on processor qubit q within one memory block of rows."""
    if q == 0:
        _rotate(state, block, block + 32 * ROW, 32 * ROW, c, s)
    elif q == 1:
        for k in range(0, 64, 32):
            _rotate(state, block + k * ROW, block + (k + 16) * ROW, 16 * ROW, c, s)
    elif q == 2:
        for k in range(0, 64, 16):
            _rotate(state, block + k * ROW, block + (k + 8) * ROW, 8 * ROW, c, s)
    elif q == 3:
        for k in range(0, 64, 8):
            _rotate(state, block + k * ROW, block + (k + 4) * ROW, 4 * ROW, c, s)
    elif q == 4:
        for k in range(0, 64, 4):
            _rotate(state, block + k * ROW, block + (k + 2) * ROW, 2 * ROW, c, s)
    else:
        for k in range(0, 64, 2):
            _rotate(state, block + k * ROW, block + (k + 1) * ROW, ROW, c, s)


@_jit
def _rotate_memory(state, i, c, s):
    """RY on memory qubit i, on all rows."""
    half = MEM_DIM >> (i + 1)
    for m in range(MEM_DIM):
        if m & half == 0:
            _rotate(state, m * BLOCK, (m + half) * BLOCK, BLOCK, c, s)


@_jit
def _rotate_memory_if_processor(state, i, c, s):
    """CRY from processor qubit i to memory qubit i."""
    half = MEM_DIM >> (i + 1)
    run = PROC_DIM >> (i + 1)
    for m in range(MEM_DIM):
        if m & half == 0:
            for k in range(run, PROC_DIM, 2 * run):
                low = m * BLOCK + k * ROW
                _rotate(state, low, low + half * BLOCK, run * ROW, c, s)


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
def _permute(state, phase, target, out):
    """Multiplies each amplitude by its phase and moves it: the RZs and CNOTs at the end of a layer."""
    for k in range(DIM):
        pr = phase[k, 0]
        pi = phase[k, 1]
        source = k * ROW
        row = target[k] * ROW
        for lane in range(LANES):
            re = state[source + lane]
            im = state[source + LANES + lane]
            out[row + lane] = re * pr - im * pi
            out[row + LANES + lane] = re * pi + im * pr


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
def _signed_sums(values, depth, out):
    """Overwrites values (2**depth, lanes) by folding; out (depth + 1, lanes): the sum, then Z of each bit, high first."""
    half = 1 << depth
    for q in range(depth):
        half >>= 1
        out[q + 1, :] = 0.0
        for k in range(half):
            for lane in range(LANES):
                a = values[k, lane]
                b = values[k + half, lane]
                out[q + 1, lane] += a - b
                values[k, lane] = a + b
    out[0, :] = values[0, :]


@_jit
def _read(state, probability, folded, sums, signed, out):
    """Expectation values of all lanes, in the order of `circuit`: out (57 + 4, lanes)."""
    out[:] = 0.0
    for k in range(DIM):
        row = k * ROW
        for lane in range(LANES):
            re = state[row + lane]
            im = state[row + LANES + lane]
            probability[k, lane] = re * re + im * im
    # X and Y of a processor qubit: 2 conj(a0) a1 over the pairs of amplitudes that differ in its bit.
    for q in range(PROCESSOR):
        stride = PROC_DIM >> (q + 1)
        for base in range(0, DIM, 2 * stride):
            for k in range(base, base + stride):
                low = k * ROW
                high = low + stride * ROW
                for lane in range(LANES):
                    ar, ai = state[low + lane], state[low + LANES + lane]
                    br, bi = state[high + lane], state[high + LANES + lane]
                    out[3 * q, lane] += ar * br + ai * bi
                    out[3 * q + 1, lane] += ar * bi - ai * br
        out[3 * q : 3 * q + 2, :] *= 2.0
    # Z of single qubits and of memory-processor pairs, from each memory block's own sums.
    zz = 3 * PROCESSOR + PROC_PAIRS
    for m in range(MEM_DIM):
        for k in range(PROC_DIM):
            for lane in range(LANES):
                folded[k, lane] = probability[m * PROC_DIM + k, lane]
        _signed_sums(folded, PROCESSOR, sums)
        for q in range(PROCESSOR):
            for lane in range(LANES):
                out[3 * q + 2, lane] += sums[q + 1, lane]
        for i in range(MEMORY):
            sign = 1.0 - 2.0 * ((m >> (MEMORY - 1 - i)) & 1)
            for lane in range(LANES):
                out[FEATURES + i, lane] += sign * sums[0, lane]
            for q in range(PROCESSOR):
                for lane in range(LANES):
                    out[zz + i * PROCESSOR + q, lane] += sign * sums[q + 1, lane]
    # ZZ of processor pairs, from the processor's marginal: for each qubit, Z of the later ones with its sign.
    for k in range(PROC_DIM):
        for lane in range(LANES):
            total = 0.0
            for m in range(MEM_DIM):
                total += probability[m * PROC_DIM + k, lane]
            probability[k, lane] = total
    pair = 3 * PROCESSOR
    for i in range(PROCESSOR - 1):
        for k in range(PROC_DIM):
            sign = 1.0 - 2.0 * ((k >> (PROCESSOR - 1 - i)) & 1)
            for lane in range(LANES):
                signed[k, lane] = sign * probability[k, lane]
        _signed_sums(signed, PROCESSOR, sums)
        for j in range(i + 1, PROCESSOR):
            for lane in range(LANES):
                out[pair, lane] = sums[j + 1, lane]
            pair += 1


PROC_PAIRS = len(PROCESSOR_PAIRS)


@_jit
def _run(x, memory_phases, memory_order, processor_order, layer_order, first_layer, ry, rz, out):
    """Runs the reservoir over signals: x (n, T, 6) angles, n a multiple of LANES; out (n, T, 57)."""
    state = np.empty(DIM * ROW)
    moved = np.empty(DIM * ROW)
    mem_re, mem_im = np.empty((MEM_DIM, LANES)), np.empty((MEM_DIM, LANES))
    proc_re, proc_im = np.empty((PROC_DIM, LANES)), np.empty((PROC_DIM, LANES))
    probability, folded = np.empty((DIM, LANES)), np.empty((PROC_DIM, LANES))
    signed, sums = np.empty((PROC_DIM, LANES)), np.empty((PROCESSOR + 1, LANES))
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
            _permute(state, rz[0], layer_order, moved)
            for i in range(MEMORY):
                _rotate_memory(moved, i, ry[1, i, 0], ry[1, i, 1])
            for m in range(MEM_DIM):
                for q in range(PROCESSOR):
                    _rotate_processor(moved, m * BLOCK, q, ry[1, MEMORY + q, 0], ry[1, MEMORY + q, 1])
            _permute(moved, rz[1], layer_order, state)
            _read(state, probability, folded, sums, signed, readout)
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
