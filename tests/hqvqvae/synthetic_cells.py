"""Synthetic cells and codes with a precursor planted or left out, for the tests of discovery."""

import numpy as np
import pandas as pd

from hqvqvae.discovery.analysis import Coding, DiscoveryPlan, Study, analyse, prepare
from hqvqvae.discovery.figure_data import figure_data
from hqvqvae.discovery.report import Discovery
from hqvqvae.discovery.run import discover

COHORTS = ("A", "B", "C", "D", "E")
N_CODES = 32
PLANTED = 7
PLAN = DiscoveryPlan(n_permutations=199)


def make_segments(severity: np.ndarray, n_segments: int = 60, cohort_fade: bool = True) -> pd.DataFrame:
    """Cells of five cohorts in turn, whose capacity falls in proportion to their severity, plus the cohort's fade."""
    rows = []
    for c, s in enumerate(severity):
        cohort = c % len(COHORTS)
        fade = 0.1 + 0.25 * s + (0.02 * cohort if cohort_fade else 0.0)
        life = np.arange(n_segments) / n_segments
        rows.append(
            pd.DataFrame(
                {
                    "cell_id": f"cell{c:02d}",
                    "cohort": COHORTS[cohort],
                    "cycle": np.arange(n_segments),
                    "capacity": (1.5 + 0.1 * cohort) * (1 - fade * life**1.5),
                    "resistance_ohm": 0.1 * (1 + s * life),
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def planted_codes(segments: pd.DataFrame, severity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Codes that name the cohort and the age, with code 7 early in life in proportion to a cell's severity."""
    cohort = segments["cohort"].map({name: i for i, name in enumerate(COHORTS)}).to_numpy()
    life = segments.groupby("cell_id")["cycle"].transform(lambda cycle: cycle / len(cycle)).to_numpy()
    codes = 8 + (cohort * 4 + (4 * life).astype(int)) % 24
    noisy = rng.random(len(codes)) < 0.3
    codes[noisy] = rng.integers(N_CODES, size=noisy.sum())
    codes[codes == PLANTED] = 0
    of_cell = severity[segments["cell_id"].str[4:].astype(int).to_numpy()]
    fires = (life < 0.3) & (rng.random(len(codes)) < 0.1 + 0.7 * of_cell)
    codes[fires] = PLANTED
    return codes


def planted_study(seed: int, n_cells: int = 20) -> tuple[pd.DataFrame, Coding]:
    """Twenty cells and a coding in which code 7 foretells the fade of a cell."""
    rng = np.random.default_rng(seed)
    severity = rng.random(n_cells)
    segments = make_segments(severity)
    return segments, Coding(N_CODES, planted_codes(segments, severity, rng))


def random_study(seed: int, n_cells: int = 20) -> tuple[pd.DataFrame, Coding]:
    """The same cells with codes that mean nothing."""
    rng = np.random.default_rng(seed)
    segments = make_segments(rng.random(n_cells))
    return segments, Coding(N_CODES, rng.integers(N_CODES, size=len(segments)))


def given_run(study_of, seed: int = 0, change=lambda table: table, n_cells: int = 10) -> Discovery:
    """A whole run on given codes; `change` edits the table of segments and codes before."""
    segments, coding = study_of(seed, n_cells)
    segments = change(segments.assign(code=coding.reference))
    return discover(segments.drop(columns="code"), PLAN, codes=segments[["cell_id", "cycle", "code"]], seeds=[0])


def figure_frames(segments: pd.DataFrame, coding: Coding) -> tuple[Study, dict[str, pd.DataFrame]]:
    """The study of a coding and the data of its figures, discharge curves that are all alike included."""
    study = prepare(segments, DiscoveryPlan(n_permutations=99))
    curves = segments[["cell_id", "cycle"]].copy()
    curves["voltage_V"] = [np.linspace(4.2, 2.7, 16) for _ in range(len(curves))]
    return study, figure_data(study, analyse(study, "given", "given", [coding]), curves)
