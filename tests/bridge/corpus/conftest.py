import pytest

from bridge.corpus import run
from dataset_card.parallel import Engine
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
