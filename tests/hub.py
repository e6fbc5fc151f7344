"""A Hugging Face Hub on a loopback socket: the REST calls that huggingface_hub makes to publish and to load, in memory.

    with LoopbackHub(token="secret") as hub:
        hub.python(tmp_path, "-m", "bridge", "push")      # clients read the endpoint at import: each is a process
        hub.files("model", "user/name")["config.json"]   # bytes at the head of main
        hub.fail("GET", "/resolve/", times=1)             # the next such connection is dropped (or give a status)

Large-file uploads go through the basic LFS protocol, reads honour Range, and errors carry the Hub's X-Error-Code.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import parse_qs, unquote, urlsplit

ROOT = Path(__file__).parents[1]
LFS_SUFFIXES = (".parquet", ".safetensors", ".zip", ".png", ".npz")
WHEN = "2026-01-01T00:00:00.000Z"
REPO_API = re.compile(r"/api/(models|datasets|spaces)/([^/]+/[^/]+)(?:/(.*))?$")
RESOLVE = re.compile(r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")
LFS_BATCH = re.compile(r"/(?:(?:datasets|spaces)/)?[^/]+/[^/]+\.git/info/lfs/objects/batch$")


@dataclass
class Repo:
    """One repository: commits by id, each the whole tree as bytes by path, and names for some of them."""

    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, tree: dict[str, bytes], message: str) -> str:
        listing = sorted((path, hashlib.sha1(data).hexdigest()) for path, data in tree.items())
        content = json.dumps([self.branches.get(branch), message, listing, len(self.commits)])
        oid = hashlib.sha1(content.encode()).hexdigest()
        self.commits[oid], self.messages[oid], self.branches[branch] = tree, message, oid
        return oid

    def sha(self, revision: str) -> str | None:
        names = self.branches | self.tags | {oid: oid for oid in self.commits}
        return names.get(revision)


@dataclass
class Fault:
    """The next `times` requests with this method and this text in their path fail."""

    method: str
    contains: str
    times: int
    status: int | None


class LoopbackHub:
    """A Hub that lives as long as its `with` block.

    Args:
        token: if set, whatever writes or reads a private repository needs it as bearer token.
    """

    def __init__(self, token: str | None = None):
        self.token = token
        self.repos: dict[tuple[str, str], Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.collections: dict[str, list[str]] = {}
        self.requests: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        self.lock = threading.RLock()

    def __enter__(self) -> LoopbackHub:
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *exception) -> None:
        self._server.shutdown()
        self._server.server_close()

    def env(self, home: Path, token: str | None = "any") -> dict[str, str]:
        """Environment of a client process with a cache of its own; its token is the Hub's unless another is given."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        token = self.token if token == "any" and self.token else token
        switches = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}  # Xet would leave the loopback
        extra = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), **switches}
        return inherited | extra | ({"HF_TOKEN": token} if token else {})

    def python(self, home: Path, *arguments, token: str | None = "any", cwd: Path = ROOT) -> CompletedProcess[str]:
        """Runs Python, with arguments of any kind, as a client in `env`."""
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(
            command, env=self.env(home, token), cwd=cwd, text=True, capture_output=True, timeout=300, check=False
        )

    def files(self, kind: str, repo_id: str, revision: str = "main") -> dict[str, bytes]:
        """Bytes by path at a revision; kind is "model", "dataset" or "space"."""
        repo = self.repos[kind, repo_id]
        return repo.commits[repo.sha(revision)]

    def fail(self, method: str, contains: str, times: int = 1, status: int | None = None) -> None:
        """Make coming requests fail: with a status, or by dropping the connection without an answer."""
        self.faults.append(Fault(method, contains, times, status))


