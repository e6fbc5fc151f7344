"""A user's own cells, by the rule of PulseBat's tables, and their own scans: any anchors, positions and steps."""

import json

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bridge.audit.promises import audit_release
from bridge.generate import resolve
from bridge.measured.own import with_cells, with_scans
from bridge.release import folder as release
from bridge.upstream.simulated import scan_archive
from bridge.upstream.simulated_parameters import load_parameters
from bridge.v2 import BridgeV2
from dataset_card.contract.schema import CHANNELS
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import sha256_of
from dataset_card.storage.faults import FaultyInput
from dataset_card.storage.reading import read_manifest, read_table
from tests.bridge.test_main import bridge as command


def table(path, **changes):
    rows = [
        (f"X{i:02d}", "LFP" if i < 8 else "NCA", soc, 0.70 + 0.02 * i, 3.19 + soc / 1e3)
        for i in range(14)
        for soc in (10, 30, 50)
    ]
    frame = pandas.DataFrame(rows, columns=["cell_id", "chemistry", "soc", "soh", "voltage"]).assign(**changes)
    frame.to_csv(path, index=False)
    return frame


@pytest.fixture(scope="module")
def upstreams():
    return {name: resolve(name, "simulated") for name in ("v1", "v2")}


def test_a_release_of_them_keeps_every_promise(upstreams, tmp_path):
    frame = table(tmp_path / "cells.csv")
    inputs = with_cells(upstreams["v2"], tmp_path / "cells.csv")[0]
    assert inputs.bridge_version == "v2.1-simulated+cells"
    assert inputs.sources["cells.csv"] == sha256_of(tmp_path / "cells.csv")
    release.build(tmp_path / "out", inputs, variants=1, anomalies=20, regime_b=30)
    assert audit_release(tmp_path / "out") == []
    clean = read_table(tmp_path / "out").to_pandas()
    clean = clean[clean["anomaly_origin"] == "none"].sort_values(["cell_id", "soc"])
    assert clean["cell_id"].tolist() == frame["cell_id"].tolist() and clean["soh"].tolist() == frame["soh"].tolist()
    assert clean["u_features"].isna().all()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert {name: t["cells"] for name, t in manifest["counts"]["tables"].items()} == {"LFP": 8, "NCA": 6}
    assert all(manifest["splits"]["by_cell_primary"]["subsets"][s]["cells"] for s in ("train", "validation", "test"))
    assert "**Own cells.**" in (tmp_path / "out" / "README.md").read_text()


def test_voltages_follow_the_rule_of_pulsebats_tables(upstreams, tmp_path):
    frame = table(tmp_path / "cells.csv")
    pulses = with_cells(upstreams["v2"], tmp_path / "cells.csv")[0].pulses
    lfp = (frame["chemistry"] == "LFP").to_numpy()
    np.testing.assert_array_equal(pulses.voltage[lfp], frame["voltage"][lfp])
    known = upstreams["v2"].pulses
    for level in (10, 30, 50):
        expected = np.median(known.voltage[(known.table == "LFP-35Ah") & (known.soc == level)])
        np.testing.assert_allclose(pulses.voltage[~lfp & (pulses.soc == level)], expected, rtol=1e-12)


def test_voltages_that_are_replaced_are_said(upstreams, tmp_path):
    table(tmp_path / "cells.csv")
    (note,) = with_cells(upstreams["v2"], tmp_path / "cells.csv")[1]
    assert note.startswith("18 voltages of NCA cells were replaced by those of the scanned LFP cell")


def test_v1_takes_lfp_cells_and_the_command_filters(upstreams, tmp_path):
    table(tmp_path / "cells.csv")
    with pytest.raises(FaultyInput, match="row 26: chemistry 'NCA'; expected LFP; use --bridge v2"):
        with_cells(upstreams["v1"], tmp_path / "cells.csv")
    inputs = with_cells(upstreams["v1"], tmp_path / "cells.csv", ["LFP"])[0]
    assert inputs.bridge_version == "v1.3-simulated+cells" and len(inputs.pulses) == 24
    release.build(tmp_path / "out", inputs, variants=1, anomalies=20, regime_b=30)
    assert audit_release(tmp_path / "out") == []


