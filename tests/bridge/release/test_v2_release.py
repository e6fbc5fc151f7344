"""A release of the second dataset, from plan to `datasets`."""

import pytest
from datasets import load_dataset

from bridge.audit.promises import audit_release
from bridge.generate import resolve
from bridge.release import bundle
from bridge.release import folder as release
from bridge.v2 import ScanMap
from dataset_card.storage.arrays import signals


@pytest.fixture(scope="module")
def upstream():
    return resolve("v2", "simulated")


def test_it_is_sound_and_loads(v2_release):
    assert audit_release(v2_release) == []
    data = load_dataset(str(v2_release), "by_cell_primary")
    assert sum(len(part) for part in data.values()) == 4700
    assert not set(data["train"]["cell_id"]) & set(data["test"]["cell_id"])
    assert set(load_dataset(str(v2_release), "nmc", split="test")["chemistry"]) == {"NMC"}


def test_two_builds_on_one_thread_and_on_many_are_the_same_bytes(v2_release, upstream, tmp_path):
    again = tmp_path / "magbridge-battery-v2"
    release.build(again, upstream, variants=1, anomalies=1500, regime_b=500, workers=1)
    for path in sorted(v2_release.rglob("*")):
        assert path.is_dir() or path.read_bytes() == (again / path.relative_to(v2_release)).read_bytes(), path


def test_the_shipped_map_generates_the_release(v2_release, upstream):
    from bridge.v2 import BridgeV2

    table = release.read_table(v2_release)
    row = table.slice(123, 1).to_pylist()[0]
    bridge = BridgeV2(upstream, scan_map=ScanMap.load(v2_release / release.SCAN_MAP))
    again = bridge.generate(row["voltage"], row["soc"], row["soh"], row["generation_seed"], row["cell_id"])
    assert (again == signals(table.slice(123, 1))[0]).all()


def test_a_bundle_brings_it_back_whole(v2_release, tmp_path):
    packed = bundle.write_bundle(v2_release, tmp_path / "v2.zip")
    bundle.import_bundle(packed, tmp_path / "magbridge-battery-v2")
    for path in sorted(v2_release.rglob("*")):
        other = tmp_path / "magbridge-battery-v2" / path.relative_to(v2_release)
        assert path.is_dir() or path.read_bytes() == other.read_bytes(), path
