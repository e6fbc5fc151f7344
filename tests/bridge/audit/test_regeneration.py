"""Signals made again: what was changed and sealed again is found, what was not is equal to the last bit."""

import shutil

import numpy as np
import pyarrow as pa
import pytest

from bridge.audit.promises import audit_release
from bridge.audit.regeneration import regenerate
from bridge.release import folder as release
from dataset_card.errors import MagBridgeError

RNG = np.random.default_rng(0)


def rewritten(folder, out, change, origin=None):
    """A release of changed rows that keeps every promise but that of its signals."""
    manifest = release.read_manifest(folder)
    names = ("upstream", "config", "master_seed", "variants", "rebuild", "packages")
    release.write(out, change(release.read_table(folder)), {name: manifest[name] for name in names} | (origin or {}))
    assert audit_release(out) == []
    return out


def with_values(table, name, values):
    column = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    return table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)


def nudged(table):
    """One number of one row, by the last bit."""
    values = table["B_s2Y"].combine_chunks().flatten().to_numpy().reshape(-1, 100).copy()
    values[17, 3] = np.nextafter(values[17, 3], np.inf)
    return with_values(table, "B_s2Y", values)


def test_a_sound_release_is_made_again(tiny_release):
    assert regenerate(tiny_release, None, RNG) == ([], 2280)
    assert regenerate(tiny_release, 5, RNG) == ([], 5)


def test_one_bit_of_one_signal_is_found(tiny_release, tmp_path):
    folder = rewritten(tiny_release, tmp_path / "r", nudged)
    (finding,), compared = regenerate(folder, None, RNG)
    assert compared == 2280
    assert "nT off what the bridge generates (B_s2Y, step 3)" in finding.message


def test_rows_that_the_plan_does_not_have_are_found(tiny_release, tmp_path):
    folder = rewritten(tiny_release, tmp_path / "r", lambda table: table.take([1, 0, *range(2, table.num_rows)]))
    (finding,), compared = regenerate(folder, 3, RNG)
    assert compared == 0
    assert "order" in finding.message


def test_pulse_voltages_that_the_upstream_does_not_have_are_found(tiny_release, tmp_path):
    def change(table):
        values = table["u_features"].to_pylist()
        values[4][2] += 1e-9
        column = pa.array(values, table.schema.field("u_features").type)
        return table.set_column(table.schema.get_field_index("u_features"), table.schema.field("u_features"), column)

    findings, _ = regenerate(rewritten(tiny_release, tmp_path / "r", change), 3, RNG)
    assert [f.message for f in findings] == ["u_features differ from the upstream"]


def test_other_sources_are_named(tiny_release, tmp_path):
    manifest = release.read_manifest(tiny_release)
    upstream = {"name": "simulated", "sources": dict.fromkeys(manifest["upstream"]["sources"], "0" * 64)}
    folder = rewritten(tiny_release, tmp_path / "r", lambda table: table, {"upstream": upstream})
    with pytest.raises(
        MagBridgeError, match="made from other inputs .*: simulated .*, simulated_parameters.json; expected"
    ):
        regenerate(folder, 3, RNG)


def test_an_origin_that_is_not_told_is_one_error(tiny_release, tmp_path):
    folder = shutil.copytree(tiny_release, tmp_path / "r")
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(MagBridgeError, match="does not state what it was made from"):
        regenerate(folder, 3, RNG)
