"""Times the reservoir kernel against PennyLane on the same signals, in one run.

    python perf/reservoir.py [--samples 256]

Prints seconds per signal of 100 steps and the ratios. PennyLane runs one signal, step by step, as the memory demands.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pennylane as qml

from bridge.embedding import reservoir

MEAN, STD = np.zeros(6), np.ones(6)


def pennylane_signal(device: str, signal: np.ndarray) -> tuple[float, np.ndarray]:
    """Seconds for one signal on a PennyLane device, and its features (T, 57)."""
    step = qml.QNode(reservoir.circuit, qml.device(device, wires=reservoir.QUBITS), diff_method=None)
    angles = reservoir.angles(signal[None], MEAN, STD)[0]
    step(angles[0], np.zeros(reservoir.MEMORY))
    start = time.perf_counter()
    memory, found = np.zeros(reservoir.MEMORY), []
    for x in angles:
        out = np.array(step(x, memory))
        found.append(out[: reservoir.FEATURES])
        memory = (out[reservoir.FEATURES :] + 1) * np.pi
    return time.perf_counter() - start, np.array(found)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=256, help="signals for the kernel")
    signals = np.random.default_rng(0).standard_normal((parser.parse_args().samples, 100, 6))
    reservoir.embed(signals[:8], MEAN, STD)  # compiles
    for workers in (1, None):
        start = time.perf_counter()
        reservoir.embed(signals, MEAN, STD, workers)
        ours = (time.perf_counter() - start) / len(signals)
        print(f"kernel, {'all cores' if workers is None else 'one core':9}  {ours * 1e3:10.3f} ms per signal")
    expected = reservoir.features(signals[:1], MEAN, STD)[0]
    for device in ("default.qubit", "lightning.qubit"):
        try:
            seconds, found = pennylane_signal(device, signals[0])
        except qml.exceptions.DeviceError as error:
            print(f"{device:20} not installed ({error})")
            continue
        gap = np.abs(found - expected).max()
        print(
            f"{device:20} {seconds * 1e3:10.3f} ms per signal, {seconds / ours:8.0f} times the kernel's, "
            f"largest difference {gap:.1e}"
        )


if __name__ == "__main__":
    main()
