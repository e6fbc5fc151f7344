"""What a gate reports: one figure, its bound, and whether it holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Check:
    """One figure of a validation report.

    Attributes:
        name: What was checked.
        figure: The measured number, None where there is none (an exact match).
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

    def as_dict(self) -> dict:
        """The check as plain values, for JSON."""
        return asdict(self)