def test_a_workbook_of_pulsebats_is_such_a_table(upstream_dir):
    workbook = upstream_dir / "pulsebat" / "LFP_35Ah_W_5000.xlsx"
    inputs, notes = with_cells(resolve("v2", "published", upstream_dir), workbook)
    assert notes == (
        "Read with sheet 'SOC ALL'.",
        "Columns: cell_id from 'No.'; chemistry from 'Mat'; capacity_Ah from 'Q' in Ah; nominal_Ah from 'Qn' in Ah.",
        "Ignored columns: 'File_Name', 'ID', 'Pt', 'SOCR'.",
    )
    known = resolve("v2", "published", upstream_dir).pulses.of(["LFP"])
    assert inputs.bridge_version == "v2.1-hybrid+cells" and inputs.pulses.soh.tolist() == known.soh.tolist()
    np.testing.assert_array_equal(inputs.pulses.voltage, known.voltage)
    np.testing.assert_array_equal(inputs.pulses.u, known.u)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"soh": 83.5}, "row 2, column 'soh': 83.5; expected (0, 1.05]; it looks like percent"),
        ({"soh": 1.06}, "row 2, column 'soh': 1.06; expected (0, 1.05]; correct it"),
        ({"soc": 0}, "row 2, column 'soc': 0 %; expected (0, 100] %"),
        ({"soc": 30.0}, "row 3: cell 'X00' at SOC 30 % and SOH 0.7 again"),
        (
            {"cell_id": "X00", "soh": np.linspace(0.7, 0.9, 42), "chemistry": "LFP"},
            "1 LFP cells; expected at least 5",
        ),
    ],
)
def test_mistakes(upstreams, tmp_path, changes, words):
    table(tmp_path / "cells.csv", **changes)
    with pytest.raises(FaultyInput) as error:
        with_cells(upstreams["v2"], tmp_path / "cells.csv")
    assert words in str(error.value)


def test_the_command_writes_nothing_for_a_faulty_table(tmp_path):
    table(tmp_path / "cells.csv", soh=83.5)
    result = command(
        "build", "--bridge", "v2", "--upstream", "simulated", "--cells", "cells.csv", "--out", "x", cwd=tmp_path
    )
    assert result.returncode == 1 and "error: cells.csv, row 2, column 'soh'" in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["cells.csv"]


def test_a_release_of_cells_with_a_column_map_keeps_every_promise(tmp_path):
    table(tmp_path / "cells.csv")
    pandas.read_csv(tmp_path / "cells.csv").rename(columns={"soh": "Gesundheit"}).to_csv(
        tmp_path / "c.csv", index=False
    )
    (tmp_path / "columns.yaml").write_text("columns:\n  soh: {column: Gesundheit, unit: '1'}\n")
    own = ["--cells", tmp_path / "c.csv", "--columns", tmp_path / "columns.yaml"]
    sizes = ["--variants", 1, "--anomalies", 20, "--regime-b", 30]
    made = command("build", "--bridge", "v2", "--upstream", "simulated", *own, *sizes, "--out", tmp_path / "out")
    assert made.returncode == 0, made.stderr
    assert read_manifest(tmp_path / "out")["rebuild"].endswith(" --cells c.csv --columns columns.yaml")
    assert audit_release(tmp_path / "out") == []


def test_names_of_one_chemistry_give_the_same_rows(upstreams, tmp_path):
    digests = set()
    for name in ("lfp", "LFP", "LiFePO4"):
        table(tmp_path / f"{name}.csv", chemistry=name)
        inputs, _ = with_cells(upstreams["v2"], tmp_path / f"{name}.csv")
        out = tmp_path / f"out-{name}"
        manifest = release.build(out, inputs, variants=1, anomalies=20, regime_b=30)
        assert manifest["overridden"]["voltages replaced by the scanned cell's at the same SOC"] == 0
        digests.add((manifest["dataset_digest"], manifest["files_digest"]))
    assert len(digests) == 1


