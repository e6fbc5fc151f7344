"""The validation report of a scan-based bridge, v1 or v2."""

from __future__ import annotations

from bridge.config import GROUNDED_MIN_V
from bridge.generate import AnyBridge, edition_of_upstream, plan_of
from bridge.plan import composition_of
from bridge.v1.generate import Bridge
from bridge.v2 import BridgeV2
from bridge.validation import soh
from bridge.validation.checks import ValidationReport
from bridge.validation.critics import check_critics, check_two_sample
from bridge.validation.invariants import check_invariants
from bridge.validation.likeness import check_distribution, check_likeness
from bridge.validation.limits import check_limits
from bridge.validation.separation import MEANING, separations
from dataset_card.contract.schema import MASTER_SEED


def validate(bridge: AnyBridge, full: bool = False) -> ValidationReport:
    """Run the checks on a bridge.

    A user's own scans cannot be compared with another archive, so the report then contains the invariants and the
    limits of the fit. For v2 on the simulated upstream, all checks block. On other upstreams there are no further scans
    to compare with, and v1 is fixed as published: there the comparisons with scans, and v1's checks of SOH, are only
    reported.

    Args:
        bridge: The bridge (see `bridge.generate.make_bridge`).
        full: Whether to run v1's comparisons with scans and checks of SOH, which v2 always runs.
    """
    upstream, v1 = bridge.upstream, isinstance(bridge, Bridge)
    lowest = float(upstream.statistics.voltages[0])
    counts = composition_of(edition_of_upstream(upstream), regime_b=0 if lowest >= GROUNDED_MIN_V else None)
    checks = {"invariants": check_invariants(bridge, plan_of(bridge, counts, MASTER_SEED).rows)}
    if isinstance(bridge, BridgeV2) and upstream.name == "scans":
        return ValidationReport("v2", upstream.name, {**checks, "limits": check_limits(bridge)})
    against_scans = not v1 and upstream.name == "simulated"
    checks["distribution"] = check_distribution(bridge)
    if full or not v1:
        rows = soh.clean_rows(bridge)
        checks |= {
            "likeness": check_likeness(bridge, against_scans),
            "critics": check_critics(bridge, against_scans),
            "two_sample": check_two_sample(bridge, against_scans),
            "soh": [
                *soh.check_noise_leak(rows, rows.signals(bridge), not v1),
                *soh.check_transfer(soh.transfer_scores(soh.of_one_law(bridge), rows), rows, not v1),
                *([soh.check_voltage_leak(bridge, True)] if isinstance(bridge, BridgeV2) else []),
            ],
        }
    if isinstance(bridge, Bridge):
        inputs = bridge.upstream
        found = separations(inputs.embeddings, inputs.scan_anchor, inputs.latent)
        return ValidationReport("v1", upstream.name, checks, tuple(found), MEANING)
    return ValidationReport("v2", upstream.name, checks)
