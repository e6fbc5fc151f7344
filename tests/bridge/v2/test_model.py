"""A scan map as a file: round trip, digest, and files that are refused."""

import dataclasses
import io
import zipfile

import numpy as np
import pytest

from bridge.v2 import ScanMap
from dataset_card.errors import MagBridgeError


def test_round_trip(bridge_v2, tmp_path):
    path = tmp_path / "map.npz"
    bridge_v2.scan_map.save(path)
    read = ScanMap.load(path, bridge_v2.scan_map.sha256)
    for field in dataclasses.fields(ScanMap):
        assert np.array_equal(getattr(read, field.name), getattr(bridge_v2.scan_map, field.name)), field.name
    assert [p.name for p in tmp_path.iterdir()] == ["map.npz"] and path.stat().st_size < 1_000_000


def test_the_digest_sees_one_bit_and_is_checked(bridge_v2, tmp_path):
    end = bridge_v2.scan_map.end.copy()
    end[0] = np.nextafter(end[0], np.inf)
    other = dataclasses.replace(bridge_v2.scan_map, end=end)
    assert other.sha256 != bridge_v2.scan_map.sha256
    other.save(tmp_path / "map.npz")
    with pytest.raises(MagBridgeError, match="SHA-256 .* expected"):
        ScanMap.load(tmp_path / "map.npz", bridge_v2.scan_map.sha256)


@pytest.mark.parametrize("changes, words", [
    ({"end": None}, "no array 'end'"),
    ({"end": np.zeros(5)}, r"'end' has shape \(5,\); expected \(4,\)"),
    ({"start": np.zeros(4)}, r"'start' has shape \(4,\); expected \(4, 4\)"),
    ({"voltages": np.zeros((5, 1))}, r"'voltages' has shape \(5, 1\); expected \(any,\)"),
    ({"voltages": np.arange(4.0)}, r"'mean' is float64 of shape .*; expected float64 of \(4, 100, 6\)"),
    ({"end": np.array([0, 0, np.nan, 0])}, "'end' contains NaN or infinity"),
    ({"end": np.array([{}] * 4, dtype=object)}, "not a readable npz file of plain arrays"),
    ({"voltages": np.array([1.0, 2.0, 2.0, 3.0, 4.0])}, "at least two, ascending"),
    ({"positions": np.array(1.0)}, "1 positions; expected an integer of at least 2"),
    ({"more": np.zeros(2**24)}, "unpacks to 135 MB; expected at most 67 MB"),
])  # fmt: skip
def test_bad_files(bridge_v2, tmp_path, changes, words):
    arrays = {**{f.name: getattr(bridge_v2.scan_map, f.name) for f in dataclasses.fields(ScanMap)}, **changes}
    path = tmp_path / "map.npz"
    np.savez_compressed(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(MagBridgeError, match=words) as error:
        ScanMap.load(path)
    assert str(path) in str(error.value)


def test_not_an_npz_file(tmp_path):
    path = tmp_path / "map.npz"
    path.write_bytes(b"hello")
    with pytest.raises(MagBridgeError, match="not a readable npz file"):
        ScanMap.load(path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for field in dataclasses.fields(ScanMap):
            archive.writestr(f"{field.name}.npy", b"no array")
    path.write_bytes(buffer.getvalue())
    with pytest.raises(MagBridgeError, match="has a damaged header"):
        ScanMap.load(path)
    with pytest.raises(FileNotFoundError, match="none.npz"):
        ScanMap.load(tmp_path / "none.npz")
