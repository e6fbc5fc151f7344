"""Damaged inputs of every kind, many to a process: a value or one line, never a traceback."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial

from tests.faults.bench import Bench, Input
from tests.faults.child import outcomes_of

BATCH = 40
"""Inputs that one child process reads, one after another."""


def fuzzed(bench: Bench, count: int, make: Callable[[Bench], dict[str, Input]]) -> Iterator[tuple[str, str | None]]:
    """Yields the kind of each input tried, and what happened to it or None.

    Args:
        bench: Scratch folder and randomness.
        count: Inputs over all kinds.
        make: Gives the kinds to try, each as often as its share.
    """
    inputs = make(bench)
    folder = bench.folder / "fuzzed"
    shares = sum(kind.share for kind in inputs.values())
    for name, kind in inputs.items():
        kind.read(kind.folder)  # a whole one is taken; what its reading imports is there for the children
        left = max(1, count * kind.share // shares)
        while left > 0:
            shutil.rmtree(folder, ignore_errors=True)
            copies = [folder / str(number) / kind.folder.name for number in range(min(BATCH, left))]
            damaged = [kind.damaged_copy(copy, bench.rng) for copy in copies]
            outcomes = outcomes_of([partial(kind.read, copy) for copy in copies])
            for copy, what, outcome in zip(copies, damaged, outcomes):
                if outcome is not None and bench.keep is not None:
                    shutil.copytree(copy, bench.keep / f"{name} {len(list(bench.keep.glob('*')))}")
                yield name, None if outcome is None else f"{what}: {outcome}"
            left -= len(copies)
