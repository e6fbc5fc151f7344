import shutil
import zipfile

import pyarrow.parquet as pq
import pytest

from bridge.release import bundle
from bridge.release import folder as release
from dataset_card.errors import MagBridgeError
from tests.bridge.release.test_folder import files_of

NAME = "magbridge_battery_v1_0_simulated_release"
"""A simulated bundle does not unpack under the published name."""


@pytest.fixture(scope="module")
def packed(tiny_release, tmp_path_factory):
    return bundle.write_bundle(tiny_release, tmp_path_factory.mktemp("bundle") / "bundle.zip")


def test_there_and_back_gives_the_same_folder(tiny_release, packed, tmp_path):
    bundle.import_bundle(packed, tmp_path / "magbridge-battery")
    assert files_of(tmp_path / "magbridge-battery") == files_of(tiny_release)


def test_an_unpacked_bundle_imports_too(tiny_release, packed, tmp_path):
    zipfile.ZipFile(packed).extractall(tmp_path / "unpacked")
    bundle.import_bundle(tmp_path / "unpacked", tmp_path / "magbridge-battery", replace=True)
    assert files_of(tmp_path / "magbridge-battery") == files_of(tiny_release)


def test_layout_is_that_of_the_archive(packed, tiny_release):
    with bundle.opened(packed) as root:
        names = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
        assert {f"data/shard_{i:04d}.parquet" for i in range(5)} < names
        assert {"data/metadata.parquet", "manifest.json", "checksums.sha256", "dataset_card.md", "LICENSE"} < names
        rows = [pq.read_table(root / "data" / f"shard_{i:04d}.parquet").num_rows for i in range(5)]
        assert rows == [456] * 5
        assert bundle.read_bundle(root).equals(release.read_table(tiny_release))


def test_two_bundles_are_byte_identical(tiny_release, packed, tmp_path):
    assert bundle.write_bundle(tiny_release, tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_the_loader_in_the_bundle_works(packed, tmp_path):
    zipfile.ZipFile(packed).extractall(tmp_path)
    scope = {"__file__": str(tmp_path / NAME / "load_bundle.py")}
    exec((tmp_path / NAME / "load_bundle.py").read_text(), scope)
    assert len(scope["load"]()) == 2280


@pytest.mark.parametrize("name", ["../escape.parquet", "/etc/escape", "a/../../escape", "C:\\escape", "..\\escape"])
def test_a_path_that_escapes_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr(name, "gotcha")
    with pytest.raises(MagBridgeError, match="unsafe entry"):
        bundle.import_bundle(tmp_path / "evil.zip", tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["evil.zip"]


def test_a_link_is_refused(tmp_path):
    entry = zipfile.ZipInfo("data/link")
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(MagBridgeError, match="unsafe entry"):
        bundle.import_bundle(tmp_path / "evil.zip", tmp_path / "out")


def unpacked(packed, folder):
    zipfile.ZipFile(packed).extractall(folder)
    return folder / NAME


def test_a_flipped_byte_is_found(packed, tmp_path):
    root = unpacked(packed, tmp_path)
    shard = root / "data" / "shard_0003.parquet"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(MagBridgeError, match="shard_0003.parquet differs from its checksum"):
        bundle.import_bundle(root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_shard_is_named(packed, tmp_path):
    root = unpacked(packed, tmp_path)
    (root / "data" / "shard_0002.parquet").unlink()
    with pytest.raises(MagBridgeError, match="shard_0002.parquet is missing"):
        bundle.import_bundle(root, tmp_path / "out")
    release.write_checksums(root)
    with pytest.raises(MagBridgeError, match="shard_0002.parquet is missing from data/; expected 5 shards"):
        bundle.import_bundle(root, tmp_path / "out")


def test_a_shard_nobody_vouches_for_is_named(packed, tmp_path):
    root = unpacked(packed, tmp_path)
    shutil.copy(root / "data" / "shard_0000.parquet", root / "data" / "shard_0005.parquet")
    with pytest.raises(MagBridgeError, match="shard_0005.parquet is not listed"):
        bundle.import_bundle(root, tmp_path / "out")


def test_a_missing_column_is_named(packed, tmp_path):
    root = unpacked(packed, tmp_path)
    shard = root / "data" / "shard_0001.parquet"
    pq.write_table(pq.read_table(shard).drop_columns(["soh"]), shard)
    release.write_checksums(root)
    with pytest.raises(MagBridgeError, match="no column 'soh'"):
        bundle.import_bundle(root, tmp_path / "out")


def test_not_a_bundle(tmp_path):
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(MagBridgeError, match="not a readable zip file"):
        bundle.import_bundle(tmp_path / "text.zip", tmp_path / "out")
    with pytest.raises(MagBridgeError, match="no such bundle"):
        bundle.import_bundle(tmp_path / "nothing.zip", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MagBridgeError, match="no data/ folder"):
        bundle.import_bundle(tmp_path / "empty", tmp_path / "out")


def test_a_damaged_release_is_not_bundled(tiny_release, tmp_path):
    broken = tmp_path / "magbridge-battery"
    shutil.copytree(tiny_release, broken)
    (broken / "metadata.parquet").unlink()
    with pytest.raises(MagBridgeError, match="metadata.parquet is missing"):
        bundle.write_bundle(broken, tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()
