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


def test_pulse_table_keeps_the_sheets_order(published, sheet):
    pulses = published.pulses
    assert len(pulses) == 560 and pulses.cell[0] == "10" and pulses.cell[100] == "1"
    assert np.array_equal(pulses.u[:, 20], sheet["U21"]) and np.array_equal(pulses.soc[:3], [5, 10, 15])


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
    with pytest.raises(MagBridgeError, match="the mean of the scans at .* differs from the anchor statistics by"):
        resolve("osf", folder_with_scans(published.scans[::-1]))
    with pytest.raises(MagBridgeError, match=r"shape \(204, 100, 6\)"):
        resolve("osf", folder_with_scans(published.scans[1:]))
