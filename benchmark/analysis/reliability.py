"""Reliability of class probabilities: calibration, and the gain of a sorter that abstains or tests again.

Intervals are computed by drawing cells with replacement.
"""

import numpy as np

from benchmark.scoring import percentiles

BINS = 10
"""Number of bins by the probability of the predicted class, with equal numbers of rows."""

DRAWS = 500
COVERAGES = np.linspace(0.05, 1, 20)
AGAIN = 0.3
"""Share of rows, those with the lowest confidence, that a sorter leaves undecided or measures again."""


def cell_draws(cells: np.ndarray, draws: int = DRAWS) -> tuple[np.ndarray, np.ndarray]:
    """Return the number (n,) of each row's cell, and how often each draw contains each cell, (draws, cells)."""
    names, index = np.unique(cells, return_inverse=True)
    count = len(names)
    return index, np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=draws)


def mapped(score: np.ndarray, truth: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Map scores of any scale to probabilities, by a logistic regression for each fold on the others (Platt).

    Args:
        score: Out-of-fold scores, shape (n,) or (n, K).
        truth: Number of the true class, shape (n,).
        folds: Fold in which each row was held out, shape (n,).

    Returns:
        Probabilities, shape (n, classes).
    """
    from sklearn.linear_model import LogisticRegression

    x, out = score.reshape(len(score), -1), np.empty((len(score), int(truth.max()) + 1))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    for fold in np.unique(folds):
        held = folds == fold
        out[held] = LogisticRegression(C=100, max_iter=1000).fit(x[~held], truth[~held]).predict_proba(x[held])
    return out


def reliability(probability: np.ndarray, truth: np.ndarray, cells: np.ndarray, tested: np.ndarray) -> dict:
    """Measure calibration, and risk against coverage, of the most probable class.

    Args:
        probability: Class probabilities, shape (n, K).
        truth: Number of the true class, shape (n,).
        cells: Unit that is resampled for intervals, shape (n,).
        tested: Name of the tested object, shape (n,); a row is tested again by another row of its object.

    Returns:
        `rows`; `ece`; `bins`, each with mean confidence, share of correct rows with its interval, and number of rows;
        `error`; `aurc` with its interval, and `aurc_best` for the same errors in the best order; `curve` of coverage
        and error; `again`, the error if the least confident rows are left out, and if they are tested again.
    """
    confidence, wrong = probability.max(axis=1), probability.argmax(axis=1) != truth
    index, weights = cell_draws(cells)
    edges = np.unique(np.quantile(confidence, np.linspace(0, 1, BINS + 1)[1:-1]))
    band, bins = np.searchsorted(edges, confidence), []
    for rows in (np.flatnonzero(band == b) for b in range(band.max() + 1)):
        if len(rows):
            drawn = weights[:, index[rows]]
            with np.errstate(invalid="ignore"):  # a draw may lack every cell of a bin
                right = drawn @ ~wrong[rows] / drawn.sum(axis=1)
            mean = float((~wrong[rows]).mean())
            bins.append([float(confidence[rows].mean()), mean, *percentiles(right), len(rows)])
    order = np.argsort(-confidence, kind="stable")
    _, tie = np.unique(confidence, return_inverse=True)  # equally confident rows share their mean risk
    risk = (np.bincount(tie, wrong) / np.bincount(tie))[tie][order]
    error, curve = float(wrong.mean()), np.cumsum(risk) / np.arange(1, len(risk) + 1)
    areas = [_area(risk, row[index[order]]) for row in weights]
    kept = [max(1, round(share * len(risk))) for share in COVERAGES]
    unsure = order[round((1 - AGAIN) * len(order)) :]
    second = probability.copy()
    second[unsure] += probability[_another(tested)[unsure]]
    return {
        "rows": len(truth),
        "ece": float(sum(n * abs(sure - right) for sure, right, _, _, n in bins) / len(truth)),
        "bins": bins,
        "error": error,
        "aurc": [_area(risk, np.ones(len(risk))), *percentiles(np.array(areas))],
        "aurc_best": error + (1 - error) * float(np.log1p(-error)) if error < 1 else 1.0,
        "curve": [[n / len(risk), float(curve[n - 1])] for n in kept],
        "again": [float(np.delete(wrong, unsure).mean()), float((second.argmax(axis=1) != truth).mean())],
    }


def _area(risk: np.ndarray, weights: np.ndarray) -> float:
    """Compute the mean over coverages of the error among the covered rows, with the most confident rows first."""
    total = np.cumsum(weights)
    below = np.divide(np.cumsum(weights * risk), total, out=np.zeros(len(risk)), where=total > 0)
    return float(weights @ below / total[-1])


def _another(tested: np.ndarray) -> np.ndarray:
    """Return the next row of the same object for each row, or the row itself if there is no other."""
    order = np.argsort(tested, kind="stable")
    out = np.empty(len(tested), int)
    for rows in np.split(order, np.flatnonzero(np.diff(np.unique(tested, return_inverse=True)[1][order])) + 1):
        out[rows] = np.roll(rows, -1)
    return out
