"""Made-up scans whose SOH is in their shape, for readouts of shape."""

import numpy as np
import pytest

from benchmark.data import Subset
from dataset_card.contract.schema import T

TIME = np.linspace(0, 1, T)


def scans(rng, cells=40, rows=15):
    """Clean rows: SOH bends the signal in two shapes, whose signs depend on the place across the cell."""
    soh = np.repeat(rng.uniform(0.6, 1, cells), rows)
    place, voltage = rng.uniform(-1, 1, len(soh)), rng.uniform(3.1, 3.3, len(soh))
    gains = np.array([1, -0.7, 0.5, 0.9])
    signals = np.zeros((len(soh), T, 6))
    shape = 800 + 300 * np.outer(place, TIME) + 100 * np.outer(voltage, np.sin(np.pi * TIME))
    bend = np.outer((1 - soh) * 1.4 * place, np.sin(2 * np.pi * TIME))
    bend = 120 * (bend + np.outer((1 - soh) * (1 - 3 * place**2), np.sin(3 * np.pi * TIME)))
    signals[..., :4] = (shape + bend)[..., None] * gains + rng.normal(0, 0.5, (len(soh), T, 4))
    unseen = 1e4 * (voltage[:, None] - 3 + TIME)
    for sensor, (y, z) in enumerate(((0, 1), (2, 3))):
        signals[..., 4 + sensor] = np.sqrt(signals[..., y] ** 2 + signals[..., z] ** 2 + unseen)
    ids = np.array([f"s{i}" for i in range(len(soh))])
    return Subset(ids, np.repeat([f"LFP-35Ah-{c:03d}" for c in range(cells)], rows), signals, soh)


@pytest.fixture(scope="module")
def train():
    return scans(np.random.default_rng(0))


@pytest.fixture(scope="module")
def test():
    return scans(np.random.default_rng(1), cells=20)
