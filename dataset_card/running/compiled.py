"""Compiled functions, cached between runs if a cache folder is available."""

from collections.abc import Callable
from typing import Any


def compiled(**options: Any) -> Callable[[Callable], Any]:
    """Return a decorator like `numba.njit(cache=True)` that also works if no cache folder is writable.

    If neither the package nor the home folder can be written, as in some containers and clusters, every process
    compiles again. This takes seconds and does not change results.

    Args:
        **options: Options of `numba.njit`.
    """
    import numba

    def decorate(function: Callable) -> Any:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # numba found no folder for its cache
            return numba.njit(**options)(function)

    return decorate
