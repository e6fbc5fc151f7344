"""`eval.yaml` of a release, which lists its tasks for the Hub's benchmarks, and `.eval_results` of a model.

Specification: huggingface.co/docs/hub/eval-results.
"""

from collections.abc import Iterable, Sequence

import yaml

from dataset_card.contract.configs import Config

FILE = "eval.yaml"

DESCRIPTIONS = {
    False: "Magnetic diagnostics of Li-ion cells: state of health, second life, anomalies and their kind. "
    "One score per task, higher is better: R2 of T1, balanced accuracy of the others.",
    True: "What a magnetometer adds to the terminals of a Li-ion cell: defects and their place, differences through "
    "the stack, state of health. One score per task: balanced accuracy of T5, median error in mm of T6 (lower is "
    "better), R2 of the others.",
}
"""Descriptions of v1, v2 and measured releases (False), and of v3 (True)."""

FRAMEWORK = "magbridge"
"""Name of the evaluation framework. The Hub's list has none for tables yet, and accepts new ones on request."""


def eval_yaml(title: str, configs: Sequence[Config]) -> str:
    """Render `eval.yaml`; `.eval_results` of a model refers to a task by its id.

    Args:
        title: Title of the release.
        configs: Configurations that have rows.
    """
    document = {
        "name": title,
        "description": DESCRIPTIONS[any(config.task == "t5" for config in configs)],
        "evaluation_framework": FRAMEWORK,
        "tasks": [{"id": config.name, "config": config.name, "split": "test"} for config in configs if config.task],
    }
    return yaml.safe_dump(document, sort_keys=False, width=1000)


def eval_results(dataset_id: str, found: Iterable[tuple[str, float, str]]) -> str:
    """Render `.eval_results` of a model.

    Args:
        dataset_id: Id of the dataset on the Hub.
        found: Configuration of the task, score and a note, for each result.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    entries = [EvalResultEntry(dataset_id, task, value, notes=notes) for task, value, notes in found]
    return yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False)
