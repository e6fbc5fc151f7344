"""Where SOH can be read: by ridges graded on cells that they were not fitted on, from shape, noise, and nothing.

Transfer between ablations: does a readout of SOH fitted on the bridge fail where the direction of ageing is another? A
readout refitted to an ablation finds whatever carries SOH there, a negated direction included, so scores within an
ablation hide direction. One that was fitted on the bridge as it is shows it, if it reads shape: v1's SOH is in the
level of its noise, which carries over whatever the direction (slope about .7 for the static descriptor, .8 for noise
alone), and hardly in its shape (about 0).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.fft import dct
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmark.features import cosine_coefficients, static_features
from bridge.config import GROUNDED_MAX_V, GROUNDED_MIN_V
from bridge.generate import AnyBridge, plan_of
from bridge.plan import Composition
from bridge.v1.generate import Bridge
from bridge.v2 import BridgeV2, BridgeV2Config
from bridge.validation.checks import Check, check, reports
from dataset_card.contract.schema import MASTER_SEED, MEASURED_CHANNELS
from dataset_card.errors import MagBridgeError

FOLDS = 7
COEFFICIENTS = 30
"""Cosine coefficients of each channel, from the mean up."""

VARIANTS = 5
"""Signals of each pulse record: those of a v2 release, half of a v1 release's."""

INNER, FAST = slice(5, 95), slice(36, 90)
"""DCT-II coefficients of the inner steps that hold noise and no shape. First differences also see the dip of the mean
shrink, where SOH falls as far as .52."""

ABLATIONS = {
    "A0": "the bridge as it is",
    "A1": "random state direction",
    "A2": "SOH permuted across cells, graded against the cells' own",
    "A3": "state direction negated",
}
SCENARIOS = (("A0", 0), ("A1", 0), ("A1", 1), ("A1", 2), ("A2", 0), ("A3", 0))
"""Ablation and seed of what it draws: three random directions."""

SIGNALS, TRAIN, CELLS = 3000, 2000, 200
FLOOR_NT2 = 1e-3
"""Below this the unseen field is rounding."""


class CleanRows(NamedTuple):
    """Requests of a release's clean rows.

    Attributes:
        voltage: (n,) in V.
        soc: (n,) in percent.
        soh: (n,) fractions.
        seed: (n,) seeds.
        cell: (n,) names of batteries, in v1 of cells.
    """

    voltage: np.ndarray
    soc: np.ndarray
    soh: np.ndarray
    seed: np.ndarray
    cell: np.ndarray

    def signals(self, bridge: AnyBridge, soh: np.ndarray | None = None) -> np.ndarray:
        """Signals (n, T, C) of the rows, at their own SOH or at another."""
        request = (self.voltage, self.soc, self.soh if soh is None else soh, self.seed)
        if isinstance(bridge, BridgeV2):
            return bridge.generate_many(*request, cell=self.cell.tolist())
        return bridge.generate_many(*request)


def clean_rows(bridge: AnyBridge, variants: int = VARIANTS) -> CleanRows:
    """The clean rows of a release of a bridge, with the release's own seeds.

    Args:
        bridge: The bridge.
        variants: Signals of each pulse record.
    """
    rows = plan_of(bridge, Composition(variants, anomalies=0, regime_b=0), MASTER_SEED).rows
    names = ("voltage", "soc", "soh", "generation_seed", "battery_id" if "battery_id" in rows else "cell_id")
    return CleanRows(*(rows[name].to_numpy() for name in names))


def cosine_features(signals: np.ndarray) -> np.ndarray:
    """First 30 DCT-II coefficients of every channel: (n, T, C) to (n, 30 C)."""
    return cosine_coefficients(signals, COEFFICIENTS)


STATIC = "57 static features; see noise too, which tells SOH, if at all, whatever the direction"
READOUTS = {
    "shape": (cosine_features, "30 cosine coefficients a channel, no noise"),
    "static": (static_features, STATIC),
}
"""Inputs of the ridge, and what they see."""


