"""A process of its own for readers that a damaged file can crash, fill or halt: its memory and time are bounded."""

from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MAX_MEMORY_BYTES = 900 << 20  # of what one file may take; the largest of NASA's takes 20 MB
MAX_SECONDS = 9.0  # of one file; the largest of NASA's takes 0.1 s


class Broken(Exception):
    """A reader that did not come to an end; the message says how, as "crashes its reader"."""


@contextmanager
def bounded_child(scale: float = 1.0) -> Iterator[Callable[..., Any]]:
    """A child process, started at the first call (0.2 s) and gone after the block.

    Args:
        scale: what both bounds are multiplied by, for a file that is large itself.

    Yields:
        What calls a function of a module there, `call(function, *arguments)`; it raises what the function does, or
        `Broken` if that crashes, takes too long or needs too much memory.
    """
    from joblib.externals.loky import ProcessPoolExecutor

    memory, seconds = int(scale * MAX_MEMORY_BYTES), scale * MAX_SECONDS
    with ProcessPoolExecutor(1, initializer=_bound, initargs=(memory,)) as child:

        def call(function: Callable[..., Any], *arguments: object) -> Any:
            try:
                return child.submit(function, *arguments).result(seconds)
            except MemoryError:
                raise Broken(f"takes over {memory >> 20} MiB in its reader") from None
            except (BrokenProcessPool, TimeoutError) as error:
                child.shutdown(wait=False, kill_workers=True)
                broke = "crashes" if isinstance(error, BrokenProcessPool) else f"takes over {seconds:.3g} s in"
                raise Broken(f"{broke} its reader") from None

        yield call


def _bound(memory: int) -> None:
    """Let this process take no more than `memory` bytes beyond what it has, where the system can."""
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = used + memory if most == resource.RLIM_INFINITY else min(used + memory, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
