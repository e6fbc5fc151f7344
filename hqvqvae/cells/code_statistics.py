"""Statistics of codes: usage, persistence, purity, stability, and alignment of separately trained codebooks."""

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from .proxies import CellIndex


def code_rates(index: CellIndex, codes: np.ndarray, n_codes: int, window: np.ndarray | None = None) -> np.ndarray:
    """Compute each code's share of each cell's segments, or of those in a window: the r_ck of the definitions.

    Args:
        index: Cells of the segments.
        codes: Code of each segment, (N,).
        n_codes: Size of the codebook, K.
        window: Mask of the segments to count, (N,) bool; all by default.

    Returns:
        Shares, (C, K).
    """
    window = np.ones(len(codes), dtype=bool) if window is None else window
    counts = np.zeros((len(index.cell_ids), n_codes))
    np.add.at(counts, (index.cell[window], codes[window]), 1)
    return counts / counts.sum(axis=1, keepdims=True)


def usage(codes: np.ndarray, n_codes: int) -> dict[str, float]:
    """Compute codes used, utilisation (their share of the codebook) and perplexity (exp of the entropy of codes).

    Args:
        codes: Code of each segment, (N,).
        n_codes: Size of the codebook, K.

    Returns:
        `codes_used`, `utilisation` and `perplexity`.
    """
    share = np.bincount(codes, minlength=n_codes) / len(codes)
    share = share[share > 0]
    perplexity = float(np.exp(-np.sum(share * np.log(share))))
    return {"codes_used": len(share), "utilisation": len(share) / n_codes, "perplexity": perplexity}


def purity(codes: np.ndarray, labels: np.ndarray) -> float:
    """Compute the share of segments whose label is the commonest of their code; 1 if the code determines the label.

    Args:
        codes: Code of each segment, (N,).
        labels: Label of each segment, such as its cohort, (N,).

    Returns:
        The share, 0 to 1.
    """
    return float(pd.crosstab(codes, labels).max(axis=1).sum() / len(codes))


def runs(index: CellIndex, codes: np.ndarray) -> pd.DataFrame:
    """Cut each cell's sequence into runs of one code.

    Args:
        index: Cells of the segments.
        codes: Code of each segment, (N,).

    Returns:
        One row per run: `cell` (index), `start` (position in the cell), `code`, `length` (segments).
    """
    starts = np.flatnonzero(np.append(True, (codes[1:] != codes[:-1]) | (index.cell[1:] != index.cell[:-1])))
    where = {"cell": index.cell[starts], "start": index.position[starts], "code": codes[starts]}
    return pd.DataFrame(where | {"length": np.diff(np.append(starts, len(codes)))})


def frequency_table(index: CellIndex, codes: np.ndarray, n_codes: int) -> pd.DataFrame:
    """Compute frequency, persistence and position in life of every code that occurs.

    Args:
        index: Cells of the segments.
        codes: Code of each segment, (N,).
        n_codes: Size of the codebook, K.

    Returns:
        One row per code: `segments`, `frequency` (share of all segments), `cells_present`, `mean_run` (segments),
        `persistence` (share of its segments followed by the same code, among those with a next segment), `mean_life`
        (mean relative position, 0 to 1).
    """
    has_next = np.append(index.cell[1:] == index.cell[:-1], False)
    same_next = has_next & np.append(codes[1:] == codes[:-1], False)
    by_run = runs(index, codes).groupby("code")["length"].mean()
    rows = []
    for code in np.flatnonzero(np.bincount(codes, minlength=n_codes)):
        mine = codes == code
        followed = int((mine & has_next).sum())
        counts = {"code": int(code), "segments": int(mine.sum()), "frequency": float(mine.mean())}
        counts |= {"cells_present": len(np.unique(index.cell[mine])), "mean_run": float(by_run[code])}
        persistence = float((mine & same_next).sum() / followed) if followed else np.nan
        rows.append(counts | {"persistence": persistence, "mean_life": float(index.life[mine].mean())})
    return pd.DataFrame(rows)


def align(reference: np.ndarray, codes: np.ndarray, n_codes: int, shared: np.ndarray) -> np.ndarray:
    """Match one model's codes to another's by Hungarian matching on the segments both were trained on.

    Args:
        reference: Codes of the reference model, (N,).
        codes: Codes of the model to rename, (N,).
        n_codes: Size of both codebooks.
        shared: Segments in both training sets, (N,) bool.

    Returns:
        The reference code matched to each code, (K,): `mapping[codes]` are codes in the reference's names.
    """
    contingency = np.zeros((n_codes, n_codes))
    np.add.at(contingency, (codes[shared], reference[shared]), 1)
    return linear_sum_assignment(contingency, maximize=True)[1]


def stability(pairs: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Compute mean ARI and AMI over pairs of codings of the same segments; NaN if there are no pairs.

    Args:
        pairs: Pairs of codings, (n,) each; both of a pair cover the same segments.

    Returns:
        `ari` (adjusted Rand index) and `ami` (adjusted mutual information).
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    scores = {"ari": adjusted_rand_score, "ami": adjusted_mutual_info_score}
    return {name: float(np.mean([f(a, b) for a, b in pairs])) if pairs else np.nan for name, f in scores.items()}
