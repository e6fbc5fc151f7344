"""The reservoir's circuit as loops over rows of amplitudes, compiled by numba.

Amplitude k of the state has qubit q in bit 9 - q, so the memory is the high four bits and the processor
the low six. LANES signals go through the circuit side by side; a row contains one number of each (see
`lanes`), and an amplitude is two rows, its real and its imaginary parts. No lane depends on another.

The state does not fit a core's first-level cache. Each stage therefore handles the qubits within a small
tile, four rows at a time for two qubits, and leaves the amplitudes where the next stage's tiles expect them.
Every amplitude passes the gates in the circuit's order.
"""

from __future__ import annotations

import math
from collections import namedtuple

import numba
import numpy as np

from bridge.v1.lanes import LANES, load, spread, store
from dataset_card.running.compiled import compiled

LANES_SHA256 = "5da26096c9e5c072dcded4ae73b2fde003756db04fb7896718913ae33f345a12"
"""SHA-256 of lanes.py: numba compiles it into this file and recompiles only if this file changes. A test checks it."""

MEMORY, PROCESSOR = 4, 6
QUBITS = MEMORY + PROCESSOR
FEATURES = 3 * PROCESSOR + PROCESSOR * (PROCESSOR - 1) // 2 + MEMORY * PROCESSOR
"""X, Y, Z of the processor, ZZ of its pairs, ZZ between memory and processor."""

DIM, MEM_DIM, PROC_DIM = 2**QUBITS, 2**MEMORY, 2**PROCESSOR
HIGH, LOW = 16, 4
"""States of the processor's first four qubits and of its last two: the tiles of the first layer."""
BLOCK = 2 * HIGH + 2
"""Rows from one memory state to the next in such a tile. A power of two would crowd a few sets of the cache."""
TILE = MEM_DIM * LOW
"""Amplitudes of a tile of all memory states and two processor qubits."""
STRIDE = TILE + 1
"""Amplitudes from one tile of the second layer to the next."""
PAIRS = PROC_DIM // 2


class Circuit(namedtuple("Circuit", "memory_phase memory_order processor_order couple first ry rz place z_rows")):
    """The fixed part of the circuit as arrays.

    Attributes:
        memory_phase: (4,) half RZ angles of the memory encoding.
        memory_order: (16,) number of the amplitude that the memory's CNOTs move to each place.
        processor_order: (64,) the same for the processor.
        couple: (2, 2) cosine and sine of half the controlled angles: memory to processor, and back.
        first: (16, 6, 2) cosine and sine of the first layer's RY on each processor qubit, for each memory state.
        ry: (2, 10, 2) cosine and sine of half the RY angles of each layer.
        rz: (2, 1024, 2) real and imaginary part of each layer's RZ phases.
        place: (2, 1024) place to which each layer's CNOTs move each amplitude, in the order of the next stage.
        z_rows: (61,) row of `_read`'s transform with each output's product of Z; the entries of X and Y are unused.
    """


def second_layer(index: np.ndarray) -> np.ndarray:
    """Return the place of an amplitude in the second layer: tiles of memory and first two processor qubits."""
    processor = index % PROC_DIM
    return processor % HIGH * STRIDE + index // PROC_DIM * LOW + processor // HIGH


def readout(index: np.ndarray) -> np.ndarray:
    """Return the place of an amplitude for `_read`: memory states side by side."""
    return index % PROC_DIM * MEM_DIM + index // PROC_DIM


_jit = compiled(nogil=True, error_model="numpy")
_inline = numba.njit(nogil=True, error_model="numpy", forceinline=True)


@_inline
def _turn(a, b, angle):
    """Rotate two rows into each other by an angle given as cosine and sine."""
    return angle[0] * a - angle[1] * b, angle[1] * a + angle[0] * b


@_inline
def _turn_rows(rows, first, second, length, angle):
    """Apply RY between two runs of rows."""
    for t in range(length):
        a, b = _turn(load(rows, first + t), load(rows, second + t), angle)
        store(rows, first + t, a)
        store(rows, second + t, b)


@_inline
def _turn_two(rows, first, high, low, angles, q):
    """Return four rows after RYs on qubits q and q + 1, whose partners are `high` and `low` rows apart."""
    a, b = load(rows, first), load(rows, first + low)
    c, d = load(rows, first + high), load(rows, first + high + low)
    a, c = _turn(a, c, angles[q])
    b, d = _turn(b, d, angles[q])
    a, b = _turn(a, b, angles[q + 1])
    c, d = _turn(c, d, angles[q + 1])
    return a, b, c, d


@_inline
def _put_four(rows, first, high, low, four):
    a, b, c, d = four
    store(rows, first, a)
    store(rows, first + low, b)
    store(rows, first + high, c)
    store(rows, first + high + low, d)


