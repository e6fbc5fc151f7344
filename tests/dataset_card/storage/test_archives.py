"""The boundary of zip files: bombs, lies, damage and encryption are one error, and nothing leaves the folder."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataset_card.errors import MagBridgeError
from dataset_card.storage import archives
from dataset_card.storage.archives import honest_copy, opened_zip, read_npz, unpack, workbook
from tests.mutations import mutated

SHAPES = {"mean": (20, 6), "names": (3,)}


def zipped(path, entries, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, mean=np.arange(120.0).reshape(20, 6), names=np.array([1, 2, 3]))
    return out.getvalue()


def test_a_sound_archive_is_unpacked(tmp_path):
    unpack(zipped(tmp_path / "a.zip", {"a/b.txt": "hello"}), tmp_path / "out")
    assert (tmp_path / "out" / "a" / "b.txt").read_text() == "hello"


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "c:x", "", "/", ".", "x" * 300])
def test_unsafe_names(tmp_path, name):
    archive = zipfile.ZipFile(tmp_path / "a.zip", "w")
    archive.writestr(zipfile.ZipInfo(name), b"x")
    archive.close()
    with pytest.raises(MagBridgeError, match="unsafe entry .*it is not unpacked"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "x").exists()


def test_a_name_that_is_a_file_and_a_folder(tmp_path):
    with pytest.raises(MagBridgeError, match="contains 'b' as a file and as a folder"):
        unpack(zipped(tmp_path / "a.zip", {"a": "file", "a/b": "inside"}), tmp_path / "out")


def test_bounds(tmp_path, monkeypatch):
    path = zipped(tmp_path / "a.zip", {"a": bytes(10**6), "b": bytes(10**6)})
    with pytest.raises(MagBridgeError, match="unpacks to [0-9,]+ MB; expected at most 1 MB"), opened_zip(path, 10**6):
        pass
    monkeypatch.setattr(archives, "MAX_ENTRIES", 1)
    with pytest.raises(MagBridgeError, match="2 entries; expected at most 1"), opened_zip(path):
        pass


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damaged_contents(tmp_path, method):
    path = zipped(tmp_path / "a.zip", {"a.txt": bytes(range(256)) * 40}, method)
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)
    with pytest.raises(MagBridgeError, match="not a readable zip file"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize(("offset", "flag"), [("flags", 1), ("method", 77)])
def test_encrypted_and_unknown_contents(tmp_path, offset, flag):
    path = zipped(tmp_path / "a.zip", {"a.txt": b"secret"})
    data = bytearray(path.read_bytes())
    local, central = (6, data.index(b"PK\x01\x02") + 8) if offset == "flags" else (8, data.index(b"PK\x01\x02") + 10)
    for at in (local, central):
        data[at : at + 2] = struct.pack("<H", flag)
    path.write_bytes(data)
    with pytest.raises(MagBridgeError, match="not a readable zip file"):
        unpack(path, tmp_path / "out")


def test_arrays(tmp_path):
    (tmp_path / "a.npz").write_bytes(npz())
    arrays = read_npz(tmp_path / "a.npz", SHAPES)
    np.testing.assert_array_equal(arrays["mean"], np.arange(120.0).reshape(20, 6))
    assert arrays["names"].dtype == float
    np.savez(tmp_path / "f.npz", a=np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    found = read_npz(tmp_path / "f.npz", {"a": (2, 3)})["a"]
    np.testing.assert_array_equal(found, np.arange(6.0).reshape(2, 3))
    assert found.flags.f_contiguous  # as numpy itself reads it


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"b": np.zeros(3)}, "no array 'a'"),
        ({"a": np.zeros(4)}, r"has shape \(4,\); expected \(3,\)"),
        ({"a": np.array([1.0, np.nan, 2])}, "contains NaN or infinity"),
        ({"a": np.array(["x"] * 3)}, "has type <U1"),
        ({"a": np.array([{}] * 3, dtype=object)}, "not a readable npz file of plain arrays"),
        ({"a": np.array([1j] * 3)}, "has type complex128"),
    ],
)
def test_odd_arrays(tmp_path, arrays, words):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(MagBridgeError, match=words):
        read_npz(tmp_path / "a.npz", {"a": (3,)})


def test_a_header_that_promises_more_than_there_is(tmp_path):
    zipped(
        tmp_path / "a.npz",
        {
            "a.npy": b"\x93NUMPY\x01\x00"
            + b"v\x00"
            + b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,)}".ljust(117)
            + b"\n"
        },
    )
    with pytest.raises(MagBridgeError, match=r"has shape \(99999999999,\); expected"):
        read_npz(tmp_path / "a.npz", {"a": (3,)})
    with pytest.raises(MagBridgeError, match="is truncated"):
        read_npz(tmp_path / "a.npz", {"a": (99999999999,)})


@pytest.mark.parametrize("header", [b"{'descr': '<f8', 'shape': (3,", b"{'descr': 'x" + b"(" * 300, b"\xff", b"3"])
def test_a_header_that_is_no_python(tmp_path, header):
    zipped(tmp_path / "a.npz", {"a.npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n"})
    with pytest.raises(MagBridgeError, match="array 'a' has a damaged header"):
        read_npz(tmp_path / "a.npz", {"a": (3,)})


@pytest.mark.parametrize("shape", [(-1, 3), (-2, -3), (3,), (2, 4)])
def test_a_length_that_may_be_any_is_none_below_zero(tmp_path, shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}".encode()
    entry = b"\x93NUMPY\x01\x00v\x00" + header.ljust(117) + b"\n" + bytes(48)
    zipped(tmp_path / "a.npz", {"a.npy": entry})
    with pytest.raises(MagBridgeError, match=r"has shape .*; expected \(any, 3\)"):
        read_npz(tmp_path / "a.npz", {"a": (None, 3)})
    np.savez(tmp_path / "a.npz", a=np.ones((2, 3)))
    np.testing.assert_array_equal(read_npz(tmp_path / "a.npz", {"a": (None, 3)})["a"], np.ones((2, 3)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_npz_is_one_error(tmp_path, data):
    (tmp_path / "d.npz").write_bytes(data.draw(mutated(npz())))
    try:
        arrays = read_npz(tmp_path / "d.npz", SHAPES)
    except MagBridgeError as error:
        assert "\n" not in str(error)
    else:
        assert {name: array.shape for name, array in arrays.items()} == SHAPES


def test_a_copy_unpacks_to_no_more_than_is_claimed(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", b"0" * 10**6)
    with zipfile.ZipFile(honest_copy(path, 2**20, "workbook")) as copy:
        assert copy.read("x") == b"0" * 10**6
    data = path.read_bytes()
    claimed = struct.pack("<I", 10**6)
    path.write_bytes(
        data.replace(claimed, struct.pack("<I", 1000)).replace(
            struct.pack("<I", zlib.crc32(b"0" * 10**6)), struct.pack("<I", zlib.crc32(b"0" * 1000))
        )
    )
    with zipfile.ZipFile(honest_copy(path, 2**20, "workbook")) as copy:
        assert copy.read("x") == b"0" * 1000


@pytest.mark.parametrize(("place", "holds"), [("IV1", True), ("IW1", False), ("XFD1", False), ("A200000", True)])
def test_a_cell_far_to_the_right_is_refused_before_it_is_read(tmp_path, place, holds):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["cell_id", "soh"])
    book.active[place] = "x"
    book.save(tmp_path / "cells.xlsx")
    if holds:
        assert openpyxl.load_workbook(workbook(tmp_path / "cells.xlsx", 2**24)).active["A1"].value == "cell_id"
    else:
        with pytest.raises(MagBridgeError, match=f"has a cell in column {place.rstrip('1')}: expected none after IV"):
            workbook(tmp_path / "cells.xlsx", 2**24)
