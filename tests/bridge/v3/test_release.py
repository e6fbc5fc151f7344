import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from bridge.__main__ import app
from bridge.release import folder as release
from bridge.v3.config import PhysicsConfig
from bridge.v3.release import BridgeV3, InputsV3, readings
from dataset_card.contract.editions import V3
from dataset_card.contract.physics import PLACED
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import dataset_digest
from dataset_card.storage.reading import read_manifest, read_table, scalars

CONFIG = PhysicsConfig(mesh=(9, 7))


def tree(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_two_builds_and_any_number_of_threads_give_the_same_bytes(tmp_path):
    built = []
    for threads in (1, 2, 4):
        folder = tmp_path / str(threads)
        release.build(folder, InputsV3(), CONFIG, virtual_cells=40, workers=threads)
        built.append(tree(folder))
    assert built[0] == built[1] == built[2]


def test_rows_stay_as_published():
    rows = dataset_digest(BridgeV3().table(virtual_cells=4))
    assert rows == "7aada0a3d009ae0657a555ced22d2cfccaacd2a1684a82e7caa8bdf72271fbcc"


def test_a_row_does_not_depend_on_its_company():
    bridge = BridgeV3(CONFIG)
    requests = sorted(bridge.requests(8), key=bridge.sample_id)
    whole = bridge.rows(requests)
    assert bridge.rows(requests[5:7]).equals(whole.slice(5, 2).combine_chunks())


def test_other_seeds_draw_other_cells():
    one, other = (scalars(BridgeV3(CONFIG, seed).table(4)) for seed in (1, 2))
    assert not set(one["cell_id"]) & set(other["cell_id"]) and not set(one["soh"]) & set(other["soh"])


def test_rows_keep_the_contract_and_the_manifest_tells_when_and_where(v3_release):
    table, manifest = read_table(v3_release), read_manifest(v3_release)
    assert table.column_names == [field.name for field in V3.fields]
    assert manifest["counts"]["rows"] == table.num_rows == 800 and manifest["counts"]["cells"] == 200
    assert len(manifest["protocol"]["voltage_s"]) == 33 and len(manifest["protocol"]["rest_s"]) == 7
    assert np.shape(manifest["sensors_mm"]["LFP-asymmetric"]) == (24, 3)
    rows = scalars(table)
    assert (rows["x_mm"].notna() == rows["defect"].isin(PLACED)).all()
    assert rows["sample_id"].is_monotonic_increasing, "the order is that of names without meaning"
    assert set(rows.groupby("cell_id")["visit"].nunique()) == {4}


def test_a_configuration_comes_back_from_its_json():
    config = dataclasses.replace(CONFIG, distance_mm=5.0)
    again = PhysicsConfig.of(json.loads(json.dumps(dataclasses.asdict(config))))
    assert again == config and again.hash() == config.hash()
    assert readings(config)["sensors_mm"] != readings(CONFIG)["sensors_mm"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--virtual-cells", "6"], "virtual_cells 6: expected a multiple of 4"),
        (["--virtual-cells", "0"], "virtual_cells 0: expected an integer of at least 4"),
        (["--variants", "2"], "--variants for v3: expected --virtual-cells"),
        (["--upstream", "published"], "upstream 'published' for v3"),
        (["--chemistry", "LFP"], "own cells or scans with v3"),
    ],
)
def test_what_v3_does_not_take_is_named(tmp_path, options, message):
    found = CliRunner().invoke(app, ["build", "--bridge", "v3", "--out", str(tmp_path / "v3"), *options])
    assert found.exit_code and isinstance(found.exception, MagBridgeError) and message in str(found.exception)
    assert not list(tmp_path.iterdir())


def test_virtual_cells_of_another_edition_are_refused(tmp_path):
    options = ["build", "--out", str(tmp_path / "v1"), "--upstream", "simulated", "--virtual-cells", "8"]
    found = CliRunner().invoke(app, options)
    assert "--virtual-cells for v1: expected --variants" in str(found.exception)


def test_a_killed_build_leaves_nothing(tmp_path):
    command = [sys.executable, "-m", "bridge", "build", "--bridge", "v3", "--out", str(tmp_path / "v3")]
    process = subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE)
    assert process.stderr is not None and process.stderr.readline()  # it has begun
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode and not list(tmp_path.iterdir())
