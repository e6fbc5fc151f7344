"""A study of whether the circuit helps: a fixed grid of bottlenecks, each circuit against a classical twin of its size.

Every bottleneck is part of the same autoencoder without a bypass and is trained by the same recipe for as many epochs.
Only the learning rate is chosen, by the same search for all: for each cohort, from fits that saw none of its cells, on
validation cells of the other cohorts. The search uses seed 0; the reported seeds are others. Each fold and seed draws
its own weights, which are the same for a circuit and its twin in layers that they share.

After Bowles, Ahmed and Schuld, "Better than classical? The subtle art of benchmarking quantum machine learning models"
(arXiv:2403.07059), separable and frozen circuits are part of the grid, and the search is the same for all. A circuit
that beats its twin is measured again on fresh seeds, against a twin with twice the search, before that counts.
"""

import functools
import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dataset_card.errors import MagBridgeError
from dataset_card.running.plotting import canvas
from dataset_card.storage.files import replacing

from ..bottleneck import n_parameters, twin_options
from ..cells.download import packaged_document
from ..configuration_hqvqvae import RECIPE, HQVQVAEConfig
from ..hub.sentences import PROTOCOLS, ahead, verdict
from .evaluation import GROUPS, fold_seed, table_sha256
from .fit import TrainingConfig, fit, segment_errors, single_thread
from .jobs import ALONE, Engine, run_jobs
from .plotting import ACCENT, INK, NEUTRAL

EPOCHS = 50
LEARNING_RATES = (1e-3, 3e-3)
MORE_LEARNING_RATES = (5e-4, 1e-3, 3e-3, 1e-2)  # for the twin of a circuit that beat it
SEARCH_SEED = 0
FIRST_SEED, FIRST_FRESH_SEED = 1, 101  # of the comparison, and of its repetition for circuits that are ahead


@dataclass(frozen=True)
class Arm:
    """One bottleneck of the grid: description, options of `HQVQVAEConfig`, and its twin's name if it is a circuit."""

    meaning: str
    options: dict[str, Any]
    twin: str | None = None

    @property
    def config(self) -> HQVQVAEConfig:
        """The whole configuration."""
        return HQVQVAEConfig(**{**RECIPE, **self.options})


_CIRCUITS: dict[str, tuple[str, dict[str, Any]]] = packaged_document("circuits.yaml")


def _grid() -> dict[str, Arm]:
    circuits, twins = {}, {}
    for name, (meaning, options) in _CIRCUITS.items():
        config = HQVQVAEConfig(**options)
        twin = f"tanh-{n_parameters(config)}"  # circuits of one size share their twin
        twins[twin] = Arm("tanh", twin_options(config))
        circuits[name] = Arm(meaning, options, twin)
    paper = HQVQVAEConfig(**_CIRCUITS["paper"][1])
    sin = Arm("sin, as large as the paper's circuit", twin_options(paper, "sin"))
    controls = {f"sin-{n_parameters(paper)}": sin, "none": Arm("no bottleneck", {"bottleneck": "none"})}
    return {**circuits, **dict(sorted(twins.items())), **controls}


ARMS = _grid()
CIRCUITS = tuple(name for name, arm in ARMS.items() if arm.twin)


@dataclass(frozen=True)
class Task:
    """One fit. `by` is the kind of held-out group, or "search" for a fit to choose the cohort's learning rate."""

    arm: str
    by: str
    held_out: str
    seed: int
    learning_rate: float


@dataclass(frozen=True)
class Record:
    """Result of a fit: mean error and number of segments by cell, training error, codes in use, CPU seconds."""

    task: Task
    key: str
    errors: dict[str, tuple[float, int]]
    train_mse: float
    codes_used: int
    cpu_seconds: float

    @property
    def segments(self) -> int:
        """Number of scored segments."""
        return sum(n for _, n in self.errors.values())

    @property
    def mse(self) -> float:
        """Pooled error of the scored segments."""
        return sum(mse * n for mse, n in self.errors.values()) / self.segments


def task_key(task: Task, data_sha256: str) -> str:
    """Compute the key that a stored record must match to serve a task: bottleneck, training, fold and data."""
    made_from = [asdict(task), ARMS[task.arm].options, RECIPE, EPOCHS, data_sha256]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]


