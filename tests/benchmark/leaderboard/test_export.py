"""Results in the Hub's own form."""

import pytest
import yaml

from benchmark.leaderboard.export import headline_results, to_eval_results
from benchmark.results import SHIPPED, read_results
from dataset_card.contract.configs import BY_NAME as CONFIGS
from dataset_card.contract.schema import MASTER_SEED
from dataset_card.errors import MagBridgeError
from tests.benchmark.leaderboard.test_boards import FOLDS, LEAKING, STRONG, WEAK


def test_eval_results_read_back():
    from huggingface_hub import parse_eval_result_entries

    (entry,) = parse_eval_result_entries(yaml.safe_load(to_eval_results([STRONG], "user/magbridge-battery")))
    assert (entry.dataset_id, entry.task_id, entry.value) == ("user/magbridge-battery", "t2_second_life", 0.9)


@pytest.mark.parametrize(
    "results, message",
    [
        ([], "results of no model"),
        ([STRONG, WEAK], "results of strong, weak: expected results of exactly one model"),
        ([LEAKING], "is not a headline result"),
        ([FOLDS], "is not a headline result"),
    ],
)
def test_only_one_models_headline_results_are_exported(results, message):
    with pytest.raises(MagBridgeError, match=message):
        to_eval_results(results, "u/d")


def test_every_entry_resolves_to_a_task_of_eval_yaml(tiny_release):
    evaluation = yaml.safe_load((tiny_release / "eval.yaml").read_text())
    assert {"name", "description", "evaluation_framework", "tasks"} == evaluation.keys()
    tasks = {task["id"]: task for task in evaluation["tasks"]}
    board = read_results(SHIPPED)
    shipped = headline_results([r for r in board if r.model == "random-forest"])
    entries = yaml.safe_load(to_eval_results(shipped, "user/magbridge-battery"))
    assert [entry["dataset"]["task_id"] for entry in entries] == list(tasks)
    for task in tasks.values():
        assert CONFIGS[task["config"]].task and task["split"] in CONFIGS[task["config"]].patterns()
    for model in {r.model for r in board}:
        every = headline_results([r for r in board if r.model == model])
        if every:
            assert {e["dataset"]["task_id"] for e in yaml.safe_load(to_eval_results(every, "u/d"))} <= tasks.keys()
    assert [(r.protocol, r.dataset.seed) for r in shipped] == [("rows", MASTER_SEED)] * 4
