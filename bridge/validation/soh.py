"""Where SOH can be read: ridges graded on held-out cells, from shape, from noise, and without any signal.

Transfer between ablations: does a readout of SOH fitted on the bridge fail if the direction of ageing changes? A
readout refitted to an ablation finds whatever carries SOH there, including a negated direction, so scores within an
ablation do not reveal direction. A readout fitted on the unchanged bridge does, if it reads shape. v1's SOH is in the
level of its noise, which carries over whatever the direction (slope about .7 for the static descriptor, .8 for noise
only), and hardly in its shape (about 0).
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
"""Number of cosine coefficients of each channel, starting with the mean."""

VARIANTS = 5
"""Number of signals per pulse record: as in a v2 release, half of those in a v1 release."""

INNER, FAST = slice(5, 95), slice(36, 90)
"""Inner steps, and their DCT-II coefficients that contain noise but no shape. First differences would also react to the
shrinking dip of the mean if SOH falls as low as .52."""

ABLATIONS = {
    "A0": "unchanged bridge",
    "A1": "random state direction",
    "A2": "SOH permuted across cells, graded against the cells' own",
    "A3": "state direction negated",
}
SCENARIOS = (("A0", 0), ("A1", 0), ("A1", 1), ("A1", 2), ("A2", 0), ("A3", 0))
"""Ablation and seed of its random numbers; A1 has three random directions."""

SIGNALS, TRAIN, CELLS = 3000, 2000, 200
FLOOR_NT2 = 1e-3
"""Squared unseen field in nT^2 below which it counts as rounding error."""


class CleanRows(NamedTuple):
    """Requests of a release's clean rows.

    Attributes:
        voltage: (n,) in V.
        soc: (n,) in percent.
        soh: (n,) fractions.
        seed: (n,) seeds.
        cell: (n,) names of the batteries; in v1, of the cells.
    """

    voltage: np.ndarray
    soc: np.ndarray
    soh: np.ndarray
    seed: np.ndarray
    cell: np.ndarray

    def signals(self, bridge: AnyBridge, soh: np.ndarray | None = None) -> np.ndarray:
        """Generate the rows' signals (n, T, C) in nT, at their own SOH or at a given one."""
        request = (self.voltage, self.soc, self.soh if soh is None else soh, self.seed)
        if isinstance(bridge, BridgeV2):
            return bridge.generate_many(*request, cell=self.cell.tolist())
        return bridge.generate_many(*request)


def clean_rows(bridge: AnyBridge, variants: int = VARIANTS) -> CleanRows:
    """Return the clean rows of a bridge's release, with the release's own seeds.

    Args:
        bridge: The bridge.
        variants: Number of signals per pulse record.
    """
    rows = plan_of(bridge, Composition(variants, anomalies=0, regime_b=0), MASTER_SEED).rows
    names = ("voltage", "soc", "soh", "generation_seed", "battery_id" if "battery_id" in rows else "cell_id")
    return CleanRows(*(rows[name].to_numpy() for name in names))


def cosine_features(signals: np.ndarray) -> np.ndarray:
    """Compute the first 30 DCT-II coefficients of every channel: (n, T, C) to (n, 30 C)."""
    return cosine_coefficients(signals, COEFFICIENTS)


STATIC = "57 static features; affected by noise too, which reveals SOH, if at all, whatever the direction"
READOUTS = {
    "shape": (cosine_features, "30 cosine coefficients per channel, no noise"),
    "static": (static_features, STATIC),
}
"""Inputs of the ridge, with a description."""


