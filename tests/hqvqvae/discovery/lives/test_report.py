"""A run of the search as a folder: it grows, refuses another's record, and its model and picture are of all cells."""

import json

import numpy as np
import pytest

from dataset_card.errors import MagBridgeError
from hqvqvae.discovery.lives import report
from hqvqvae.discovery.lives.report import draw_lives, final_model, jobs_of, measure, predictions, run
from hqvqvae.discovery.warning_score import WarningScore
from hqvqvae.modeling_hqvqvae import HQVQVAEModel
from tests.hqvqvae.discovery.lives.conftest import QUICK, in_little


@pytest.fixture(scope="module")
def model_of_all(related):
    return final_model(related, QUICK)


def test_the_model_of_all_cells_tells_short_lives(related, model_of_all):
    model, score, codes = model_of_all
    assert len(codes) == len(related.table) and set(codes) <= set(range(model.config.codebook_size))
    of_cells = np.split(codes, related.index.starts[1:-1])
    warned = np.array([score.alarm(sequence) is not None for sequence in of_cells])
    short = related.lives < np.median(related.lives)
    assert warned[short].mean() > 0.6 > 0.4 > warned[~short].mean()


def test_the_picture_has_a_row_for_each_cell_and_a_point_for_each_life(related, model_of_all, tmp_path):
    _, score, codes = model_of_all
    figure = draw_lives(related, codes, score)
    left, right = figure.axes
    (image,) = left.get_images()
    grid = image.get_array()
    assert grid.shape == (36, related.table["cycle"].max() - related.table["cycle"].min() + 1)
    alarms = sum(score.alarm(s) is not None for s in np.split(codes, related.index.starts[1:-1]))
    assert sum(len(line.get_xdata()) for line in left.get_lines()) == alarms > 0
    assert sorted(y for line in right.get_lines() for y in line.get_ydata()) == sorted(related.lives)
    assert "36 cells" in left.get_ylabel() and f"code {score.precursor}" in right.get_xlabel()
    figure.savefig(tmp_path / "codes.png", dpi=40)
    assert (tmp_path / "codes.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_grows_and_measures_nothing_twice(tmp_path, monkeypatch):
    in_little(monkeypatch)
    first = run(tmp_path / "run", methods=("kmeans",), parts=("search",), seeds=1)
    assert [row["method"] for row in first["rows"]][0] == "kmeans" and len(first["rows"]) == 3
    made = []
    monkeypatch.setattr(report, "measure", lambda job, curves=None: made.append(job) or measure(job, curves))
    (tmp_path / "run" / "model" / "README.md").write_text("mine")
    grown = run(tmp_path / "run", methods=("kmeans", "random"), parts=("search", "transfer"), seeds=1)
    assert made == [
        ("search", "random", 36, 0), ("transfer", "random", 36, 0), ("transfer", "kmeans", 36, 0),
        *(("transfer", name, 36, 0) for name in report.BOUNDS),
    ]  # fmt: skip
    assert [row for row in grown["rows"] if row in first["rows"]] == first["rows"]
    folder = tmp_path / "run"
    assert (folder / "model" / "README.md").read_text() == "mine"
    assert json.loads((folder / "precursors.json").read_text())["rows"] == grown["rows"]
    model, score = HQVQVAEModel.from_pretrained(folder), WarningScore.load(folder / "warning_score.json")
    assert score.n_codes == model.config.codebook_size and model.config.reference_window == [7, 11]
    assert "## A later batch" in (folder / "report.md").read_text()
    assert (folder / "codes.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"schema_version": 2, "cells": 20}'])
def test_a_record_of_something_else_is_refused_and_left(text, tmp_path):
    (tmp_path / "precursors.json").write_text(text)
    with pytest.raises(MagBridgeError, match=r"precursors\.json is not a record of a search.*give another --out"):
        run(tmp_path)
    assert (tmp_path / "precursors.json").read_text() == text


def test_unknown_methods_and_parts_are_named(tmp_path):
    with pytest.raises(MagBridgeError, match="'k-means' is unknown; expected one of kmeans"):
        run(tmp_path, methods=("k-means",))
    with pytest.raises(MagBridgeError, match="'lives' is unknown; expected one of search"):
        run(tmp_path, parts=("lives",))


def test_numbers_are_drawn_and_the_rest_takes_all_cells():
    jobs = jobs_of(("numbers", "warning"), ("kmeans",), 124, 5, 2)
    assert jobs[:8] == [("numbers", "kmeans", n, draw) for n in report.NUMBERS for draw in (0, 1)]
    assert jobs[8:] == [("warning", name, 124, 0) for name in ("kmeans", *report.warning.PLAIN)]


def test_what_was_predicted_is_read_at_the_strength_of_all_cells():
    def row(part, cells, within):
        return {"part": part, "method": "kmeans", "cells": cells, "seed": 0, "within": within}

    found = {"rows": [row("search", 124, 0.6), row("numbers", 20, 0.1)]}
    power = report.read_record(report.PACKAGED / report.POWER)
    at = power["effects"].index(0.6)
    assert predictions(found)["kmeans"]["20"] == power["curves"]["20"]["found"][at]
    assert predictions({"rows": found["rows"][1:]}) == {}
