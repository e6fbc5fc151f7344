"""Inputs of v2: names, versions and sources by choice, and what is missing."""

import hashlib

import numpy as np
import pytest

from bridge.upstream import files
from bridge.upstream.files import sha256_of
from bridge.upstream.simulated import scan_archive
from bridge.upstream.simulated_parameters import load_parameters
from bridge.v2 import resolve
from bridge.v2.inputs import PUBLISHED
from dataset_card.errors import MagBridgeError


def test_simulated(upstream_v2):
    assert (upstream_v2.name, upstream_v2.bridge_version) == ("simulated", "v2.1-simulated")
    assert np.array_equal(upstream_v2.scans, scan_archive(load_parameters()))
    digests = set(upstream_v2.sources.values())
    assert len(digests) == 4 and hashlib.sha256(upstream_v2.pulses.u.tobytes()).hexdigest() in digests


def test_published_is_a_hybrid(upstream_dir):
    upstream = resolve("auto", upstream_dir, fetch=False)
    assert (upstream.name, upstream.bridge_version) == ("hybrid", "v2.1-hybrid")
    for file in PUBLISHED:
        assert upstream.sources[file.path] == file.sha256 == sha256_of(upstream_dir / file.path)


def test_a_users_scans(upstream_dir, published, tmp_path):
    for file in PUBLISHED:
        (tmp_path / file.path).parent.mkdir(exist_ok=True)
        (tmp_path / file.path).write_bytes((upstream_dir / file.path).read_bytes())
    with pytest.raises(MagBridgeError, match="raw scans are missing"):
        resolve("osf", tmp_path, fetch=False)
    np.savez(tmp_path / files.OSF_SCANS, X_seq=published.scans)
    upstream = resolve("osf", tmp_path, fetch=False)
    assert (upstream.name, upstream.bridge_version) == ("osf", "v2.1-osf")
    assert np.array_equal(upstream.scans, published.scans) and files.OSF_SCANS in upstream.sources


def test_nothing_at_hand(tmp_path, monkeypatch):
    monkeypatch.setenv("MAGBRIDGE_CACHE", str(tmp_path))
    with pytest.raises(MagBridgeError, match="pulsebat/NMC_21Ah_W_5000.xlsx missing"):
        resolve("published", tmp_path, fetch=False)
    assert resolve("auto", tmp_path, fetch=False).name == "simulated"
    with pytest.raises(MagBridgeError, match="upstream 'real': expected one of"):
        resolve("real")