@_inline
def _put_moved(rows, k, phases, place, re, im):
    """Multiply an amplitude by its phase and move it: the RZs and CNOTs at the end of a layer."""
    phase_re, phase_im = phases[k, 0], phases[k, 1]
    row = 2 * place[k]
    store(rows, row, phase_re * re - phase_im * im)
    store(rows, row + 1, phase_im * re + phase_re * im)


@_inline
def _put_four_moved(rows, first, high, low, phases, place, re, im):
    _put_moved(rows, first, phases, place, re[0], im[0])
    _put_moved(rows, first + low, phases, place, re[1], im[1])
    _put_moved(rows, first + high, phases, place, re[2], im[2])
    _put_moved(rows, first + high + low, phases, place, re[3], im[3])


@_jit
def _encode(turns, state):
    """Compute the product state of RY then RZ on each qubit's |0>.

    `turns` has four rows per qubit: cosine and sine of half the RY angle, then of half the RZ angle.
    """
    store(state, 0, spread(1.0))
    store(state, 1, spread(0.0))
    size = 1
    # Each qubit doubles the list; later qubits are lower bits.
    for q in range(0, len(turns), 4):
        c, s, pr, pi = load(turns, q), load(turns, q + 1), load(turns, q + 2), load(turns, q + 3)
        for k in range(size - 1, -1, -1):
            a, b = load(state, 2 * k), load(state, 2 * k + 1)
            store(state, 4 * k, c * (a * pr + b * pi))
            store(state, 4 * k + 1, c * (b * pr - a * pi))
            store(state, 4 * k + 2, s * (a * pr - b * pi))
            store(state, 4 * k + 3, s * (b * pr + a * pi))
        size *= 2


@_jit
def _entangle(memory, processor, circuit, tile, low):
    """Multiply memory and processor, couple them, and apply the first layer's RYs on four processor qubits.

    The coupling consists of the controlled rotations. `tile`, written, contains the amplitudes whose last two processor
    qubits are `low`.
    """
    to_processor, to_memory = circuit.couple[0], circuit.couple[1]
    for m in range(MEM_DIM):
        block = m * BLOCK
        k = circuit.memory_order[m]
        a, b = load(memory, 2 * k), load(memory, 2 * k + 1)
        for h in range(HIGH):
            k = circuit.processor_order[h * LOW + low]
            re, im = load(processor, 2 * k), load(processor, 2 * k + 1)
            store(tile, block + 2 * h, a * re - b * im)
            store(tile, block + 2 * h + 1, a * im + b * re)
        for i in range(MEMORY):
            if (m >> (MEMORY - 1 - i)) & 1:
                run = HIGH >> i
                for start in range(block, block + 2 * HIGH, 2 * run):
                    _turn_rows(tile, start, start + run, run, to_processor)
    for i in range(MEMORY):
        half = MEM_DIM >> (i + 1)
        run = HIGH >> i
        for m in range(MEM_DIM):
            if m & half == 0:
                for start in range(m * BLOCK + run, m * BLOCK + 2 * HIGH, 2 * run):
                    _turn_rows(tile, start, start + half * BLOCK, run, to_memory)
    for m in range(MEM_DIM):
        for row in range(m * BLOCK, m * BLOCK + 8):
            _put_four(tile, row, 16, 8, _turn_two(tile, row, 16, 8, circuit.first[m], 0))
        for start in range(m * BLOCK, m * BLOCK + 2 * HIGH, 8):
            for row in range(start, start + 2):
                _put_four(tile, row, 4, 2, _turn_two(tile, row, 4, 2, circuit.first[m], 2))


@_jit
def _finish_first_layer(tiles, high, circuit, work, out):
    """Apply the first layer's other gates to the amplitudes whose first four processor qubits are `high`.

    These are the remaining RYs, then the RZs and CNOTs.
    """
    apart = MEM_DIM * BLOCK
    for m in range(MEM_DIM):
        for part in range(2):
            row = m * BLOCK + 2 * high + part
            four = _turn_two(tiles, row, 2 * apart, apart, circuit.first[m], 4)
            _put_four(work, 8 * m + part, 4, 2, four)
    for row in range(32):
        _put_four(work, row, 64, 32, _turn_two(work, row, 64, 32, circuit.ry[0], 0))
    for m in range(0, MEM_DIM, 4):
        for low in range(LOW):
            re = _turn_two(work, 8 * m + 2 * low, 16, 8, circuit.ry[0], 2)
            im = _turn_two(work, 8 * m + 2 * low + 1, 16, 8, circuit.ry[0], 2)
            k = m * PROC_DIM + high * LOW + low
            _put_four_moved(out, k, 2 * PROC_DIM, PROC_DIM, circuit.rz[0], circuit.place[0], re, im)


