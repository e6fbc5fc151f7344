"""A made-up document of the analysis."""

import pytest

from dataset_card.contract.schema import SYNTHETIC_SUBTYPES


@pytest.fixture
def made_up():
    """Makes a document of two models' figures on one release."""
    return _document


def _document(name: str, digest: str) -> dict:
    models = dict.fromkeys(("t1", "t2", "t3", "t4"), "strong")
    severity = {fault: [[1, 10], [5, 10], [9, 10], [10, 10]] for fault in SYNTHETIC_SUBTYPES}
    bins = [{"name": 0.7 + 0.1 * b, "rows": 5, "rmse": [0.02, 0.01, 0.03], "mean": [0.01, 0.0, 0.02]} for b in range(3)]
    parts = {"score": 0.8, "rows": 7, "rmse": 0.02, "soh_std": 0.05}
    classes = {"near": {"reuse": 0.1}, "recall": {"reuse": 0.9}}
    return {
        "dataset": {"name": name, "digest": digest * 64, "upstream": None, "bridge_version": "v1.3", "seed": 3},
        "readers": models,
        "scores": [
            {"seed": 3, "task": "t1", "model": "strong", "test": [0.5, 0.1, 0.4, 0.6], "folds": None, "ceiling": 1}
        ],
        "severity": {"t3": severity, "t4": severity},
        "false_alarms": [1, 50],
        "soh": {"SOC": bins, "voltage": bins, "SOH": bins, "table": [bins[0] | {"name": "LFP-35Ah"}]},
        "few_shot": {
            task: {"strong": [[2, -3.0, 1.0], [5, 0.5, 0.1]], "weak": [[2, 0.1, 0], [5, 0.2, 0]]} for task in models
        },
        "test_cells": {task: {"test": parts | classes, "others": parts | classes} for task in models},
        "curves": {task: {"strong": [[10, 0.1, 0.1], [100, 0.5, 0.0]]} for task in models},
        "splits": [
            {
                "task": "t2",
                "model": "strong",
                "by_cell": 0.9,
                "by_row": 0.8,
                "cell_deals": [0.7, 0.8],
                "row_deals": [0.8, 0.8],
            }
        ],
        "occlusion": [
            {
                "model": "strong",
                "whole": 0.9,
                "blind": 0.0,
                "windows": [[0.8] * 20] * 6,
                "steps": [0.7] * 20,
                "channels": [0.4] * 6,
                "sensors": [0.2, 0.3],
            }
        ],
    }
