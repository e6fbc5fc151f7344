"""Measured scans as a release: the same contract, whatever they were stored as."""

import json

import h5py
import numpy as np
import pandas
import pytest
from datasets import load_dataset

from benchmark.data import tasks_in
from benchmark.leaderboard.boards import leaderboard
from benchmark.results import read_results
from benchmark.running import run_baselines
from bridge.audit.leakage import leakage_report
from bridge.audit.promises import audit_release
from bridge.measured.adopt import adopt, read_measured
from bridge.release import bundle
from dataset_card.contract.schema import CHANNELS
from dataset_card.errors import MagBridgeError
from dataset_card.storage.arrays import signals
from dataset_card.storage.reading import read_manifest, read_table
from tests.bridge.measured.conftest import write_scans

OWNERS = {"licence": "CC-BY-4.0", "citation": "A. Author, 2026"}


def test_it_keeps_every_promise_and_loads_with_plain_datasets(adopted, measurements):
    labels, x = measurements
    assert audit_release(adopted) == []
    data = load_dataset(str(adopted), "by_cell_primary")
    assert sum(part.num_rows for part in data.values()) == 70
    assert not set(data["train"]["cell_id"]) & (set(data["test"]["cell_id"]) | set(data["validation"]["cell_id"]))
    table = read_table(adopted)
    assert (signals(table) == x).all() and table["soh"].to_pylist() == labels.soh.tolist()
    assert set(table["bridge_version"].to_pylist()) == {"measured"}
    assert set(table["anomaly_origin"].to_pylist()) == {"none"}
    assert load_dataset(str(adopted), "t2_second_life", split="test").column_names[:2] == ["sample_id", "cell_id"]
    assert [task.id for task in tasks_in(adopted)] == ["t1", "t2"]


def test_with_a_column_map_and_any_file_name_it_keeps_every_promise(pristine, tmp_path):
    scans, labels, columns = (tmp_path / name for name in ("O'Brien 5 %.parquet", "cells@25C.csv", "my columns.yaml"))
    scans.write_bytes((pristine / "scans.parquet").read_bytes())
    pandas.read_csv(pristine / "labels.csv").rename(columns={"soh": "Gesundheit"}).to_csv(labels, index=False)
    columns.write_text("columns:\n  soh: {column: Gesundheit, unit: '1'}\n")
    adopt(scans, labels, tmp_path / "out", columns=columns, **OWNERS)
    assert audit_release(tmp_path / "out") == []
    assert read_manifest(tmp_path / "out")["rebuild"].startswith("""python -m bridge adopt 'O'"'"'Brien 5 %.parquet'""")


def test_it_says_measured_and_claims_nothing_simulated(adopted):
    manifest, card = read_manifest(adopted), (adopted / "README.md").read_text()
    assert (manifest["name"], manifest["bridge_version"], manifest["upstream"]["name"]) == (
        "my-cells",
        "measured",
        "measured",
    )
    assert "**measured** magnetic scans of 7 battery cells" in card and "- measured\n" in card
    assert not [
        word for word in ("simulat", "synthetic", "PulseBat cell", "Regime-B") if word in card.split("\n---\n", 1)[1]
    ]
    assert (
        "license: cc-by-4.0" in card
        and "A. Author, 2026" in card
        and "A. Author, 2026" in (adopted / "CITING.md").read_text()
    )
    assert "CC-BY-4.0" in (adopted / "LICENSE").read_text() and not (adopted / "CITATION.cff").exists()


def test_croissant_and_eval_yaml_speak_of_it_too(adopted):
    mlcroissant = pytest.importorskip("mlcroissant")
    described = mlcroissant.Dataset(str(adopted / "croissant.json"))
    assert not described.metadata.ctx.issues.errors and described.metadata.cite_as == "A. Author, 2026"
    row = next(iter(described.records("t1_soh_regression/test")))
    ids = load_dataset(str(adopted), "t1_soh_regression", split="test")["sample_id"]
    assert row["t1_soh_regression/test/sample_id"].decode() in ids
    text = (adopted / "croissant.json").read_text()
    assert "Synthetic" not in text and "PulseBat" not in text.partition('"recordSet"')[0]
    assert "t4" not in (adopted / "eval.yaml").read_text()


def test_the_split_by_cell_leaks_nothing(adopted):
    table = read_table(adopted)
    members = json.loads((adopted / "splits" / "by_cell_primary.json").read_text())["sample_ids"]
    report = leakage_report(
        table.select(["sample_id", "parent_sample_id", "cell_id"]).to_pandas(), signals(table), members
    )
    assert report.shared_cells == [] and report.duplicates == [] and report.unassigned == 0


def test_t1_and_t2_run_and_have_a_board_of_their_own(pristine, measurements, tmp_path):
    labels, _ = measurements
    soh = {cell: labels.soh[labels.cell == cell][0] for cell in np.unique(labels.cell)}
    order = sorted(soh, key=soh.get)
    members = {"test": [order[1], order[-2]], "validation": [order[3]], "train": [order[i] for i in (0, 2, 4, 6)]}
    (tmp_path / "split.json").write_text(json.dumps(members))
    out = tmp_path / "my-cells"
    adopt(pristine / "scans.parquet", pristine / "labels.csv", out, split=tmp_path / "split.json", **OWNERS)
    for task, model in (("t1", "ridge"), ("t2", "ridge-classifier")):
        (result,) = run_baselines(out, task=task, model=model, out=tmp_path / "results")
        assert (result.dataset.name, result.dataset.upstream) == ("my-cells", "measured")
    boards = leaderboard(read_results(tmp_path / "results"))
    assert "my-cells" in str(boards) and "measured" in str(boards)