@_jit
def _second_layer(tiles, circuit, work, out):
    """Apply the second layer's RYs, RZs and CNOTs."""
    for start in range(0, 2 * STRIDE * HIGH, 2 * STRIDE):
        for row in range(start, start + 32):
            _put_four(tiles, row, 64, 32, _turn_two(tiles, row, 64, 32, circuit.ry[1], 0))
        for m in range(start, start + 128, 32):
            for row in range(m, m + 8):
                _put_four(tiles, row, 16, 8, _turn_two(tiles, row, 16, 8, circuit.ry[1], 2))
        for m in range(start, start + 128, 8):
            for row in range(m, m + 2):
                _put_four(tiles, row, 4, 2, _turn_two(tiles, row, 4, 2, circuit.ry[1], 4))
    for m in range(TILE):
        for low in range(4):
            for part in range(2):
                row = 2 * (low * STRIDE + m) + part
                four = _turn_two(tiles, row, 16 * STRIDE, 8 * STRIDE, circuit.ry[1], 6)
                _put_four(work, 2 * low + part, 16, 8, four)
        for low in range(0, 16, 4):
            re = _turn_two(work, 2 * low, 4, 2, circuit.ry[1], 8)
            im = _turn_two(work, 2 * low + 1, 4, 2, circuit.ry[1], 8)
            _put_four_moved(out, m * HIGH + low, 2, 1, circuit.rz[1], circuit.place[1], re, im)


@_inline
def _probability(state, k):
    re, im = load(state, 2 * k), load(state, 2 * k + 1)
    return re * re + im * im


@_inline
def _z_of_two(a, b, c, d):
    """Sum four rows that differ in two qubits: unsigned, signed by the first qubit, and signed by the second."""
    return (a + c) + (b + d), (a - c) + (b - d), (a + c) - (b + d)


@_jit
def _read_z(state, work, z):
    """Compute expectations of products of Z: of processor qubits only (64 rows), then times Z of each memory qubit."""
    for k in range(PROC_DIM):
        first = k * MEM_DIM
        for j in range(4):
            a, b = _probability(state, first + j), _probability(state, first + j + 4)
            c, d = _probability(state, first + j + 8), _probability(state, first + j + 12)
            both, one, two = _z_of_two(a, b, c, d)
            store(work, j, both)
            store(work, 4 + j, one)
            store(work, 8 + j, two)
        both, three, four = _z_of_two(load(work, 0), load(work, 1), load(work, 2), load(work, 3))
        one = _z_of_two(load(work, 4), load(work, 5), load(work, 6), load(work, 7))[0]
        two = _z_of_two(load(work, 8), load(work, 9), load(work, 10), load(work, 11))[0]
        store(z, k, both)
        store(z, k + PROC_DIM, one)
        store(z, k + 2 * PROC_DIM, two)
        store(z, k + 3 * PROC_DIM, three)
        store(z, k + 4 * PROC_DIM, four)
    # A Walsh-Hadamard transform, two qubits at a time.
    for low in (16, 4, 1):
        for first in range(0, 5 * PROC_DIM, 4 * low):
            for row in range(first, first + low):
                a, b = load(z, row), load(z, row + low)
                c, d = load(z, row + 2 * low), load(z, row + 3 * low)
                four = ((a + c) + (b + d), (a + c) - (b + d), (a - c) + (b - d), (a - c) - (b - d))
                _put_four(z, row, 2 * low, low, four)


@_inline
def _read_pair(x, y, a_re, a_im, b_re, b_im):
    """Add conj(a) b to x and y."""
    return x + (a_re * b_re + a_im * b_im), y + (a_re * b_im - a_im * b_re)


