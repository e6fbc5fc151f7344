"""Independent fits on the cores of one machine or on a Dask cluster, with the same results wherever they run."""

from collections.abc import Callable, Sequence
from typing import Any

from dataset_card.errors import MagBridgeError
from dataset_card.running.parallel import Engine
from dataset_card.running.parallel import run_jobs as run

from ..errors import HQVQVAEError

ALONE = Engine(jobs=1)
"""This process; the default engine for jobs, whose results do not depend on where they run."""


def run_jobs(
    function: Callable[[Any], Any],
    jobs: Sequence[Any],
    engine: Engine = ALONE,
    keep: Callable[[Any], object] = lambda result: None,
) -> list[Any]:
    """Call a function on each job; if a process dies, its job is run again elsewhere.

    Args:
        function: A module-level function, or a `functools.partial` of one; its result must depend only on the job.
        jobs: One argument per call; its text is the job's name in error messages.
        engine: Where the jobs run.
        keep: Called in this process with each result as soon as it is available.

    Returns:
        Results in the order of the jobs.

    Raises:
        MagBridgeError: If a job fails (with its name and error), or the scheduler cannot be reached or is lost.
    """
    if not jobs:
        return []
    named = {str(job): job for job in jobs}
    return list(run(_apply, named, function, engine=engine, label="fits", keep=keep).values())


def _apply(job: Any, function: Callable[[Any], Any]) -> Any:
    try:
        return function(job)
    except (
        HQVQVAEError
    ) as error:  # the model's own files raise only this type, because they are published without the package
        raise MagBridgeError(str(error)) from error
