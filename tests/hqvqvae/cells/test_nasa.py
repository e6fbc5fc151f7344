"""The NASA reader: .mat files of the archive's structure, zips in zips, damaged input, and the real set."""

import functools
import http.server
import io
import threading
import zipfile

import numpy as np
import pandas as pd
import pytest
import scipy.io

from dataset_card.errors import MagBridgeError
from hqvqvae.cells import nasa
from hqvqvae.cells.features import FEATURES, feature_table

SEGMENTS_OF_COHORT = {"FY08Q4": 636, "25-28": 112, "45-48": 288, "49-52": 100, "53-56": 363}


def operation(kind="discharge", n=40, capacity=1.8, drop=None):
    """One operation as the archive stores it."""
    data = {
        "Voltage_measured": np.linspace(4.2, 3.0, n),
        "Current_measured": np.r_[0.0, 0.0, np.full(n - 2, -2.0)],
        "Temperature_measured": np.full(n, 24.0),
        "Current_load": np.ones(n),
        "Voltage_load": np.ones(n),
        "Time": 10.0 * np.arange(n),
        "Capacity": capacity,
    }
    data.pop(drop, None)
    return {"type": kind, "ambient_temperature": 24.0, "time": np.zeros(6), "data": data}


def write_mat(path, operations, name=None):
    cycle = np.empty((1, len(operations)), dtype=object)
    cycle[0, :] = operations
    scipy.io.savemat(path, {name or path.stem: {"cycle": cycle}})
    return path


def test_reads_the_discharges_and_counts_them_from_zero(tmp_path):
    operations = [operation("charge"), operation(), operation("impedance"), operation(capacity=np.empty(0))]
    first, second = nasa.read_archive(write_mat(tmp_path / "B0099.mat", operations))
    assert (first.cell_id, first.cycle, second.cycle) == ("B0099", 0, 1)
    assert first.capacity_Ah == 1.8 and np.isnan(second.capacity_Ah)
    np.testing.assert_array_equal(first.time_s, 10.0 * np.arange(40))
    assert first.current_A.min() == -2.0 and first.voltage_V[0] == 4.2 and first.temperature_C[0] == 24.0


def test_a_folder_and_a_zip_of_zips_hold_the_same(tmp_path):
    folder = tmp_path / "nasa"
    folder.mkdir()
    for cell in ("B0098", "B0099"):
        write_mat(folder / f"{cell}.mat", [operation()])
        with zipfile.ZipFile(tmp_path / f"{cell}.zip", "w") as inner:
            inner.write(folder / f"{cell}.mat", f"{cell}.mat")
            inner.writestr("README.txt", "not a cell")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as outer:
        for cell in ("B0098", "B0099"):
            outer.write(tmp_path / f"{cell}.zip", f"5. Battery Data Set/{cell}.zip")
    from_zip, from_folder = nasa.read_archive(tmp_path / "all.zip"), nasa.read_archive(folder)
    assert [segment.cell_id for segment in from_zip] == ["B0098", "B0099"]
    pd.testing.assert_frame_equal(feature_table(from_zip), feature_table(from_folder))


def test_a_truncated_file_is_named(tmp_path):
    path = write_mat(tmp_path / "B0099.mat", [operation(), operation()])
    whole = path.read_bytes()
    for size in (10, 200, len(whole) // 2, len(whole) - 20):
        path.write_bytes(whole[:size])
        with pytest.raises(MagBridgeError, match="B0099.mat"):
            nasa.read_archive(path)
    path.with_suffix(".zip").write_bytes(whole[:100])
    with pytest.raises(MagBridgeError, match="not a readable .mat file or whole zip"):
        nasa.read_archive(path.with_suffix(".zip"))


@pytest.mark.parametrize("field", ["Voltage_measured", "Time", "Capacity"])
def test_a_missing_field_is_named(tmp_path, field):
    path = write_mat(tmp_path / "B0099.mat", [operation(), operation(drop=field)])
    with pytest.raises(MagBridgeError, match=f"B0099.mat: discharge 1 has no field '{field}'"):
        nasa.read_archive(path)


def test_a_file_of_another_cell_or_of_no_discharge_is_refused(tmp_path):
    with pytest.raises(MagBridgeError, match=r"contains \['B0001'\]; expected the struct B0099"):
        nasa.read_archive(write_mat(tmp_path / "B0099.mat", [operation()], name="B0001"))
    with pytest.raises(MagBridgeError, match="no discharge among its 2 operations"):
        nasa.read_archive(write_mat(tmp_path / "B0098.mat", [operation("charge"), operation("charge")]))
    with pytest.raises(MagBridgeError, match="does not exist"):
        nasa.read_archive(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MagBridgeError, match=r"contains no file B\*.mat"):
        nasa.read_archive(tmp_path / "empty")


def test_fetch_downloads_once_and_checks_the_values(tmp_path, monkeypatch):
    served = tmp_path / "served"
    served.mkdir()
    write_mat(tmp_path / "B0099.mat", [operation()])
    with zipfile.ZipFile(served / "set.zip", "w") as archive:
        archive.write(tmp_path / "B0099.mat", "B0099.mat")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=served)
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *arguments: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(nasa, "URL", f"http://127.0.0.1:{server.server_port}/set.zip")
        # Cells other than the published ones do not pass the check.
        with pytest.raises(MagBridgeError, match="20 missing, the first B0005"):
            nasa.fetch(tmp_path / "cache")
        server.shutdown()
    monkeypatch.setattr(nasa, "URL", f"http://127.0.0.1:{server.server_port}/other.zip")
    with pytest.raises(MagBridgeError, match="cannot be fetched"):
        nasa.fetch(tmp_path / "other")


