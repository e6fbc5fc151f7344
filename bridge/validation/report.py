"""The validation report of a bridge, and the gate that a release must pass before it is written."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pandas

from bridge.config import GROUNDED_MIN_V
from bridge.generate import AnyBridge, edition_of_upstream
from bridge.plan import composition_of, make_plan
from bridge.v1.generate import Bridge
from bridge.v2 import BridgeV2
from bridge.validation.ablated import of_one_law
from bridge.validation.checks import Check
from bridge.validation.critics import check_critics
from bridge.validation.distribution import check_distribution
from bridge.validation.invariants import check_invariants
from bridge.validation.likeness import check_likeness
from bridge.validation.limits import check_limits
from bridge.validation.noise_leak import check_noise_leak
from bridge.validation.readout import clean_rows
from bridge.validation.separation import MEANING, Separation, separations
from bridge.validation.transfer import check_transfer, transfer_scores
from bridge.validation.two_sample import check_two_sample
from bridge.validation.voltage_leak import check_voltage_leak
from dataset_card.errors import MagBridgeError

TITLES = {
    "invariants": "sanity invariants",
    "distribution": "distribution against the fitted scans",
    "likeness": "likeness to held-out scans",
    "critics": "critics of three kinds against fresh scans",
    "two_sample": "two-sample test against held-out scans",
    "soh": "where SOH can be read",
    "limits": "what the fit to these scans cannot carry",
}
"""Parts of a report, in order."""


@dataclass(frozen=True)
class ValidationReport:
    """Everything to be checked of a bridge before its data is trusted.

    Attributes:
        bridge: `v1` or `v2`.
        upstream: Name of the upstream.
        checks: Checks of each part of `TITLES`.
        separations: v1: separation of the anchors in latent space, in-sample and held out.
    """

    bridge: str
    upstream: str
    checks: dict[str, list[Check]]
    separations: list[Separation]

    @property
    def passed(self) -> bool:
        """Whether every blocking check holds."""
        return all(check.passed for part in self.checks.values() for check in part if check.blocking)

    def as_dict(self) -> dict:
        """The report as plain values, for JSON."""
        document = {
            "bridge": self.bridge,
            "upstream": self.upstream,
            "passed": self.passed,
            **{part: [asdict(check) for check in checks] for part, checks in self.checks.items()},
        }
        if self.separations:
            document["separations"] = [asdict(separation) for separation in self.separations]
            document["separations_meaning"] = MEANING
        return document

    def text(self) -> str:
        """The report for people."""
        lines = []
        for part, checks in self.checks.items():
            blocking = sum(check.blocking for check in checks)
            kind = "all blocking" if blocking == len(checks) else f"{blocking} of {len(checks)} blocking"
            lines += [f"{TITLES[part]}, bridge {self.bridge}, upstream {self.upstream} ({kind})"]
            lines += [*(check.line() for check in checks), ""]
        if self.separations:
            lines.append("separation of the anchors in latent space: adjacent centroids / scatter within an anchor")
            lines += [f"      {s.name}: {s.adjacent:.1f} / {s.scatter:.2f} = {s.ratio:.1f}" for s in self.separations]
            lines.append(f"      {MEANING}")
        return "\n".join(lines).rstrip()


def validate(bridge: AnyBridge, full: bool = False) -> ValidationReport:
    """Runs the checks on a bridge.

    On a user's own scans there is no archive to compare with: beside the invariants, the report says what the fit
    cannot carry. All block for v2 on the simulated upstream. On other upstreams no further scans exist to hold it to,
    and v1 is as published: there the comparisons with scans, and v1's figures of SOH, are reported.

    Args:
        bridge: The bridge (see `bridge.generate.make_bridge`).
        full: Whether v1 is compared with scans, and asked where its SOH can be read, as v2 always is.
    """
    upstream, v1 = bridge.upstream, isinstance(bridge, Bridge)
    lowest = float(upstream.statistics.voltages[0])
    plan = make_plan(
        upstream.pulses,
        bridge.config,
        composition=composition_of(edition_of_upstream(upstream), regime_b=0 if lowest >= GROUNDED_MIN_V else None),
        bridge_version=upstream.bridge_version,
        lowest_V=lowest,
    )
    if isinstance(bridge, BridgeV2) and upstream.name == "scans":
        limits = {"invariants": check_invariants(bridge, plan.rows), "limits": check_limits(bridge)}
        return ValidationReport("v2", upstream.name, limits, [])
    against_scans = not v1 and upstream.name == "simulated"
    checks = {"invariants": check_invariants(bridge, plan.rows), "distribution": check_distribution(bridge)}
    if full or not v1:
        rows = clean_rows(bridge)
        checks |= {
            "likeness": check_likeness(bridge, against_scans),
            "critics": check_critics(bridge, against_scans),
            "two_sample": check_two_sample(bridge, against_scans),
            "soh": [
                *check_noise_leak(rows, rows.signals(bridge), not v1),
                *check_transfer(transfer_scores(of_one_law(bridge), rows), rows, not v1),
                *([check_voltage_leak(bridge, True)] if isinstance(bridge, BridgeV2) else []),
            ],
        }
    found = []
    if isinstance(bridge, Bridge):
        inputs = bridge.upstream
        found = separations(inputs.embeddings, inputs.scan_anchor, inputs.latent)
    return ValidationReport("v1" if v1 else "v2", upstream.name, checks, found)


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
