"""MagBridge-Embed: the quantum reservoir that turns a signal into 171 numbers.

The reservoir has ten qubits: four of memory and six of processor. At every time step the six scaled
channels are encoded into the processor and the previous step's memory readout into the memory; a fixed
circuit mixes them, and 57 expectation values are read. Pooling over time (last, mean, std) gives the embedding.

`circuit` is the definition, in PennyLane. `embed` computes the same numbers for many signals with the
kernel in `bridge.v1.kernel`; its results depend on neither batch size nor number of threads.
"""

from __future__ import annotations

import math
import os
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import combinations

import numpy as np

from bridge.v1 import kernel as kernel
from bridge.v1.kernel import FEATURES, MEMORY, PROCESSOR, QUBITS
from dataset_card.contract.schema import CHANNELS

LAYERS = 2
PARAMETER_SEED = 42
INPUT_SCALE = 0.5
MEMORY_TO_PROCESSOR, PROCESSOR_TO_MEMORY, SKIP = 0.3 * math.pi, 0.15 * math.pi, 0.09 * math.pi
"""Angles of the controlled rotations that couple memory and processor, in rad."""

PROCESSOR_PAIRS = tuple(combinations(range(PROCESSOR), 2))
EMBEDDING = 3 * FEATURES
CLIP_SIGMA = 3.0
"""Inputs are clipped at this number of standard deviations, which maps to an angle of pi."""


class Parameters(namedtuple("Parameters", "rotations projection memory_phases")):
    """The reservoir's fixed random parameters.

    Attributes:
        rotations: (2, 10, 2) angles of RY and RZ in each layer on each qubit, in rad.
        projection: (6, 6) weights from scaled channels to processor angles.
        memory_phases: (4,) RZ angles of the memory encoding, in rad.
    """


@cache
def parameters() -> Parameters:
    """Return the parameters of v1.0, drawn from `RandomState(42)`."""
    rng = np.random.RandomState(PARAMETER_SEED)
    rotations = rng.uniform(0, 2 * np.pi, (LAYERS, QUBITS, 2))
    projection = rng.randn(PROCESSOR, PROCESSOR) * INPUT_SCALE
    memory_phases = rng.uniform(0, 2 * np.pi, (MEMORY, 2))[:, 0].copy()
    return Parameters(rotations, projection, memory_phases)


def circuit(x: np.ndarray, m: np.ndarray) -> list:
    """Apply one reservoir step, as a PennyLane quantum function: the definition of MagBridge-Embed.

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
    """Return the CNOTs after the encoding: a chain through the memory, a ring through the processor."""
    chain = [(i, i + 1) for i in range(MEMORY - 1)]
    ring = [(MEMORY + i, MEMORY + (i + 1) % PROCESSOR) for i in range(PROCESSOR)]
    return chain + ring


def layer_cnots() -> list[tuple[int, int]]:
    """Return the CNOTs at the end of each layer: a ring through all qubits, then four that skip one qubit each."""
    return [(i, (i + 1) % QUBITS) for i in range(QUBITS)] + [(i, i + 2) for i in (0, 2, 4, 6)]


def embed(signals: np.ndarray, mean: np.ndarray, std: np.ndarray, workers: int | None = None) -> np.ndarray:
    """Embed signals.

    Args:
        signals: (n, T, 6) in nT.
        mean: (6,) channel means of the angle scaler, in nT.
        std: (6,) channel standard deviations of the angle scaler, in nT.
        workers: Threads; all cores by default. The result does not depend on it.

    Returns:
        (n, 171) embeddings: the features of the last step, then their mean and population std over time.
    """
    return _in_chunks(_embed_chunk, np.asarray(signals, float), (EMBEDDING,), mean, std, workers)


def features(signals: np.ndarray, mean: np.ndarray, std: np.ndarray, workers: int | None = None) -> np.ndarray:
    """Compute the (n, T, 57) reservoir features of every time step; the arguments are those of `embed`."""
    signals = np.asarray(signals, float)
    return _in_chunks(_features_chunk, signals, (signals.shape[1], FEATURES), mean, std, workers)


def angles(signals: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Compute processor angles in rad: channels are standardised, clipped at 3 sigma, scaled to pi and projected.

    Args:
        signals: (n, T, 6) in nT.
        mean: (6,) channel means in nT.
        std: (6,) channel standard deviations in nT.

    Returns:
        (n, T, 6) angles in rad.
    """
    scaled = np.clip((signals - mean) / std, -CLIP_SIGMA, CLIP_SIGMA) * (math.pi / CLIP_SIGMA)
    x = np.zeros_like(scaled)
    # Summed by hand: a BLAS product may round differently with the batch size.
    for channel, weights in enumerate(parameters().projection):
        x += scaled[..., channel, None] * weights
    return np.clip(x, -math.pi, math.pi)


