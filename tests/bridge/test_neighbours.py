"""Commands that run beside each other, on one folder and one cache: each ends well and what stands is whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.audit.promises import audit_release
from bridge.release.bundle import write_bundle
from dataset_card.storage.reading import checked_digest, read_manifest

ROOT = Path(__file__).parents[2]
READER = "import sys; from dataset_card.storage.reading import checked_digest as read; print(read(sys.argv[1]))"


@pytest.mark.slow
def test_two_writers_of_one_folder_and_two_readers_with_one_cache(tiny_release, tmp_path):
    bundle = write_bundle(tiny_release, tmp_path / "bundle.zip")
    out, digest = tmp_path / "out", read_manifest(tiny_release)["dataset_digest"]
    environment = os.environ | {"MAGBRIDGE_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    writer = [sys.executable, "-m", "bridge", "import", str(bundle), "--out", str(out)]
    assert subprocess.run(writer, env=environment, cwd=ROOT, capture_output=True).returncode == 0
    writer.append("--replace")
    commands = [writer, writer, *([sys.executable, "-c", READER, str(folder)] for folder in (out, tiny_release))] * 2
    processes = [
        subprocess.Popen(command, env=environment, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for command in commands
    ]
    for process in processes:
        said, error = process.communicate()
        assert process.returncode == 0, error
        assert digest[:12] in said
    assert audit_release(out) == [] and checked_digest(out) == digest
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
