import uuid

import pytest
from joblib.externals.loky import get_reusable_executor

from bridge.corpus import run
from dataset_card.running.parallel import Engine
from tests import corpora


@pytest.fixture(scope="session")
def lfp_cells():
    """The simulated upstream's LFP cells."""
    return corpora.upstream()


@pytest.fixture(scope="session")
def corpus(lfp_cells, tmp_path_factory):
    """A finished corpus of five seeds in three shards, made in this process; tests leave it as it is."""
    out = tmp_path_factory.mktemp("corpus") / "corpus"
    run.build(corpora.plan(out, inputs=lfp_cells), Engine(jobs=1))
    return out


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    """URL of a new bucket in an S3 server on the loopback interface, which other processes can reach too."""
    reason = "moto and s3fs are not installed: no loopback S3 server"
    server = pytest.importorskip("moto.server", reason=reason)
    s3fs = pytest.importorskip("s3fs", reason=reason)
    made = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    made.start()
    host, port = made.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    get_reusable_executor().shutdown()  # processes that wait have another environment
    s3fs.S3FileSystem.clear_instance_cache()
    name = f"bucket-{uuid.uuid4()}"  # moto's buckets outlive its server
    s3fs.S3FileSystem().mkdir(name)
    yield f"s3://{name}/here"
    s3fs.S3FileSystem.clear_instance_cache()
    made.stop()
