"""A user's own scan archive: any anchors, positions and steps; v2's fit takes it."""

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bridge.audit.promises import audit_release
from bridge.generate import resolve
from bridge.measured.cells import with_cells
from bridge.measured.scans import with_scans
from bridge.release import folder as release
from bridge.upstream.simulated import scan_archive
from bridge.upstream.simulated_parameters import load_parameters
from bridge.v2 import BridgeV2
from dataset_card.contract.schema import CHANNELS
from dataset_card.errors import MagBridgeError
from dataset_card.storage.faults import FaultyInput
from dataset_card.storage.reading import read_manifest
from tests.bridge.measured.test_cells import table


def archive(folder, voltages=(2.95, 3.15, 3.30), positions=9, steps=140, nan=0, **changes):
    """Writes an archive: scans of the simulated sheet, and their table in another order; the last steps may be NaN."""
    x = scan_archive(load_parameters(), voltages, positions, steps)
    x[4, steps - nan :, 1] = np.nan
    ids = [f"a{i:03d}" for i in range(len(x))]
    pq.write_table(
        pa.table({"scan_id": ids, **{name: list(x[:, :, c]) for c, name in enumerate(CHANNELS)}}), folder / "a.parquet"
    )
    frame = pandas.DataFrame(
        {
            "scan_id": ids,
            "voltage": np.repeat(voltages, positions),
            "position": np.tile(np.arange(positions) * 2.5 - 10, len(voltages)),
        }
    )
    frame.assign(**changes).sample(frac=1, random_state=0).to_csv(folder / "a.csv", index=False)
    return x


@pytest.fixture
def upstream(tmp_path):
    table(tmp_path / "cells.csv")
    return with_cells(resolve("v2", "simulated"), tmp_path / "cells.csv")[0]


def test_the_fit_takes_them_and_a_release_keeps_every_promise(upstream, tmp_path):
    archive(tmp_path)
    inputs, notes = with_scans(upstream, tmp_path / "a.parquet", tmp_path / "a.csv")
    assert inputs.bridge_version == "v2.1-scans+cells" and "resampled to 100" in " ".join(notes)
    bridge = BridgeV2(inputs)
    assert bridge.scan_map.voltages.tolist() == [2.95, 3.15, 3.30] and float(bridge.scan_map.positions) == 9
    np.testing.assert_array_equal(bridge.anchor_replica(3.15), inputs.scans[9:18].mean(axis=0))
    assert inputs.pulses.voltage.max() <= 3.30
    release.build(
        tmp_path / "out",
        inputs,
        variants=1,
        anomalies=20,
        regime_b=30,
        own=release.OwnFiles(" --scans a.parquet", notes),
    )
    assert audit_release(tmp_path / "out") == []
    manifest = read_manifest(tmp_path / "out")
    assert (
        manifest["notes"] == list(notes)
        and manifest["rebuild"].endswith("--scans a.parquet")
        and "a.parquet" in manifest["upstream"]["sources"]
    )
    assert "own scans" in (tmp_path / "out" / "README.md").read_text()


def test_scans_of_100_steps_are_taken_as_they_are(upstream, tmp_path):
    x = archive(tmp_path, steps=100)
    inputs, notes = with_scans(upstream, tmp_path / "a.parquet", tmp_path / "a.csv")
    assert (inputs.scans == x).all() and any("100 steps as measured" in note for note in notes)


def test_two_anchors_are_enough_and_none_below_needs_no_regime_b(upstream, tmp_path):
    archive(tmp_path, voltages=(3.08, 3.34), positions=5)
    inputs, _ = with_scans(upstream, tmp_path / "a.parquet", tmp_path / "a.csv")
    with pytest.raises(MagBridgeError, match=r"no anchor below 3\.06 V: expected none of them \(--regime-b 0\)"):
        release.build(tmp_path / "out", inputs, variants=1, anomalies=20, regime_b=30)
    release.build(tmp_path / "out", inputs, variants=1, anomalies=20, regime_b=0)
    assert audit_release(tmp_path / "out") == []


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"voltages": (3.30,)}, "anchors at [3.3] V; expected at least two"),
        ({"voltages": (2.60, 2.90)}, "one of them above 3.06 V"),
        ({"nan": 30}, "scan a004), step 110, B_s1Z: empty or NaN for 30 steps"),
        ({"positions": 4}, "anchor 2.95 V: 4 positions; expected at least 5"),
        ({"position": np.r_[np.arange(26) * 1.0, 99]}, "column 'position'"),
        (
            {"voltage": np.r_[[2.95] * 9, [3.15] * 8, [3.30] * 10], "position": np.r_[:9, :8, :10]},
            "anchor 3.15 V: 8 positions; expected 9, as at 2.95 V",
        ),
        ({"voltage": np.repeat([2.20, 3.15, 3.30], 9)}, "2.2 V; expected 2.54 to 3.34 V"),
        ({"scan_id": [f"b{i}" for i in range(27)]}, "a row of 'b0', without a scan"),
    ],
)
def test_mistakes(upstream, tmp_path, arguments, words):
    archive(tmp_path, **arguments)
    with pytest.raises(FaultyInput) as error:
        with_scans(upstream, tmp_path / "a.parquet", tmp_path / "a.csv")
    assert words in str(error.value)


def test_own_scans_do_not_stand_beside_simulated_labels(tmp_path):
    archive(tmp_path)
    with pytest.raises(MagBridgeError, match="own scans beside simulated labels: expected --cells"):
        with_scans(resolve("v2", "simulated"), tmp_path / "a.parquet", tmp_path / "a.csv")