def by_cell_folds(cell: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Row numbers of training and held-out rows of seven folds that keep every cell in one."""
    return list(GroupKFold(FOLDS).split(cell, groups=cell))


def ridge(inputs: np.ndarray, soh: np.ndarray):
    """Ridge regression, alpha 1, on standardised inputs."""
    return make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(inputs, soh)


def r2(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Coefficient of determination."""
    return float(r2_score(truth, prediction))


def noise_levels(signals: np.ndarray) -> np.ndarray:
    """Log power of the fast cosines of the inner steps, (n, T, C) to (n, C)."""
    return np.log((dct(signals[:, INNER], axis=1, norm="ortho")[:, FAST] ** 2).sum(axis=1))


def check_noise_leak(rows: CleanRows, signals: np.ndarray, blocking: bool) -> list[Check]:
    """Read SOH by ridge from noise levels, and from voltage and SOC.

    Args:
        rows: Clean rows.
        signals: (n, T, C) their signals in nT.
        blocking: Whether a release hangs on it.
    """
    cells = len(np.unique(rows.cell))
    how = f"R2 of a ridge over {len(signals)} clean rows of {cells} cells, each predicted from other cells"
    inputs = {"noise leak": noise_levels(signals), "state leak": np.column_stack([rows.voltage, rows.soc])}
    checks = []
    for key, x in inputs.items():
        read = np.empty(len(rows.soh))
        for train, held_out in by_cell_folds(rows.cell):
            read[held_out] = ridge(x[train], rows.soh[train]).predict(x[held_out])
        checks.append(check(key, r2(rows.soh, read), blocking, how=how))
    return checks


def of_one_law(bridge: AnyBridge) -> AnyBridge:
    """The bridge with every battery ageing by lost material: where there are two laws, direction says nothing."""
    if not isinstance(bridge, BridgeV2):
        return bridge
    return _with_config(bridge, dataclasses.replace(bridge.config, inventory_share=0.0))


def _with_config(bridge: BridgeV2, config: BridgeV2Config) -> BridgeV2:
    return BridgeV2(bridge.upstream, config, bridge.scan_map, bridge.master_seed)


def ablated(bridge: AnyBridge, ablation: str, rng: np.random.Generator) -> AnyBridge:
    """The bridge with its direction of ageing as an ablation has it; the strength of ageing stays.

    v1's direction is one of its latent space, v2's is in the modes mean, edge, z and y of the sheet's moment.

    Args:
        bridge: The bridge as it is.
        ablation: A0 to A3; A2 changes what is asked of a bridge (see `permuted`), not the bridge.
        rng: Draws A1's direction.

    Raises:
        MagBridgeError: Unknown ablation.
    """
    if ablation not in ABLATIONS:
        raise MagBridgeError(f"ablation {ablation!r}: expected one of {', '.join(ABLATIONS)}")
    if ablation in ("A0", "A2"):
        return bridge
    own = np.array(bridge.config.ageing) if isinstance(bridge, BridgeV2) else bridge.upstream.latent.direction
    direction = rng.standard_normal(len(own)) if ablation == "A1" else -own
    if isinstance(bridge, BridgeV2):
        return _with_config(bridge, bridge.config.with_ageing_direction(direction))
    if ablation == "A1":
        direction /= np.linalg.norm(direction)
    latent = dataclasses.replace(bridge.upstream.latent, direction=direction)
    return Bridge(dataclasses.replace(bridge.upstream, latent=latent), bridge.config)


def permuted(soh: np.ndarray, cell: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """SOH (n,) of rows after the cells have exchanged theirs: A2 generates at these."""
    _, first, of_row = np.unique(cell, return_index=True, return_inverse=True)
    return rng.permutation(soh[np.sort(first)])[np.argsort(np.argsort(first))[of_row]]


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
    of = {ablation: [s for s in scores if s.ablation == ablation] for ablation in ABLATIONS}
    (own,), (shuffled,), (negated,) = of["A0"], of["A2"], of["A3"]
    worst = max(of["A1"], key=lambda score: score.transfer)
    drawn: dict = {"count": len(of["A1"]), "draws": ", ".join(f"{score.transfer:.2f}" for score in of["A1"])}
    return [
        check("shape", own.within, False, rows=len(rows.soh), cells=len(np.unique(rows.cell))),
        check("permuted", shuffled.within, blocking),
        check("random direction", worst.transfer, blocking, within=worst.within, **drawn),
        check("negated direction", negated.slope, blocking, within=negated.within),
    ]


def transfer_table(scores: list[Transfer]) -> str:
    """Score as a text table, one part a readout."""
    return reports().transfer(scores, READOUTS)


def check_voltage_leak(bridge: BridgeV2, blocking: bool) -> Check:
    """Errors of the voltage read from Y and Z, from all channels, and from C^2 - Y^2 - Z^2 alone.

    A magnitude holds what Y and Z do not see. Were that a function of the voltage, C^2 - Y^2 - Z^2 would give the
    voltage to the last digit, and a table of records the cell.

    Args:
        bridge: The bridge to check.
        blocking: Whether a release hangs on it.
    """
    rng = np.random.default_rng(0)
    low = max(GROUNDED_MIN_V, float(bridge.scan_map.voltages[0]))
    voltage = rng.uniform(low, min(GROUNDED_MAX_V, float(bridge.scan_map.voltages[-1])), SIGNALS)
    soh, cells = rng.uniform(0.6, 1.0, SIGNALS), [f"cell-{i % CELLS}" for i in range(SIGNALS)]
    x = bridge.generate_many(voltage, [bridge.config.soc_rest] * SIGNALS, soh, range(SIGNALS), cells)
    unseen = np.log(np.maximum(unseen_squares(x), FLOOR_NT2))
    measured, derived = x[..., :MEASURED_CHANNELS], cosine_features(x[..., MEASURED_CHANNELS:])
    # with what anybody can derive from Y and Z, so that the magnitudes' own part is what tells
    measured = cosine_features(np.concatenate([measured, np.hypot(measured[..., ::2], measured[..., 1::2])], axis=2))
    alone = cosine_features(unseen)
    inputs = {"measured": measured, "all": np.hstack([measured, derived, alone]), "unseen": alone}
    error = {name: _error_mV(features, voltage) for name, features in inputs.items()}
    ratio = min(error["all"], error["unseen"]) / error["measured"]
    facts = {"signals": SIGNALS - TRAIN, "low": low, "nothing": 1e3 * voltage.std(), **error}
    return check("voltage leak", ratio, blocking, **facts)


def unseen_squares(signals: np.ndarray) -> np.ndarray:
    """C^2 - Y^2 - Z^2 of each sensor: (n, T, 6) to (n, T, 2), in nT^2."""
    squares = signals**2
    return squares[..., MEASURED_CHANNELS:] - squares[..., 0:4:2] - squares[..., 1:4:2]


def _error_mV(features: np.ndarray, voltage: np.ndarray) -> float:
    read = ridge(features[:TRAIN], voltage[:TRAIN]).predict(features[TRAIN:])
    return float(1e3 * np.sqrt(((read - voltage[TRAIN:]) ** 2).mean()))
