"""Ablations of v3: the contribution of each mechanism, measured by readouts fitted within each ablation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import RidgeCV
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bridge.v3.cells import VirtualCell, draw
from bridge.v3.config import PhysicsConfig
from bridge.v3.generate import Rows, measure
from bridge.v3.state import Variation
from bridge.validation.checks import reports
from bridge.validation.physics import one_visit_each, readout
from dataset_card.contract.schema import MASTER_SEED

CELLS = 150
"""Number of NMC cells with known and with unknown charge, at one visit each."""
GAINED = -0.25
"""Factor on the lithium loss in the ablation that inverts its direction: lithium is gained."""


ABLATIONS: dict[str, dict[str, float]] = {
    "as it is": {},
    "labels shuffled": {},
    "lithium loss off": {"lli": 0.0},
    "active material loss off": {"lam_pe": 0.0, "lam_ne": 0.0},
    "resistance growth off": {"r_ohm": 1.0, "r_ct": 1.0},
    "gradients off": {"gradient_lli": 0.0, "gradient_r": 0.0},
    "variation of cells off": {},
    "lithium gained": {},
    "placement off": {},
    "current through the plane off": {},
}
"""Changes to the state of every cell; other changes of an ablation are in `changed` and `ablate_physics`."""


def changed(drawn: VirtualCell, ablation: str) -> VirtualCell:
    """Apply an ablation to a drawn cell; those of labels, placement and through-plane current leave it unchanged."""
    values = {"lli": GAINED * drawn.state.lli} if ablation == "lithium gained" else ABLATIONS[ablation]
    variation = Variation() if ablation == "variation of cells off" else drawn.variation
    return replace(drawn, state=replace(drawn.state, **values), variation=variation)


class Ablated(NamedTuple):
    """Readouts under one ablation, cross-validated by cell; None if a label does not vary.

    Attributes:
        ablation: One of `ABLATIONS`.
        soh_terminals, soh_both: R2 of SOH at unknown charge on healthy rows, from voltage, and from voltage and scan.
        gradient_terminals, gradient_rest: R2 of gradient_r at known charge, from voltage, and from the field at rest.
        current_defects: AUC of weld or tear against healthy, from the field under load.
        lithium_defects: AUC of dry or plating against healthy, from the scan.
        carried: R2 of SOH from voltage and scan by a linear readout fitted on the unchanged rows.
    """

    ablation: str
    soh_terminals: float | None
    soh_both: float | None
    gradient_terminals: float | None
    gradient_rest: float | None
    current_defects: float
    lithium_defects: float
    carried: float | None


def ablate_physics(cells: int = CELLS) -> list[Ablated]:
    """Generate and read out every ablation; this takes about a minute and a half."""
    config = PhysicsConfig()
    still = replace(config, noise=replace(config.noise, shift_mm=(0.0, 0.0, 0.0), turn_rad=0.0, error_mm=0.0))
    rows = one_visit_each(cells, config)
    drawn = draw(rows, config, MASTER_SEED)
    found: list[Ablated] = []
    plain: Rows | None = None
    for name in ABLATIONS:
        if name == "labels shuffled" and plain is not None:
            made = _shuffled(plain)
        else:
            cells_so, config_so = [changed(one, name) for one in drawn], still if name == "placement off" else config
            made = measure(rows, cells_so, config_so, through_plane=name != "current through the plane off")
        plain = plain or made
        found.append(_read(name, made, plain))
    return found


def _shuffled(rows: Rows) -> Rows:
    labels = rows.labels.copy()
    order = np.random.default_rng(0).permutation(len(labels))
    for column in ("soh", "gradient_r", "defect"):
        labels[column] = labels[column].to_numpy()[order]
    return replace(rows, labels=labels)


def _read(name: str, rows: Rows, plain: Rows) -> Ablated:
    labels = rows.labels
    healthy = (labels.defect == "none").to_numpy()
    received = healthy & (labels.knowledge == "as_received").to_numpy()
    known = healthy & (labels.knowledge == "known_soc").to_numpy()
    both = np.concatenate([rows.voltage, rows.scan], axis=1)
    soh, gradient = labels.soh.to_numpy(float), labels.gradient_r.to_numpy(float)
    rest = rows.rest.reshape(len(labels), -1)

    def r2(x: np.ndarray, y: np.ndarray, keep: np.ndarray) -> float | None:
        return None if np.ptp(y[keep]) < 1e-9 else readout(x[keep], y[keep])

    return Ablated(
        name,
        r2(rows.voltage, soh, received),
        r2(both, soh, received),
        r2(rows.voltage, gradient, known),
        r2(rest, gradient, known),
        _auc(rows.load, labels.defect, ("weld", "tear")),
        _auc(rows.scan, labels.defect, ("dry", "plating")),
        None if rows is plain else _carried(plain, both, soh, received),
    )


def _auc(x: np.ndarray, defect, kinds: Sequence[str]) -> float:
    """Compute the AUC of defects against healthy rows by distance in the metric of other healthy rows."""
    kept = defect.isin(["none", *kinds]).to_numpy()
    x, sick = x[kept].astype(float), defect[kept].to_numpy() != "none"
    scale = x.std(axis=0)
    x = x / np.where(scale > 0, scale, 1)
    scores = np.empty(len(x))
    for train, test in KFold(5, shuffle=True, random_state=0).split(x):
        scores[test] = LedoitWolf().fit(x[train][~sick[train]]).mahalanobis(x[test])
    return float(roc_auc_score(sick, scores))


def _carried(plain: Rows, both: np.ndarray, soh: np.ndarray, keep: np.ndarray) -> float:
    """Compute R2 of a linear readout, fitted on unchanged rows, on the ablated rows of cells held out from the fit."""
    x = np.concatenate([plain.voltage, plain.scan], axis=1)[keep]
    y = plain.labels.soh.to_numpy(float)[keep]
    guess = np.empty(len(x))
    for train, test in KFold(5, shuffle=True, random_state=0).split(x):
        model = make_pipeline(StandardScaler(), RidgeCV(np.geomspace(1e-2, 1e6, 17)))
        guess[test] = model.fit(x[train], y[train]).predict(both[keep][test])
    truth = soh[keep]
    return 1 - float(((truth - guess) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def as_dict(found: Sequence[Ablated]) -> dict:
    """Return the ablations as plain values, for JSON."""
    return {"bridge": "v3", "cells": CELLS, "ablations": [one._asdict() for one in found]}


def table(found: Sequence[Ablated]) -> str:
    """Format the ablations for people."""
    titles = ("SOH, V", "V + scan", "grad_r, V", "grad_r, rest", "weld/tear", "dry/plated", "carried")
    return reports().physics_ablations([(one.ablation, one[1:]) for one in found], titles)