CHUNK = 32
"""Number of signals handed to a thread at a time."""


def _in_chunks(function, signals, shape, mean, std, workers) -> np.ndarray:
    if signals.ndim != 3 or signals.shape[2] != len(CHANNELS):
        raise ValueError(f"signals of shape {signals.shape}: expected (n, T, {len(CHANNELS)})")
    from tqdm import tqdm

    out = np.empty((len(signals), *shape))
    starts = range(0, len(signals), CHUNK)

    def run(start):
        function(angles(signals[start : start + CHUNK], mean, std), out[start : start + CHUNK])

    with ThreadPoolExecutor(workers or cores()) as pool:
        # The longest part of a v1 build. Show the bar only on a terminal, and only after a second.
        list(tqdm(pool.map(run, starts), desc="embedding", total=len(starts), delay=1, disable=None, leave=False))
    return out


def cores() -> int:
    """Return the number of cores that this process may use, or of all cores if the system does not report it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _features_chunk(x: np.ndarray, out: np.ndarray) -> None:
    padded = np.pad(x, ((0, -len(x) % kernel.LANES), (0, 0), (0, 0)))
    found = np.empty((*padded.shape[:2], FEATURES))
    kernel.run(padded, _fixed_circuit(), found)
    out[:] = found[: len(x)]


def _embed_chunk(x: np.ndarray, out: np.ndarray) -> None:
    found = np.empty((*x.shape[:2], FEATURES))
    _features_chunk(x, found)
    kernel.pool(found, out)


def _permutation(cnots: list[tuple[int, int]]) -> np.ndarray:
    """Return the position to which a sequence of CNOTs moves each amplitude, (1024,)."""
    index = np.arange(2**QUBITS)
    for control, target in cnots:
        index ^= ((index >> (QUBITS - 1 - control)) & 1) << (QUBITS - 1 - target)
    return index


@cache
def _fixed_circuit() -> kernel.Circuit:
    """Return the part of the circuit that does not depend on the inputs."""
    index = np.arange(2**QUBITS)
    bits = (index[:, None] >> (QUBITS - 1 - np.arange(QUBITS))) & 1
    ry, rz = parameters().rotations[..., 0], parameters().rotations[..., 1]
    phases = np.exp(1j * (bits - 0.5) @ rz[:, :, None])[:, :, 0]
    encoding = _permutation(encoding_cnots())
    layer = _permutation(layer_cnots())
    processor_states, memory_states = index[: 2**PROCESSOR], index[: 2**MEMORY]
    # RY(a) RY(b) = RY(a + b): the last controlled rotations merge with the first layer's, per control bit.
    skip = np.zeros((2**MEMORY, PROCESSOR))
    for i in range(MEMORY):
        skip[:, (i + 2) % PROCESSOR] += SKIP * ((memory_states >> (MEMORY - 1 - i)) & 1)
    memory, processor = np.arange(1, 1 + MEMORY) << PROCESSOR, 1 << np.arange(PROCESSOR)[::-1]
    pairs = np.array([processor[i] | processor[j] for i, j in PROCESSOR_PAIRS])
    z_rows = [np.repeat(processor, 3), pairs, (memory[:, None] | processor).ravel(), memory]
    return kernel.Circuit(
        memory_phase=parameters().memory_phases / 2,
        memory_order=np.argsort(encoding[memory_states << PROCESSOR] >> PROCESSOR),
        processor_order=np.argsort(encoding[processor_states]),
        couple=_cos_sin(np.array([MEMORY_TO_PROCESSOR, PROCESSOR_TO_MEMORY]) / 2),
        first=_cos_sin((ry[0, MEMORY:] + skip) / 2),
        ry=_cos_sin(ry / 2),
        rz=np.stack([phases.real, phases.imag], axis=-1),
        place=np.stack([kernel.second_layer(layer), kernel.readout(layer)]),
        z_rows=np.concatenate(z_rows),
    )


def _cos_sin(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)
