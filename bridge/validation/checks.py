"""What a gate reports: one figure, its bound, and whether it holds; the bounds and the words are in `checks.yaml`."""

from __future__ import annotations

import operator
import re
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from dataset_card.running.templates import macros
from dataset_card.storage.documents import packaged

REPORTED = "reported"
"""Bound of a figure that has none."""

ROUNDING = 1 + 1e-9
"""Of a figure that stands at its bound but for the last digits."""

_HOLDS = {"<=": operator.le, "at most": operator.le, ">=": operator.ge, "<": operator.lt, "=": operator.eq}


@dataclass(frozen=True)
class Check:
    """One figure of a validation report.

    Attributes:
        name: What was checked.
        figure: The measured number, None where it could not be measured, which the note explains.
        unit: Unit of the figure, or `-`.
        bound: The condition on it, as text.
        passed: Whether it holds.
        blocking: Whether a release must not be published when it does not.
        note: How it was measured, in one sentence, and the published figure where there is one.
    """

    name: str
    figure: float | None
    unit: str
    bound: str
    passed: bool
    blocking: bool
    note: str

    def line(self) -> str:
        """The check for people, in two lines."""
        verdict = "    " if self.bound == REPORTED else "pass" if self.passed else "FAIL" if self.blocking else "off "
        figure = "no figure" if self.figure is None else f"{self.figure:.4g} {self.unit}"
        condition = self.bound if self.bound == REPORTED else f"expected {self.bound}"
        return f"{verdict}  {self.name}: {figure}, {condition}\n      {self.note}"


declared = partial(packaged, "bridge.validation")
"""What a YAML file beside this one says."""


def check(
    key: str, figure: float | None, blocking: bool, *, others: tuple[float, ...] = (), also: bool = True, **facts
) -> Check:
    """A check of `checks.yaml`.

    Args:
        key: Its entry there.
        figure: What was measured.
        blocking: Whether a release hangs on it.
        others: Further figures that must meet the bound.
        also: A further condition.
        **facts: What the entry's texts name.
    """
    entry = declared("checks.yaml")[key]
    name, bound, note = (entry[part].format(**facts) for part in ("name", "bound", "note"))
    passed = also and all(holds(bound, value) for value in (figure, *others))
    return Check(name, figure, entry["unit"], bound, passed, blocking, note)


def holds(bound: str, figure: float | None) -> bool:
    """Whether a figure meets a bound such as `<= 0.05`, `in [0.9, 1.1]` or `reported`; NaN meets none."""
    if bound == REPORTED or figure is None:
        return bound == REPORTED
    if span := re.fullmatch(r"in \[(.+), (.+)\]", bound):
        return float(span[1]) <= figure <= float(span[2])
    relation, number = bound.rsplit(" ", 1)
    return bool(_HOLDS[relation](figure, float(number) * (ROUNDING if relation == "<=" else 1)))


@dataclass(frozen=True)
class ValidationReport:
    """Everything to be checked of a bridge before its data is trusted.

    Attributes:
        bridge: `v1`, `v2` or `v3`.
        upstream: Name of its upstream; empty for v3, which has none.
        checks: Checks of each part, in order.
        separations: Of v1: how well its latent space separates the anchors.
        meaning: What to mind about them.
    """

    bridge: str
    upstream: str
    checks: dict[str, list[Check]]
    separations: tuple = ()
    meaning: str = ""

    @property
    def passed(self) -> bool:
        """Whether every blocking check holds."""
        return all(check.passed for part in self.checks.values() for check in part if check.blocking)

    def as_dict(self) -> dict:
        """The report as plain values, for JSON."""
        found = [asdict(separation) for separation in self.separations]
        return {
            "bridge": self.bridge,
            **({"upstream": self.upstream} if self.upstream else {}),
            "passed": self.passed,
            **{part: [asdict(check) for check in checks] for part, checks in self.checks.items()},
            **({"separations": found, "separations_meaning": self.meaning} if found else {}),
        }

    def text(self) -> str:
        """The report for people."""
        return reports().checks(self).rstrip()


def reports() -> Any:
    """The texts of every report here, as macros."""
    return macros("bridge.validation", "reports.txt")
