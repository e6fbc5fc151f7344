import dataclasses

import pytest

from bridge.upstream import files, locate
from bridge.upstream.status import status

FILE = files.UpstreamFile("magbridge/thing.npz", "unset", "0" * 64, "a thing", "CC0")


def test_missing_files_are_all_named_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setenv("MAGBRIDGE_CACHE", str(tmp_path))
    monkeypatch.delenv("MAGBRIDGE_UPSTREAM", raising=False)
    wanted = (FILE, dataclasses.replace(FILE, path="pulsebat/other.xlsx"))
    monkeypatch.setattr(files, "PUBLISHED", wanted)
    with pytest.raises(FileNotFoundError, match="thing.npz, pulsebat/other.xlsx missing.*--upstream-dir"):
        locate(fetch=False, wanted=wanted)
    assert [entry["state"] for entry in status()] == ["missing"] * 3