def by_cell_folds(cell: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the numbers of training and held-out rows of seven folds, each cell entirely in one fold."""
    return list(GroupKFold(FOLDS).split(cell, groups=cell))


def ridge(inputs: np.ndarray, soh: np.ndarray):
    """Fit a ridge regression with alpha 1 on standardised inputs."""
    return make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(inputs, soh)


def r2(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Compute the coefficient of determination."""
    return float(r2_score(truth, prediction))


def noise_levels(signals: np.ndarray) -> np.ndarray:
    """Compute the log power of the high-frequency cosines of the inner steps, (n, T, C) to (n, C)."""
    return np.log((dct(signals[:, INNER], axis=1, norm="ortho")[:, FAST] ** 2).sum(axis=1))


def check_noise_leak(rows: CleanRows, signals: np.ndarray, blocking: bool) -> list[Check]:
    """Check how well a ridge reads SOH from noise levels, and from voltage and SOC.

    Args:
        rows: Clean rows.
        signals: (n, T, C) signals of the rows in nT.
        blocking: Whether a failed check blocks a release.
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
    """Return the bridge with all batteries ageing by lost material: with two laws, direction has no meaning."""
    if not isinstance(bridge, BridgeV2):
        return bridge
    return _with_config(bridge, dataclasses.replace(bridge.config, inventory_share=0.0))


def _with_config(bridge: BridgeV2, config: BridgeV2Config) -> BridgeV2:
    return BridgeV2(bridge.upstream, config, bridge.scan_map, bridge.master_seed)


def ablated(bridge: AnyBridge, ablation: str, rng: np.random.Generator) -> AnyBridge:
    """Return the bridge with an ablation's direction of ageing; the strength of ageing is unchanged.

    v1's direction is in its latent space, v2's in the modes mean, edge, z and y of the sheet's moment.

    Args:
        bridge: The unchanged bridge.
        ablation: A0 to A3; A2 changes the requests (see `permuted`), not the bridge.
        rng: Draws A1's direction.

    Raises:
        MagBridgeError: If the ablation is unknown.
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
    """Permute the SOH (n,) of rows among the cells: A2 generates signals at the result."""
    _, first, of_row = np.unique(cell, return_index=True, return_inverse=True)
    return rng.permutation(soh[np.sort(first)])[np.argsort(np.argsort(first))[of_row]]


@dataclass(frozen=True)
class Transfer:
    """Scores of one scenario.

    Attributes:
        ablation: A0 to A3.
        seed: Seed of the ablation's random numbers.
        readout: Name in `READOUTS`.
        within: R2 of a readout fitted on the scenario itself.
        transfer: R2 of the readout fitted on A0.
        slope: Slope of that readout's SOH over the true one: 1 if it reads SOH correctly, below 0 if it is reversed.
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
        bridge: The unchanged bridge.
        rows: Clean rows; each scenario generates all of them.
        scenarios: Ablations and seeds of their random numbers.
        readouts: Names in `READOUTS`.

    Returns:
        The scores of each readout, in the order of the scenarios.
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
    """Check the bounds of transfer: A2 leaves no information, A1 transfers none, A3 reverses the readout.

    Args:
        scores: From `transfer_scores`, for all ablations and one readout.
        rows: The rows that were scored.
        blocking: Whether a failed check blocks a release.
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
    """Format the scores as a text table, with one part per readout."""
    return reports().transfer(scores, READOUTS)


def check_voltage_leak(bridge: BridgeV2, blocking: bool) -> Check:
    """Check the error of the voltage read from Y and Z, from all channels, and from C^2 - Y^2 - Z^2 only.

    A magnitude contains the field that Y and Z do not see. If that field were a function of the voltage,
    C^2 - Y^2 - Z^2 would reveal the voltage to the last digit and, with a table of records, the cell.

    Args:
        bridge: The bridge to check.
        blocking: Whether a failed check blocks a release.
    """
    rng = np.random.default_rng(0)
    low = max(GROUNDED_MIN_V, float(bridge.scan_map.voltages[0]))
    voltage = rng.uniform(low, min(GROUNDED_MAX_V, float(bridge.scan_map.voltages[-1])), SIGNALS)
    soh, cells = rng.uniform(0.6, 1.0, SIGNALS), [f"cell-{i % CELLS}" for i in range(SIGNALS)]
    x = bridge.generate_many(voltage, [bridge.config.soc_rest] * SIGNALS, soh, range(SIGNALS), cells)
    unseen = np.log(np.maximum(unseen_squares(x), FLOOR_NT2))
    measured, derived = x[..., :MEASURED_CHANNELS], cosine_features(x[..., MEASURED_CHANNELS:])
    # Include everything that can be derived from Y and Z, so that only the magnitudes' own part makes a difference.
    measured = cosine_features(np.concatenate([measured, np.hypot(measured[..., ::2], measured[..., 1::2])], axis=2))
    alone = cosine_features(unseen)
    inputs = {"measured": measured, "all": np.hstack([measured, derived, alone]), "unseen": alone}
    error = {name: _error_mV(features, voltage) for name, features in inputs.items()}
    ratio = min(error["all"], error["unseen"]) / error["measured"]
    facts = {"signals": SIGNALS - TRAIN, "low": low, "nothing": 1e3 * voltage.std(), **error}
    return check("voltage leak", ratio, blocking, **facts)


def unseen_squares(signals: np.ndarray) -> np.ndarray:
    """Compute C^2 - Y^2 - Z^2 of each sensor: (n, T, 6) to (n, T, 2), in nT^2."""
    squares = signals**2
    return squares[..., MEASURED_CHANNELS:] - squares[..., 0:4:2] - squares[..., 1:4:2]


def _error_mV(features: np.ndarray, voltage: np.ndarray) -> float:
    read = ridge(features[:TRAIN], voltage[:TRAIN]).predict(features[TRAIN:])
    return float(1e3 * np.sqrt(((read - voltage[TRAIN:]) ** 2).mean()))
