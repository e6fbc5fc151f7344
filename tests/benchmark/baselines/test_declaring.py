"""What is said of baselines: a description each, and none of a model that there is not."""

from benchmark.baselines import models, tabicl
from benchmark.baselines.declaring import ALL, DESCRIPTIONS


def test_every_description_is_of_a_baseline():
    said = {model.name: model.description for model in (*models(), tabicl.MODEL)}
    assert {name: said[name] for name in DESCRIPTIONS} == DESCRIPTIONS
    assert all(text.endswith(".") and "  " not in text for text in said.values())
    assert ALL == ("t1", "t2", "t3", "t4")
