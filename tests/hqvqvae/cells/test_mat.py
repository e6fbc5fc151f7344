"""The .mat boundary: damage that crashes scipy's reader is one error, and bounds hold in the child."""

import contextlib
import os

import numpy as np
import pytest
import scipy.io

from dataset_card.errors import MagBridgeError
from hqvqvae.cells import mat


def written(path, **fields):
    """A file of one discharge, its fields changed."""
    data = {name: np.linspace(1.0, 2.0, 40) for name in mat.CHANNEL_FIELDS.values()} | {"Capacity": 1.8, **fields}
    cycle = np.empty((1, 1), dtype=object)
    cycle[0, 0] = {"type": "discharge", "data": data}
    scipy.io.savemat(path, {path.stem: {"cycle": cycle}})
    return path


class Crash:
    """Bytes that take the process that reads them along, as some do in scipy, but each time."""

    def __reduce__(self):
        return os.abort, ()


def test_what_crashes_the_reader_is_one_error_and_the_next_file_reads(tmp_path):
    with pytest.raises(MagBridgeError, match=r"B0001.mat is damaged or not MATLAB 5 \(it crashes its reader\)"):
        list(mat.read_mats({"B0001": Crash()}))
    ((cell, records),) = mat.read_mats({"B0001": written(tmp_path / "B0001.mat").read_bytes()})
    assert cell == "B0001" and len(records) == 1 and records[0][1] == 1.8
    np.testing.assert_array_equal(records[0][0]["time_s"], np.linspace(1.0, 2.0, 40))


@pytest.mark.parametrize("at", [224, 428, 444, 448])
def test_bytes_that_crash_scipy(tmp_path, at):
    """Types and lengths of elements: scipy reads past its memory on these, with luck and without."""
    data = bytearray(written(tmp_path / "B0001.mat").read_bytes())
    data[at] = 0x0F
    with contextlib.suppress(MagBridgeError):
        list(mat.read_mats({"B0001": bytes(data)}))


@pytest.mark.parametrize("values", ["text", np.ones(40) * 1j, np.ones((4, 10)), np.array([{}], dtype=object)])
def test_a_channel_that_is_no_row_of_numbers_is_named(tmp_path, values):
    path = written(tmp_path / "B0001.mat", Time=values)
    with pytest.raises(MagBridgeError, match="B0001.mat: discharge 0: field Time is .*; expected a row of numbers"):
        mat.read_mat(path, "B0001")
