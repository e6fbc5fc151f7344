"""A cell's own beginning: features less their mean over its first segments, those of a window that is stated."""

from __future__ import annotations

import torch

from .errors import HQVQVAEError


def less_the_beginning(
    features: torch.Tensor, cells: torch.Tensor | None, window: tuple[int, int] | list[int]
) -> torch.Tensor:
    """Features relative to the beginning of each cell.

    Args:
        features: segments `(n, F)`, those of a cell in order of life from its first one on.
        cells: which cell each row is of, integers `(n,)`; None for one cell.
        window: first and last segment of the reference, counted from 1 in each cell.

    Returns:
        `(n, F)`, NaN in rows up to the end of the window: nothing is said before the reference is known.

    Raises:
        HQVQVAEError: `cells` does not name a cell for each row.
    """
    if cells is None:
        cells = torch.zeros(len(features), dtype=torch.int64, device=features.device)
    cells = torch.as_tensor(cells, device=features.device)
    if cells.shape != features.shape[:1]:
        raise HQVQVAEError(f"cells has shape {tuple(cells.shape)}; expected ({len(features)},): a cell for each row")
    first, last = window
    relative = torch.full_like(features, torch.nan)
    for cell in cells.unique():
        rows = torch.nonzero(cells == cell).flatten()
        relative[rows[last:]] = features[rows[last:]] - features[rows[first - 1 : last]].mean(0)
    return relative