class HubError(Exception):
    """An answer other than success."""

    def __init__(self, status: int, message: str, code: str | None = None):
        super().__init__(message)
        self.status, self.code = status, code


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: LoopbackHub

    def log_message(self, *arguments) -> None:
        """Keep the tests' stderr clean."""

    def handle(self) -> None:
        """A client that gives up in the middle is no news."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        path, query = unquote(url.path), {name: values[-1] for name, values in parse_qs(url.query).items()}
        with self.hub.lock:
            self.hub.requests.append((self.command, path))
            waiting = [f for f in self.hub.faults if f.times and f.method == self.command and f.contains in path]
            fault = waiting[0] if waiting else None
            if fault:
                fault.times -= 1
        if fault and fault.status is None:
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        try:
            if fault:
                raise HubError(fault.status, "told to fail")
            with self.hub.lock:
                self._route(path, query, body)
        except HubError as error:
            code = {"X-Error-Code": error.code} if error.code else {}
            self._json({"error": str(error)}, error.status, code | {"X-Error-Message": str(error)})

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def _reply(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _json(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._reply(status, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _authorised(self) -> bool:
        return self.hub.token is None or self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def _require_token(self) -> None:
        if not self._authorised():
            raise HubError(401, "Invalid username or password.")

    def _repo(self, kind: str, repo_id: str) -> Repo:
        repo = self.hub.repos.get((kind, repo_id))
        if repo is None or (repo.private and not self._authorised()):
            raise HubError(404 if repo is None and self._authorised() else 401, "Repository not found", "RepoNotFound")
        return repo

    def _tree(self, repo: Repo, revision: str) -> tuple[str, dict[str, bytes]]:
        sha = repo.sha(revision)
        if sha is None:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return sha, repo.commits[sha]

    def _route(self, path: str, query: dict[str, str], body: bytes) -> None:
        if path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/repos/delete":
            self._require_token()
            request = json.loads(body)
            repo_id = f"{request.get('organization') or 'user'}/{request['name']}"
            self._repo(request.get("type") or "model", repo_id)
            del self.hub.repos[request.get("type") or "model", repo_id]
            self._json({})
        elif path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif path == "/api/whoami-v2":
            self._require_token()
            self._json({"type": "user", "name": "user", "orgs": [], "auth": {"accessToken": {"role": "write"}}})
        elif path.startswith("/api/collections"):
            self._require_token()
            self._collections(path.removeprefix("/api/collections").strip("/"), json.loads(body))
        elif LFS_BATCH.match(path):
            self._require_token()
            self._lfs_batch(json.loads(body))
        elif path.startswith("/lfs/") and self.command == "PUT":
            if hashlib.sha256(body).hexdigest() != path.removeprefix("/lfs/"):
                raise HubError(400, "the bytes are not those of the object id")
            self.hub.blobs[path.removeprefix("/lfs/")] = body
            self._json({})
        elif found := RESOLVE.match(path):
            kind, repo_id, revision, file = found.groups()
            self._resolve((kind or "models")[:-1], repo_id, revision, file)
        elif found := REPO_API.match(path):
            kind, repo_id, rest = found.groups()
            self._repo_api(kind[:-1], repo_id, (rest or "").split("/", 1), query, body)
        else:
            raise HubError(404, f"no such route: {path}")

    def _create(self, request: dict) -> None:
        self._require_token()
        kind, repo_id = request.get("type") or "model", f"{request.get('organization') or 'user'}/{request['name']}"
        prefix = "" if kind == "model" else f"{kind}s/"
        answer = {"url": f"{self.hub.url}/{prefix}{repo_id}", "name": repo_id, "id": repo_id}
        if (kind, repo_id) in self.hub.repos:
            self._json(answer | {"error": "You already created this repo"}, 409)
            return
        private = request.get("visibility") == "private" or bool(request.get("private"))
        self.hub.repos[kind, repo_id] = repo = Repo(private)
        repo.commit("main", {".gitattributes": b""}, "initial commit")
        self._json(answer)

    def _collections(self, rest: str, request: dict) -> None:
        """A collection by `owner/title`; an item that is there already, or a title, answers 409."""
        slug = rest.removesuffix("/items") or f"{request['namespace']}/{request['title'].lower().replace(' ', '-')}"
        known = self.hub.collections.setdefault(slug, [])
        item = request.get("item")
        again = item["id"] in known if item else bool(known)
        if item and not again:
            known.append(item["id"])
        owner = {"name": "user", "type": "user", "fullname": "", "avatarUrl": ""}
        answer = {"slug": slug, "title": slug, "owner": owner, "items": [], "private": False, "theme": "blue"}
        answer |= {"upvotes": 0, "position": 0, "lastUpdated": WHEN, "description": None}
        self._json(answer, 409 if again else 200)

    def _lfs_batch(self, request: dict) -> None:
        objects = []
        for wanted in request["objects"]:
            upload = {"upload": {"href": f"{self.hub.url}/lfs/{wanted['oid']}", "header": {}}}
            known = wanted["oid"] in self.hub.blobs
            objects.append({"oid": wanted["oid"], "size": wanted["size"], **({} if known else {"actions": upload})})
        self._json({"transfer": "basic", "objects": objects}, headers={"Content-Type": "application/vnd.git-lfs+json"})

    def _resolve(self, kind: str, repo_id: str, revision: str, file: str) -> None:
        sha, tree = self._tree(self._repo(kind, repo_id), revision)
        if file not in tree:
            raise HubError(404, "Entry not found", "EntryNotFound")
        data = tree[file]
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        part = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range") or "")
        if not part:
            self._reply(200, data, headers)
            return
        first, last = part.groups()
        start = int(first) if first else max(len(data) - int(last), 0)
        stop = min(int(last) + 1, len(data)) if first and last else len(data)
        if start >= len(data):
            self._reply(416, b"", headers | {"Content-Range": f"bytes */{len(data)}"})
            return
        self._reply(206, data[start:stop], headers | {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"})

    def _repo_api(self, kind: str, repo_id: str, rest: list[str], query: dict[str, str], body: bytes) -> None:
        repo = self._repo(kind, repo_id)
        action, argument = rest[0], rest[1] if len(rest) > 1 else "main"
        if action in ("preupload", "commit", "tag", "branch"):
            self._require_token()
        if action in ("", "revision"):
            sha, tree = self._tree(repo, argument)
            siblings = [{"rfilename": path, "size": len(data)} for path, data in sorted(tree.items())]
            common = {"id": repo_id, "sha": sha, "private": repo.private, "gated": False, "disabled": False, "tags": []}
            self._json(common | {"siblings": siblings, "lastModified": WHEN, "downloads": 0, "likes": 0})
        elif action == "preupload":
            tree = self._tree(repo, argument)[1]
            modes = [
                {"path": file["path"], "shouldIgnore": False, "oid": _oid(tree, file["path"]),
                 "uploadMode": "lfs" if file["path"].endswith(LFS_SUFFIXES) else "regular"}
                for file in json.loads(body)["files"]
            ]  # fmt: skip
            self._json({"files": modes})
        elif action == "commit":
            self._commit(kind, repo_id, repo, argument, body, query.get("create_pr") == "1")
        elif action == "tree":
            revision, _, folder = argument.partition("/")
            recursive = query.get("recursive", "").lower() in ("true", "1")
            self._json(self._listing(self._tree(repo, revision)[1], folder, recursive))
        elif action == "paths-info":
            form = body.decode()
            paths = json.loads(form)["paths"] if form.startswith("{") else parse_qs(form).get("paths", [])
            tree = self._tree(repo, argument)[1]
            self._json([entry for path in paths for entry in _entries(tree, path)])
        elif action == "refs":
            refs = {"heads": repo.branches, "tags": repo.tags}
            heads, tags = (
                [{"name": name, "ref": f"refs/{place}/{name}", "targetCommit": sha} for name, sha in named.items()]
                for place, named in refs.items()
            )
            self._json({"branches": heads, "tags": tags, "converts": []})
        elif action == "commits":
            newest_first = [{"id": sha, "title": title} for sha, title in reversed(repo.messages.items())]
            self._json([commit | {"message": "", "date": WHEN, "authors": []} for commit in newest_first])
        elif action == "tag" and self.command == "POST":
            name = json.loads(body)["tag"]
            if name in repo.tags:
                raise HubError(409, f"Tag {name} exists already")
            repo.tags[name] = self._tree(repo, argument)[0]
            self._json({})
        elif action == "branch":
            repo.branches[argument] = self._tree(repo, "main")[0]
            self._json({})
        else:
            raise HubError(404, f"no such route: {self.path}")

    def _listing(self, tree: dict[str, bytes], folder: str, recursive: bool) -> list[dict]:
        prefix = f"{folder}/" if folder else ""
        inside = sorted(path for path in tree if path.startswith(prefix))
        if folder and not inside:
            raise HubError(404, f"{folder} does not exist", "EntryNotFound")
        listed = dict.fromkeys(
            "/".join(path.split("/")[:depth])
            for path in inside
            for depth in range(prefix.count("/") + 1, len(path.split("/")) + 1 if recursive else prefix.count("/") + 2)
        )
        return [entry for path in listed for entry in _entries(tree, path)]

    def _commit(self, kind: str, repo_id: str, repo: Repo, branch: str, body: bytes, proposed: bool) -> None:
        operations = [json.loads(line) for line in body.splitlines() if line.strip()]
        header = next(item["value"] for item in operations if item["key"] == "header")
        sha, tree = self._tree(repo, branch)
        if header.get("parentCommit") not in (None, sha):
            raise HubError(412, "A commit has happened since. Please refresh and try again.")
        tree = dict(tree)
        for operation in operations:
            key, value = operation["key"], operation["value"]
            if key == "file":
                tree[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                if value["oid"] not in self.hub.blobs:
                    raise HubError(400, f"the LFS object of {value['path']} was not uploaded")
                tree[value["path"]] = self.hub.blobs[value["oid"]]
            elif key == "deletedFile":
                tree.pop(value["path"], None)
            elif key == "deletedFolder":
                folder = value["path"].rstrip("/") + "/"
                tree = {path: data for path, data in tree.items() if not path.startswith(folder)}
        number = 1 + sum(name.startswith("refs/pr/") for name in repo.branches)
        oid = repo.commit(f"refs/pr/{number}" if proposed else branch, tree, header["summary"])
        address = f"{self.hub.url}/{'' if kind == 'model' else f'{kind}s/'}{repo_id}"
        request = {"pullRequestUrl": f"{address}/discussions/{number}"} if proposed else {}
        self._json({"commitOid": oid, "commitUrl": f"{address}/commit/{oid}", **request})


def _oid(tree: dict[str, bytes], path: str) -> str | None:
    """Id of a file's present content, by which a client tells that it need not send it again."""
    data = tree.get(path)
    if data is None:
        return None
    if path.endswith(LFS_SUFFIXES):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _entries(tree: dict[str, bytes], path: str) -> list[dict]:
    """The Hub's description of a file or folder of a tree, nothing if there is neither."""
    if path in tree:
        data = tree[path]
        entry = {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
        if path.endswith(LFS_SUFFIXES):
            entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
        return [entry]
    if any(name.startswith(f"{path}/") for name in tree):
        return [{"type": "directory", "path": path, "size": 0, "oid": hashlib.sha1(path.encode()).hexdigest()}]
    return []