def test_a_test_subset_that_is_too_small_is_said(adopted):
    (note,) = [note for note in read_manifest(adopted)["notes"] if "test subset" in note]
    assert "has 2 of 7 cells" in note and "--protocol cross_validation" in note


def test_a_test_subset_of_one_class_is_said(pristine, tmp_path):
    table = pandas.read_csv(pristine / "labels.csv").assign(soh=0.7)
    table.to_csv(tmp_path / "labels.csv", index=False)
    found = read_measured(pristine / "scans.parquet", tmp_path / "labels.csv")
    assert any("T2 cannot be scored" in note for note in found.notes)


def test_parquet_hdf5_and_csv_are_the_same_release(adopted, pristine, measurements, tmp_path):
    with h5py.File(tmp_path / "scans.h5", "w") as file:
        for i, scan in enumerate(measurements[1]):
            for c, name in enumerate(CHANNELS):
                file[f"s{i:03d}/{name}"] = scan[:, c]
    digest = read_manifest(adopted)["dataset_digest"]
    for source in (tmp_path / "scans.h5", pristine / "scans"):
        manifest, _ = adopt(source, pristine / "labels.csv", tmp_path / "out", **OWNERS, replace=True)
        assert manifest["dataset_digest"] == digest


def test_labels_may_be_parquet_or_a_workbook(adopted, pristine, tmp_path):
    frame = pandas.read_csv(pristine / "labels.csv")
    frame.to_parquet(tmp_path / "labels.parquet")
    frame.to_excel(tmp_path / "labels.xlsx", index=False)
    for name in ("labels.parquet", "labels.xlsx"):
        manifest, _ = adopt(pristine / "scans.parquet", tmp_path / name, tmp_path / "out", **OWNERS, replace=True)
        assert manifest["dataset_digest"] == read_manifest(adopted)["dataset_digest"]


def test_a_rig_of_its_own_words(adopted, pristine, measurements, tmp_path):
    names = ("mag1_x", "mag1_z", "mag2_x", "mag2_z")
    write_scans(measurements[1][:, :, :4] * [1e-3, -1e3, 1e-3, 1e-3], tmp_path / "rig.parquet", names)
    axes = ("across", "along", "across", "along")
    entries = [
        f"  {c}: {{column: {n}, axis: {a}, unit: {'pT, sign: -1' if n == 'mag1_z' else 'uT'}}}"
        for c, n, a in zip(CHANNELS, names, axes)
    ]
    (tmp_path / "map.yaml").write_text("channels:\n" + "\n".join(entries) + "\n")
    manifest, _ = adopt(
        tmp_path / "rig.parquet", pristine / "labels.csv", tmp_path / "out", channels=tmp_path / "map.yaml", **OWNERS
    )
    found, x = signals(read_table(tmp_path / "out")), measurements[1]
    np.testing.assert_allclose(found[..., :4], x[..., :4], rtol=1e-12)
    np.testing.assert_allclose(found[..., 4], np.hypot(x[..., 0], x[..., 1]), rtol=1e-12)
    assert any("B_s1C5 and B_s2C6 derived" in note for note in manifest["notes"])
    assert manifest["config"]["channels"]["B_s1Z"] == {"column": "mag1_z", "unit": "pT", "sign": -1}
    assert audit_release(tmp_path / "out") == []


def test_voltage_and_soc_of_any_cell(pristine, measurements, tmp_path):
    frame = pandas.read_csv(pristine / "labels.csv")
    frame["voltage"] += 0.6
    frame["soc"] -= 5
    frame.to_csv(tmp_path / "labels.csv", index=False)
    adopt(pristine / "scans.parquet", tmp_path / "labels.csv", tmp_path / "out", **OWNERS)
    assert audit_release(tmp_path / "out") == [] and read_table(tmp_path / "out")["soc"].to_pylist()[0] == 0


def test_a_split_of_its_own_survives_a_bundle(pristine, tmp_path):
    split = {"train": ["lab06", "lab05", "lab01"], "validation": ["lab00", "lab02"], "test": ["lab03", "lab04"]}
    (tmp_path / "split.json").write_text(json.dumps(split))
    adopt(
        pristine / "scans.parquet",
        pristine / "labels.csv",
        tmp_path / "my-cells",
        split=tmp_path / "split.json",
        **OWNERS,
    )
    assert audit_release(tmp_path / "my-cells") == []
    assert json.loads((tmp_path / "my-cells/splits/by_cell_primary.json").read_text())["cells"]["test"] == [
        "lab03",
        "lab04",
    ]
    bundle.write_bundle(tmp_path / "my-cells", tmp_path / "b.zip")
    bundle.import_bundle(tmp_path / "b.zip", tmp_path / "again")
    one, two = (read_manifest(tmp_path / name) for name in ("my-cells", "again"))
    assert one == two and audit_release(tmp_path / "again") == []


def test_what_stands_there_is_left_as_it_was(pristine, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(MagBridgeError, match="contains something other than a release"):
        adopt(pristine / "scans.parquet", pristine / "labels.csv", tmp_path, **OWNERS)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_which_scan_each_row_is(adopted):
    frame = pandas.read_csv(adopted / "scans.csv")
    assert frame["sample_id"].tolist() == read_table(adopted)["sample_id"].to_pylist()
    assert frame["scan_id"].tolist() == [f"s{i:03d}" for i in range(70)]
