"""Downloads, over a real HTTP server on the loopback interface."""

import contextlib
import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bridge.upstream import files
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
    with pytest.raises(MagBridgeError, match="does not have the pinned SHA-256"):
        files.fetch(FILE, server.url + "wrong")
    assert [p for p in cache.rglob("*") if p.is_file()] == []


def test_a_truncated_body_is_resumed(server, cache):
    with pytest.raises(MagBridgeError, match="could not be downloaded.*the next attempt resumes"):
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
    with pytest.raises(MagBridgeError, match="/gone returned 404"):
        files.fetch(FILE, server.url + "gone")


def test_a_silent_server_times_out(server):
    with pytest.raises(MagBridgeError, match="timed out"):
        files.fetch(FILE, server.url + "slow", timeout_s=0.3)


def test_an_unreachable_host(server):
    server.shutdown()
    server.server_close()
    with pytest.raises(MagBridgeError, match="refused"):
        files.fetch(FILE, server.url + "good")