def run_task(task: Task, segments: pd.DataFrame) -> Record:
    """Fit on a task's training segments and score those it holds out.

    Args:
        task: The fit; for a search, the scored segments are those of its validation cells.
        segments: A table from `nasa.load_segments`, protocol C.

    Returns:
        The record of the fit.
    """
    data_sha256 = table_sha256(segments)
    if task.by == "search":
        segments = segments[segments["cohort"] != task.held_out]
        scored = segments["cell_id"].isin(segments.groupby("cohort")["cell_id"].min()).to_numpy()
    else:
        scored = (segments[GROUPS[task.by]] == task.held_out).to_numpy()
    config = ARMS[task.arm].config
    features = segments[config.feature_names].to_numpy(dtype=float)
    seed = fold_seed(task.seed, task.by, task.held_out)
    training = TrainingConfig(epochs=EPOCHS, learning_rate=task.learning_rate, seed=seed)
    with single_thread():
        start = time.process_time()
        result = fit(config, features[~scored], training, measure_each_epoch=False)
        seconds = time.process_time() - start
        errors = segment_errors(result.model, torch.tensor(features[scored], dtype=torch.float32))
    rows_of = pd.Series(errors.double().numpy()).groupby(segments["cell_id"].to_numpy()[scored])
    by_cell = {str(cell): (float(rows.mean()), len(rows)) for cell, rows in rows_of}
    train_mse, codes_used = float(result.metrics["train_mse"]), int(result.metrics["codes_used"])
    return Record(task, task_key(task, data_sha256), by_cell, train_mse, codes_used, round(seconds, 3))


def _line(record: Record) -> str:
    return json.dumps(asdict(record), separators=(",", ":")) + "\n"


