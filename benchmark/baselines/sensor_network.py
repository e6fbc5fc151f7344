"""Networks over v3's sensors and times, with each reading in the metric of healthy cells.

Magnetic readings are maps of 6 x 4 places with a channel for each axis and time, read by convolutions; the terminal
voltage has separate layers. The chemistry is recognised from the readings, as in `physics`; one network reads both
chemistries. The outputs of the two networks are weighted by their score on validation rows: a single network on all
readings fits the noise of uninformative ones (R2 of T9: .30, against .65 with the terminals only, on validation cells).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np

from benchmark.baselines.declaring import declare
from benchmark.baselines.deep import DEEP_SEEDS, SequenceModel, require_torch
from benchmark.baselines.physics import TASKS, VIEWS, HealthyMetric, border, channels, level, view
from benchmark.models import KeptByTask
from benchmark.scoring import score
from benchmark.tasks import Task
from dataset_card.contract.physics import AXES, REST_TIMES, SENSORS, STEPS

if TYPE_CHECKING:
    from torch import nn

    from benchmark.data import Subset

GRID = 6, 4
"""Number of sensors along x and y; x varies slowest in a row's readings."""

MAPS = AXES * (REST_TIMES + 2)
"""Number of maps: one per field component under load, at each time at rest, and for the scan."""

WIDTH, HIDDEN, EPOCHS, QUIT = 48, 128, 120, 30
RATES = {"terminals": 3e-3, "magnetics": 1e-3}
"""Learning rates, the best of five settings on validation cells (with the epoch chosen on other training cells)."""

WEIGHTS = tuple(k / 10 for k in range(11))


class SensorNetwork(SequenceModel):
    """A network on terminals or on magnetics, trained with Adam and stopped early on validation rows.

    Args:
        network: Function that builds the network for a number of outputs.
        name: Name of the view.
        seed: Seed of the initial weights, dropout and batch order.
        task: Task that the network is for.
    """

    patience, epochs = QUIT, EPOCHS

    def __init__(self, network, name: str, seed: int, task: Task):
        super().__init__(network, seed, task)
        self.name, self.rate = name, RATES[name]

    def fit(self, signals: np.ndarray, target: np.ndarray, *, validation: Subset, clean: Subset) -> Self:  # type: ignore[override]
        """Train for up to 120 epochs and keep the weights with the best headline score on the validation rows.

        Args:
            signals: Shape (n, 681), V and nT.
            target: Shape (n,), or (n, 2) for places in mm.
            validation: Rows for early stopping.
            clean: Rows of healthy training cells, whose spread sets the scale of readings.
        """
        healthy = view(clean.signals, self.name)
        self.n_features_ = healthy.shape[1]
        of = level(channels(healthy, self.name))
        self.border = border(of)
        self.metrics, self.scales = [], []
        for side in (of <= self.border, of > self.border):
            rows = healthy[side] if side.any() else healthy
            rest = channels(rows, self.name).get("rest", np.zeros((1, 0)))
            self.metrics.append(HealthyMetric(self.name).fit(rows))
            self.scales.append((rest.mean(axis=0), rest.std(axis=0) + 1e-12))
        return super().fit(signals, target, validation=validation)

    def predict(self, signals: np.ndarray) -> np.ndarray:
        """Predict labels or numbers, shape (n,), or places (n, 2) in mm."""
        return self.answer(self.scores(signals))

    def scores(self, signals: np.ndarray) -> np.ndarray:
        """Predict class probabilities (n, K), numbers (n, 1) or places (n, 2)."""
        return self.predict_proba(signals) if self.task.labels else self._output(signals) * self.scale + self.mean

    def answer(self, scores: np.ndarray) -> np.ndarray:
        """Turn scores into predictions."""
        if self.task.labels:
            return self.classes_[scores.argmax(axis=1)]
        return scores if self.task.second else scores[:, 0]

    def _prepare(self, signals: np.ndarray, target: np.ndarray) -> None:
        if not self.task.labels:
            self.mean, self.scale = target.mean(axis=0), target.std(axis=0)

    def _target(self, target: np.ndarray):
        if self.task.labels:
            return super()._target(target)
        scaled = ((target - self.mean) / self.scale).reshape(len(target), -1)
        return require_torch().from_numpy(scaled.astype(np.float32)).to(self.device)

    def _loss(self, x, y):
        if self.task.labels:
            return super()._loss(x, y)
        return require_torch().nn.functional.smooth_l1_loss(self.model(x), y)

    def _inputs(self, signals: np.ndarray):
        """Return compressed readings, in standard deviations of healthy cells, as a float32 tensor (n, D)."""
        x = view(signals, self.name)
        side = (level(channels(x, self.name)) > self.border).astype(int)
        out = np.empty_like(x)
        for k, (metric, (mean, spread)) in enumerate(zip(self.metrics, self.scales)):
            rows = x[side == k]
            parts = dict(zip(metric.fitted, metric.transform(rows)))
            read = channels(rows, self.name)
            parts |= {"rest": (read["rest"] - mean) / spread} if "rest" in read else {}
            out[side == k] = np.concatenate([parts[c] for c in VIEWS[self.name]], axis=1)
        return require_torch().from_numpy(np.arcsinh(out).astype(np.float32)).to(self.device)


