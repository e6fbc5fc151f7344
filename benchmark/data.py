"""Read a release, on disk or on the Hub, as the arrays of one task."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark.refusals import refused
from benchmark.tasks import PRIMARY_SPLIT, Task, check_split, get_task, tasks_of
from dataset_card.contract.configs import BY_NAME, METADATA_FILE, SPLITS, atom_path
from dataset_card.contract.editions import V1, V3, Edition, unpublished
from dataset_card.contract.physics import SOC_KNOWLEDGE
from dataset_card.errors import MagBridgeError
from dataset_card.running.hub import pull_release
from dataset_card.storage.arrays import signals
from dataset_card.storage.files import standing
from dataset_card.storage.reading import MANIFEST, checked_digest, one_release, read_manifest

DEFAULT_RELEASE = V1.name
"""Folder that `python -m bridge build` writes in the working folder; it is read if no release is named."""

REGIME_B_PREFIX = "regimeB_"
"""Prefix of the names of pseudo-cells, which Regime-B rows belong to."""

BATTERY, LAW = "battery_id", "ageing_law"
"""Columns of a release from v2 on; in v1 each cell is a battery, and there is only one ageing law."""

UNKNOWN = "unknown"
"""Cell name of rows that come without a cell."""


@dataclass(frozen=True)
class DatasetInfo:
    """The rows that a result was measured on.

    Attributes:
        name: Name of the dataset.
        digest: Digest of its rows; None for data that is not a release.
        upstream: What it was generated from.
        bridge_version: Version of the generator.
        seed: Master seed of the release.
    """

    name: str
    digest: str | None = None
    upstream: str | None = None
    bridge_version: str | None = None
    seed: int | None = None

    @property
    def short(self) -> str:
        """The first digits of the digest, for display."""
        return "no digest" if self.digest is None else self.digest[:12]

    @property
    def bridge(self) -> str:
        """`v2` or `v3` for rows of that bridge, else `v1`."""
        bridge = (self.bridge_version or "").partition(".")[0]
        return bridge if bridge in ("v2", "v3") else "v1"

    @property
    def remark(self) -> str | None:
        """One line for rows of an unpublished release; None for published releases, rounds and plain arrays."""
        is_round = self.digest is not None and self.seed is None and self.bridge == "v2"
        return None if is_round else unpublished(self.digest, self.bridge_version, self.seed)


IN_MEMORY = DatasetInfo("in memory")


@dataclass(frozen=True)
class Subset:
    """Rows of one task. A model sees only `signals`; the other columns group and score the rows.

    Attributes:
        sample_ids: Shape (n,), str.
        cell_ids: Shape (n,), str; each cell is one visit to a battery.
        signals: Shape (n, 100, 6), float64, nT; in v3 (n, 681), V and nT.
        target: Shape (n,): float64 for regression, str for classification; (n, 2) for places in mm.
        battery_ids: Shape (n,), str: the unit of independence. Splits, folds, shots and intervals keep a battery's rows
            together. The cells by default, as in v1.
        parents: Shape (n,), bool: whether secondary scores leave the row out, because a fault of the same release was
            injected into it or, in v3, because its cell has a defect; False by default.
        laws: Shape (n,), str: the ageing law of the row's battery; empty if it has none, as in v1.
    """

    sample_ids: np.ndarray
    cell_ids: np.ndarray
    signals: np.ndarray
    target: np.ndarray
    battery_ids: Any = None
    parents: Any = None
    laws: Any = None

    def __post_init__(self):
        rows = len(self.target)
        defaults = {"battery_ids": self.cell_ids, "parents": np.zeros(rows, bool), "laws": np.full(rows, "")}
        for name, value in defaults.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if {len(column) for column in self._columns()} != {rows} or self.signals.ndim not in (2, 3):
            raise MagBridgeError(
                f"a subset has {len(self.sample_ids)} ids, {len(self.cell_ids)} cells, {len(self.target)} targets and "
                f"signals of shape {self.signals.shape}: expected one of each per row and signals (n, 100, 6)"
            )

    def __len__(self) -> int:
        return len(self.target)

    def _columns(self) -> list[np.ndarray]:
        return [getattr(self, f.name) for f in fields(self)]

    def take(self, rows: np.ndarray) -> Subset:
        """Return the given rows, by index or mask."""
        return Subset(*(column[rows] for column in self._columns()))

    @classmethod
    def concatenate(cls, subsets: list[Subset]) -> Subset:
        """Return the rows of several subsets, one after another."""
        return cls(*(np.concatenate(column) for column in zip(*(s._columns() for s in subsets))))

    @classmethod
    def of(cls, dataset, *targets: str) -> Subset:
        """Read rows from a `datasets.Dataset` or `pyarrow.Table` with ids, signals and the columns to predict.

        Without a `cell_id`, as in v2's task configurations, all rows count as one battery: models can be fitted and
        scored on them, but scores cannot be resampled by battery and rows cannot be dealt into folds.
        """

        dataset = dataset if isinstance(dataset, pa.Table) else dataset.with_format(None)  # torch rounds to float32

        def column(name: str) -> np.ndarray:
            if name not in dataset.column_names:
                raise MagBridgeError(f"no column {name}: expected sample_id, {' and '.join(targets)}, and the channels")
            values, feature = dataset[name], getattr(dataset, "features", {}).get(name)
            if feature is not None and hasattr(feature, "int2str"):
                values = [None if value is None else feature.int2str(int(value)) for value in values]
            return np.array(values.to_pylist() if isinstance(values, pa.ChunkedArray) else list(values))

        def given(name: str) -> np.ndarray | None:
            if name not in dataset.column_names:
                return None
            return np.array(["" if value is None else value for value in column(name).tolist()])

        ids, cells = column("sample_id"), given("cell_id")
        cells = np.full(len(ids), UNKNOWN) if cells is None else cells
        target = _target([column(name) for name in targets])
        return cls(ids, cells, signals(dataset), target, given(BATTERY), None, given(LAW))


def _target(columns: list[np.ndarray]) -> np.ndarray:
    """Return one column unchanged, or stack two into shape (n, 2)."""
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)


@dataclass(frozen=True)
class TaskData:
    """Training, validation and test rows of one task, from a release or from arrays in memory.

    Attributes:
        task: The task the targets belong to.
        train: Rows that a model may fit on.
        validation: Rows for early stopping or model choice, or None.
        test: Rows that the model is scored on.
        split: Name of the split.
        dataset: Dataset that the rows come from.
        load_clean: Function that reads the clean grounded rows of each subset with SOH as target, for models that fit
            a background on them (see `benchmark.models.Model`); None if the data has no such rows.
    """

    task: Task
    train: Subset
    validation: Subset | None
    test: Subset
    split: str = PRIMARY_SPLIT
    dataset: DatasetInfo = IN_MEMORY
    load_clean: Callable[[], dict[str, Subset]] | None = None
    _clean: dict = field(default_factory=dict, compare=False, repr=False)
    _inputs: dict = field(default_factory=dict, compare=False, repr=False)

    def subsets(self) -> list[Subset]:
        """Return the existing subsets, training rows first."""
        return [s for s in (self.train, self.validation, self.test) if s is not None]

    def clean(self) -> dict[str, Subset]:
        """Load the clean grounded rows by subset name, with SOH as target.

        Raises:
            MagBridgeError: If the data came without them.
        """
        if self.load_clean is None:
            raise refused("no_clean_rows")
        if not self._clean:
            self._clean.update(self.load_clean())
        return self._clean

    def inputs(self, features: Callable | None, subset: str) -> np.ndarray:
        """Return a model's inputs for a subset: its signals, or their `features`, which are computed once."""
        rows = getattr(self, subset).signals
        if features is None:
            return rows
        if (features, subset) not in self._inputs:
            self._inputs[features, subset] = features(rows)
        return self._inputs[features, subset]


