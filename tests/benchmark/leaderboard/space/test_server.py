"""The page's server on the loopback interface: foreign pages, rebound names, half requests, shared uploads."""

import contextlib
import json
import socket
import threading
import time
from pathlib import Path

import pytest
import requests

from benchmark.leaderboard.space import server
from benchmark.leaderboard.space.server import Guard, Uploads, refusal_of

HEADERS = [(b"content-type", b"application/json")]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "127.0.0.1:7860"}, None),
        ({"host": "localhost:7860", "origin": "http://localhost:7860"}, None),
        ({"host": "[::1]:7860"}, None),
        ({"host": "user-board.hf.space", "origin": "https://user-board.hf.space"}, None),
        ({"host": "127.0.0.1:7860", "origin": "https://evil.example"}, 403),
        ({"host": "127.0.0.1:7860", "origin": "null"}, 403),
        ({"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:8000"}, 403),
        ({"host": "evil.example:7860", "origin": "http://evil.example:7860"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({}, 421),
        ({"host": "[::1"}, 400),
        ({"host": "127.0.0.1:7860", "origin": "http://[::1"}, 400),
    ],
)
def test_other_pages_and_rebound_names_are_refused(headers, status, monkeypatch):
    monkeypatch.setenv("SPACE_HOST", "user-board.hf.space")
    found = refusal_of(headers)
    assert (found and found[0]) == status


@pytest.fixture
def address(tmp_path, monkeypatch):
    """A page that keeps what it is sent as one file, answers with its path, and echoes places in the queue."""
    uvicorn = pytest.importorskip("uvicorn")
    monkeypatch.setattr(server, "HEAD_S", 0.5)
    monkeypatch.setattr(server, "BODY_S", 0.5)
    uploads = Uploads()

    async def page(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if scope["path"] == "/upload":
            path = tmp_path / "same" / "file.csv"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(body)
            body = json.dumps([str(path)]).encode()
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": body})

    config = uvicorn.Config(
        Guard(page, uploads), port=0, log_level="critical", http=server._protocol(), ws="none", lifespan="off"
    )
    running = uvicorn.Server(config)
    threading.Thread(target=running.run, daemon=True).start()
    while not running.started:
        time.sleep(0.01)
    port = running.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", port, uploads
    running.should_exit = True


def test_an_upload_stays_until_all_who_sent_it_are_answered(address):
    url, _, uploads = address
    (path,) = {requests.post(f"{url}/upload", data=b"x", timeout=9).json()[0] for _ in range(3)}
    join = {"data": [{"path": path}, "t1", None]}
    for _ in range(2):
        assert requests.post(f"{url}/queue/join", json=join, timeout=9).json() == join
    uploads.leave(path)
    uploads.leave(path)
    assert Path(path).read_bytes() == b"x", "the third has not asked yet"
    requests.post(f"{url}/queue/join", json=join, timeout=9)
    requests.post(f"{url}/queue/join", json=join, timeout=9)  # a double click
    uploads.leave(path)
    assert Path(path).read_bytes() == b"x"
    uploads.leave(path)
    with pytest.raises(FileNotFoundError):
        Path(path).read_bytes()


@pytest.mark.parametrize("wrap", [lambda p: {"data": [p]}, lambda p: {"x": {"y": [{"z": p}]}}])
def test_files_of_the_server_are_never_read(address, wrap):
    url, _, uploads = address
    body = wrap({"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}})
    found = requests.post(f"{url}/queue/join", json=body, timeout=9)
    assert (found.status_code, found.text) == (403, "this page reads only files that were uploaded to it\n")
    for other in ("run/predict", "api/predict", "call/submit", "upload/x", "component_server"):
        assert requests.post(f"{url}/gradio_api/{other}", json=body, timeout=9).status_code == 404
    uploads.arrive("/etc/hostname")
    assert requests.post(f"{url}/queue/join", json=body, timeout=9).json() == body


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]", b'{"data": 3}', b'{"data": [{"path": 3}]}', b"[" * 100_000])
def test_odd_places_in_the_queue_are_passed_on(address, body):
    assert requests.post(f"{address[0]}/queue/join", data=body, timeout=9).content == body


def test_what_was_uploaded_is_not_served_and_a_form_is_bounded(address):
    url, _, _ = address
    assert requests.get(f"{url}/gradio_api/file=/etc/hostname", timeout=9).status_code == 404
    assert requests.post(f"{url}/queue/join", data=b"x" * (server.MAX_JOIN_BYTES + 1), timeout=9).status_code == 413
    found = requests.post(f"{url}/upload", data=b"x", headers={"Origin": "https://evil.example"}, timeout=9)
    assert (found.status_code, found.text) == (403, "this page accepts only its own requests\n")


@pytest.mark.parametrize(
    "start", [b"", b"GET / HT", b"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nx"]
)
def test_half_a_request_is_not_waited_for(address, start):
    url, port, _ = address
    many = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    began = time.monotonic()
    for one in many:
        one.sendall(start)
    while time.monotonic() < began + 0.4:  # a byte now and then buys no time
        time.sleep(0.1)
        if start:
            many[0].sendall(b"x")
    assert requests.get(url, timeout=9).status_code == 200
    for one in many:
        one.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert one.recv(100) == b""
        one.close()
    assert time.monotonic() - began < 5


def test_a_free_port_is_found():
    with socket.socket() as taken:
        port = server.free_port("127.0.0.1")
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert server.free_port("127.0.0.1") != port
