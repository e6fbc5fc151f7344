"""Compiled functions, kept between runs where there is a place to keep them."""

from collections.abc import Callable
from typing import Any


def compiled(**options: Any) -> Callable[[Callable], Any]:
    """Return a decorator like `numba.njit(cache=True)` that also serves where neither package nor home can be written.

    Such a place, a container's or a cluster's, compiles in every process: seconds, the same results.

    Args:
        **options: As `numba.njit` takes them.
    """
    import numba

    def decorate(function: Callable) -> Any:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # numba found no folder for its cache
            return numba.njit(**options)(function)

    return decorate