def load_task(task: str | Task, release: str | Path = DEFAULT_RELEASE, split: str = PRIMARY_SPLIT) -> TaskData:
    """Load the rows of one task from a release.

    Args:
        task: Task or its id.
        release: Release folder, or a dataset's id on the Hub (`user/magbridge-battery`); by default the folder that
            `python -m bridge build` writes in the working folder.
        split: `by_cell_primary`, or `by_record_optimistic_baseline`, which leaks.

    Returns:
        Training, validation and test rows in release order, so that folder and Hub give the same draws.

    Raises:
        MagBridgeError: If there is no such release, rows of it are missing, or it does not serve the task.
    """
    task = get_task(task)
    check_split(split)
    with one_release(release_folder(release)) as folder:
        return _load(task, folder, split)


def _load(task: Task, folder: Path, split: str) -> TaskData:
    dataset = dataset_info(folder)  # first, so that the rows read below are known to be the release's
    edition = _edition(folder)
    if task.config not in {config.name for config in edition.configs}:
        served = ", ".join(config.task for config in edition.configs if config.task)
        raise MagBridgeError(f"{folder} has no rows for {task.id}: it serves {served}; pass another release or task")
    order, parents = _release_order(folder), _parents(folder)

    def read(provenances: tuple[str, ...], *targets: str) -> dict[str, Subset]:
        columns = ["sample_id", *_groups(folder), *targets, *edition.channels]
        found = {s: Subset.of(_read(folder, provenances, split, s, columns, order, targets), *targets) for s in SPLITS}
        return {s: replace(rows, parents=np.isin(rows.sample_ids, parents)) for s, rows in found.items()}

    def read_clean() -> dict[str, Subset]:
        with one_release(folder):
            if checked_digest(folder) != dataset.digest:
                raise MagBridgeError(f"{folder} changed after the task's rows were read: load the task again")
            if edition is not V3:
                return read(("clean",), "soh")
            return {s: rows.take(~rows.parents) for s, rows in read(SOC_KNOWLEDGE, "soh").items()}

    rows = read(task.rows, *task.targets)
    reads_clean_already = task.rows == ("clean",) and task.target == "soh"
    clean = (lambda: rows) if reads_clean_already else read_clean
    return TaskData(task, rows["train"], rows["validation"], rows["test"], split, dataset, load_clean=clean)


