"""A small release to damage."""

import shutil

import numpy as np
import pytest

from bridge.release import folder as release
from bridge.release.bundle import ORIGIN_KEYS
from dataset_card.storage.reading import scalars


@pytest.fixture(scope="module")
def families(tiny_release, tmp_path_factory):
    """A release of forty parents, their anomalies and forty Regime-B rows: quick to audit."""
    table, manifest = release.read_table(tiny_release), release.read_manifest(tiny_release)
    rows = scalars(table)
    children = np.flatnonzero(rows["anomaly_origin"] == "synthetic_sensor_perturbation")[:40]
    parents = np.flatnonzero(rows["sample_id"].isin(rows["parent_sample_id"].iloc[children]))
    regime_b = np.flatnonzero(rows["regime"] == "extrapolation")[:40]
    folder = tmp_path_factory.mktemp("families") / "magbridge-battery"
    release.write(
        folder,
        table.take(np.concatenate([parents, children, regime_b])),
        {key: manifest[key] for key in ORIGIN_KEYS if key in manifest},
    )
    return folder


@pytest.fixture
def copy(families, tmp_path):
    return shutil.copytree(families, tmp_path / "magbridge-battery")
