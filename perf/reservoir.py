"""Time the reservoir kernel against PennyLane on the same signals, in one run.

    python perf/reservoir.py [--samples 256]

The output has milliseconds per signal of 100 steps and the ratios. PennyLane runs one signal, step by step, as the
memory requires. Times are CPU times of this process, the minimum of several: other programs on the machine do not
count.

The limit: a step rotates 24,576 pairs of numbers (four multiplications and two additions each), multiplies 3,072
complex numbers and reads 3,072 pairs and 1,024 probabilities, 126,000 multiplications and 73,000 additions in all, in
double precision. A core that multiplies eight numbers per cycle (two 256-bit units, as in Zen 4) needs 1.6 million
cycles per signal: 0.42 ms at 3.7 GHz. Additions and memory accesses run in parallel. Fused operations would not lower
the limit: they occupy the multipliers, and change the last digits. Fewer gates would be another circuit, and another
dataset.
"""

import argparse
import time

import numpy as np
import pennylane as qml

from bridge.v1 import reservoir

MEAN, STD = np.zeros(6), np.ones(6)
MULTIPLICATIONS, A_CYCLE = 126_000 * 100, 8
REPEATS = 5


def pennylane_signal(device: str, signal: np.ndarray) -> tuple[float, np.ndarray]:
    """Measure the seconds for one signal on a PennyLane device; return them and its features, shape (T, 57)."""
    step = qml.QNode(reservoir.circuit, qml.device(device, wires=reservoir.QUBITS), diff_method=None)
    angles = reservoir.angles(signal[None], MEAN, STD)[0]
    step(angles[0], np.zeros(reservoir.MEMORY))
    start = time.process_time()
    memory, found = np.zeros(reservoir.MEMORY), []
    for x in angles:
        out = np.array(step(x, memory))
        found.append(out[: reservoir.FEATURES])
        memory = (out[reservoir.FEATURES :] + 1) * np.pi
    return time.process_time() - start, np.array(found)


def one_pass(signals: np.ndarray) -> float:
    """Measure the kernel's CPU seconds per signal."""
    start = time.process_time()
    reservoir.embed(signals, MEAN, STD, 1)
    return (time.process_time() - start) / len(signals)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=256, help="signals for the kernel")
    signals = np.random.default_rng(0).standard_normal((parser.parse_args().samples, 100, 6))
    reservoir.embed(signals[:8], MEAN, STD)  # compiles
    ours = min(one_pass(signals) for _ in range(REPEATS))
    print(f"{'kernel, one core':20} {ours * 1e3:10.3f} ms per signal")
    print(f"{'arithmetic limit':20} {MULTIPLICATIONS / A_CYCLE / 3.7e6:10.3f} ms per signal at 3.7 GHz")
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