class Truth(NamedTuple):
    """Labels of a task's test rows.

    Attributes:
        sample_ids: Shape (n,), str.
        cell_ids: Shape (n,), str.
        battery_ids: Shape (n,), str.
        parents: Shape (n,), bool; as in `Subset`.
        target: Shape (n,): float64 for regression, str for classification; (n, 2) for places in mm.
        release_ids: Ids of every row of the release, including training rows and rows of other tasks.
    """

    sample_ids: np.ndarray
    cell_ids: np.ndarray
    battery_ids: np.ndarray
    parents: np.ndarray
    target: np.ndarray
    release_ids: Collection[str] = ()

    @property
    def is_hidden(self) -> bool:
        """Whether the labels are not known yet, as in an open round."""
        return len(self.target) < len(self.sample_ids)


def load_truth(task: Task, folder: Path, split: str) -> Truth:
    """Load the ids and targets of a task's test rows without reading their signals."""
    order, groups = _release_order(folder), _groups(folder)
    names = ["sample_id", *groups, *task.targets]
    table = _read(folder, task.rows, check_split(split), "test", names, order, task.targets)
    column = {name: np.array(table[name].to_pylist()) for name in names}
    ids, cells = column["sample_id"], column["cell_id"]
    parents = np.isin(ids, _parents(folder))
    target = _target([column[name] for name in task.targets])
    return Truth(ids, cells, column.get(BATTERY, cells), parents, target, order.keys())


def release_folder(release: str | Path) -> Path:
    """Return the release as a local folder, downloaded from the Hub if `release` is an id.

    Raises:
        MagBridgeError: If `release` is neither a folder with a manifest nor a Hub id.
    """
    folder = standing(Path(release))
    if not folder.exists() and str(release).count("/") == 1 and not str(release).startswith((".", "/", "~")):
        folder = pull_release(str(release))
    if not (folder / MANIFEST).is_file():
        raise refused("no_release", release=release, manifest=MANIFEST)
    return folder


def tasks_in(release: str | Path) -> tuple[Task, ...]:
    """Return the tasks that a release, given as a folder or Hub id, has rows for."""
    folder = release_folder(release)
    tasks = tasks_of(_edition(folder).bridge)
    return tuple(task for task in tasks if all(any(folder.glob(atom_path(name, "*", "*"))) for name in task.rows))


def _edition(folder: Path) -> Edition:
    """Return v3 if the rows have its columns, else v1, whose channels and tasks all releases of scans share."""
    return V3 if V3.origin in pq.read_schema(folder / METADATA_FILE).names else V1


def dataset_info(folder: Path) -> DatasetInfo:
    """Read the name, digest and origin of a release from its manifest, and check the digest against the rows."""
    digest, manifest = checked_digest(folder), read_manifest(folder)
    try:
        upstream, version = manifest["upstream"]["name"], manifest["bridge_version"]
        return DatasetInfo(manifest["name"], digest, upstream, version, manifest.get("master_seed"))
    except (KeyError, TypeError) as error:
        raise refused("no_manifest", path=folder / MANIFEST, kind=type(error).__name__, error=error) from error


