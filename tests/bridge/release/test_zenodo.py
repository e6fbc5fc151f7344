"""The published bundle over HTTP on the loopback: resumed, checked, and compared with the plan."""

import io
import resource
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pytest

import magbridge_battery
from bridge.release import folder as release
from bridge.release import zenodo
from bridge.release.bundle import write_bundle
from dataset_card.errors import MagBridgeError


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.ranges.append(self.headers.get("Range"))
        start = int(self.headers["Range"][6:-1]) if self.headers.get("Range") else 0
        body = self.server.body[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if len(self.server.ranges) <= self.server.drops else body)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def body(tiny_release, tmp_path_factory):
    return write_bundle(tiny_release, tmp_path_factory.mktemp("bundle") / "b.zip").read_bytes()


@pytest.fixture
def server(body, tmp_path, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.body, server.ranges, server.drops = body, [], 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("MAGBRIDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MAGBRIDGE_UPSTREAM", raising=False)
    monkeypatch.setattr(zenodo, "BUNDLE_URL", f"http://127.0.0.1:{server.server_port}/bundle.zip")
    yield server
    server.shutdown()
    server.server_close()


def test_the_original_is_downloaded_once_resumed_and_loads(server, tiny_release, capsys):
    server.drops = 1
    with pytest.raises(MagBridgeError, match="the part received is kept and the next attempt resumes"):
        magbridge_battery.load("metadata", source="zenodo")
    rows = magbridge_battery.load("metadata", source="zenodo", split="train")
    assert server.ranges[1].startswith("bytes=") and len(server.ranges) == 2
    assert rows["sample_id"][:] == release.read_table(tiny_release)["sample_id"].to_pylist()
    assert "not compared with the plan" in capsys.readouterr().err
    builder = magbridge_battery.MagBridgeBattery("t4_anomaly_subtype", source="zenodo")
    assert builder.config.name == "t4_anomaly_subtype" and len(server.ranges) == 2


def test_a_damaged_bundle_is_refused_and_downloaded_again_next_time(server, body, tmp_path):
    cut = bytearray(body)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        entry = next(e for e in archive.infolist() if e.filename.endswith("CITING.md"))
    at = body.index(b"# How to cite", entry.header_offset)
    cut[at : at + 5] = b"#Hush"
    server.body = bytes(cut)
    with pytest.raises(MagBridgeError, match="is not usable and was removed"):
        magbridge_battery.load("metadata", source="zenodo")
    assert not any(p.is_file() for p in (tmp_path / "cache").rglob("*"))
    server.body = body
    assert len(magbridge_battery.load("metadata", source="zenodo", split="train")) == 2280


def test_a_disk_that_fills_up_leaves_no_release_and_the_download_goes_on_from_there(server, body, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(body) // 2, hard))  # as near to a full disk as a test may come
    try:
        with pytest.raises(OSError, match="File too large"):
            magbridge_battery.load("metadata", source="zenodo")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    left = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert left == ["bundle.zip.partial"]
    assert len(magbridge_battery.load("metadata", source="zenodo", split="train")) == 2280
    assert server.ranges == [None, f"bytes={len(body) // 2}-"]


@pytest.mark.parametrize("arguments", [{"source": "web"}, {"source": "zenodo", "release": "magbridge-battery"}])
def test_a_source_is_zenodo_alone(arguments):
    with pytest.raises(MagBridgeError, match="expected only the source 'zenodo'"):
        magbridge_battery.load(**arguments)


def test_a_release_like_the_plan_has_no_differences_and_others_are_told(
    upstream_dir, published_release, tiny_release, tmp_path
):
    assert zenodo.compare_with_plan(published_release) == []
    differences = zenodo.compare_with_plan(tiny_release)
    assert differences[0].startswith("2280 of 2280 ids are not in the plan, such as lfp_")
    assert differences[1].startswith("6760 of the plan's 6760 ids are missing, such as lfp_")
    table = release.read_table(published_release)
    soc = pa.array([51.0, *table["soc"].to_pylist()[1:]])
    changed = table.set_column(table.schema.get_field_index("soc"), table.schema.field("soc"), soc)
    changed = changed.take([1, 0, *range(2, len(table))])
    release.write(tmp_path / "changed", changed, {"upstream": {"name": "published", "sources": {}}, "rebuild": "none"})
    differences = zenodo.compare_with_plan(tmp_path / "changed")
    first = table["sample_id"][0].as_py()
    assert differences == [
        "the ids match the plan, but in another order",
        f"soc differs in 1 rows, such as 51.0, but 5.0 in the plan ({first})",
    ]
