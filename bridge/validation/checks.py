"""Checks and reports of a gate: figures, bounds and verdicts; the bounds and texts are in `checks.yaml`."""

from __future__ import annotations

import operator
import re
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from dataset_card.running.templates import macros
from dataset_card.storage.documents import packaged

REPORTED = "reported"
"""Bound of a figure that is only reported."""

ROUNDING = 1 + 1e-9
"""Relative tolerance for a figure that equals its bound up to the last digits."""

_HOLDS = {"<=": operator.le, "at most": operator.le, ">=": operator.ge, "<": operator.lt, "=": operator.eq}


@dataclass(frozen=True)
class Check:
    """One figure of a validation report.

    Attributes:
        name: What was checked.
        figure: The measured number, or None if it could not be measured, which the note explains.
        unit: Unit of the figure, or `-`.
        bound: The condition on the figure, as text.
        passed: Whether the figure meets the bound.
        blocking: Whether a failure forbids publishing a release.
        note: How the figure was measured, in one sentence, and the published figure if there is one.
    """

    name: str
    figure: float | None
    unit: str
    bound: str
    passed: bool
    blocking: bool
    note: str

    def line(self) -> str:
        """Format the check for people, in two lines."""
        verdict = "    " if self.bound == REPORTED else "pass" if self.passed else "FAIL" if self.blocking else "off "
        figure = "no figure" if self.figure is None else f"{self.figure:.4g} {self.unit}"
        condition = self.bound if self.bound == REPORTED else f"expected {self.bound}"
        return f"{verdict}  {self.name}: {figure}, {condition}\n      {self.note}"


declared = partial(packaged, "bridge.validation")
"""Load a YAML file of this folder."""


def check(
    key: str, figure: float | None, blocking: bool, *, others: tuple[float, ...] = (), also: bool = True, **facts
) -> Check:
    """Build a check from its entry in `checks.yaml`.

    Args:
        key: Name of the entry.
        figure: The measured number, or None if it could not be measured.
        blocking: Whether a failed check blocks a release.
        others: Further figures that must meet the bound.
        also: A further condition.
        **facts: Values of the placeholders in the entry's texts.
    """
    entry = declared("checks.yaml")[key]
    name, bound, note = (entry[part].format(**facts) for part in ("name", "bound", "note"))
    passed = also and all(holds(bound, value) for value in (figure, *others))
    return Check(name, figure, entry["unit"], bound, passed, blocking, note)


def holds(bound: str, figure: float | None) -> bool:
    """Return whether a figure meets a bound such as `<= 0.05`, `in [0.9, 1.1]` or `reported`; NaN meets no number."""
    if bound == REPORTED or figure is None:
        return bound == REPORTED
    if span := re.fullmatch(r"in \[(.+), (.+)\]", bound):
        return float(span[1]) <= figure <= float(span[2])
    relation, number = bound.rsplit(" ", 1)
    return bool(_HOLDS[relation](figure, float(number) * (ROUNDING if relation == "<=" else 1)))


@dataclass(frozen=True)
class ValidationReport:
    """All checks that a bridge must undergo before its data can be trusted.

    Attributes:
        bridge: `v1`, `v2` or `v3`.
        upstream: Name of its upstream; empty for v3, which has none.
        checks: Checks of each part, in order.
        separations: For v1: how well its latent space separates the anchors.
        meaning: How to interpret the separations.
    """

    bridge: str
    upstream: str
    checks: dict[str, list[Check]]
    separations: tuple = ()
    meaning: str = ""

    @property
    def passed(self) -> bool:
        """Whether all blocking checks passed."""
        return all(check.passed for part in self.checks.values() for check in part if check.blocking)

    def as_dict(self) -> dict:
        """Return the report as plain values, for JSON."""
        found = [asdict(separation) for separation in self.separations]
        return {
            "bridge": self.bridge,
            **({"upstream": self.upstream} if self.upstream else {}),
            "passed": self.passed,
            **{part: [asdict(check) for check in checks] for part, checks in self.checks.items()},
            **({"separations": found, "separations_meaning": self.meaning} if found else {}),
        }

    def text(self) -> str:
        """Format the report for people."""
        return reports().checks(self).rstrip()


def reports() -> Any:
    """Return the text templates of all reports in this package, as macros."""
    return macros("bridge.validation", "reports.txt")
