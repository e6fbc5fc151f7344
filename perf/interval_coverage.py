"""Measure how often the 95 % interval of T1 contains the value that it estimates.

    python perf/interval_coverage.py magbridge-battery-v2 --fresh fresh2/1 fresh2/2 fresh2/3

Test subsets of the official size are drawn `DEALS` times, by battery within tables. First on the release: each row is
predicted by a model that has seen no row of its battery (cross-validation), and the value is the score over all
batteries. Then on releases with other master seeds, whose batteries are made differently: the model is fitted once on
the release's training rows, and the value is the score over all rows of the fresh releases.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmark import Subset, cross_validate, evaluate_model, load_task
from benchmark.baselines import get_model
from benchmark.data import TaskData
from benchmark.running.yardsticks import READERS
from benchmark.scoring import battery_statistics, headline, interval, visit_statistics
from benchmark.tasks import Task, get_task
from dataset_card.contract.schema import table_of

DEALS = 400
TEST_SHARE = 0.2


def coverage(task: Task, batteries: np.ndarray, statistics: np.ndarray, share: float = TEST_SHARE) -> tuple:
    """Compute the shares of test subsets whose interval contains the score over all batteries, is below it, or above.

    Args:
        task: The task of the statistics.
        batteries: Ids, shape (B,).
        statistics: Result of `battery_statistics`, shape (B, S).
        share: Share of the batteries of each table in a test subset.

    Returns:
        The three shares.
    """
    value = headline(task, statistics.sum(axis=0))
    tables = np.array([table_of(battery) for battery in batteries.tolist()])
    rng, sides = np.random.default_rng(0), []
    for _ in range(DEALS):
        test = np.sort(
            np.concatenate(
                [
                    rng.choice(members, round(share * len(members)), replace=False)
                    for table in np.unique(tables)
                    for members in [np.flatnonzero(tables == table)]
                ]
            )
        )
        low, high = interval(task, batteries[test], statistics[None, test])
        sides.append(-1 if high < value else 1 if low > value else 0)
    return tuple(float(np.mean(np.array(sides) == side)) for side in (0, -1, 1))


def report(label: str, task: Task, rows: Subset, prediction: np.ndarray, share: float) -> None:
    """Print the coverage per scan and per visit."""
    batteries, by_scan = battery_statistics(task, rows.target, prediction, rows.battery_ids)
    by_visit = visit_statistics(task, rows.target, prediction, rows.cell_ids, rows.battery_ids)
    for kind, statistics in (("scan", by_scan), ("visit", by_visit)):
        if statistics is not None:
            inside, below, above = coverage(task, batteries, statistics, share)
            print(
                f"{label}, per {kind}: {headline(task, statistics.sum(axis=0)):.4f} over {len(batteries)} batteries; "
                f"{inside:.1%} of intervals contain it, {below:.1%} lie below it, {above:.1%} above"
            )


def main() -> None:
    """Print the coverage on the release and on fresh releases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("release", type=Path)
    parser.add_argument("--fresh", type=Path, nargs="*", default=[], help="releases with other master seeds")
    parser.add_argument("--task", default="t1")
    parser.add_argument("--model", help="the release's best reader by default")
    arguments = parser.parse_args()
    task, data = get_task(arguments.task), load_task(arguments.task, arguments.release)
    model = get_model(arguments.model or READERS[data.dataset.bridge][task.id])
    pool = Subset.concatenate(data.subsets())
    found = cross_validate(task, model, data).table
    assert found is not None
    report(f"{model.name}, dealt splits", task, *_joined(pool, found), TEST_SHARE)
    if arguments.fresh:
        several = [load_task(task, folder) for folder in arguments.fresh]
        # Another master seed uses the same names for other batteries.
        fresh = [
            Subset(
                *(np.char.add(ids, f".{d.dataset.seed}") for ids in (rows.sample_ids, rows.cell_ids)),
                rows.signals,
                rows.target,
                np.char.add(rows.battery_ids, f".{d.dataset.seed}"),
            )
            for d in several
            for rows in d.subsets()
        ]
        everything = Subset.concatenate(fresh)
        given = TaskData(task, data.train, data.validation, everything, load_clean=data.clean)
        result = evaluate_model(task, model, given, sampling="full", seeds=(0,))
        assert result.table is not None
        label = f"{model.name}, fresh batteries of {len(several)} master seeds"
        report(label, task, *_joined(everything, result.table), TEST_SHARE / len(several))


def _joined(rows: Subset, table) -> tuple[Subset, np.ndarray]:
    """Return the rows that a table predicts, and its predictions."""
    position = {sample_id: i for i, sample_id in enumerate(rows.sample_ids.tolist())}
    order = np.array([position[sample_id] for sample_id in table["sample_id"].to_pylist()])
    return rows.take(order), np.array(table["prediction"].to_pylist())


if __name__ == "__main__":
    main()