def test_measured_voltages_of_another_chemistry_are_replaced_counted_and_said(upstreams, tmp_path):
    made = {}
    for name in ("NMC", "nmc", "LiNiMnCoO2"):
        frame = table(tmp_path / "cells.csv", chemistry=name, voltage=3.4 + np.tile([0.07, 0.21, 0.35], 14))
        inputs, (note,) = with_cells(upstreams["v2"], tmp_path / "cells.csv")
        assert inputs.pulses.soh.tolist() == frame["soh"].tolist() and set(inputs.pulses.chemistry) == {"NMC"}
        assert inputs.pulses.overridden()["voltages replaced by the scanned cell's at the same SOC"] == 42
        assert note.startswith("42 voltages of NMC cells were replaced by those of the scanned LFP cell")
        made[name] = inputs.pulses.voltage.tolist()
    assert made["NMC"] == made["nmc"] == made["LiNiMnCoO2"]


def test_visits_to_a_battery_stay_together(upstreams, tmp_path):
    frame = table(tmp_path / "cells.csv")
    battery = frame["cell_id"].map(lambda cell: f"B{int(cell[1:]) // 2}")
    frame = frame.assign(battery_id=battery, age_cycles=100, chemistry="LFP")
    frame.to_csv(tmp_path / "cells.csv", index=False)
    inputs, _ = with_cells(upstreams["v2"], tmp_path / "cells.csv")
    release.build(tmp_path / "out", inputs, variants=1, anomalies=20, regime_b=30)
    assert audit_release(tmp_path / "out") == []
    rows = read_table(tmp_path / "out").select(["cell_id", "battery_id", "age_cycles", "anomaly_origin"]).to_pandas()
    clean = rows[rows["anomaly_origin"] == "none"]
    assert clean["battery_id"].nunique() == 7 and set(clean["age_cycles"]) == {100}
    split = json.loads((tmp_path / "out" / "splits" / "by_cell_primary.json").read_text())["cells"]
    subset_of = {cell: name for name, cells in split.items() for cell in cells}
    subsets = clean.assign(subset=clean["cell_id"].map(subset_of)).groupby("battery_id")["subset"].nunique()
    assert (subsets == 1).all()


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
    with pytest.raises(MagBridgeError, match=r"no anchor below 3\.06 V: expected 0 Regime-B rows \(--regime-b 0\)"):
        release.build(tmp_path / "out", inputs, variants=1, anomalies=20, regime_b=30)
    release.build(tmp_path / "out", inputs, variants=1, anomalies=20, regime_b=0)
    assert audit_release(tmp_path / "out") == []


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"voltages": (3.30,)}, "anchors at [3.3] V; expected at least two"),
        ({"voltages": (2.60, 2.90)}, "one of which is above 3.06 V"),
        ({"nan": 30}, "scan a004), step 110, B_s1Z: empty or NaN for 30 steps"),
        ({"positions": 4}, "anchor 2.95 V: 4 positions; expected at least 5"),
        ({"position": np.r_[np.arange(26) * 1.0, 99]}, "column 'position'"),
        (
            {"voltage": np.r_[[2.95] * 9, [3.15] * 8, [3.30] * 10], "position": np.r_[:9, :8, :10]},
            "anchor 3.15 V: 8 positions; expected 9, as at 2.95 V",
        ),
        ({"voltage": np.repeat([2.20, 3.15, 3.30], 9)}, "2.2 V; expected 2.54 to 3.34 V"),
        ({"scan_id": [f"b{i}" for i in range(27)]}, "a row for 'b0', which has no scan"),
    ],
)
def test_mistakes_of_scans(upstream, tmp_path, arguments, words):
    archive(tmp_path, **arguments)
    with pytest.raises(FaultyInput) as error:
        with_scans(upstream, tmp_path / "a.parquet", tmp_path / "a.csv")
    assert words in str(error.value)


def test_own_scans_do_not_stand_beside_simulated_labels(tmp_path):
    archive(tmp_path)
    with pytest.raises(MagBridgeError, match="your own scans with simulated labels: expected --cells"):
        with_scans(resolve("v2", "simulated"), tmp_path / "a.parquet", tmp_path / "a.csv")
