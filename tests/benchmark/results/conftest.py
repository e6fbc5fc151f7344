import pytest

from benchmark import evaluate_model
from benchmark.baselines import get_model


@pytest.fixture(scope="module")
def ridge(release):
    return evaluate_model("t1", get_model("ridge"), release)
