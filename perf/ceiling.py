"""Estimate the best reachable score: fit the learners of the best features to many fresh rows from the generator.

    python -m bridge build --seed 11 --out fresh/11        (and so on)
    python perf/ceiling.py magbridge-battery --fresh fresh/11 fresh/12 --out benchmark/results
    python -m bridge build --bridge v2 --seed 11 --variants 3 --out fresh2/11        (and so on)
    python perf/ceiling.py magbridge-battery-v2 --fresh fresh2/11 fresh2/12 --out benchmark/results/v2
    python -m bridge build --bridge v3 --seed 11 --out fresh3/11        (and so on)
    python perf/ceiling.py magbridge-battery-v3 --fresh fresh3/11 fresh3/12 --out benchmark/results/v3

The training rows come from the training and validation cells in releases with other master seeds. In v1, they are
clean rows, fresh faults injected into them, and Regime-B rows; in v2 and v3, whose virtual cells differ between master
seeds, the rows are used unchanged. No row of a test cell is used. The score is computed on the official test rows and
shares their sampling error: if a learner already has enough rows, its ceiling may be below its own score. It is a lower
estimate of the best possible score, not a proof. Results are filed under the protocol `ceiling` and never ranked.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from benchmark import Subset, TaskData, evaluate_model, load_task
from benchmark.baselines import get_model
from benchmark.baselines.recipe import CLEAN, REGIME_B, SYNTHETIC
from benchmark.data import dataset_info
from benchmark.results import write_result
from benchmark.running.yardsticks import READERS
from bridge.generate import inject
from bridge.models import matched_filters
from dataset_card.contract.schema import SYNTHETIC_SUBTYPES

PHYSICS = {"t5": "matched-filters", "t7": "matched-filters", "t8": "boosting-both", "t9": "boosting-both"}
"""Readers of v3, without T6: its positions come from the filters, which are not fitted to rows."""

FAULTS_A_ROW = 2
"""Number of different faults injected into each fresh clean row."""


def fresh(task: str, releases: list[Path]) -> Subset:
    """Load a task's rows of the training and validation cells of several releases."""
    several = [load_task(task, folder) for folder in releases]
    # Another master seed uses the same names for other batteries.
    rows = [
        dataclasses.replace(s, battery_ids=np.char.add(s.battery_ids, f".{data.dataset.seed}"))
        for data in several
        for s in (data.train, data.validation)
    ]
    return Subset.concatenate(rows)


def fresh_faults(clean: Subset, seed: int = 0) -> Subset:
    """Inject faults of uniformly distributed severity into every clean row; the targets are their subtypes."""
    rng = np.random.default_rng(seed)
    signals, subtypes = [], []
    for x in clean.signals:
        for fault in rng.choice(SYNTHETIC_SUBTYPES, FAULTS_A_ROW, replace=False):
            signals.append(inject(x, str(fault), float(rng.uniform(0.2, 1.0)), int(rng.integers(2**31))))
            subtypes.append(str(fault))
    rows = clean.take(np.repeat(np.arange(len(clean)), FAULTS_A_ROW))
    return dataclasses.replace(rows, signals=np.stack(signals), target=np.array(subtypes))


def with_regime_b(releases: list[Path], clean: Subset, faults: Subset) -> Subset:
    """Return training rows of T3: clean rows, faults and the Regime-B rows of the releases."""
    subsets = [s for data in (load_task("t3", folder) for folder in releases) for s in (data.train, data.validation)]
    regime_b = [subset.take(subset.target == REGIME_B) for subset in subsets]
    labels = np.full(len(clean), CLEAN), np.full(len(faults), SYNTHETIC)
    grounded = [dataclasses.replace(rows, target=label) for rows, label in zip((clean, faults), labels)]
    return Subset.concatenate([*grounded, *regime_b])


def main() -> None:
    """Print and file one result per task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("release", type=Path, help="release whose test rows are scored")
    parser.add_argument("--fresh", type=Path, nargs="+", required=True, help="releases with other master seeds")
    parser.add_argument("--out", type=Path, help="folder for result files")
    arguments = parser.parse_args()
    bridge = dataset_info(arguments.release).bridge
    readers = PHYSICS if bridge == "v3" else READERS[bridge]
    if bridge == "v3":
        found = [load_task("t5", folder).clean() for folder in arguments.fresh]
        clean = Subset.concatenate([of[name] for of in found for name in ("train", "validation")])
    else:
        clean = fresh("t1", arguments.fresh)
    if bridge == "v1":
        faults = fresh_faults(clean)
        fresh_rows = {
            "t1": clean,
            "t2": fresh("t2", arguments.fresh),
            "t3": with_regime_b(arguments.fresh, clean, faults),
            "t4": faults,
        }
    else:
        fresh_rows = {task: fresh(task, arguments.fresh) for task in readers}
    seeds = ", ".join(str(dataset_info(folder).seed) for folder in arguments.fresh)
    for task, rows in fresh_rows.items():
        data = load_task(task, arguments.release)
        name = readers[task]
        best = matched_filters() if name == "matched-filters" else get_model(name)
        model = dataclasses.replace(
            best,
            name="fresh-rows",
            description=f"{best.name}, fitted on {len(rows):,} fresh rows of releases with the seeds {seeds}: "
            "a lower estimate of what is reachable, with the test rows' sampling error.",
            sampling="full",
            seeds=(0,),
        )
        given = TaskData(
            data.task, rows, None, data.test, data.split, data.dataset, load_clean=lambda: {"train": clean}
        )
        result = dataclasses.replace(evaluate_model(task, model, given), protocol="ceiling")
        print(
            f"{task}: {result.headline} {result.mean():.4f} from {len(rows)} fresh rows, {result.seconds:.0f} s",
            flush=True,
        )
        if arguments.out:
            write_result(result, arguments.out, predictions=False)


if __name__ == "__main__":
    main()
