"""The page on v3's magnetometers: made-up measurements, text and figures."""

import json

import pytest

from benchmark.analysis.magnetics import DETECTORS
from benchmark.analysis.magnetics_page import page, page_files, write_page
from benchmark.results import SHIPPED, read_results
from dataset_card.contract.physics import DEFECTS, PLACED
from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import read_json

SHARES = [None, [0.01, 0.1], [0.1, 0.3], [0.3, 1.0]]
SCORE = [0.612, 0.5, 0.7]


@pytest.fixture
def measured():
    judged = {
        "model": "m",
        "rows": 1234,
        "rows_of": "out of fold",
        "ece": 0.0123,
        "bins": [[0.6, 0.5, 0.4, 0.7, 600], [0.9, 0.95, 0.9, 1.0, 634]],
        "error": 0.25,
        "aurc": [0.111, 0.1, 0.2],
        "aurc_best": 0.05,
        "curve": [[0.5, 0.1], [1.0, 0.25]],
        "again": [0.15, 0.22],
    }
    dataset = {"digest": "a" * 64, "upstream": None, "bridge_version": "v3.0", "seed": 1}
    occluded = {"whole": 0.6, "sensors": [0.6] * 23 + [0.5], "times": [0.55] * 7, "channels": [0.6, 0.1, 0.59]}
    occluded |= {"alone": [0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.3]}
    sized = [{"share": share, "cells": 9} for share in SHARES]
    return {
        "v1": {"dataset": dataset | {"name": "one"}, "reliability": [judged | {"task": "t2"}]},
        "v3": {
            "dataset": dataset | {"name": "three"},
            "reliability": [judged | {"task": "t5", "ece_given": 0.321}],
            "detection": [
                {"model": model, "defect": defect, "auc": SCORE} | one
                for model in DETECTORS
                for defect in DEFECTS[1:]
                for one in sized
            ],
            "place": [
                {"defect": d, "error": [20.0, 15, 25], "prior": [34.4, 30, 38]} | o for d in PLACED for o in sized
            ],
            "occlusion": [{"task": t, "model": f"m-{t}", "all": [0.01]} | occluded for t in ("t7", "t5")],
        },
    }


@pytest.fixture
def curves():
    settings = [(50, 10, 24), (1, 10, 24), (1000, 10, 24), (50, 5, 24), (50, 20, 24), (50, 10, 6), (50, 10, 2)]
    points = [
        {"task": t, "chemistry": c, "noise_pT": n, "distance_mm": d, "sensors": s, "score": SCORE}
        for n, d, s in settings
        for t in ("t7", "t5")
        for c in ("NMC", "LFP")
    ]
    moved = {"task": "t7", "from": "NMC, 6", "to": "LFP, 6", "within": SCORE, "score": [-0.345, -1, 0]}
    moved |= {"dealt": [-0.05, 0.02], "constant": -0.001}
    return {"cells": 4321, "folds": 3, "deals": 3, "curves": points, "transfers": [moved]}


def test_the_text_has_what_was_measured(measured, curves):
    text = page(measured, curves)
    assert "$" not in text and "4,321 cells" in text and "- v1: one, dataset aaaaaaaaaaaa" in text
    assert "| plating | 0.300 to 1.000 | 9 | 0.612 | 0.500 to 0.700 | 0.612 | 0.500 to 0.700 |" in text
    assert "| tear | all | 9 | 20.0 | 15.0 to 25.0 | 34.4 | 30.0 to 38.0 |" in text
    assert (
        "| v3 | T5 | `m` | 1,234 out of fold | 0.012 (0.321) | 0.250 | 0.111 | 0.100 to 0.200 | 0.050 | 0.150 |" in text
    )
    assert "sensors 23, " in text and "Lost without load, rest or scan: 0.000, 0.500, 0.010;" in text
    assert "| 50 | 10 | 2 | T5 | 0.612 (0.500 to 0.700) |" in text
    assert "| T7 | NMC, 6 | LFP, 6 | 0.612 | -0.345 | -1.000 to 0.000 | -0.050 to 0.020 | -0.001 |" in text


def test_the_filed_page_is_what_its_documents_give():
    folder = SHIPPED / "v3"
    measured, curves = (read_json(folder / name) for name in ("analysis.json", "curves.json"))
    assert (folder / "analysis.md").read_text(encoding="utf-8") == page(measured, curves)
    (own,) = [result for result in read_results(folder) if (result.task, result.model) == ("t7", "ridge-magnetics")]
    assert measured["v3"]["dataset"]["digest"] == own.dataset.digest
    assert measured["v3"]["occlusion"][0]["whole"] == pytest.approx(own.mean(), abs=1e-9)


def test_pages_are_drawn_from_what_lies_in_the_folder(measured, curves, tmp_path):
    with pytest.raises(MagBridgeError, match="no measurements of v3 in"):
        write_page([], tmp_path)
    for name, content in (("analysis.json", measured), ("curves.json", curves)):
        (tmp_path / name).write_text(json.dumps(content))
    assert write_page([], tmp_path).read_text() == page(measured, curves)
    assert all(path.stat().st_size for path in page_files(tmp_path))
    assert json.loads((tmp_path / "analysis.json").read_text()) == measured
