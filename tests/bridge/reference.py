"""The bridge of v1.0 written out once more, one sample at a time, as plainly as possible: the tests' oracle."""

import math

import numpy as np
import pennylane as qml

from bridge.v1 import reservoir


def embed(signal, mean, std):
    """MagBridge-Embed of one signal (T, 6) on PennyLane's default.qubit, with every gate written out."""
    rng = np.random.RandomState(42)
    rotations = rng.uniform(0, 2 * np.pi, (2, 10, 2))
    projection = rng.randn(6, 6) * 0.5
    phases = rng.uniform(0, 2 * np.pi, (4, 2))

    @qml.qnode(qml.device("default.qubit", wires=10))
    def step(x, m):
        for i in range(4):
            qml.RY(m[i], i), qml.RZ(phases[i, 0], i)
        for i in range(6):
            qml.RY(x[i], 4 + i), qml.RZ(0.5 * x[i], 4 + i)
        for a, b in [(0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (6, 7), (7, 8), (8, 9), (9, 4)]:
            qml.CNOT([a, b])
        for i in range(4):
            qml.CRY(0.3 * np.pi, [i, 4 + i]), qml.CRY(0.15 * np.pi, [4 + i, i])
        for i in range(4):
            qml.CRY(0.09 * np.pi, [i, 4 + (i + 2) % 6])
        for layer in range(2):
            for q in range(10):
                qml.RY(rotations[layer, q, 0], q), qml.RZ(rotations[layer, q, 1], q)
            for q in range(10):
                qml.CNOT([q, (q + 1) % 10])
            for q in (0, 2, 4, 6):
                qml.CNOT([q, q + 2])
        singles = [qml.expval(p(q)) for q in range(4, 10) for p in (qml.X, qml.Y, qml.Z)]
        pairs = [qml.expval(qml.Z(a) @ qml.Z(b)) for a in range(4, 10) for b in range(a + 1, 10)]
        cross = [qml.expval(qml.Z(a) @ qml.Z(b)) for a in range(4) for b in range(4, 10)]
        return singles + pairs + cross + [qml.expval(qml.Z(i)) for i in range(4)]

    scaled = np.clip((signal - mean) / std, -3, 3) * np.pi / 3
    memory, steps = np.zeros(4), []
    for row in scaled:
        out = np.array(step(np.clip(row @ projection, -np.pi, np.pi), memory))
        steps.append(out[:57])
        memory = (out[57:] + 1) * np.pi
    steps = np.array(steps)
    return np.concatenate([steps[-1], steps.mean(0), steps.std(0)])


def generate(upstream, voltage, soc, soh, seed, embedding=None):
    """One signal, stage by stage; `embedding` replaces the slow circuit where only the rest is under test."""
    rng = np.random.default_rng(seed)
    anchors = list(upstream.statistics.voltages)
    k = next(i for i in range(4) if anchors[i] <= voltage <= anchors[i + 1])
    a = (voltage - anchors[k]) / (anchors[k + 1] - anchors[k])
    mean = (1 - a) * upstream.statistics.mean[k] + a * upstream.statistics.mean[k + 1]
    std = np.sqrt((1 - a) * upstream.statistics.std[k] ** 2 + a * upstream.statistics.std[k + 1] ** 2)
    base = mean + std * rng.normal(size=(100, 6))
    delta = 1 - soh
    scaler, latent = upstream.angle_scaler, upstream.latent

    def project(e):
        return ((e - latent.scaler_mean) / (latent.scaler_scale + 1e-12) - latent.xbar) @ latent.components

    e = (embedding or embed)(base, scaler.mean, scaler.std)
    z, scans_z, d = project(e), project(upstream.embeddings), latent.direction
    candidates = list(range(len(scans_z)))
    if abs(delta) >= 0.02:
        cosine = [(s - z) @ d / np.linalg.norm(s - z) for s in scans_z]
        cone = [i for i in candidates if cosine[i] >= math.cos(math.radians(75))]
        candidates = cone if len(cone) >= 8 else candidates
    distance = {i: np.linalg.norm(scans_z[i] - (z - 800 * delta * d)) for i in candidates}
    nearest = sorted(candidates, key=distance.get)[:8]
    weights = np.array([math.exp(-distance[i] / 50) for i in nearest])
    decoded = sum(w * upstream.scans[i] for w, i in zip(weights / weights.sum(), nearest))
    beta = min(1, 1.5 * max(0, delta))
    x = (1 - beta) * base + beta * decoded
    x = x * np.clip(1 + 0.15 * max(0, delta) * rng.normal(size=6), 0.7, 1.3)
    spread = np.ptp(x, axis=0) + 1e-9
    x = x + rng.normal(size=(100, 6)) * 0.05 * max(0, delta) * spread
    sensor = rng.normal(size=(100, 6)) * 0.05 * x.std(axis=0)
    slow = rng.normal(size=(100, 6))
    for c in range(6):
        slow[:, c] = np.convolve(slow[:, c], np.full(10, 0.1), "same")
        slow[:, c] -= slow[:, c].mean()
        slow[:, c] /= slow[:, c].std() + 1e-12
    return x + sensor + slow * 0.04 * min(1, abs(soc - 50) / 50) * spread


def fast_embed(signal, mean, std):
    """The kernel's embedding of one signal, for `generate`'s `embedding`."""
    return reservoir.embed(signal[None], mean, std)[0]
