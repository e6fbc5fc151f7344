"""A child process, bounded in memory and time, for readers that a damaged file can crash, hang or exhaust."""

from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MAX_MEMORY_BYTES = 900 << 20  # per file; NASA's largest takes 20 MB
MAX_SECONDS = 9.0  # per file; NASA's largest takes 0.1 s


class Broken(Exception):
    """A reader that did not finish; the message says why, for example "crashes its reader"."""


@contextmanager
def bounded_child(scale: float = 1.0) -> Iterator[Callable[..., Any]]:
    """Start a child process at the first call (0.2 s) and end it with the block.

    Args:
        scale: factor on both bounds, for a file that is itself large.

    Yields:
        `call(function, *arguments)`, which runs a module-level function in the child. It raises what the function
        raises, or `Broken` if the child crashes, takes too long or needs too much memory.
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
    """Limit this process to `memory` more bytes than it uses now, if the system supports that."""
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = used + memory if most == resource.RLIM_INFINITY else min(used + memory, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
