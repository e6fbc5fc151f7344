"""The loopback Hub serves datasets to the real clients: upload, list, tag, load, stream, ranges, errors, faults."""

import json

import pytest

from tests.hub import LoopbackHub

CLIENT = r"""
import io, json
import datasets, huggingface_hub as hub, pandas
from huggingface_hub import errors
api, out = hub.HfApi(), {}
card = "---\nconfigs:\n- config_name: x\n  data_files:\n  - {split: train, path: data/*.parquet}\n---\n"
api.create_repo("user/ds", repo_type="dataset", private=True)
api.create_repo("user/ds", repo_type="dataset", private=True, exist_ok=True)
table = io.BytesIO()
pandas.DataFrame({"a": range(10)}).to_parquet(table)
files = {"README.md": card.encode(), "data/t.parquet": table.getvalue()}
operations = [hub.CommitOperationAdd(path, data) for path, data in files.items()]
api.create_commit("user/ds", operations, commit_message="first", repo_type="dataset")
api.create_tag("user/ds", tag="v1", repo_type="dataset")
api.upload_file(repo_id="user/ds", repo_type="dataset", path_or_fileobj=b"x", path_in_repo="a/b.txt")
api.delete_file("data/t.parquet", "user/ds", repo_type="dataset")
out["files"] = sorted(api.list_repo_files("user/ds", repo_type="dataset"))
out["tags"] = [tag.name for tag in api.list_repo_refs("user/ds", repo_type="dataset").tags]
out["loaded"] = datasets.load_dataset("user/ds", "x", revision="v1")["train"]["a"][:]
stream = datasets.load_dataset("user/ds", "x", revision="v1", streaming=True)["train"]
out["streamed"] = [row["a"] for row in stream]
with hub.HfFileSystem().open("datasets/user/ds@v1/README.md") as file:
    file.seek(4)
    out["range"] = file.read(7).decode()
def error(call):
    try:
        call()
    except Exception as caught:
        return type(caught).__mro__[0].__name__
out["errors"] = [
    error(lambda: hub.hf_hub_download("user/ds", "none", repo_type="dataset")),
    error(lambda: hub.hf_hub_download("user/ds", "README.md", repo_type="dataset", revision="v9")),
    error(lambda: hub.hf_hub_download("user/none", "README.md", repo_type="dataset")),
    error(lambda: hub.hf_hub_download("user/ds", "a/b.txt", repo_type="dataset", token="wrong")),
    error(lambda: hub.HfApi(token="wrong").upload_file(
        repo_id="user/ds", repo_type="dataset", path_or_fileobj=b"y", path_in_repo="c.txt")),
]
print(json.dumps(out))
"""


@pytest.mark.gate
def test_the_real_clients_are_served(tmp_path):
    with LoopbackHub(token="secret") as hub:
        hub.fail("GET", "/resolve/", times=1)
        hub.fail("PUT", "/lfs/", times=1, status=503)  # the client repeats both
        run = hub.python(tmp_path / "home", "-c", CLIENT, cwd=tmp_path)
        assert run.returncode == 0, run.stderr
        out = json.loads(run.stdout.splitlines()[-1])
        assert sorted(hub.files("dataset", "user/ds")) == out["files"]
        assert "data/t.parquet" in hub.files("dataset", "user/ds", "v1")
        assert not any(fault.times for fault in hub.faults)
    assert out["files"] == [".gitattributes", "README.md", "a/b.txt"]
    assert out["tags"] == ["v1"]
    assert out["loaded"] == out["streamed"] == list(range(10))
    assert out["range"] == "configs"
    assert out["errors"][:2] == ["RemoteEntryNotFoundError", "RevisionNotFoundError"]
    assert out["errors"][2:4] == ["RepositoryNotFoundError", "RepositoryNotFoundError"]
    assert out["errors"][4] in ("HfHubHTTPError", "RepositoryNotFoundError")