@_jit
def _read_xy(state, sums, q):
    """Sum conj(a) b over the memory, for the pairs of amplitudes that differ in processor qubit q or q + 1.

    Each qubit has 32 rows for X, then 32 for Y.
    """
    high, low = 32 >> q, 16 >> q
    step = 2 * MEM_DIM
    for k in range(PROC_DIM):
        if k & (high | low):
            continue
        x0 = x1 = x2 = x3 = y0 = y1 = y2 = y3 = spread(0.0)
        for row in range(step * k, step * (k + 1), 2):
            a, ai = load(state, row), load(state, row + 1)
            b, bi = load(state, row + step * low), load(state, row + step * low + 1)
            c, ci = load(state, row + step * high), load(state, row + step * high + 1)
            d, di = load(state, row + step * (high + low)), load(state, row + step * (high + low) + 1)
            x0, y0 = _read_pair(x0, y0, a, ai, c, ci)
            x1, y1 = _read_pair(x1, y1, b, bi, d, di)
            x2, y2 = _read_pair(x2, y2, a, ai, b, bi)
            x3, y3 = _read_pair(x3, y3, c, ci, d, di)
        # The number of the pair is k without the qubit's bit.
        pair = k // (2 * high) * high + k % high + 2 * PAIRS * q
        store(sums, pair, x0)
        store(sums, pair + low, x1)
        store(sums, pair + PAIRS, y0)
        store(sums, pair + PAIRS + low, y1)
        pair = k // (2 * low) * low + k % low + 2 * PAIRS * (q + 1)
        store(sums, pair, x2)
        store(sums, pair + high // 2, x3)
        store(sums, pair + PAIRS, y2)
        store(sums, pair + PAIRS + high // 2, y3)


@_jit
def _read(state, work, z, sums, z_rows, out):
    """Compute the expectation values in the order of `circuit`: 57 + 4 rows."""
    _read_z(state, work, z)
    for f in range(FEATURES + MEMORY):
        store(out, f, load(z, z_rows[f]))
    for q in range(0, PROCESSOR, 2):
        _read_xy(state, sums, q)
    for q in range(PROCESSOR):
        for xy in range(2):
            total = spread(0.0)
            first = (2 * q + xy) * PAIRS
            for pair in range(first, first + PAIRS):
                total = total + load(sums, pair)
            store(out, 3 * q + xy, 2.0 * total)


@_jit
def run(x, circuit, out):
    """Run the reservoir over signals.

    Args:
        x: (n, T, 6) processor angles in rad; n is a multiple of LANES.
        circuit: A `Circuit`.
        out: (n, T, 57) features, written.
    """
    memory, processor = np.empty((2 * MEM_DIM, LANES)), np.empty((2 * PROC_DIM, LANES))
    memory_turns, processor_turns = np.empty((4 * MEMORY, LANES)), np.empty((4 * PROCESSOR, LANES))
    tiles, work = np.empty((LOW * MEM_DIM * BLOCK, LANES)), np.empty((2 * TILE, LANES))
    moved, state = np.empty((2 * STRIDE * HIGH, LANES)), np.empty((2 * DIM, LANES))
    z, sums = np.empty((5 * PROC_DIM, LANES)), np.empty((2 * PROCESSOR * PAIRS, LANES))
    found, angle = np.empty((FEATURES + MEMORY, LANES)), np.empty((MEMORY, LANES))
    for i in range(MEMORY):
        memory_turns[4 * i + 2] = math.cos(circuit.memory_phase[i])
        memory_turns[4 * i + 3] = math.sin(circuit.memory_phase[i])
    for start in range(0, x.shape[0], LANES):
        angle[:] = 0.0
        for t in range(x.shape[1]):
            for lane in range(LANES):
                for i in range(MEMORY):
                    memory_turns[4 * i, lane] = math.cos(angle[i, lane])
                    memory_turns[4 * i + 1, lane] = math.sin(angle[i, lane])
                for i in range(PROCESSOR):
                    input_angle = x[start + lane, t, i]
                    processor_turns[4 * i, lane] = math.cos(input_angle / 2)
                    processor_turns[4 * i + 1, lane] = math.sin(input_angle / 2)
                    processor_turns[4 * i + 2, lane] = math.cos(input_angle / 4)
                    processor_turns[4 * i + 3, lane] = math.sin(input_angle / 4)
            _encode(memory_turns, memory)
            _encode(processor_turns, processor)
            for low in range(LOW):
                _entangle(memory, processor, circuit, tiles[low * MEM_DIM * BLOCK :], low)
            for high in range(HIGH):
                _finish_first_layer(tiles, high, circuit, work, moved)
            _second_layer(moved, circuit, work, state)
            _read(state, work, z, sums, circuit.z_rows, found)
            for lane in range(LANES):
                for f in range(FEATURES):
                    out[start + lane, t, f] = found[f, lane]
                for i in range(MEMORY):
                    angle[i, lane] = (found[FEATURES + i, lane] + 1.0) * math.pi / 2


@_jit
def pool(steps, out):
    """Write the last value, mean and population std over time of steps (n, T, 57) to out (n, 171)."""
    n, length, width = steps.shape
    for i in range(n):
        mean, squares = np.zeros(width), np.zeros(width)
        for t in range(length):
            mean += steps[i, t]
        mean /= length
        for t in range(length):
            squares += (steps[i, t] - mean) * (steps[i, t] - mean)
        out[i, :width], out[i, width : 2 * width] = steps[i, length - 1], mean
        out[i, 2 * width :] = np.sqrt(squares / length)
