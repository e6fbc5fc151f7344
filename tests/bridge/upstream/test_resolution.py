import shutil

import pytest

from bridge.upstream import files, resolve
from dataset_card.errors import MagBridgeError


@pytest.fixture(autouse=True)
def nothing_at_hand(tmp_path, monkeypatch):
    monkeypatch.setenv("MAGBRIDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MAGBRIDGE_UPSTREAM", raising=False)


def test_auto_takes_the_published_files_and_falls_back_in_the_open(upstream_dir):
    assert resolve("auto", upstream_dir).name == "published"
    assert resolve("auto", fetch=False).name == "simulated"
    with pytest.raises(MagBridgeError, match="not available.*--upstream simulated"):
        resolve("published", fetch=False)
    with pytest.raises(MagBridgeError, match="upstream 'real': expected one of auto"):
        resolve("real")


def test_auto_does_not_hide_damage(upstream_dir, tmp_path):
    for name in ("magbridge", "pulsebat"):
        shutil.copytree(upstream_dir / name, tmp_path / "up" / name)
    path = tmp_path / "up" / files.LATENT_SPACE.path
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(MagBridgeError, match="lda_fit.npz .* has SHA-256"):
        resolve("auto", tmp_path / "up")


def test_without_scans_osf_says_how_to_get_them(upstream_dir):
    with pytest.raises(MagBridgeError, match="raw scans are missing.*CW8ZV"):
        resolve("osf", upstream_dir)
