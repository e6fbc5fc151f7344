"""Read hidden rounds: the signals to predict and, after the reveal, the labels to score against."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from benchmark.data import BATTERY, DatasetInfo, Truth, dataset_info, load_truth, release_folder
from benchmark.tasks import PRIMARY_SPLIT, Task, get_task
from dataset_card.errors import MagBridgeError
from dataset_card.storage.arrays import signals
from dataset_card.storage.reading import checked_digest, one_release
from dataset_card.storage.rounds import Round, is_round, read_labels, read_round, read_signals


class Unlabelled(NamedTuple):
    """Rows of one task in a hidden round.

    Attributes:
        sample_ids: Shape (n,), str.
        signals: Shape (n, 100, 6), float64, nT.
        digest: Digest of the round, the value of `release` in a submission for it.
    """

    sample_ids: np.ndarray
    signals: np.ndarray
    digest: str

    def table(self, prediction: np.ndarray) -> pa.Table:
        """Make a predictions table from the predictions (n,) of all rows, SOH or labels in the order of the rows."""
        if len(prediction) != len(self.sample_ids):
            raise MagBridgeError(f"{len(prediction)} predictions: expected one for each of {len(self.sample_ids)} rows")
        return pa.table({"sample_id": self.sample_ids.tolist(), "prediction": np.asarray(prediction).tolist()})


def load_round(task: str | Task, folder: str | Path) -> Unlabelled:
    """Load the rows to predict for one task of a hidden round.

    Args:
        task: Task or its id.
        folder: Folder of the round.

    Raises:
        MagBridgeError: If there is no round in the folder, or one of its files was changed.
    """
    found = read_round(folder)
    table = read_signals(found, get_task(task).id)
    return Unlabelled(np.array(table["sample_id"].to_pylist()), signals(table), found.digest)


class Answers:
    """The labels of a release or round, opened once.

    Args:
        release: Release folder, Hub id, or folder of a round, whose cells are all new.

    Attributes:
        release: The release as given, for messages.
        round: The round; None for a release.
        digest: Digest of the release or round, the value of `release` in a submission for it.

    Raises:
        MagBridgeError: If neither exists, or it is damaged.
    """

    def __init__(self, release: str | Path):
        self.release = release
        self.round = read_round(release) if is_round(release) else None
        self.digest = checked_digest(release_folder(release)) if self.round is None else self.round.digest
        self._loaded: dict[tuple[str, str], tuple[DatasetInfo, Truth]] = {}

    @property
    def open_round(self) -> Round | None:
        """The round if its labels are still hidden, else None."""
        return None if self.round is None or self.round.is_revealed else self.round

    def of(self, task: Task, split: str = PRIMARY_SPLIT) -> tuple[DatasetInfo, Truth]:
        """Load the ids and labels of a task's test rows; an open round has empty labels.

        Args:
            task: Task whose test rows are wanted.
            split: Split of a release.

        Returns:
            The dataset, and the labels.

        Raises:
            MagBridgeError: If the release is damaged, or the round fails its commitment check.
        """
        if (task.id, split) not in self._loaded:
            self._loaded[task.id, split] = self._load(task, split)
        return self._loaded[task.id, split]

    def _load(self, task: Task, split: str) -> tuple[DatasetInfo, Truth]:
        if self.round is None:
            with one_release(release_folder(self.release)) as folder:
                info = dataset_info(folder)
                if info.digest != self.digest:
                    raise MagBridgeError(f"{self.release} was replaced while it was read: read it again")
                return info, load_truth(task, folder, split)
        if split != PRIMARY_SPLIT:
            raise MagBridgeError(f"{self.release} is a round, with only new cells: expected the split {PRIMARY_SPLIT}")
        return self._of_round(self.round, task)

    def _of_round(self, found: Round, task: Task) -> tuple[DatasetInfo, Truth]:
        configuration = found.configuration
        info = DatasetInfo(found.name, found.digest, configuration["upstream"]["name"], configuration["bridge_version"])
        tasks = found.files.keys() | {task.id}  # raises if the round does not have this one
        of_round = {each: np.array(read_signals(found, each)["sample_id"].to_pylist()) for each in tasks}
        everything = frozenset(np.concatenate(list(of_round.values())).tolist())
        if not found.is_revealed:
            return info, Truth(of_round[task.id], *(np.empty(0, str),) * 2, np.empty(0, bool), np.empty(0), everything)
        labels = read_labels(found)
        rows = labels.filter(pa.array(np.array(labels["task"].to_pylist()) == task.id))
        battery = BATTERY if BATTERY in rows.column_names else "cell_id"
        names = ("sample_id", "cell_id", battery, task.target)
        ids, cells, batteries, target = (np.array(rows[name].to_pylist()) for name in names)
        return info, Truth(ids, cells, batteries, np.zeros(len(ids), bool), target, everything)
