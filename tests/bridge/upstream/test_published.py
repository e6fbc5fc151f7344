import numpy as np
import pandas
import pytest

from bridge.upstream import files, resolve
from bridge.upstream import published as reader
from bridge.v1.inputs import AnchorStatistics
from dataset_card.errors import MagBridgeError


@pytest.fixture(scope="module")
def sheet(upstream_dir):
    return pandas.read_excel(upstream_dir / files.PULSE_TABLE.path, sheet_name=reader.PULSEBAT_SHEET)


def written(frame, tmp_path, sheet_name=reader.PULSEBAT_SHEET):
    path = tmp_path / "pulses.xlsx"
    frame.to_excel(path, sheet_name=sheet_name, index=False)
    return path


def test_pulse_table_keeps_the_sheets_order(published, sheet):
    pulses = published.pulses
    assert len(pulses) == 560 and pulses.cell[0] == "10" and pulses.cell[100] == "1"
    assert np.array_equal(pulses.u[:, 20], sheet["U21"]) and np.array_equal(pulses.soc[:3], [5, 10, 15])


def test_a_missing_column(sheet, tmp_path):
    with pytest.raises(MagBridgeError, match="has no column 'U7'"):
        reader.read_pulse_table(written(sheet.drop(columns="U7"), tmp_path))


def test_a_duplicated_record(sheet, tmp_path):
    frame = sheet.copy()
    frame.loc[4, ["No.", "SOC"]] = frame.loc[3, ["No.", "SOC"]].to_numpy()
    with pytest.raises(MagBridgeError, match="row 6 repeats cell 10 at SOC 20 %"):
        reader.read_pulse_table(written(frame, tmp_path))


@pytest.mark.parametrize("column, value, words", [
    ("U3", None, "row 4, column 'U3' is empty"),
    ("SOH", "good", "row 4, column 'SOH' is empty or not a number"),
    ("SOH", 80.5, "record 2 has SOH 80.5; expected a value in"),
    ("SOC", 150, "record 2 has SOC 150"),
    ("U1", 3200, "record 2 has U "),
])  # fmt: skip
def test_a_bad_value(sheet, tmp_path, column, value, words):
    frame = sheet.astype({column: object})
    frame.loc[2, column] = value
    with pytest.raises(MagBridgeError, match=words):
        reader.read_pulse_table(written(frame, tmp_path))


def test_missing_records_and_sheets(sheet, tmp_path):
    with pytest.raises(MagBridgeError, match="559 records; expected 560"):
        reader.read_pulse_table(written(sheet.iloc[:-1], tmp_path))
    with pytest.raises(MagBridgeError, match="with a sheet 'SOC ALL'"):
        reader.read_pulse_table(written(sheet, tmp_path, "SOC5"))
    (tmp_path / "text.xlsx").write_text("hello")
    with pytest.raises(MagBridgeError, match="not a readable workbook"):
        reader.read_pulse_table(tmp_path / "text.xlsx")


def statistics_file(upstream_dir, tmp_path, **changes):
    with np.load(upstream_dir / files.ANCHOR_STATISTICS.path, allow_pickle=False) as archive:
        arrays = {**archive, **changes}
    path = tmp_path / "anchor_stats.npz"
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


@pytest.mark.parametrize("changes, words", [
    ({"v3_00__std_traj": np.zeros((100, 5))}, r"'v3_00__std_traj' has shape \(100, 5\); expected \(100, 6\)"),
    ({"v3_00__std_traj": None}, "no array 'v3_00__std_traj'"),
    ({"v3_00__mean_traj": np.full((100, 6), np.nan)}, "holds NaN or infinity"),
    ({"v3_00__std_traj": np.full((100, 6), -1.0)}, "negative standard deviation"),
    ({"voltages": np.arange(5.0)}, "anchors at"),
])  # fmt: skip
def test_bad_statistics(upstream_dir, tmp_path, changes, words):
    with pytest.raises(MagBridgeError, match=words):
        reader.read_anchor_statistics(statistics_file(upstream_dir, tmp_path, **changes))


def test_pickles_are_refused(tmp_path):
    np.savez(tmp_path / "evil.npz", embeddings=np.array([{"a": 1}], dtype=object))
    with pytest.raises(MagBridgeError, match="not a readable npz file of plain arrays"):
        reader.read_embeddings(tmp_path / "evil.npz")


def test_surrogates_reproduce_the_moments_exactly(published):
    found = AnchorStatistics.from_scans(published.scans, published.statistics.voltages)
    assert found.mean == pytest.approx(published.statistics.mean, abs=1e-10)
    assert found.std == pytest.approx(published.statistics.std, abs=1e-10)


@pytest.fixture
def folder_with_scans(upstream_dir, tmp_path, published):
    """An upstream folder with a user's scans: here ones with the published moments."""

    def make(scans):
        for name in ("magbridge", "pulsebat"):
            (tmp_path / name).mkdir(exist_ok=True)
        for file in files.PUBLISHED:
            (tmp_path / file.path).write_bytes((upstream_dir / file.path).read_bytes())
        np.savez(tmp_path / files.OSF_SCANS, X_seq=scans)
        return tmp_path

    return make


def test_a_users_scans_are_used_once_they_match(published, folder_with_scans):
    g = np.random.default_rng(9).standard_normal((5, 41, 100, 6))
    g = (g - g.mean(1, keepdims=True)) / g.std(1, keepdims=True)
    scans = (published.statistics.mean[:, None] + published.statistics.std[:, None] * g).reshape(205, 100, 6)
    upstream = resolve("osf", folder_with_scans(scans))
    assert upstream.name == "osf" and np.array_equal(upstream.scans, scans)
    assert files.OSF_SCANS in upstream.sources


def test_a_users_scans_of_something_else_are_refused(published, folder_with_scans):
    with pytest.raises(MagBridgeError, match="the mean of the scans at .* is off the anchor statistics by"):
        resolve("osf", folder_with_scans(published.scans[::-1]))
    with pytest.raises(MagBridgeError, match=r"shape \(204, 100, 6\)"):
        resolve("osf", folder_with_scans(published.scans[1:]))
