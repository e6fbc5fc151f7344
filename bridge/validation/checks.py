"""What a gate reports: one figure, its bound, and whether it holds."""

from __future__ import annotations

from dataclasses import dataclass

REPORTED = "reported"
"""Bound of a figure that has none."""


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
