"""A convolutional network as one would train it today, on properly normalised signals."""

from collections.abc import Callable
from typing import Self

import numpy as np

from benchmark.baselines.declaring import ALL, declare
from benchmark.baselines.deep import BATCH, DEEP_SEEDS, SequenceModel, require_torch
from benchmark.data import Subset
from benchmark.tasks import Task
from dataset_card.contract.schema import CHANNELS
from dataset_card.errors import MagBridgeError

EPOCHS = 15
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.02
WIDTH = 48
DILATIONS = (1, 2, 4)
CLIP = 8.0
"""Standardised samples are cut here: a Regime-B row is far out on every channel, and how far differs by anchor."""

MAD_TO_STD = 1.4826
"""Median absolute deviation to std, for a normal distribution."""


class NormalisedCNN(SequenceModel):
    """A dilated residual network with batch normalisation and statistics pooling.

    Every sample is standardised by the median and median absolute deviation of its channel and time step over the
    training rows, which takes the common trajectory out; a second copy has the row's own level taken out too. Mean and
    log std over time are pooled, so that how noisy a signal is reaches the readout as such. Targets are standardised,
    classes weighted equally. The epoch with the best validation score is kept. Width, schedule and inputs were chosen
    on the validation rows of the default release, with epochs chosen on training cells held out.

    Args:
        seed: Of the initial weights and batch order.
        task: Decides between squared error and cross-entropy.
    """

    patience, epochs = None, EPOCHS

    def __init__(self, seed: int, task: Task):
        super().__init__(_network, seed, task)

    def fit(self, signals: np.ndarray, target: np.ndarray, *, validation: Subset) -> Self:
        """Train for 15 epochs on a one-cycle schedule.

        Args:
            signals: Shape (n, 100, 6), nT.
            target: Shape (n,).
            validation: Rows to choose the epoch by.

        Raises:
            MagBridgeError: Fewer than two training rows.
        """
        if len(signals) < 2:
            raise MagBridgeError(f"batch normalisation needs at least two training rows: got {len(signals)}")
        return super().fit(signals, target, validation=validation)

    def predict(self, signals: np.ndarray) -> np.ndarray:
        """Values, or labels, of shape (n,)."""
        prediction = super().predict(signals)
        return self.offset + self.unit * prediction if self.task.is_regression else prediction

    def _prepare(self, signals: np.ndarray, target: np.ndarray) -> None:
        self.centre = np.median(signals, axis=0)
        self.scale = MAD_TO_STD * np.median(np.abs(signals - self.centre), axis=0) + 1e-9
        if self.task.is_regression:
            self.offset, self.unit = target.mean(), target.std() or 1.0
        else:
            counts = np.array([(target == label).sum() for label in self.task.labels])
            weight = len(target) / (len(counts) * np.maximum(counts, 1))
            torch = require_torch()
            self.weight = torch.tensor(weight, dtype=torch.float32, device=self.device)

    def _optimization(self, n_rows: int) -> Callable[[], None]:
        torch = require_torch()
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        steps = self.epochs * (n_rows // BATCH + (n_rows % BATCH > 1))  # as many batches as `_batches` gives
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)

        def step():
            optimizer.step()
            schedule.step()

        return step

    def _batches(self, n_rows: int) -> list:
        """Without a last batch of one row, which has no variance to normalise by."""
        return [rows for rows in super()._batches(n_rows) if len(rows) > 1]

    def _loss(self, x, y):
        output, functional = self.model(x), require_torch().nn.functional
        if self.task.is_regression:
            return functional.mse_loss(output[:, 0], (y - self.offset) / self.unit)
        return functional.cross_entropy(output, y, weight=self.weight)

    def _inputs(self, signals: np.ndarray):
        """Both copies of the standardised signals as a float32 tensor (n, 12, 100) on the device."""
        shape = (signals - self.centre) / self.scale
        free = shape - np.median(shape, axis=1, keepdims=True)
        both = np.clip(np.concatenate([shape, free], axis=2), -CLIP, CLIP).transpose(0, 2, 1)
        return require_torch().from_numpy(both.astype(np.float32)).contiguous().to(self.device)


def _network(outputs: int):
    return dilated_network(outputs, 2 * len(CHANNELS))


def dilated_network(outputs: int, channels: int):
    """A residual network of three dilated blocks, from (n, channels, T) to (n, outputs)."""
    torch = require_torch()
    nn = torch.nn

    class Block(nn.Module):  # type: ignore[name-defined]
        """Two convolutions around a shortcut."""

        def __init__(self, dilation: int):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv1d(WIDTH, WIDTH, 5, padding=2 * dilation, dilation=dilation, bias=False),
                nn.BatchNorm1d(WIDTH),
                nn.ReLU(),
                nn.Conv1d(WIDTH, WIDTH, 1, bias=False),
                nn.BatchNorm1d(WIDTH),
            )

        def forward(self, x):
            """Map (n, width, T) to the same shape."""
            return torch.relu(x + self.body(x))

    class StatisticsPooling(nn.Module):  # type: ignore[name-defined]
        """Mean and log std over time."""

        def forward(self, x):
            """Map (n, width, T) to (n, 2 width)."""
            return torch.cat([x.mean(dim=2), 0.5 * torch.log(x.var(dim=2) + 1e-4)], dim=1)

    return nn.Sequential(
        nn.Conv1d(channels, WIDTH, 7, padding=3, bias=False),
        nn.BatchNorm1d(WIDTH),
        nn.ReLU(),
        *(Block(dilation) for dilation in DILATIONS),
        StatisticsPooling(),
        nn.BatchNorm1d(2 * WIDTH),
        nn.Dropout(0.2),
        nn.Linear(2 * WIDTH, outputs),
    )


MODELS = (declare("normalised-cnn", ALL, NormalisedCNN, None, "full", DEEP_SEEDS),)
