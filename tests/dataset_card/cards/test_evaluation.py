"""`eval.yaml`: each task of a release as the Hub's benchmarks name it."""

import yaml

from dataset_card.cards.evaluation import FRAMEWORK, eval_results, eval_yaml
from dataset_card.contract.configs import BY_NAME
from dataset_card.contract.editions import MEASURED, V1


def test_each_task_is_a_configuration_with_a_test_subset():
    document = yaml.safe_load(eval_yaml("MagBridge-Battery", V1.configs))
    assert (document["name"], document["evaluation_framework"]) == ("MagBridge-Battery", FRAMEWORK)
    assert [BY_NAME[task["config"]].task for task in document["tasks"]] == ["t1", "t2", "t3", "t4"]
    for task in document["tasks"]:
        assert task["id"] == task["config"] and task["split"] in BY_NAME[task["config"]].patterns()


def test_a_release_of_measured_cells_has_the_tasks_that_its_rows_allow():
    document = yaml.safe_load(eval_yaml("Mine", MEASURED.configs))
    assert [task["id"] for task in document["tasks"]] == ["t1_soh_regression", "t2_second_life"]


def test_scores_of_a_model_name_dataset_and_task():
    (entry,) = yaml.safe_load(eval_results("ada/set", [("t1_soh_regression", 0.5, "one seed")]))
    assert entry["dataset"] == {"id": "ada/set", "task_id": "t1_soh_regression"}
    assert (entry["value"], entry["notes"]) == (0.5, "one seed")
