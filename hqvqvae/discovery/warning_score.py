"""The early-warning score of section 7.3: causal, calibrated on training cells, and tested on held-out ones.

At each segment the score uses only the codes of a trailing window: how often the precursor code fires, how long ago it
first fired, how often the code changes, and how many codes are late ones. A logistic regression, fitted on training
cells, turns these four into the probability that the onset of degradation is at most `HORIZON` segments ahead. The
score is compared with a capacity threshold and with age, whose thresholds are calibrated in the same way.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import write_json

from ..cells.download import packaged_document
from ..cells.features import require_columns
from ..cells.proxies import INITIAL_SEGMENTS, ONSET_MEDIAN, initial_capacity
from .analysis import Coding, Study

WINDOW = 10  # segments in the moving window
HORIZON = 30  # segments: an alarm earlier than this before the onset counts as false
MAX_FALSE_ALARMS = 0.2  # share of training cells with a false alarm that calibration allows
FEATURES = ("activation", "since_first_activation", "transitions", "late_codes")
DETECTORS = {"score": "early-warning score", "capacity": "capacity threshold", "age": "age only"}
OUTCOMES = ("hit", "false_alarm", "missed", "quiet")


@dataclass(frozen=True)
class WarningScore:
    """A fitted score, small enough to ship: it needs only one cell's codes up to the present.

    Attributes:
        n_codes: Size of the codebook.
        precursor: The precursor code; None if no code was eligible, and activation is then always 0.
        late_share: Per code, smoothed share of its training segments at or after the onset, (K,).
        weights: Weight of each of `FEATURES`.
        bias: Intercept of the logistic regression.
        threshold: Score at which the alarm is raised; None for a score that never raises one.
    """

    n_codes: int
    precursor: int | None
    late_share: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    threshold: float | None = None

    def score(self, codes: np.ndarray) -> np.ndarray:
        """Score every segment of one cell from the codes up to it.

        Args:
            codes: Codes in order of life, (n,).

        Returns:
            Probability that the onset is near or past, (n,).
        """
        codes = np.asarray(codes)
        if len(codes) and (codes.min() < 0 or codes.max() >= self.n_codes):
            raise MagBridgeError(f"code {codes.max()} is outside 0 to {self.n_codes - 1}; use codes of the same model")
        features = window_features(codes, self.precursor, np.array(self.late_share))
        with np.errstate(over="ignore"):  # an overflow means a score of 0
            return 1 / (1 + np.exp(-(features @ np.array(self.weights) + self.bias)))

    def alarm(self, codes: np.ndarray) -> int | None:
        """Return the position of the first segment at which the alarm is raised, or None."""
        return first_alarm(self.score(codes), self.threshold)

    def save(self, path: str | Path) -> None:
        """Write the score as JSON."""
        write_json(Path(path), asdict(self))

    @classmethod
    def load(cls, path: str | Path) -> "WarningScore":
        """Read a score that `save` wrote.

        Raises:
            MagBridgeError: If the file is not such a score.
        """
        import jsonschema

        try:
            read = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=str)  # NaN is not valid
            jsonschema.validate(read, packaged_document("warning_score.schema.json"))
        except (OSError, ValueError, RecursionError, jsonschema.ValidationError) as error:
            problem = str(getattr(error, "message", error))[:300]
            raise MagBridgeError(f"{path} is not a warning score of this package ({problem}); give another") from None
        fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in read.items()}
        score = cls(**fields)
        sizes = len(score.late_share), len(score.weights)
        if sizes != (score.n_codes, len(FEATURES)):
            expected = f"expected {score.n_codes}, {len(FEATURES)}"
            raise MagBridgeError(f"{path} has {sizes} late shares and weights, {expected}")
        return score


def warn_cells(score: WarningScore, codes: pd.DataFrame) -> list[dict[str, Any]]:
    """Apply a score to new cells.

    Args:
        score: The fitted score.
        codes: `cell_id`, `cycle`, `code`, one row per discharge, with codes of the model that the score was fitted to.

    Returns:
        Per cell: `cell_id`, `segments`, `last_score` and `alarm_cycle` (None without an alarm).

    Raises:
        MagBridgeError: If a column is missing, a cycle is not a whole number, or a code is not one of that model.
    """
    require_columns(codes, ("cell_id", "cycle", "code"), "a table of codes: cell_id, cycle, code")
    cycle = pd.to_numeric(codes["cycle"], errors="coerce")
    if (wrong := codes["cycle"][cycle % 1 != 0]).size:
        raise MagBridgeError(f"cycle {str(wrong.iloc[0])[:80]!r} of a code; expected a whole number")
    codes, found = codes.assign(cycle=cycle), []
    for cell_id, cell in codes.sort_values("cycle").groupby("cell_id", sort=True):
        sequence = cell["code"].to_numpy()
        if not np.issubdtype(sequence.dtype, np.integer):
            raise MagBridgeError(f"cell {cell_id} has a code that is not an integer; expected 0 to {score.n_codes - 1}")
        alarm = score.alarm(sequence)
        alarm_cycle = None if alarm is None else int(cell["cycle"].iloc[alarm])
        last = {"last_score": float(score.score(sequence)[-1]), "alarm_cycle": alarm_cycle}
        found.append({"cell_id": str(cell_id), "segments": len(cell), **last})
    return found


def _trailing_mean(values: np.ndarray, window: int) -> np.ndarray:
    total = np.concatenate([[0.0], np.cumsum(values, dtype=float)])
    end = np.arange(1, len(values) + 1)
    begin = np.maximum(end - window, 0)
    return (total[end] - total[begin]) / (end - begin)


def window_features(codes: np.ndarray, precursor: int | None, late_share: np.ndarray) -> np.ndarray:
    """Compute the four causal features of one cell's codes.

    Args:
        codes: Codes in order of life, (n,).
        precursor: The precursor code, or None.
        late_share: Per code, share of its training segments at or after the onset, (K,).

    Returns:
        Features (n, 4), in the order of `FEATURES`.
    """
    active = np.zeros(len(codes), dtype=bool) if precursor is None else codes == precursor
    fired = np.maximum.accumulate(active) if len(codes) else active
    first = int(np.argmax(active)) if active.any() else 0
    since = np.where(fired, np.log1p(np.maximum(np.arange(len(codes)) - first + 1.0, 0.0)), 0.0)
    changes = np.concatenate([[False], codes[1:] != codes[:-1]])[: len(codes)]
    trailing = [_trailing_mean(values, WINDOW) for values in (active, changes, late_share[codes])]
    return np.column_stack([trailing[0], since, trailing[1], trailing[2]])


Cell = tuple[np.ndarray, float, np.ndarray]
"""A cell's data to fit a score to: its codes in order of life (n,), the position of its first late segment (NaN for
none), and whether the end is near at each of its first m segments, (m,) bool; later segments are not used."""


def fit(cells: Sequence[Cell], n_codes: int, precursor: int | None) -> WarningScore | None:
    """Fit the score, without a threshold, on training cells.

    Args:
        cells: The cells.
        n_codes: Size of the codebook.
        precursor: The precursor code, chosen on the same training cells, or None.

    Returns:
        The score; None if the end is near everywhere or nowhere, or there are no labels.
    """
    from sklearn.linear_model import LogisticRegression

    late, total = np.ones(n_codes), np.full(n_codes, 2.0)
    for sequence, start, _ in cells:
        total += np.bincount(sequence, minlength=n_codes)
        if np.isfinite(start):
            late += np.bincount(sequence[int(start) :], minlength=n_codes)
    late_share = late / total
    pairs = [(sequence, known) for sequence, _, known in cells if len(known)]
    target = np.concatenate([known for _, known in pairs]) if pairs else np.empty(0)
    if len(np.unique(target)) < 2:
        return None
    features = np.concatenate([window_features(seq, precursor, late_share)[: len(known)] for seq, known in pairs])
    weight = np.concatenate([np.full(len(known), 1 / len(known)) for _, known in pairs])
    scale = features.std(axis=0)
    scale[scale < 1e-9] = 1.0  # a feature that is constant up to rounding
    model = LogisticRegression(solver="newton-cholesky")
    model.fit(features / scale, target, sample_weight=weight / weight.mean())
    weights = tuple((model.coef_[0] / scale).tolist())
    return WarningScore(n_codes, precursor, tuple(late_share.tolist()), weights, float(model.intercept_[0]))


def towards_onsets(codes: Sequence[np.ndarray], onsets: np.ndarray) -> list[Cell]:
    """Label segments as near the end from `HORIZON` segments before the onset.

    Args:
        codes: Codes of each cell in order of life, (n_c,) each.
        onsets: Position of the onset per cell, NaN if never, (C,).

    Returns:
        The cells to fit a score to.
    """
    cells = []
    for sequence, onset in zip(codes, onsets, strict=True):
        # Up to the onset; without one, the last segments are left out, because what follows them is unknown.
        end = int(onset) + 1 if np.isfinite(onset) else max(len(sequence) - HORIZON, 0)
        cells.append((sequence, float(onset), np.arange(end) >= onset - HORIZON))
    return cells


def capacity_score(capacity: np.ndarray) -> np.ndarray:
    """Compute the plain alternative: 1 - trailing 3-segment median capacity / Q0, 0 until Q0 is known, (n,)."""
    smooth = pd.Series(np.asarray(capacity, dtype=float)).rolling(ONSET_MEDIAN, min_periods=1).median().to_numpy()
    score = np.nan_to_num(1 - smooth / initial_capacity(capacity))
    score[: INITIAL_SEGMENTS - 1] = 0.0
    return score


def first_alarm(scores: np.ndarray, threshold: float | None) -> int | None:
    """Return the first position whose score reaches the threshold; None if there is none or no threshold."""
    where = np.flatnonzero(scores >= (np.inf if threshold is None else threshold))
    return int(where[0]) if len(where) else None


def outcome(alarm: int | None, onset: float, horizon: float = HORIZON) -> str:
    """Judge one cell by its alarm and onset.

    Args:
        alarm: Position of the alarm, or None.
        onset: Position of the onset, NaN if never.
        horizon: Number of segments; an alarm earlier than this before the onset counts as false.

    Returns:
        "hit", "false_alarm" (too early, or without an onset), "missed" or "quiet" (correctly without an alarm).
    """
    if not np.isfinite(onset):
        return "quiet" if alarm is None else "false_alarm"
    if alarm is None or alarm >= onset:
        return "missed"
    return "false_alarm" if onset - alarm > horizon else "hit"


def sweep(scores: Sequence[np.ndarray], ends: np.ndarray, thresholds: np.ndarray, horizon: float) -> pd.DataFrame:
    """Evaluate a set of cells at each threshold.

    Args:
        scores: Score of every segment, per cell, (n_c,) each.
        ends: Position that an alarm must precede, NaN if there must be no alarm, (C,).
        thresholds: The thresholds, (T,).
        horizon: Number of segments; an alarm earlier than this before the end counts as false.

    Returns:
        One row per threshold: `threshold`, `hits` and `false_alarms` (shares of cells), `median_lead` of hits.
    """
    # A running maximum is sorted, so one search finds the first alarm at every threshold.
    first = np.array([np.searchsorted(np.maximum.accumulate(s), thresholds) for s in scores])
    rows = []
    for threshold, where in zip(thresholds, first.T, strict=True):
        alarms = [int(a) if a < len(s) else None for a, s in zip(where, scores, strict=True)]
        judged = [outcome(a, o, horizon) for a, o in zip(alarms, ends, strict=True)]
        leads = [o - a for a, o, j in zip(alarms, ends, judged, strict=True) if j == "hit"]
        shares = (judged.count(kind) / len(judged) for kind in ("hit", "false_alarm"))
        rows.append((float(threshold), *shares, float(np.median(leads)) if leads else np.nan))
    return pd.DataFrame(rows, columns=["threshold", "hits", "false_alarms", "median_lead"])


def calibrate(scores: Sequence[np.ndarray], onsets: np.ndarray, horizon: float = HORIZON) -> float | None:
    """Find the threshold with most hits and with false alarms in at most `MAX_FALSE_ALARMS` of the cells.

    Args:
        scores: Score of every segment, per cell, (n_c,) each.
        onsets: Position of the onset per cell, NaN if never, (C,).
        horizon: Number of segments; an alarm earlier than this before the onset counts as false.

    Returns:
        The threshold; None if no allowed threshold has a hit.
    """
    thresholds = np.unique(np.quantile(np.concatenate(scores), np.linspace(0, 1, 101)))
    table = sweep(scores, onsets, thresholds, horizon)
    allowed = table[(table["false_alarms"] <= MAX_FALSE_ALARMS) & (table["hits"] > 0)]
    if allowed.empty:
        return None
    return float(allowed.sort_values(["hits", "median_lead"], ascending=False, kind="stable")["threshold"].iloc[0])


def fit_calibrated(
    cells: Sequence[Cell], n_codes: int, precursor: int | None, ends: np.ndarray, fold: np.ndarray, horizon: float
) -> WarningScore | None:
    """Fit on all given cells, with a threshold from scores of cells that each fit left out.

    Args:
        cells: The cells.
        n_codes: Size of the codebook.
        precursor: The precursor code or None.
        ends: Position that an alarm must precede, NaN if there must be no alarm, (C,).
        fold: Fold in which each cell is left out, (C,).
        horizon: Number of segments; an alarm earlier than this before the end counts as false.
    """
    fitted = fit(cells, n_codes, precursor)
    if fitted is None:
        return None
    scores: dict[int, np.ndarray] = {}
    for part in np.unique(fold):
        without = fit([cells[c] for c in np.flatnonzero(fold != part)], n_codes, precursor)
        if without is not None:
            scores |= {c: without.score(cells[c][0]) for c in np.flatnonzero(fold == part)}
    kept = sorted(scores)
    threshold = calibrate([scores[c] for c in kept], ends[kept], horizon) if kept else None
    return replace(fitted, threshold=threshold)


@dataclass(frozen=True)
class WarningEvaluation:
    """Performance of the score on held-out cells, compared with the plain alternatives.

    Attributes:
        cells: One row per held-out cell and detector: `alarm`, `onset` (positions), `lead`, `outcome`.
        summary: One row per detector: hits, false alarms, missed, quiet (cells), `median_lead` of hits (segments).
        curve: Hits and false alarms of held-out cells over the range of thresholds, per detector.
        fitted: The score of all cells, to deploy; None if it cannot be fitted.
        note: Why scores are missing; empty if none is.
    """

    cells: pd.DataFrame
    summary: pd.DataFrame
    curve: pd.DataFrame
    fitted: WarningScore | None
    note: str


@threadpool_limits.wrap(limits=1)  # threads cost more than they gain on five columns
def evaluate(study: Study, coding: Coding, chosen: np.ndarray, final_precursor: int | None) -> WarningEvaluation:
    """Fit and calibrate without each cell in turn, raise alarms on it, and compare with capacity and age.

    Args:
        study: The prepared cells.
        coding: Codes per held-out cell.
        chosen: Precursor code that each cell's fold chose without it, (C,), -1 for none.
        final_precursor: Precursor code of the reference model, for the score to deploy.

    Returns:
        Outcomes on held-out cells.
    """
    capacity = [capacity_score(c) for c in study.by_cell(study.segments["capacity"].to_numpy())]
    plain = {"capacity": capacity, "age": [np.arange(len(c), dtype=float) for c in capacity]}

    def calibrated(codes: list[np.ndarray], onsets: np.ndarray, precursor: int | None) -> WarningScore | None:
        fold = np.arange(len(codes))  # each cell is its own fold
        return fit_calibrated(towards_onsets(codes, onsets), coding.n_codes, precursor, onsets, fold, HORIZON)

    rows, unfitted = [], 0
    scores: dict[str, list[np.ndarray]] = {name: [] for name in DETECTORS}
    for c, cell_id in enumerate(study.index.cell_ids):
        others = np.delete(np.arange(len(study.onsets)), c)
        codes = study.by_cell(coding.fold(cell_id))
        precursor = int(chosen[c]) if chosen[c] >= 0 else None
        fitted = calibrated([codes[i] for i in others], study.onsets[others], precursor)
        unfitted += fitted is None
        found = {"score": (fitted.score(codes[c]), fitted.threshold) if fitted else (np.zeros(len(codes[c])), None)}
        for name, values in plain.items():
            found[name] = (values[c], calibrate([values[i] for i in others], study.onsets[others]))
        for name, (score, threshold) in found.items():
            alarm = first_alarm(score, threshold)
            judged = outcome(alarm, study.onsets[c])
            lead = study.onsets[c] - alarm if judged == "hit" else np.nan
            rows.append((cell_id, name, alarm, study.onsets[c], lead, judged))
            scores[name].append(score)
    cells = pd.DataFrame(rows, columns=["cell_id", "detector", "alarm", "onset", "lead", "outcome"])
    summary = cells.groupby("detector", sort=False)["outcome"].value_counts().unstack(fill_value=0)
    summary = summary.reindex(columns=list(OUTCOMES), fill_value=0)
    summary["median_lead"] = cells.groupby("detector", sort=False)["lead"].median()
    curves = []
    for name, of_cells in scores.items():
        thresholds = np.unique(np.quantile(np.concatenate(of_cells), np.linspace(0, 1, 51)))
        curves.append(sweep(of_cells, study.onsets, thresholds, HORIZON).assign(detector=name))
    fitted = calibrated(study.by_cell(coding.reference), study.onsets, final_precursor)
    why = f"among the other cells, all or none of the segments are within {HORIZON} segments of an onset"
    note = f"no score could be fitted for {unfitted} of {len(study.onsets)} held-out cells: {why}"
    curve = pd.concat(curves, ignore_index=True)
    return WarningEvaluation(cells, summary.reset_index(), curve, fitted, note if unfitted else "")
