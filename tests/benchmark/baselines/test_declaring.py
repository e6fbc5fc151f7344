"""What is said of baselines and yardsticks: a description each, and none of what there is not."""

from benchmark.baselines import models, tabicl
from benchmark.baselines.declaring import ALL, DESCRIPTIONS
from benchmark.running.yardsticks import NULLS


def test_every_description_is_of_a_baseline():
    said = NULLS | {model.name: model.description for model in (*models(), tabicl.MODEL)}
    assert {name: said[name] for name in DESCRIPTIONS} == DESCRIPTIONS
    assert all(text.endswith(".") and "  " not in text for text in said.values())
    assert ALL == ("t1", "t2", "t3", "t4")
