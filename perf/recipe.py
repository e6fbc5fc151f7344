"""Times the recipe, features and all four fits, beside the paper's best models in one run.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python perf/recipe.py magbridge-battery [--jobs 2]

Each model fits once on all training rows and predicts the test rows. CPU seconds count this process's threads and do
not depend on what else the machine does, as long as threads do not wait for each other: hence one a library.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmark import evaluate_model, load_task
from benchmark.analysis.measures import REFERENCE
from benchmark.baselines import get_model
from benchmark.nulls import READERS


def main() -> None:
    """Prints seconds a task and the ratio of the sums."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("release", type=Path)
    parser.add_argument("--jobs", type=int, default=2, help="threads of the forests")
    arguments = parser.parse_args()
    totals = {}
    for label, models in (("recipe", READERS["v1"]), ("paper's best", REFERENCE["v1"])):
        totals[label] = 0.0
        for task, name in models.items():
            data = load_task(task, arguments.release)
            data.clean()  # reading files is not the models' time
            wall, cpu = time.perf_counter(), time.process_time()
            result = evaluate_model(task, get_model(name), data, sampling="full", seeds=(0,), n_jobs=arguments.jobs)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            totals[label] += cpu
            print(
                f"{label:13} {task} {name:17} {result.headline} {result.mean():.3f}  {wall:6.2f} s, {cpu:6.2f} s CPU",
                flush=True,
            )
    ours, theirs = totals.values()
    print(f"all four: recipe {ours:.1f} s CPU, paper's best {theirs:.1f} s CPU, ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
