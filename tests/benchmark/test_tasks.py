"""The declared tasks and metrics."""

import pytest

from benchmark.tasks import BY_ID, TASKS, V3_TASKS, check_split, get_task, leaks, tasks_of
from dataset_card.contract.configs import BY_NAME as CONFIGS
from dataset_card.contract.editions import V3
from dataset_card.contract.schema import BY_NAME as FIELDS
from dataset_card.errors import MagBridgeError


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_declaration_follows_the_contract(task):
    field = FIELDS[task.target]
    assert task.target in CONFIGS[task.config].columns and CONFIGS[task.config].task == task.id
    assert CONFIGS[task.config].provenances == task.rows
    assert (field.dtype == "float64") == task.is_regression
    assert set(task.labels) <= set(field.values or ())
    assert task.headline.higher_is_better and not task.headline.needs_scores


def test_unknown_names_suggest_known_ones():
    with pytest.raises(MagBridgeError, match="unknown task 't10': expected one of t1, t2, t3, t4"):
        get_task("t10")
    with pytest.raises(MagBridgeError, match="did you mean by_cell_primary"):
        check_split("by_cell")
    assert leaks("by_record_optimistic_baseline") and not leaks("by_cell_primary")


def test_tasks_answer_to_their_id_and_configuration():
    for task in BY_ID.values():
        assert get_task(task.id) is get_task(task.id.upper()) is get_task(task.config) is get_task(task) is task


@pytest.mark.parametrize("task", V3_TASKS, ids=lambda task: task.id)
def test_tasks_of_v3_follow_its_contract(task):
    config, fields = V3.config(task.config), {field.name: field for field in V3.fields}
    assert config.task == task.id and config.provenances == task.rows and set(task.targets) <= set(config.columns)
    assert all((fields[target].dtype == "float64") == task.is_regression for target in task.targets)
    assert task.labels in ((), fields[task.target].values)
    assert tasks_of("v3") == V3_TASKS and tasks_of("v1") == tasks_of("v2") == TASKS