class BothNetworks(KeptByTask):
    """A network on terminals and one on magnetics, weighted by the score on validation rows."""

    def __init__(self, seed: int, task: Task):
        self.task = task
        self.networks = [SensorNetwork(NETWORKS[name], name, seed, task) for name in NETWORKS]

    def fit(self, signals: np.ndarray, target: np.ndarray, *, validation: Subset, clean: Subset) -> Self:
        """Fit both networks and choose the weight; arguments as in `SensorNetwork.fit`."""
        first, second = (
            network.fit(signals, target, validation=validation, clean=clean).scores(validation.signals)
            for network in self.networks
        )
        headline = self.task.headline

        def worth(weight: float) -> float:
            answer = self.networks[0].answer(weight * first + (1 - weight) * second)
            return headline.sign * score(self.task, validation.target, answer)[headline.name]

        self.weight = max(WEIGHTS, key=worth)
        return self

    def predict(self, signals: np.ndarray) -> np.ndarray:
        """Predict as `SensorNetwork.predict` does."""
        return self.networks[0].answer(self.scores(signals))

    def predict_proba(self, signals: np.ndarray) -> np.ndarray:
        """Predict class probabilities (n, K)."""
        return self.scores(signals)

    def scores(self, signals: np.ndarray) -> np.ndarray:
        """Compute the weighted scores of both networks; shapes as in `SensorNetwork.scores`."""
        first, second = (network.scores(signals) for network in self.networks)
        return self.weight * first + (1 - self.weight) * second

    @property
    def classes_(self) -> np.ndarray:
        """Labels in the order of the probabilities."""
        return self.networks[0].classes_


def _terminals(outputs: int) -> nn.Module:
    nn = require_torch().nn
    return nn.Sequential(
        *(nn.Linear(STEPS, 64), nn.GELU(), nn.Dropout(0.1)),
        *(nn.Linear(64, HIDDEN), nn.GELU(), nn.Dropout(0.1)),
        nn.Linear(HIDDEN, outputs),
    )


def _magnetics(outputs: int) -> nn.Module:
    nn = require_torch().nn

    class Maps(nn.Module):  # type: ignore[name-defined]
        """Readings as maps of the array, with a channel for each time and axis."""

        def forward(self, x):
            """Map (n, 648) to (n, 27, 6, 4)."""
            return x.reshape(len(x), -1, *GRID, AXES).movedim(4, 2).reshape(len(x), MAPS, *GRID)

    return nn.Sequential(
        Maps(),
        *(nn.Conv2d(MAPS, WIDTH, 3, padding=1), nn.GELU()),
        *(nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.GELU(), nn.Flatten(), nn.Dropout(0.3)),
        *(nn.Linear(WIDTH * SENSORS, HIDDEN), nn.GELU(), nn.Dropout(0.3)),
        nn.Linear(HIDDEN, outputs),
    )


NETWORKS = {"terminals": _terminals, "magnetics": _magnetics}


def _build(name: str, seed: int, task: Task) -> SensorNetwork | BothNetworks:
    return SensorNetwork(NETWORKS[name], name, seed, task) if name in NETWORKS else BothNetworks(seed, task)


MODELS = tuple(declare(f"network-{name}", TASKS, partial(_build, name), None, "full", DEEP_SEEDS) for name in VIEWS)
