"""Cells whose lives follow from a drift that begins early, and cells whose lives follow from nothing."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hqvqvae.cells.features import CHARGE_FEATURES
from hqvqvae.discovery.lives import report
from hqvqvae.discovery.lives.study import LifePlan, prepare
from hqvqvae.training.fit import TrainingConfig

PLAN = LifePlan(n_codes=(2, 4), folds=4, inner_folds=3, n_permutations=99)
QUICK = TrainingConfig(epochs=6, warmup_epochs=3)


def cycles_of(n_cells=36, n_cycles=40, related=True, seed=0):
    """A table like that of MATR: three batches that differ in every feature, a drift that shortens life."""
    rng = np.random.default_rng(seed)
    drift = rng.random(n_cells)
    lives = 200 + 1800 * (1 - drift if related else rng.random(n_cells))
    parts = []
    for cell in range(n_cells):
        batch = cell % 3
        age = np.arange(n_cycles) / n_cycles
        values = batch + 0.001 * rng.normal(size=(n_cycles, len(CHARGE_FEATURES)))
        values = values - 0.02 * drift[cell] * age[:, None]
        part = pd.DataFrame(values, columns=CHARGE_FEATURES).assign(
            cell_id=f"cell{cell:02d}", cohort=f"batch{batch + 1}", split="test2" if batch == 2 else "train",
            cycle=np.arange(2, 2 + n_cycles), life_cycles=lives[cell].round(), dq_log_var=np.log10(drift[cell] + 0.01),
        )  # fmt: skip
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def in_little(monkeypatch):
    """Make `report.run` take such cells, a smaller plan and a shorter training."""
    real = report.prepare
    monkeypatch.setattr(report, "LifePlan", lambda **changes: replace(PLAN, **changes))
    monkeypatch.setattr(report, "prepare", lambda plan=PLAN, **rest: real(plan, cycles=cycles_of(), **rest))
    monkeypatch.setattr(report, "TrainingConfig", lambda: QUICK)


@pytest.fixture(scope="session")
def related():
    return prepare(PLAN, cycles=cycles_of())


@pytest.fixture(scope="session")
def unrelated():
    return prepare(PLAN, cycles=cycles_of(related=False))
