"""The page's server: it accepts only its own origin and known hosts, deletes uploads, and times out requests."""

import asyncio
import contextlib
import ipaddress
import json
import os
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dataset_card.errors import MagBridgeError

HEAD_S, BODY_S = 10, 120
"""Longest time in s that the head of a request, and its body, may take to arrive."""

LAST_S = 3
"""Time in s that unfinished answers have when the server stops."""

MAX_JOIN_BYTES = 2**20
"""Size limit of a request for a place in the queue, which contains a file name and a few texts."""

PORTS = range(7860, 7960)

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


class Uploads:
    """Counts of the uploads that are still needed; submissions of the same bytes share one file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrived: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._ever: set[str] = set()

    def arrive(self, path: str) -> None:
        """Count an upload."""
        with self._lock:
            self._arrived[path] += 1
            self._ever.add(path)

    def knows(self, path: str) -> bool:
        """Return whether an upload was ever at this path; it may have been answered and deleted since."""
        return path in self._ever

    def join(self, path: str) -> None:
        """Count a place in the queue; a double click takes two places for one upload."""
        with self._lock:
            self._waiting[path] += 1
            self._arrived[path] = max(0, self._arrived[path] - 1)

    def leave(self, path: str) -> None:
        """Delete an upload after its answer, unless another submission needs it."""
        with self._lock:
            self._waiting[path] = max(0, self._waiting[path] - 1)
            if self._waiting[path] or self._arrived[path]:
                return
            del self._waiting[path], self._arrived[path]
            with contextlib.suppress(OSError):
                os.unlink(path)
                os.rmdir(Path(path).parent)  # each upload has its own folder


class Guard:
    """An ASGI application behind checks of host and origin, which counts uploads and never serves them.

    Args:
        app: Application to guard.
        uploads: Counter of uploads.
    """

    def __init__(self, app: Callable, uploads: Uploads):
        self.app, self.uploads = app, uploads

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        refusal = refusal_of({name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]})
        path = scope["path"]
        if scope["type"] != "http" or any(part in path for part in ("/file=", "/file/", "/proxy=", "/stream/")):
            refusal = 404, "there is no such page"
        if refusal is not None:
            await _answer(send, *refusal)
        elif path.endswith("/queue/join"):
            await self._join(scope, receive, send)
        elif path.endswith("/upload"):
            await self._upload(scope, receive, send)
        elif scope["method"] == "POST":  # other ways to call the form's function, with uncounted files
            await _answer(send, 404, "there is no such page")
        else:
            await self.app(scope, receive, send)

    async def _join(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
            if len(body) > MAX_JOIN_BYTES:
                await _answer(send, 413, "the form is too large: shorten its texts")
                return
        paths: list[str] = []

        def note(found: dict) -> None:
            if isinstance(found.get("path"), str):
                paths.append(found["path"])

        with contextlib.suppress(ValueError, RecursionError):  # gradio answers these
            json.loads(body, object_hook=note)
        if not all(self.uploads.knows(path) for path in paths):  # a mounted gradio reads any file of the server
            await _answer(send, 403, "this page reads only files that were uploaded to it")
            return
        for path in paths:
            self.uploads.join(path)
        messages = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def replayed() -> _Message:
            return next(messages, None) or await receive()

        await self.app(scope, replayed, send)

    async def _upload(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        body = b""

        async def watched(message: _Message) -> None:
            nonlocal body
            if message["type"] == "http.response.body":
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    with contextlib.suppress(ValueError):
                        for path in json.loads(body):  # before the answer is sent, which allows the next request
                            self.uploads.arrive(path)
            await send(message)

        await self.app(scope, receive, watched)


def refusal_of(headers: dict[str, str]) -> tuple[int, str] | None:
    """Return status and message for a request from another page or a rebound name; None if it may pass."""
    host, origin = headers.get("host", ""), headers.get("origin")
    try:
        name, source = urlsplit(f"//{host}").hostname or "", urlsplit(origin or "").netloc
    except ValueError:  # half a bracket
        return 400, "not a valid address"
    known = {"localhost", os.environ.get("SPACE_HOST", "localhost").lower()}
    with contextlib.suppress(ValueError):
        known.add(str(ipaddress.ip_address(name)))  # a name can be rebound, an address cannot
    if name not in known:
        return 421, f"this page is not served as {name[:100]!r}: open the address that it printed"
    if origin is not None and source != host:
        return 403, "this page accepts only its own requests"
    return None


async def _answer(send: _Send, status: int, words: str) -> None:
    body = f"{words}\n".encode()
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": "http.response.start", "status": status, "headers": [kind, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})


def _protocol() -> type[asyncio.Protocol]:
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Timed(H11Protocol):
        """Protocol that closes a connection if its request does not arrive in time."""

        _end: asyncio.TimerHandle | None = None
        _of: type | None = None

        def connection_made(self, transport) -> None:
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self._end is not None:
                self._end.cancel()

        def _watch(self) -> None:
            state = self.conn.their_state
            if self._end is not None and state is self._of:
                return  # single bytes do not extend the time
            if self._end is not None:
                self._end.cancel()
            self._of, self._end = state, None
            if state in (h11.IDLE, h11.SEND_BODY):
                self._end = self.loop.call_later(HEAD_S if state is h11.IDLE else BODY_S, self._close)

        def _close(self) -> None:
            if self.conn.their_state is self._of and not self.transport.is_closing():
                self.transport.abort()

    return Timed


def free_port(host: str) -> int:
    """Find the first free port in `PORTS`.

    Raises:
        MagBridgeError: If all are taken.
    """
    for port in PORTS:
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
            return port
    raise MagBridgeError(f"no port from {PORTS[0]} to {PORTS[-1]} is free: choose another with --port")


def run(app: Callable, host: str, port: int) -> None:
    """Serve an ASGI application until interrupted."""
    import uvicorn

    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        http=_protocol(),
        ws="none",
        timeout_keep_alive=HEAD_S,
        timeout_graceful_shutdown=LAST_S,
    )
    print(f"serving on http://{host}:{port}", flush=True)
    uvicorn.Server(config).run()
