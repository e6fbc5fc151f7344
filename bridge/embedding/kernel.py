"""The reservoir's circuit as plain loops over an array of amplitudes, compiled by numba.

Amplitude k of the state has qubit q in bit 9 - q, so the memory is the high four bits and the
processor the low six. LANES signals go through the circuit side by side: the state is one flat array
of rows, one row per amplitude, the real parts of all lanes and then their imaginary parts. No lane's
numbers depend on another's. Loops run over slices: their indices are known to be in range, and the
compiler vectorises them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

MEMORY, PROCESSOR = 4, 6
QUBITS = MEMORY + PROCESSOR
FEATURES = 3 * PROCESSOR + PROCESSOR * (PROCESSOR - 1) // 2 + MEMORY * PROCESSOR
"""X, Y, Z of the processor, ZZ of its pairs, ZZ between memory and processor."""

LANES = 8
ROW = 2 * LANES
DIM, MEM_DIM, PROC_DIM = 2**QUBITS, 2**MEMORY, 2**PROCESSOR
BLOCK = PROC_DIM * ROW
"""Length of the run of rows with the same memory bits."""
PLANE = DIM * LANES
"""Length of all real, or all imaginary, parts where the two are kept apart."""


class Circuit(NamedTuple):
    """The fixed part of the circuit as arrays.

    Attributes:
        memory_phase: (4,) half RZ angles of the memory encoding.
        memory_order: (16,) where the memory's CNOTs move each amplitude.
        processor_order: (64,) the same for the processor.
        couple: (2, 2) cosine and sine of half the controlled angles: memory to processor, and back.
        first: (6, 16, 2) cosine and sine of the first layer's RY on each processor qubit, for each memory state.
        ry: (2, 10, 2) cosine and sine of half the RY angles of each layer.
        rz: (2, 1024, 2) real and imaginary part of each layer's RZ phases.
        layer_order: (1024,) where a layer's CNOTs move each amplitude.
        z_masks: (61,) qubits, as bits, of the Z product under each output; those of X and Y are unused.
    """

    memory_phase: np.ndarray
    memory_order: np.ndarray
    processor_order: np.ndarray
    couple: np.ndarray
    first: np.ndarray
    ry: np.ndarray
    rz: np.ndarray
    layer_order: np.ndarray
    z_masks: np.ndarray


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
def _entangle(state, mem_re, mem_im, proc_re, proc_im, couple, first):
    """Product of memory and processor, their controlled rotations, and the first layer's RYs on the processor."""
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
                _rotate_processor(state, block, i, couple[0, 0], couple[0, 1])
    for i in range(MEMORY):
        _rotate_memory_if_processor(state, i, couple[1, 0], couple[1, 1])
    for m in range(MEM_DIM):
        for q in range(PROCESSOR):
            _rotate_processor(state, m * BLOCK, q, first[q, m, 0], first[q, m, 1])


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
def run(x, circuit, out):
    """Runs the reservoir over signals.

    Args:
        x: (n, T, 6) processor angles in rad; n is a multiple of LANES.
        circuit: A `Circuit`.
        out: (n, T, 57) features, written.
    """
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
        mem_phase[i, :] = circuit.memory_phase[i]
    for start in range(0, x.shape[0], LANES):
        mem_angle[:] = 0.0
        for t in range(x.shape[1]):
            for lane in range(LANES):
                for i in range(PROCESSOR):
                    proc_angle[i, lane] = x[start + lane, t, i] / 2
                    proc_phase[i, lane] = x[start + lane, t, i] / 4
            _encode(mem_angle, mem_phase, circuit.memory_order, mem_re, mem_im)
            _encode(proc_angle, proc_phase, circuit.processor_order, proc_re, proc_im)
            _entangle(state, mem_re, mem_im, proc_re, proc_im, circuit.couple, circuit.first)
            for i in range(MEMORY):
                _rotate_memory(state, i, circuit.ry[0, i, 0], circuit.ry[0, i, 1])
            _permute(state, circuit.rz[0], circuit.layer_order, moved, ROW, LANES)
            for i in range(MEMORY):
                _rotate_memory(moved, i, circuit.ry[1, i, 0], circuit.ry[1, i, 1])
            for m in range(MEM_DIM):
                for q in range(PROCESSOR):
                    _rotate_processor(moved, m * BLOCK, q, circuit.ry[1, MEMORY + q, 0], circuit.ry[1, MEMORY + q, 1])
            _permute(moved, circuit.rz[1], circuit.layer_order, state, LANES, PLANE)
            _read(state, parity, x_sums, y_sums, circuit.z_masks, readout)
            for lane in range(LANES):
                for f in range(FEATURES):
                    out[start + lane, t, f] = readout[f, lane]
                for i in range(MEMORY):
                    mem_angle[i, lane] = (readout[FEATURES + i, lane] + 1.0) * math.pi / 2


@_jit
def pool(steps, out):
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
