"""Try faults on real files and count the survivors: kills, flips, forgeries, full disks, networks, damaged inputs.

    python perf/faults.py [--seed N] [--only KIND ...] [--long]

The output has the seed, progress lines for each kind of fault, and every fault that was not handled; the exit code is 1
if there is any. Inputs are read in child processes, so that crashes, hangs and large allocations are detected too.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.faults import releases, trust  # noqa: E402
from tests.faults.bench import Bench, make_bench  # noqa: E402
from tests.faults.doors import commands  # noqa: E402
from tests.faults.fuzz import fuzzed  # noqa: E402
from tests.faults.inputs import benchmark_inputs, laboratory_inputs, release_inputs  # noqa: E402
from tests.faults.model_inputs import model_inputs  # noqa: E402
from tests.faults.network import network  # noqa: E402

EVERY = 100
"""Number of faults between two lines of progress."""

Outcome = str | None | tuple[str, str | None]
"""Description of a failure, or None if the fault was handled; for a kind with parts, a pair with the part's name."""


@dataclass
class Score:
    """The results of one kind of fault.

    Attributes:
        kind: Its name.
        tried: Number of faults tried.
        fell: Faults that were not handled, one line each.
        start: CPU time of this process and its children at the start, in s.
        spent: CPU time since then, in s.
    """

    kind: str
    tried: int = 0
    fell: list[str] = field(default_factory=list)
    start: float = field(default_factory=lambda: sum(os.times()[:4]))
    spent: float = 0.0

    def count(self, outcome: str | None) -> None:
        """Count one fault; the outcome is None if it was handled."""
        self.tried += 1
        self.spent = sum(os.times()[:4]) - self.start
        if outcome is not None:
            self.fell.append(outcome)

    def __str__(self) -> str:
        return f"{self.kind:24} {self.spent:6.0f} CPU s   tried {self.tried:6}   held {self.tried - len(self.fell):6}"


KINDS: dict[str, tuple[Callable[[Bench, int], Iterator[Outcome]], int, int]] = {
    "kills": (releases.kills, 2, 100),
    "flips": (releases.flips, 4, 1000),
    "forgeries": (releases.forgeries, 2, 60),
    "full disks": (releases.full_disks, 4, 100),
    "network": (network, 2, 80),
    "commands": (commands, 6, 300),
    "dataset files": (partial(fuzzed, make=release_inputs), 30, 3100),
    "laboratory files": (partial(fuzzed, make=laboratory_inputs), 30, 2500),
    "benchmark files": (partial(fuzzed, make=benchmark_inputs), 30, 2700),
    "model files": (partial(fuzzed, make=model_inputs), 30, 1800),
    "YAML": (trust.tags, 60, 1000),
    "forged entries": (trust.forged, 2, 60),
    "foreign folders": (trust.foreign, 3, 60),
    "replaced while read": (trust.replaced, 4, 300),
    "concurrent writers": (trust.writers, 3, 100),
    "races of rounds": (trust.rounds, 1, 50),
    "stopped corpora": (trust.stopped, 1, 30),
    "origins": (trust.origins, 60, 1000),
    "terminals": (trust.terminals, 2, 60),
}
"""Kinds of faults by name: the function that tries them, and their numbers in the short and the long run."""


def main() -> int:
    """Try the faults; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--count", type=int, help="number of faults of each kind, overriding the default")
    parser.add_argument("--keep", type=Path, help="folder for copies of the files that caused failures")
    parser.add_argument("--long", action="store_true", help="try thousands of faults, in half an hour on one core")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    totals: list[Score] = []
    with tempfile.TemporaryDirectory(prefix="magbridge-faults-") as scratch:
        os.environ["MAGBRIDGE_CACHE"] = str(Path(scratch, "cache"))
        bench = make_bench(Path(scratch), np.random.default_rng(options.seed), options.keep)
        for kind in options.only:
            tried, short, long = KINDS[kind]
            totals.append(Score(kind))
            parts: dict[str, Score] = {}
            for outcome in tried(bench, options.count or (long if options.long else short)):
                part, fell = outcome if isinstance(outcome, tuple) else (kind, outcome)
                totals[-1].count(fell)
                if part != kind and part not in parts:
                    _report(list(parts.values())[-1:])
                    parts[part] = Score(f"  {part}")
                score = parts.get(part, totals[-1])
                if part != kind:
                    score.count(fell)
                if score.tried % EVERY == 0:
                    print(f"{score} ...", flush=True)
            _report(list(parts.values())[-1:])
            print(totals[-1], flush=True)
            if not parts:
                _tell(totals[-1])
    print("in all", *totals, sep="\n", flush=True)
    return 1 if any(score.fell for score in totals) else 0


def _report(scores: list[Score]) -> None:
    for score in scores:
        print(score, flush=True)
        _tell(score)


def _tell(score: Score) -> None:
    for line in score.fell[:20]:
        print(f"    {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