def read_records(path: Path) -> list[Record]:
    """Read the records in a file of JSON lines; drop a last line that a killed run left unfinished.

    Raises:
        MagBridgeError: If another line is not a record.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    records = []
    for number, line in enumerate(lines[:-1], start=1):  # anything after the last newline is empty or unfinished
        try:
            fields = json.loads(line)
            errors = {cell: (float(mse), int(n)) for cell, (mse, n) in fields["errors"].items()}
            records.append(Record(**{**fields, "task": Task(**fields["task"]), "errors": errors}))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise MagBridgeError(f"{path} line {number} is not a record of the study ({error}); remove it") from error
    return records


class Study:
    """The fits of a study, stored in `records.jsonl` as they finish, so that an interrupted run can continue.

    Args:
        segments: A table from `nasa.load_segments`, protocol C.
        out: Folder for the records.
        engine: Where the fits run.
        seeds: Number of seeds; a larger number adds to existing records.
        first_seed: The first seed; others can extend a study by starting at another one.
        short: Use one seed and one held-out cell per cohort.
        arms: Bottlenecks to measure, all by default; a circuit includes its twin.
    """

    def __init__(
        self,
        segments: pd.DataFrame,
        out: Path,
        *,
        engine: Engine = ALONE,
        seeds: int = 2,
        first_seed: int = FIRST_SEED,
        short: bool = False,
        arms: Sequence[str] = tuple(ARMS),
    ):
        if unknown := sorted(set(arms) - set(ARMS)):
            raise MagBridgeError(f"no bottlenecks {unknown} in the grid; expected some of {', '.join(ARMS)}")
        asked = {*arms, *(ARMS[name].twin for name in arms)}
        self.segments, self.engine = segments, engine
        self.arms = [name for name in ARMS if name in asked]
        n_seeds = 1 if short else seeds
        if not FIRST_SEED <= first_seed <= FIRST_FRESH_SEED - n_seeds:
            known = f"seed {SEARCH_SEED} is the search's, and later ones are kept fresh"
            expected = f"all of them between {FIRST_SEED} and {FIRST_FRESH_SEED - 1} ({known})"
            raise MagBridgeError(f"{n_seeds} seeds from {first_seed}: expected {expected}")
        self.seeds = tuple(range(first_seed, first_seed + n_seeds))
        self.fresh_seeds = tuple(FIRST_FRESH_SEED - FIRST_SEED + seed for seed in self.seeds)
        self.cohorts = sorted(segments["cohort"].unique())
        cohort_of = segments.groupby("cell_id")["cohort"].first()
        # The first cell of a cohort is for validation in the other cohorts' search, so the short form takes the second.
        self.cohort_of = cohort_of.groupby(cohort_of).nth(1) if short else cohort_of
        self.path = out / "records.jsonl"
        self.data_sha256 = table_sha256(segments)
        out.mkdir(parents=True, exist_ok=True)
        self._kept = {record.key: record for record in read_records(self.path)} if self.path.exists() else {}

    def records(self, tasks: Iterable[Task]) -> list[Record]:
        """Return the records of tasks, in their order, running those that have no record yet."""
        keys = {task: task_key(task, self.data_sha256) for task in tasks}
        missing = [task for task, key in keys.items() if key not in self._kept]
        if missing and self.path.exists():
            self._rewrite(self._kept.values())  # a killed run may have left half a line
        job = functools.partial(run_task, segments=self.segments)
        made = run_jobs(job, missing, self.engine, self._keep)
        self._kept |= {record.key: record for record in made}
        return [self._kept[key] for key in keys.values()]

    def _keep(self, record: Record) -> None:
        with self.path.open("a", encoding="utf-8") as file:  # here, not in a worker, which may have another disk
            file.write(_line(record))

    def sort_records(self) -> None:
        """Sort the stored records, whatever order they were made in."""
        self._rewrite(sorted(self._kept.values(), key=lambda record: astuple(record.task)))

    def _rewrite(self, records: Iterable[Record]) -> None:
        with replacing(self.path) as temporary:
            temporary.write_text("".join(map(_line, records)), encoding="utf-8")

    def measure(self, rates: dict[str, tuple[float, ...]], seeds: tuple[int, ...]) -> list[Record]:
        """Search the learning rate of each arm for each cohort, then leave each cell and each cohort out.

        Args:
            rates: Candidate learning rates of each arm.
            seeds: Seeds, each for one full round of folds.

        Returns:
            The records of the folds, without those of the search.
        """
        searches = [
            Task(arm, "search", cohort, SEARCH_SEED, rate)
            for arm, candidates in rates.items() for cohort in self.cohorts for rate in candidates
        ]  # fmt: skip
        best: dict[tuple[str, str], Record] = {}
        for record in self.records(searches):
            place = (record.task.arm, record.task.held_out)
            if place not in best or record.mse < best[place].mse:
                best[place] = record
        folds = [("cell", str(cell), str(cohort)) for cell, cohort in self.cohort_of.items()]
        folds += [("cohort", cohort, cohort) for cohort in self.cohorts]
        return self.records(
            Task(arm, by, held_out, seed, best[arm, cohort].task.learning_rate)
            for seed in seeds for by, held_out, cohort in folds for arm in rates
        )  # fmt: skip


SCHEMA_VERSION = 1
RESAMPLES = 10_000


def paired_difference(circuit: Sequence[Record], twin: Sequence[Record]) -> dict[str, float]:
    """Compare two bottlenecks on the same folds and seeds.

    The bootstrap draws held-out groups (cells or cohorts) and, independently, seeds with replacement, because both are
    samples. With five cohorts, its interval is too narrow rather than too wide.

    Args:
        circuit: Records of one kind of fold.
        twin: Records of the twin, for the same folds and seeds.

    Returns:
        The `mean` difference of pooled errors, and its 95 % interval, `low` to `high`.
    """
    groups = sorted({record.task.held_out for record in circuit})
    seeds = sorted({record.task.seed for record in circuit})
    sums = np.zeros((len(groups), len(seeds)))
    segments = np.zeros(len(groups))
    for sign, records in ((1, circuit), (-1, twin)):
        for record in records:
            group, seed = groups.index(record.task.held_out), seeds.index(record.task.seed)
            segments[group] = record.segments
            sums[group, seed] += sign * record.mse * segments[group]
    rng = np.random.default_rng(0)
    n_groups, n_seeds = sums.shape
    drawn_groups = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), RESAMPLES)
    drawn_seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), RESAMPLES)
    resampled = np.einsum("bg,gs,bs->b", drawn_groups, sums, drawn_seeds) / (drawn_groups @ segments * n_seeds)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return {"mean": float(sums.sum() / (segments.sum() * n_seeds)), "low": float(low), "high": float(high)}


def run_study(study: Study) -> dict[str, Any]:
    """Run a study and summarise it; a circuit that beats its twin is measured again before that counts.

    Args:
        study: The study, with its records.

    Returns:
        A JSON-ready summary; errors are mean squared errors in z units of the training segments, unrounded.
    """
    records = study.measure(dict.fromkeys(study.arms, LEARNING_RATES), study.seeds)
    summary = summarise(study, records)
    for name in ahead(summary):  # one at a time: circuits of one size share their twin
        twin = str(ARMS[name].twin)
        again = study.measure({name: LEARNING_RATES, twin: MORE_LEARNING_RATES}, study.fresh_seeds)
        summary["pairs"][name]["fresh_seeds"] = _pair(again, name)
    return summary | {"verdict": verdict(summary)}


def summarise(study: Study, records: Sequence[Record]) -> dict[str, Any]:
    """Summarise errors and cost of every bottleneck, and the difference of every circuit to its twin."""
    summary = {"schema_version": SCHEMA_VERSION, "epochs": EPOCHS, "seeds": list(study.seeds)}
    summary |= {"cells_held_out": list(study.cohort_of.index), "cohorts_held_out": study.cohorts}
    summary |= {"learning_rates": list(LEARNING_RATES), "data_sha256": study.data_sha256}
    bottlenecks = {name: _figures(name, [r for r in records if r.task.arm == name]) for name in study.arms}
    pairs = {name: _pair(records, name) for name in study.arms if name in CIRCUITS}
    return summary | {"bottlenecks": bottlenecks, "pairs": pairs}


def _figures(name: str, records: Sequence[Record]) -> dict[str, Any]:
    arm, of_cells = ARMS[name], [r for r in records if r.task.by == "cell"]
    figures: dict[str, Any] = {"meaning": arm.meaning, "options": arm.options}
    figures |= {"parameters": n_parameters(arm.config), "twin": arm.twin}
    figures["cpu_seconds_a_fold"] = float(np.median([r.cpu_seconds for r in of_cells]))
    figures |= {each: float(np.mean([getattr(r, each) for r in of_cells])) for each in ("train_mse", "codes_used")}
    figures["learning_rates"] = {r.task.held_out: r.task.learning_rate for r in records if r.task.by == "cohort"}
    for by in PROTOCOLS:
        per_seed = []
        for seed in sorted({r.task.seed for r in records}):
            folds = [r for r in records if r.task.by == by and r.task.seed == seed]
            per_seed.append(float(np.average([r.mse for r in folds], weights=[r.segments for r in folds])))
        error = float(np.std(per_seed, ddof=1) / len(per_seed) ** 0.5) if len(per_seed) > 1 else None
        figures[by] = {"mse": float(np.mean(per_seed)), "standard_error": error, "per_seed": per_seed}
    return figures


def _pair(records: Sequence[Record], circuit: str) -> dict[str, Any]:
    def of(arm: str | None, by: str) -> list[Record]:
        return [record for record in records if record.task.arm == arm and record.task.by == by]

    twin = ARMS[circuit].twin
    return {by: paired_difference(of(circuit, by), of(twin, by)) for by in PROTOCOLS}


def draw_study(summary: dict[str, Any]) -> Any:
    """Draw each circuit's difference to its twin with its interval: unseen cells left, unseen cohorts right."""
    names = list(summary["pairs"])[::-1]
    figure, axes = canvas(1, 2, (8, 1.2 + 0.35 * len(names)), sharey=True)
    for axis, by in zip(axes, PROTOCOLS, strict=True):
        for row, name in enumerate(names):
            difference = summary["pairs"][name][by]
            colour = ACCENT if difference["low"] > 0 or difference["high"] < 0 else INK
            axis.plot([difference["low"], difference["high"]], [row, row], color=colour, linewidth=1.5)
            axis.plot(difference["mean"], row, "o", color=colour, markersize=5)
        axis.axvline(0, color=NEUTRAL, linewidth=1)
        axis.set_yticks(range(len(names)), names)
        axis.set_xlabel(f"MSE minus that of the twin, unseen {by}")
    return figure
