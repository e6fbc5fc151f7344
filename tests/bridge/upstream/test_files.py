"""Downloads, over a real HTTP server on the loopback interface."""

import contextlib
import dataclasses
import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bridge.upstream import files, locate, resolve
from bridge.upstream.status import status
from dataset_card.errors import MagBridgeError

BODY = bytes(range(256)) * 2000
FILE = files.UpstreamFile("magbridge/thing.npz", "unset", hashlib.sha256(BODY).hexdigest(), "a thing", "CC0")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.ranges.append(self.headers.get("Range"))
        kind = self.path.strip("/")
        if kind == "slow":
            time.sleep(1.5)
        if kind == "gone":
            self.send_error(404)
            return
        start = int(self.headers["Range"][6:-1]) if self.headers.get("Range") else 0
        body = (BODY if kind != "wrong" else b"x" * len(BODY))[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if kind == "flaky" and len(self.server.ranges) == 1:
            body = body[: len(body) // 2]  # the connection closes in mid-file, once
        if kind == "truncated":
            body = body[:1000]
        with contextlib.suppress(OSError):  # the client gave up
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.ranges = []
    server.url = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MAGBRIDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MAGBRIDGE_UPSTREAM", raising=False)
    return tmp_path / "cache" / "upstream"


def test_a_download_lands_in_the_cache_and_is_found_there(server, cache):
    path = files.fetch(FILE, server.url + "good")
    assert path == cache / FILE.path and path.read_bytes() == BODY
    assert files.find(FILE) == path
    assert files.fetch(FILE, server.url + "good") == path and len(server.ranges) == 1


def test_a_wrong_body_is_refused_and_not_kept(server, cache):
    with pytest.raises(MagBridgeError, match="does not have the SHA-256"):
        files.fetch(FILE, server.url + "wrong")
    assert [p for p in cache.rglob("*") if p.is_file()] == []


def test_a_truncated_body_is_resumed(server, cache):
    with pytest.raises(MagBridgeError, match="could not be downloaded.*the next try resumes"):
        files.fetch(FILE, server.url + "flaky")
    assert not (cache / FILE.path).exists()
    assert files.fetch(FILE, server.url + "flaky").read_bytes() == BODY
    first, second = server.ranges
    assert first is None and 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= len(BODY) // 2


def test_a_server_that_always_truncates_never_yields_a_file(server, cache):
    for _ in range(2):
        with pytest.raises(MagBridgeError, match="could not be downloaded"):
            files.fetch(FILE, server.url + "truncated")
    assert not (cache / FILE.path).exists()


def test_a_missing_file_names_the_status(server):
    with pytest.raises(MagBridgeError, match="/gone answered 404"):
        files.fetch(FILE, server.url + "gone")


def test_a_silent_server_times_out(server):
    with pytest.raises(MagBridgeError, match="timed out"):
        files.fetch(FILE, server.url + "slow", timeout_s=0.3)


def test_an_unreachable_host(server):
    server.shutdown()
    server.server_close()
    with pytest.raises(MagBridgeError, match="refused"):
        files.fetch(FILE, server.url + "good")


def test_folders_are_searched_in_order(tmp_path, monkeypatch, cache):
    for folder in (tmp_path / "named", tmp_path / "env", cache):
        (folder / "magbridge").mkdir(parents=True)
        (folder / FILE.path).write_bytes(BODY)
    assert files.find(FILE) == cache / FILE.path
    monkeypatch.setenv("MAGBRIDGE_UPSTREAM", str(tmp_path / "env"))
    assert files.find(FILE) == tmp_path / "env" / FILE.path
    assert files.find(FILE, tmp_path / "named") == tmp_path / "named" / FILE.path
    (tmp_path / "env" / FILE.path).unlink()
    assert files.find(FILE) == cache / FILE.path


def test_a_damaged_local_file_is_named(tmp_path):
    (tmp_path / "magbridge").mkdir()
    (tmp_path / FILE.path).write_bytes(BODY[:-1])
    with pytest.raises(MagBridgeError, match="thing.npz .* has SHA-256"):
        files.find(FILE, tmp_path)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(MagBridgeError, match="--upstream-dir is .*nowhere: expected an existing folder"):
        files.find(FILE, tmp_path / "nowhere")


def test_missing_files_are_all_named_with_the_way_out(server, monkeypatch):
    wanted = (FILE, dataclasses.replace(FILE, path="pulsebat/other.xlsx"))
    monkeypatch.setattr(files, "PUBLISHED", wanted)
    with pytest.raises(FileNotFoundError, match="thing.npz, pulsebat/other.xlsx missing.*--upstream-dir"):
        locate(fetch=False, wanted=wanted)
    assert [entry["state"] for entry in status()] == ["missing"] * 3


def test_auto_takes_the_published_files_and_falls_back_in_the_open(upstream_dir):
    assert resolve("auto", upstream_dir).name == "published"
    assert resolve("auto", fetch=False).name == "simulated"
    with pytest.raises(MagBridgeError, match="not at hand.*--upstream simulated"):
        resolve("published", fetch=False)
    with pytest.raises(MagBridgeError, match="upstream 'real': expected one of auto"):
        resolve("real")


def test_auto_does_not_hide_damage(upstream_dir, tmp_path):
    import shutil

    for name in ("magbridge", "pulsebat"):
        shutil.copytree(upstream_dir / name, tmp_path / "up" / name)
    path = tmp_path / "up" / files.LATENT_SPACE.path
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(MagBridgeError, match="lda_fit.npz .* has SHA-256"):
        resolve("auto", tmp_path / "up")
