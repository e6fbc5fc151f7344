"""Transfer between ablations: does a readout of SOH fitted on the bridge fail where the direction of ageing is another?

A readout refitted to an ablation finds whatever carries SOH there, a negated direction included, so scores within an
ablation hide direction. One that was fitted on the bridge as it is shows it, if it reads shape: v1's SOH is in the
level of its noise, which carries over whatever the direction (slope about .7 for the static descriptor, .8 for noise
alone), and hardly in its shape (about 0).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.features import static_features
from bridge.generate import AnyBridge
from bridge.validation.ablated import ablated, permuted
from bridge.validation.checks import REPORTED, Check
from bridge.validation.readout import CleanRows, by_cell_folds, cosine_features, r2, ridge

READOUTS = {
    "shape": (cosine_features, "30 cosine coefficients a channel, no noise"),
    "static": (
        static_features,
        "57 static features; see noise too, which tells SOH, if at all, whatever the direction",
    ),
}
"""Inputs of the ridge, and what they see."""

SCENARIOS = (("A0", 0), ("A1", 0), ("A1", 1), ("A1", 2), ("A2", 0), ("A3", 0))
"""Ablation and seed of what it draws: three random directions."""

PERMUTED_BOUND = 0.05


@dataclass(frozen=True)
class Transfer:
    """One scenario.

    Attributes:
        ablation: A0 to A3.
        seed: Of what the ablation draws.
        readout: Name in `READOUTS`.
        within: R2 of a readout fitted on the scenario itself.
        transfer: R2 of the readout fitted on A0.
        slope: Slope of that readout's SOH over the true one; 1 where it reads SOH rightly, below 0 where backwards.
    """

    ablation: str
    seed: int
    readout: str
    within: float
    transfer: float
    slope: float


def transfer_scores(
    bridge: AnyBridge,
    rows: CleanRows,
    scenarios: Iterable[tuple[str, int]] = SCENARIOS,
    readouts: Sequence[str] = ("shape",),
) -> list[Transfer]:
    """Fit a ridge on A0 and on each scenario, by cell.

    Args:
        bridge: The bridge as it is.
        rows: Clean rows; each scenario generates them all.
        scenarios: Ablations and seeds of what they draw.
        readouts: Names in `READOUTS`.

    Returns:
        Every readout's scores in the order of the scenarios.
    """
    folds, soh = by_cell_folds(rows.cell), rows.soh
    signals = rows.signals(bridge)
    own = {name: READOUTS[name][0](signals) for name in readouts}
    fitted = {name: [ridge(x[train], soh[train]) for train, _ in folds] for name, x in own.items()}
    out: dict[str, list[Transfer]] = {name: [] for name in readouts}
    for ablation, seed in scenarios:
        rng = np.random.default_rng(seed)
        generated = permuted(soh, rows.cell, rng) if ablation == "A2" else soh
        if ablation != "A0":
            signals = rows.signals(ablated(bridge, ablation, rng), generated)
        for name in readouts:
            x = own[name] if ablation == "A0" else READOUTS[name][0](signals)
            within, transferred = np.empty((2, len(soh)))
            for (train, held_out), readout in zip(folds, fitted[name]):
                within[held_out] = ridge(x[train], soh[train]).predict(x[held_out])
                transferred[held_out] = readout.predict(x[held_out])
            slope = float(np.polyfit(soh, transferred, 1)[0])
            out[name].append(Transfer(ablation, seed, name, r2(soh, within), r2(soh, transferred), slope))
    return [score for scores in out.values() for score in scores]


def check_transfer(scores: list[Transfer], rows: CleanRows, blocking: bool) -> list[Check]:
    """Hold transfer to its bounds: A2 leaves nothing, A1 transfers nothing, A3 reads backwards.

    Args:
        scores: From `transfer_scores`, all ablations, one readout.
        rows: The rows they are of.
        blocking: Whether a release hangs on it.
    """
    of = {ablation: [s for s in scores if s.ablation == ablation] for ablation in ("A0", "A1", "A2", "A3")}
    (own,), (shuffled,), (negated,) = of["A0"], of["A2"], of["A3"]
    worst = max(of["A1"], key=lambda score: score.transfer)
    draws = ", ".join(f"{score.transfer:.2f}" for score in of["A1"])
    how = f"ridge on 30 cosine coefficients a channel, {len(rows.soh)} clean rows of {len(np.unique(rows.cell))} cells"
    return [
        Check("SOH from shape", own.within, "R2", REPORTED, True, False, f"A0, lost material alone, by battery; {how}"),
        Check(
            "SOH permuted across cells (A2)",
            shuffled.within,
            "R2",
            f"<= {PERMUTED_BOUND:g}",
            shuffled.within <= PERMUTED_BOUND,
            blocking,
            "a readout fitted and scored on signals of other cells' SOH",
        ),
        Check(
            "readout of A0 on a random direction (A1)",
            worst.transfer,
            "R2",
            "< 0",
            worst.transfer < 0,
            blocking,
            f"the highest of {len(of['A1'])} directions ({draws}); refitted there it reads {worst.within:.2f}",
        ),
        Check(
            "readout of A0 on the negated direction (A3)",
            negated.slope,
            "slope",
            "< 0",
            negated.slope < 0,
            blocking,
            f"slope of the SOH read over the true one; refitted there R2 is {negated.within:.2f}",
        ),
    ]


def transfer_table(scores: list[Transfer]) -> str:
    """Score as a text table, one part a readout."""
    lines = []
    for name in dict.fromkeys(score.readout for score in scores):
        lines.append(f"{f'T1, R2, ridge by cell, {name}':29}{'within':>10}{'transfer':>10}{'slope':>10}")
        lines += [
            f"{s.ablation} draw {s.seed:<21}{s.within:>10.2f}{s.transfer:>10.2f}{s.slope:>10.2f}"
            for s in scores
            if s.readout == name
        ]
        lines += [f"{name}: {READOUTS[name][1]}", ""]
    return "\n".join([*lines, "within: readout fitted on the ablation itself; transfer and slope: on A0, scored here"])
