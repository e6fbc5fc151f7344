import dataclasses
import json
import shutil
import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from bridge.generate import resolve as resolve_any
from bridge.release import folder as release
from bridge.release.splits import PRIMARY, RECORD
from bridge.upstream import resolve
from dataset_card.contract.schema import METADATA_FIELDS, arrow_schema
from dataset_card.errors import MagBridgeError
from dataset_card.storage.arrays import signals
from dataset_card.storage.digests import dataset_digest, files_digest


def files_of(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def table(published_release):
    return release.read_table(published_release)


def test_published_figures(table):
    x = signals(table)
    for channel, entries, minimum, rows in ((4, 920, -80.47, 122), (5, 956, -94.08, 83)):
        assert (x[:, :, channel] < 0).sum() == entries
        assert x[:, :, channel].min() == pytest.approx(minimum, abs=5e-3)
        assert (x[:, :, channel] < 0).any(axis=1).sum() == rows


def test_rows_are_in_release_order_and_by_the_contract(table, published):
    from bridge.plan import make_plan

    assert table.schema.equals(arrow_schema())
    assert table["sample_id"].to_pylist() == make_plan(published.pulses).rows["sample_id"].tolist()


def test_two_builds_are_byte_identical_on_any_number_of_threads(published_release, published, tmp_path):
    release.build(tmp_path / "again", published, workers=3)
    assert files_of(tmp_path / "again") == files_of(published_release)


def test_regime_b_rows_do_not_depend_on_the_scans(published_release, published, tmp_path):
    from bridge import Bridge
    from bridge.plan import make_plan

    plan = make_plan(published.pulses)
    low = (plan.rows["regime"] == "extrapolation").to_numpy()
    other = Bridge(dataclasses.replace(published, scans=published.scans[::-1]))
    columns = [plan.rows.loc[low, c].to_numpy() for c in ("voltage", "soc")]
    x = other.generate_many(*columns, plan.signal_soh[low], plan.rows.loc[low, "generation_seed"])
    assert x.tobytes() == signals(release.read_table(published_release))[low].tobytes()


def test_manifest_pins_what_made_the_release(published_release):
    entries = release.read_manifest(published_release)
    assert entries["bridge_config_hash"] == "87134d007deb" and entries["bridge_version"] == "v1.3"
    assert entries["counts"]["rows"] == 6760 and entries["name"] == "magbridge-battery"
    leakage = entries["splits"]["by_record_optimistic_baseline"]["leakage"]
    assert leakage == {"cells_in_more_than_one_subset": 59, "parent_child_pairs_across_subsets": 292}
    assert entries["rebuild"] == "python -m bridge build --upstream published"


def test_checksums_pass_sha256sum(tiny_release):
    subprocess.run(["sha256sum", "-c", "--quiet", release.CHECKSUMS], cwd=tiny_release, check=True)


def test_a_simulated_release_says_so_everywhere(tiny_release):
    entries = release.read_manifest(tiny_release)
    assert entries["name"] == "magbridge-battery-simulated" and entries["bridge_version"] == "v1.3-simulated"
    card = (tiny_release / "README.md").read_text()
    assert "Simulated upstream" in card
    for name in ("README.md", "CITING.md", "CITATION.cff"):
        lines = (tiny_release / name).read_text().splitlines()
        assert all("is a different one" in line for line in lines if "10.5281/zenodo" in line)


def test_metadata_has_every_row_and_no_signals(tiny_release):
    metadata = pq.read_table(tiny_release / "metadata.parquet")
    assert tuple(metadata.column_names) == METADATA_FIELDS and metadata.num_rows == 1120 + 600 + 560


def test_split_files_list_every_row_once(tiny_release):
    ids = set(pq.read_table(tiny_release / "metadata.parquet")["sample_id"].to_pylist())
    for name in (PRIMARY, RECORD):
        document = json.loads((tiny_release / "splits" / f"{name}.json").read_text())
        listed = [i for subset in document["sample_ids"].values() for i in subset]
        assert set(listed) == ids and len(listed) == len(ids)
        assert (document["warning"] is not None) == (name == RECORD)


def test_digest_is_of_the_rows_not_of_their_storage(tiny_release, tmp_path):
    rows = release.read_table(tiny_release)
    stored = tmp_path / "other.parquet"
    pq.write_table(rows, stored, compression="gzip", row_group_size=100)
    again = pq.read_table(stored).cast(arrow_schema())
    assert dataset_digest(again) == dataset_digest(rows) == release.read_manifest(tiny_release)["dataset_digest"]
    x = signals(rows)
    for step, same in ((1e-9, True), (0.01, False)):  # other hardware may round the last digits of a signal otherwise
        column = release.fixed_lists(x[:, :, 0] + step * (x[:, :, 0] > 0), 100)
        changed = rows.set_column(rows.column_names.index("B_s1Y"), arrow_schema().field("B_s1Y"), column)
        assert (dataset_digest(changed) == dataset_digest(rows)) == same


def test_every_byte_of_the_data_is_in_the_cards_header(tiny_release, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_release, copy)
    digest = files_digest(copy)
    assert (
        digest == release.read_manifest(copy)["files_digest"]
        and f"Files {digest[:12]}." in (copy / "README.md").read_text()
    )
    victim = copy / "metadata.parquet"
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    assert files_digest(copy) != digest


def test_a_rebuild_replaces_the_folder_unless_something_of_the_users_is_in_it(tiny_release, tmp_path):
    out = tmp_path / "magbridge-battery"
    shutil.copytree(tiny_release, out)
    origin = {k: release.read_manifest(tiny_release)[k] for k in ("upstream", "rebuild")}
    release.write(out, release.read_table(tiny_release), origin)
    assert list(tmp_path.iterdir()) == [out]
    (out / "notes.txt").write_text("mine")
    with pytest.raises(
        MagBridgeError, match="contains notes.txt, which was added or changed after this release was written"
    ):
        release.write(out, release.read_table(tiny_release), origin)
    assert (out / "notes.txt").read_text() == "mine"


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(MagBridgeError, match="something other than a release"):
        release.build(tmp_path, resolve("simulated"), variants=2)
    assert files_of(tmp_path) == {"thesis.tex": b"precious"}


def test_another_release_is_replaced_only_when_told(tiny_release, tmp_path, monkeypatch):
    """Whatever is another release is refused before the work; the same one is built again in its place."""
    out, same = tmp_path / "magbridge-battery", resolve("simulated")
    shutil.copytree(tiny_release, out)
    before = files_of(out)

    class Reached(Exception):
        pass

    def made(*arguments):
        raise Reached

    monkeypatch.setattr(release, "make_bridge", made)
    for inputs, seed, variants in (
        (resolve_any("v2", "simulated"), 20260512, 2),
        (dataclasses.replace(same, name="osf"), 20260512, 2),
        (dataclasses.replace(same, bridge_version="v1.4"), 20260512, 2),
        (same, 7, 2),
        (same, 20260512, 3),
    ):
        with pytest.raises(MagBridgeError, match="contains a release: expected another --out, or --replace; it was"):
            release.build(out, inputs, master_seed=seed, variants=variants)
        assert files_of(out) == before
        with pytest.raises(Reached):
            release.build(out, inputs, master_seed=seed, variants=variants, replace=True)
    with pytest.raises(Reached):
        release.build(out, same, variants=2)


def test_killed_while_writing_leaves_nothing_and_a_rerun_succeeds(tiny_release, tmp_path):
    out = tmp_path / "magbridge-battery"
    script = (
        "import sys, time; from pathlib import Path; from bridge.release import folder as release\n"
        "table = release.read_table(Path(sys.argv[1]))\n"
        "origin = {'upstream': {'name': 'simulated', 'sources': {}}, 'rebuild': ''}\n"
        "original = release.write_checksums\n"
        "release.write_checksums = lambda folder: (print('last', flush=True), time.sleep(60))\n"
        "release.write(Path(sys.argv[2]), table, origin)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, tiny_release, out], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "last\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    origin = {k: release.read_manifest(tiny_release)[k] for k in ("upstream", "rebuild")}
    release.write(out, release.read_table(tiny_release), origin)
    assert [p.name for p in tmp_path.iterdir()] == ["magbridge-battery"]  # what the killed run left is gone too


def test_an_error_while_writing_keeps_the_old_release(tiny_release, tmp_path, monkeypatch):
    out = tmp_path / "magbridge-battery"
    shutil.copytree(tiny_release, out)
    before = files_of(out)

    def full_disk(folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(release, "write_checksums", full_disk)
    origin = {k: release.read_manifest(tiny_release)[k] for k in ("upstream", "rebuild")}
    with pytest.raises(OSError, match="No space left"):
        release.write(out, release.read_table(tiny_release), origin)
    assert files_of(out) == before and [p.name for p in tmp_path.iterdir()] == ["magbridge-battery"]


def test_reading_names_what_is_wrong(tiny_release, tmp_path):
    broken = tmp_path / "magbridge-battery"
    shutil.copytree(tiny_release, broken)
    victim = next((broken / "data").rglob("*.parquet"))
    content = victim.read_bytes()
    victim.unlink()
    with pytest.raises(MagBridgeError, match="has no row in data/; a file is missing"):
        release.read_table(broken)
    victim.write_bytes(content[: len(content) // 2])
    with pytest.raises(MagBridgeError, match="not a readable Parquet file"):
        release.read_table(broken)
    (broken / "manifest.json").write_text("{")
    with pytest.raises(MagBridgeError, match="not readable as JSON"):
        release.read_manifest(broken)
    with pytest.raises(MagBridgeError, match="expected a release folder"):
        release.read_manifest(tmp_path)
