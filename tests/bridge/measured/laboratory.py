"""Stand-ins for a laboratory: scans of the simulated sheet in another geometry, with a known answer to SOH."""

import dataclasses

import numpy as np

from bridge.measured.matched import Labels
from bridge.upstream.simulated import scan_archive
from bridge.upstream.simulated_parameters import load_parameters

VOLTAGES = np.linspace(3.07, 3.33, 10)
SOCS = np.linspace(5, 50, 10)
MAKE = 0.015
"""Spread of cells' moments."""


def geometry():
    """A sensor farther away, a longer and narrower sheet, less noise."""
    p = load_parameters()
    scan = dataclasses.replace(
        p.scan,
        h=p.scan.h * 1.15,
        sheet_length=p.scan.sheet_length * 1.08,
        sheet_width=p.scan.sheet_width * 0.92,
        z0=p.scan.z0 + 2.0,
        white=p.scan.white * 0.8,
    )
    return dataclasses.replace(p, scan=scan)


def labels_of(seed, cells=50, scans=100):
    """Labels of cells of SOH .70 to 1, each at ten voltages with its SOC."""
    rng = np.random.default_rng([seed, 1])
    each = scans // len(VOLTAGES)
    soh = np.repeat(rng.uniform(0.70, 1.0, cells), scans)
    cell = np.repeat([f"lab{i:02d}" for i in range(cells)], scans)
    voltage, soc = (np.tile(np.repeat(values, each), cells) for values in (VOLTAGES, SOCS))
    return Labels(cell, np.full(cells * scans, "LFP"), voltage, soc, soh)


def scans_of(labels, response, seed, noise=True):
    """(n, 100, 6) scans in nT whose sheet loses `response` of its moment per unit of lost SOH.

    Without noise: the sheet alone, of one make.
    """
    p, rng = geometry(), np.random.default_rng([seed, 2])
    if not noise:
        quiet = dataclasses.replace(p.scan, white=p.scan.white * 0, edge=p.scan.edge * 0, hum_gain_y=p.scan.hum_gain_y)
        p = dataclasses.replace(
            p, scan=quiet, anchors=dataclasses.replace(p.anchors, hum=p.anchors.hum * 0, sr=p.anchors.sr * 0)
        )
    out = []
    for number, cell in enumerate(np.unique(labels.cell)):
        rows = labels.cell == cell
        positions = int(rows.sum()) // len(VOLTAGES)
        factor = (1 - response * (1 - labels.soh[rows][0])) * (np.exp(MAKE * rng.standard_normal()) if noise else 1.0)
        moment = p.anchors.moment * [factor, 1, 1]
        own = dataclasses.replace(p, anchors=dataclasses.replace(p.anchors, moment=moment))
        out.append(scan_archive(own, VOLTAGES, positions=positions, seed=int(1000 * seed + number)))
    return np.concatenate(out)