def test_embedded_segments_have_the_published_counts():
    whole = nasa.embedded_table()
    assert len(whole) == 1499 and whole["cell_id"].nunique() == 20 and whole["valid"].sum() == 1466
    assert whole.groupby("cohort").size().to_dict() == SEGMENTS_OF_COHORT
    assert [len(nasa.load_segments(protocol)) for protocol in "CPD"] == [1466, 1499, 1466]
    for protocol in "CPD":
        assert np.isfinite(nasa.load_segments(protocol)[list(FEATURES)].to_numpy()).all()
    valid = nasa.load_segments()
    assert (valid.groupby("cell_id").size() >= 20).sum() == 18
    assert (valid["i_mean"] < 0).all() and valid["resistance_ohm"].between(0.05, 0.6).all()
    reasons = whole.loc[~whole["valid"], "reason"].str.contains("loaded samples")
    assert reasons.sum() == 28 and (~reasons).sum() == 5


def test_embedded_tables_are_what_this_code_makes_of_the_published_files(upstream_dir):
    segments = nasa.read_archive(upstream_dir / "nasa")
    nasa.verify(segments)
    table = feature_table(segments)
    table.insert(1, "cohort", [nasa.cohort_of(cell) for cell in table["cell_id"]])
    pd.testing.assert_frame_equal(table, nasa.embedded_table(), rtol=1e-12)
    curves = nasa.curve_table(segments, table)
    np.testing.assert_allclose(np.stack(curves["voltage_V"]), np.stack(nasa.load_curves()["voltage_V"]), rtol=1e-6)


def test_one_changed_sample_is_noticed(upstream_dir):
    segments = nasa.read_archive(upstream_dir / "nasa" / "B0050.mat")
    with pytest.raises(MagBridgeError, match="19 missing, the first B0005; delete"):
        nasa.verify(segments)
    segments[3].voltage_V[10] += 1e-3
    with pytest.raises(MagBridgeError, match="1 changed, the first B0050"):
        nasa.verify(segments)


def test_a_truncated_published_file_is_named(upstream_dir, tmp_path):
    whole = (upstream_dir / "nasa" / "B0050.mat").read_bytes()
    (tmp_path / "B0050.mat").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(MagBridgeError, match="B0050.mat"):
        nasa.read_archive(tmp_path)


def test_a_zip_that_unpacks_to_too_much_or_nests_too_deep_is_refused(tmp_path, monkeypatch):
    def wrap(name, content):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
        return file.getvalue()

    deep = wrap("B0005.mat", b"x")
    for depth in range(3):
        deep = wrap(f"{depth}.zip", deep)
    (tmp_path / "deep.zip").write_bytes(deep)
    with pytest.raises(MagBridgeError, match="more than 3 deep"):
        nasa.read_archive(tmp_path / "deep.zip")
    # Many members, each of them small enough by itself.
    monkeypatch.setattr(nasa, "MAX_ARCHIVE_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(10, 20):
            archive.writestr(f"B00{number}.zip", wrap("B.mat", bytes(1 << 18)))
    with pytest.raises(MagBridgeError, match="it unpacks to more than"):
        nasa.read_archive(tmp_path / "bomb.zip")
