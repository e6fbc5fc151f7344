"""A convolutional network in current practice, on properly normalised signals."""

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
"""Limit to which standardised samples are clipped: Regime-B rows are far out on all channels, how far depends on the
anchor."""

MAD_TO_STD = 1.4826
"""Factor from median absolute deviation to std, for a normal distribution."""


class NormalisedCNN(SequenceModel):
    """A dilated residual network with batch normalisation and statistics pooling.

    Every sample is standardised by the median and median absolute deviation of its channel and time step over the
    training rows, which removes the common trajectory; in a second copy, the row's own level is removed as well. Mean
    and log std over time are pooled, so that the readout sees directly how noisy a signal is. Targets are standardised,
    classes weighted equally. The epoch with the best validation score is kept. Width, schedule and inputs were chosen
    on the validation rows of the default release, with the epoch chosen on held-out training cells.

    Args:
        seed: Seed of the initial weights and batch order.
        task: Task; it decides between squared error and cross-entropy.
    """

    patience, epochs = None, EPOCHS

    def __init__(self, seed: int, task: Task):
        super().__init__(_network, seed, task)

    def fit(self, signals: np.ndarray, target: np.ndarray, *, validation: Subset) -> Self:
        """Train for 15 epochs on a one-cycle schedule.

        Args:
            signals: Shape (n, 100, 6), nT.
            target: Shape (n,).
            validation: Rows for choosing the epoch.

        Raises:
            MagBridgeError: If there are fewer than two training rows.
        """
        if len(signals) < 2:
            raise MagBridgeError(f"{len(signals)} training rows: batch normalisation needs at least two")
        return super().fit(signals, target, validation=validation)

    def predict(self, signals: np.ndarray) -> np.ndarray:
        """Predict values or labels, shape (n,)."""
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
        steps = self.epochs * (n_rows // BATCH + (n_rows % BATCH > 1))  # as many as `_batches` returns
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)

        def step():
            optimizer.step()
            schedule.step()

        return step

    def _batches(self, n_rows: int) -> list:
        """Return the batches without a last batch of one row, which has no variance to normalise by."""
        return [rows for rows in super()._batches(n_rows) if len(rows) > 1]

    def _loss(self, x, y):
        output, functional = self.model(x), require_torch().nn.functional
        if self.task.is_regression:
            return functional.mse_loss(output[:, 0], (y - self.offset) / self.unit)
        return functional.cross_entropy(output, y, weight=self.weight)

    def _inputs(self, signals: np.ndarray):
        """Return both copies of the standardised signals as a float32 tensor (n, 12, 100) on the device."""
        shape = (signals - self.centre) / self.scale
        free = shape - np.median(shape, axis=1, keepdims=True)
        both = np.clip(np.concatenate([shape, free], axis=2), -CLIP, CLIP).transpose(0, 2, 1)
        return require_torch().from_numpy(both.astype(np.float32)).contiguous().to(self.device)


def _network(outputs: int):
    return dilated_network(outputs, 2 * len(CHANNELS))


def dilated_network(outputs: int, channels: int):
    """Build a residual network of three dilated blocks, from (n, channels, T) to (n, outputs)."""
    torch = require_torch()
    nn = torch.nn

    class Block(nn.Module):  # type: ignore[name-defined]
        """Two convolutions with a shortcut."""

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
