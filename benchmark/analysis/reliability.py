"""How far class probabilities can be trusted: their calibration, and what a sorter gains that abstains or tests again.

Intervals draw cells with replacement.
"""

import numpy as np

from benchmark.scoring import percentiles

BINS = 10
"""Of equally many rows, by the probability of the predicted class."""

DRAWS = 500
COVERAGES = np.linspace(0.05, 1, 20)
AGAIN = 0.3
"""Share of rows, the least sure, that a sorter leaves undecided or measures again."""


def cell_draws(cells: np.ndarray, draws: int = DRAWS) -> tuple[np.ndarray, np.ndarray]:
    """Number (n,) of each row's cell, and how often each draw of cells with replacement takes each, (draws, cells)."""
    names, index = np.unique(cells, return_inverse=True)
    count = len(names)
    return index, np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=draws)


def mapped(score: np.ndarray, truth: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Probabilities from scores of any scale, by a logistic regression for each fold on the others (Platt).

    Args:
        score: Shape (n,) or (n, K), out of fold.
        truth: Shape (n,), number of the true class.
        folds: Shape (n,), the fold that each row was held out in.

    Returns:
        Shape (n, classes).
    """
    from sklearn.linear_model import LogisticRegression

    x, out = score.reshape(len(score), -1), np.empty((len(score), int(truth.max()) + 1))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    for fold in np.unique(folds):
        held = folds == fold
        out[held] = LogisticRegression(C=100, max_iter=1000).fit(x[~held], truth[~held]).predict_proba(x[held])
    return out


def reliability(probability: np.ndarray, truth: np.ndarray, cells: np.ndarray, tested: np.ndarray) -> dict:
    """Calibration, and risk against coverage, of the most probable class.

    Args:
        probability: Shape (n, K).
        truth: Shape (n,), number of the true class.
        cells: Shape (n,), what is drawn for intervals.
        tested: Shape (n,), what rows of one object share: a row is tested again by another row of its object.

    Returns:
        `ece`; `bins`: mean confidence, share right with its interval, rows; `error`; `aurc` with its interval, and
        `aurc_best`, that of the same errors in the best order; `curve`: coverage, error; `again`: error where the
        least sure rows are left out, and of all rows where they are tested again.
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
    _, tie = np.unique(confidence, return_inverse=True)  # among equally sure rows any order is as good
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
    """Mean over coverages of the error among rows that are sure enough, most sure first."""
    total = np.cumsum(weights)
    below = np.divide(np.cumsum(weights * risk), total, out=np.zeros(len(risk)), where=total > 0)
    return float(weights @ below / total[-1])


def _another(tested: np.ndarray) -> np.ndarray:
    """The next row of the same object, for each row; itself where there is no other."""
    order = np.argsort(tested, kind="stable")
    out = np.empty(len(tested), int)
    for rows in np.split(order, np.flatnonzero(np.diff(np.unique(tested, return_inverse=True)[1][order])) + 1):
        out[rows] = np.roll(rows, -1)
    return out
