"""What the search for a precursor found, and what it could have found, in words; no figure is typed in."""

from __future__ import annotations

from typing import Any

import numpy as np


def power_sentences(power: dict[str, Any], found: dict[str, Any] | None = None) -> str:
    """The smallest effect that a search among the cells could have shown.

    Args:
        power: record of `python -m hqvqvae power`.
        found: record of a discovery run on the same cells, if its outcome is to be told first.

    Returns:
        Sentences.
    """
    cells = power["cells"]
    share = f"{power['power']:.0%}"
    counts = sorted(power["curves"], key=int)
    outcome = ""
    if found is not None:
        label = "A precursor was" if found["precursor_found"] else "No precursor was"
        outcome = f"{label} found on these cells. "
    parts = []
    for n in [str(cells), *(other for other in counts if other != str(cells))]:
        smallest = power["curves"][n]["smallest_effect"]
        if smallest is None:
            parts.append(f"{n} cells would show none of them with {share}")
        elif n == str(cells):
            over_all = np.interp(smallest, power["effects"], power["curves"][n]["spearman"])
            parts.append(
                f"the smallest effect that {n} cells could have shown with {share} is a correlation of {smallest:.2f} "
                f"between a code's early rate and the late proxy among cells of a cohort (Spearman {over_all:.2f} over "
                "all cells)"
            )
        else:
            parts.append(f"{n} cells would show {smallest:.2f}")
    text = "; ".join(parts)
    text = text[0].upper() + text[1:]
    at_rest = ""
    if power["effects"][0] == 0:
        most = max(curve["found"][0] for curve in power["curves"].values())
        at_rest = f" Planted without any effect, at most {most:.1%} are taken for precursors."
    by_trials: dict[int, list[str]] = {}
    for n in counts:
        by_trials.setdefault(power["curves"][n]["trials"], []).append(n)
    planted = "; ".join(
        f"{trials} among {', '.join(numbers)} cells" if len(by_trials) > 1 else str(trials)
        for trials, numbers in by_trials.items()
    )
    return (
        f"{outcome}{text}.{at_rest} Precursors planted for each effect: {planted}, in codes that are "
        f"given: learning the code as well can only take more cells, and a codebook none of whose codes is held by "
        f"{power['plan']['min_cells_present']} cells shows none at any effect."
    )
