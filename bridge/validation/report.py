"""The validation report of a bridge, and the gate that a release must pass before it is written."""

from __future__ import annotations

from dataclasses import dataclass

import pandas

from bridge.config import BridgeConfig
from bridge.generate import AnyBridge
from bridge.plan import make_plan
from bridge.retrieval.generate import Bridge
from bridge.upstream import Upstream
from bridge.validation.checks import Check
from bridge.validation.distribution import check_distribution
from bridge.validation.invariants import check_invariants
from bridge.validation.separation import MEANING, Separation, separations
from dataset_card.errors import MagBridgeError


@dataclass(frozen=True)
class ValidationReport:
    """Everything the paper asks to be checked of a bridge before its data is trusted.

    Attributes:
        upstream: Name of the upstream.
        invariants: The sanity invariants; each blocks.
        distribution: Synthetic signals against scans; none blocks.
        separations: Separation of the anchors in latent space, in-sample and held out.
    """

    upstream: str
    invariants: list[Check]
    distribution: list[Check]
    separations: list[Separation]

    @property
    def passed(self) -> bool:
        """Whether every blocking check holds."""
        return all(check.passed for check in (*self.invariants, *self.distribution) if check.blocking)

    def as_dict(self) -> dict:
        """The report as plain values, for JSON."""
        return {
            "upstream": self.upstream,
            "passed": self.passed,
            "invariants": [check.as_dict() for check in self.invariants],
            "distribution": [check.as_dict() for check in self.distribution],
            "separations": [separation.as_dict() for separation in self.separations],
            "separations_meaning": MEANING,
        }

    def text(self) -> str:
        """The report for people."""
        lines = []
        for title, checks in (
            ("sanity invariants (blocking)", self.invariants),
            (f"distribution against the scans, upstream {self.upstream} (reported)", self.distribution),
        ):
            lines += [title, *(_line(check) for check in checks), ""]
        lines.append("separation of the anchors in latent space: adjacent centroids / scatter within an anchor")
        lines += [f"      {s.name}: {s.adjacent:.1f} / {s.scatter:.2f} = {s.ratio:.1f}" for s in self.separations]
        return "\n".join([*lines, f"      {MEANING}"])


def _line(check: Check) -> str:
    verdict = "pass" if check.passed else "FAIL" if check.blocking else "off "
    return f"{verdict}  {check.name}: {check.figure:.4g} {check.unit}, expected {check.bound}\n      {check.note}"


def validate(upstream: Upstream, config: BridgeConfig = BridgeConfig()) -> ValidationReport:
    """Runs every check on the bridge of an upstream.

    Args:
        upstream: The bridge's inputs.
        config: Strengths of the bridge's stages.
    """
    bridge = Bridge(upstream, config)
    rows = make_plan(upstream.pulses, config, bridge_version=upstream.bridge_version).rows
    return ValidationReport(
        upstream.name,
        check_invariants(bridge, rows),
        check_distribution(bridge),
        separations(upstream.embeddings, upstream.scan_anchor, upstream.latent),
    )


def require_invariants(bridge: AnyBridge, rows: pandas.DataFrame) -> None:
    """Refuses a bridge that breaks a sanity invariant: the gate ahead of writing a release.

    Args:
        bridge: The bridge that generates the release.
        rows: Rows of the planned release.

    Raises:
        MagBridgeError: Names every invariant that fails, with its figure and bound.
    """
    broken = [check for check in check_invariants(bridge, rows) if not check.passed]
    if broken:
        reasons = "; ".join(f"{c.name}: {c.figure:.4g} {c.unit}, expected {c.bound} ({c.note})" for c in broken)
        raise MagBridgeError(f"the bridge breaks {len(broken)} sanity checks, so no release is written: {reasons}")