def as_task_data(task: str | Task, data, split: str = PRIMARY_SPLIT) -> TaskData:
    """Return `data` as the rows of `task`.

    Args:
        task: Task or its id.
        data: `TaskData`, a release folder or Hub id, or a mapping of split name to `datasets.Dataset` or table.
        split: Split to read from a release.

    Raises:
        MagBridgeError: If `data` has an unsupported type or holds the rows of another task.
    """
    task = get_task(task)
    if isinstance(data, TaskData):
        if data.task != task:
            raise MagBridgeError(f"data of task {data.task.id} given for task {task.id}: load the rows of {task.id}")
        return data
    if isinstance(data, (str, Path)):
        return load_task(task, data, split)
    if isinstance(data, Mapping) and {"train", "test"} <= set(data) and hasattr(data["train"], "__len__"):
        subsets = {s: Subset.of(data[s], *task.targets) for s in SPLITS if s in data}
        info = replace(IN_MEMORY, bridge_version=_version(data["train"]))
        return TaskData(task, subsets["train"], subsets.get("validation"), subsets["test"], split, info)
    raise refused("unknown_rows", kind=type(data).__name__)


def _version(dataset) -> str | None:
    """Return the version of the bridge that made the rows, or None if they do not name it."""
    if "bridge_version" not in dataset.column_names or not len(dataset):
        return None
    return str(dataset["bridge_version"][0])


def _groups(folder: Path) -> list[str]:
    """Return the columns that group rows by cell, battery and ageing law."""
    names = pq.read_schema(folder / METADATA_FILE).names
    return [name for name in ("cell_id", BATTERY, LAW) if name in names]


def _parents(folder: Path) -> list[str]:
    """Return the ids of the rows that faults were injected into; in v3, of the rows of defective cells."""
    if _edition(folder) is V3:
        columns = _columns(folder / METADATA_FILE, ["sample_id", "defect"])
        return columns.filter(pc.not_equal(columns["defect"], "none"))["sample_id"].to_pylist()
    column = _columns(folder / METADATA_FILE, ["parent_sample_id"])["parent_sample_id"]
    return column.drop_null().unique().to_pylist()


def metadata_by_id(release: str | Path, ids: Iterable[str], *names: str) -> dict[str, np.ndarray]:
    """Read columns of a release's metadata table for the rows with these ids; null numbers become NaN."""
    folder = release_folder(release)
    order, table = _release_order(folder), _columns(folder / METADATA_FILE, list(dict.fromkeys(names)))
    table = table.take([order[sample_id] for sample_id in ids])
    texts = {name for name in names if pa.types.is_string(table.schema.field(name).type)}
    return {n: np.array(table[n].to_pylist()) if n in texts else table[n].to_numpy() for n in names}


def _release_order(folder: Path) -> dict[str, int]:
    ids = _columns(folder / METADATA_FILE, ["sample_id"])["sample_id"].to_pylist()
    return {sample_id: position for position, sample_id in enumerate(ids)}


def _read(
    folder: Path,
    provenances: tuple[str, ...],
    split: str,
    subset: str,
    columns: list[str],
    order: dict[str, int],
    targets: Collection[str],
) -> pa.Table:
    """Read the rows in one subset of a split that have a target, in release order."""
    by_primary = BY_NAME[split].split_by == "primary"
    paths = []
    for provenance in provenances:
        # The star after the record split: files of one chemistry have its name there.
        found = sorted(folder.glob(atom_path(provenance, *((subset, "*") if by_primary else ("*", f"{subset}*")))))
        if not found:
            tasks = ", ".join(task.id for task in tasks_in(folder))
            raise refused(
                "no_rows_in_subset", folder=folder, provenance=provenance, subset=subset, split=split, tasks=tasks
            )
        paths += found
    table = pa.concat_tables([_columns(path, columns) for path in paths])
    for target in targets:
        if table[target].null_count:
            table = table.filter(table[target].is_valid())
    position = [order[sample_id] for sample_id in table["sample_id"].to_pylist()]
    return table.take(np.argsort(position))


def _columns(path: Path, columns: list[str]) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise MagBridgeError(f"{path} cannot be read ({reason}): the release is broken; rebuild it") from error
