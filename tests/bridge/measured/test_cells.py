"""A user's own table of cells: labels from there, voltages by the rule of PulseBat's."""

import json

import numpy as np
import pandas
import pytest

from bridge.audit.promises import audit_release
from bridge.generate import resolve
from bridge.measured.cells import with_cells
from bridge.release import folder as release
from dataset_card.storage.digests import sha256_of
from dataset_card.storage.faults import FaultyInput
from dataset_card.storage.reading import read_table
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
    assert note.startswith("18 voltages of NCA cells are replaced by those of the scanned LFP cell")


def test_v1_takes_lfp_cells_and_the_command_filters(upstreams, tmp_path):
    table(tmp_path / "cells.csv")
    with pytest.raises(FaultyInput, match="row 26: chemistry 'NCA'; expected LFP; use --bridge v2"):
        with_cells(upstreams["v1"], tmp_path / "cells.csv")
    inputs = with_cells(upstreams["v1"], tmp_path / "cells.csv", ["LFP"])[0]
    assert inputs.bridge_version == "v1.3-simulated+cells" and len(inputs.pulses) == 24
    release.build(tmp_path / "out", inputs, variants=1, anomalies=20, regime_b=30)
    assert audit_release(tmp_path / "out") == []


def test_a_workbook_of_pulsebats_is_such_a_table(upstream_dir):
    inputs = with_cells(resolve("v2", "published", upstream_dir), upstream_dir / "pulsebat" / "LFP_35Ah_W_5000.xlsx")[0]
    known = resolve("v2", "published", upstream_dir).pulses.of(["LFP"])
    assert inputs.bridge_version == "v2.1-hybrid+cells" and inputs.pulses.soh.tolist() == known.soh.tolist()
    np.testing.assert_array_equal(inputs.pulses.voltage, known.voltage)
    np.testing.assert_array_equal(inputs.pulses.u, known.u)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"soh": 83.5}, "row 2, column 'soh': 83.5 fraction; expected (0, 1.05] fraction; it looks like percent"),
        ({"soh": 1.06}, "row 2, column 'soh': 1.06 fraction; expected (0, 1.05] fraction"),
        ({"soc": 0}, "row 2, column 'soc': 0 %; expected (0, 100] %"),
        ({"soc": 30.0}, "row 3: cell 'X00' at SOC 30 % and SOH 0.7 again"),
        ({"cell_id": "X00", "soh": np.linspace(0.7, 0.9, 42), "chemistry": "LFP"}, "1 LFP cells; expected at least 5"),
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
        assert note.startswith("42 voltages of NMC cells are replaced by those of the scanned LFP cell")
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
