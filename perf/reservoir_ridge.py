"""Scores MagBridge-Embed, the quantum reservoir's 171 features, with a linear readout, and files the results.

    python perf/reservoir_ridge.py magbridge-battery [--upstream published --upstream-dir DIR] [--out benchmark/results]

The embedding belongs to the bridge, which the benchmark never imports: hence a script. Angles are scaled as upstream's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmark import Model, cross_validate, evaluate_model, load_task
from benchmark.results import write_result
from bridge import upstream
from bridge.embedding import reservoir


def readout(seed: int, task):
    """Ridge regression or classification on the standardised embedding, its penalty chosen inside the training rows."""
    from sklearn.linear_model import RidgeClassifierCV, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    penalties = np.logspace(-1, 4, 11)
    ridge = RidgeCV(penalties) if task.is_regression else RidgeClassifierCV(penalties, class_weight="balanced")
    return make_pipeline(StandardScaler(), ridge)


def main() -> None:
    """Prints and files one result a task and protocol."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("release", type=Path)
    parser.add_argument("--upstream", default="auto")
    parser.add_argument("--upstream-dir", type=Path)
    parser.add_argument("--out", type=Path, help="folder for result files")
    arguments = parser.parse_args()
    scaler = upstream.resolve(arguments.upstream, arguments.upstream_dir).angle_scaler
    embedded = {}

    def embedding(signals):
        new = [i for i, x in enumerate(signals) if x.tobytes() not in embedded]
        if new:
            embedded.update(
                zip((signals[i].tobytes() for i in new), reservoir.embed(signals[new], scaler.mean, scaler.std))
            )
        return np.stack([embedded[x.tobytes()] for x in signals])

    for task in ("t1", "t2", "t3", "t4"):
        model = Model(
            "reservoir-ridge",
            (task,),
            readout,
            "Ridge on the 171 features of the quantum reservoir, penalty chosen by leave-one-out on the training rows.",
            embedding,
        )
        data = load_task(task, arguments.release)
        for result in (evaluate_model(task, model, data), cross_validate(task, model, data)):
            print(f"{task} {result.protocol}: {result.headline} {result.mean():.4f} +- {result.std():.4f}", flush=True)
            if arguments.out:
                write_result(result, arguments.out)


if __name__ == "__main__":
    main()
