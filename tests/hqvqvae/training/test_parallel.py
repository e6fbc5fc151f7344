"""Jobs on processes: the order and the results of one process, an error as it was raised."""

import functools
import os

import pytest

from hqvqvae.errors import HQVQVAEError
from hqvqvae.training.parallel import run_jobs


def scaled(job, factor):
    return job * factor, os.getpid()


def refuse(job):
    raise HQVQVAEError(f"job {job} is refused")


def test_results_come_in_order_from_any_number_of_processes():
    one, two = (run_jobs(functools.partial(scaled, factor=3), range(6), workers=workers) for workers in (1, 2))
    assert [value for value, _ in one] == [value for value, _ in two] == [0, 3, 6, 9, 12, 15]
    assert {process for _, process in one} == {os.getpid()}
    assert os.getpid() not in {process for _, process in two}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_job_is_raised_as_it_is(workers):
    with pytest.raises(HQVQVAEError, match="job 1 is refused"):
        run_jobs(refuse, [1], workers=workers)
