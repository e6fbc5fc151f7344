"""Independent fits on the cores of one machine or on a Dask cluster: the same results, wherever each runs."""

from collections.abc import Callable, Sequence
from typing import Any

from dataset_card.errors import MagBridgeError
from dataset_card.running.parallel import Engine
from dataset_card.running.parallel import run_jobs as run

from ..errors import HQVQVAEError

ALONE = Engine(jobs=1)
"""This process; the default of whatever runs jobs, whose results do not depend on where they run."""


def run_jobs(
    function: Callable[[Any], Any],
    jobs: Sequence[Any],
    engine: Engine = ALONE,
    keep: Callable[[Any], object] = lambda result: None,
) -> list[Any]:
    """Call a function on each job; a process that dies has its job done again elsewhere.

    Args:
        function: of a module's top level, or a `functools.partial` of one; its result must depend on the job alone.
        jobs: one argument each; as text, the name that errors tell.
        engine: where they run.
        keep: called with each result in this process as soon as it is there.

    Returns:
        Results in the order of the jobs.

    Raises:
        MagBridgeError: a job failed, with its name and its error; the scheduler cannot be reached or was lost.
    """
    if not jobs:
        return []
    named = {str(job): job for job in jobs}
    return list(run(_apply, named, function, engine=engine, label="fits", keep=keep).values())


def _apply(job: Any, function: Callable[[Any], Any]) -> Any:
    try:
        return function(job)
    except HQVQVAEError as error:  # the model's own files know no other error: they travel to the Hub alone
        raise MagBridgeError(str(error)) from error
