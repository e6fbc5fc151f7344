"""Every figure from its table, in the size that it is made for and in the smallest."""

import io

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_context

from dataset_card.errors import MagBridgeError
from hqvqvae.discovery.analysis import Coding
from hqvqvae.discovery.figures import FIGURES, draw_heatmap, draw_timeline, read_frame, save_figure
from hqvqvae.training.plotting import SIZES
from tests.hqvqvae.synthetic_cells import N_CODES, figure_frames, planted_study


@pytest.mark.parametrize("name", FIGURES)
def test_each_figure_is_one_call_and_leaves_png_svg_and_csv(name, planted_frames, tmp_path):
    _, frames = planted_frames
    paths = save_figure(name, frames[name], tmp_path)
    assert [path.suffix for path in paths] == [".png", ".svg", ".csv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)
    image = matplotlib.image.imread(io.BytesIO(paths[0].read_bytes()), format="png")
    assert image.shape[0] > 300 and image.shape[1] > 500
    assert image[..., :3].std() > 0.02  # not blank
    back = read_frame(paths[2])
    assert len(back) == len(frames[name]) and list(back.columns) == list(frames[name].columns)
    for column in frames[name].select_dtypes("number"):  # to the last bit
        np.testing.assert_array_equal(back[column], frames[name][column])


@pytest.mark.parametrize("name", FIGURES)
def test_the_csv_draws_the_same_figure_again(name, planted_frames, tmp_path):
    _, frames = planted_frames
    first = save_figure(name, frames[name], tmp_path / "first")
    back = read_frame(first[2])
    second = save_figure(name, back, tmp_path / "second")
    assert first[0].read_bytes() == second[0].read_bytes()
    assert first[1].read_bytes() == second[1].read_bytes()


def test_one_cell_in_one_code_is_drawn_without_what_it_lacks(tmp_path):
    segments, _ = planted_study(0, n_cells=1)
    _, frames = figure_frames(segments, Coding(N_CODES, np.full(len(segments), 5)))
    assert set(frames) == {"heatmap", "timeline", "histogram", "curves", "flow"}
    for name, frame in frames.items():
        assert all(path.stat().st_size for path in save_figure(name, frame, tmp_path))


def test_names_that_look_like_something_else_stay_names(planted_frames, tmp_path):
    frame = planted_frames[1]["histogram"].replace({"cohort": {"A": "NA", "B": "0012"}})
    back = read_frame(save_figure("histogram", frame, tmp_path)[2])
    assert back["cohort"].tolist() == frame["cohort"].tolist()


def test_heatmap_names_all_cells_and_codes(planted_frames):
    study, frames = planted_frames
    with rc_context(SIZES):
        canvas = draw_heatmap(frames["heatmap"])
        canvas.draw_without_rendering()
    axis, bar = canvas.axes
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert len(labels) == 20 and labels[0] == "cell00  (A)"
    assert {int(label.get_text()) for label in bar.get_yticklabels()} == set(frames["heatmap"]["code"])
    # Neighbouring labels must not touch: the room of a row against the height of its text.
    for side, texts in ((axis, axis.get_yticklabels()), (bar, bar.get_yticklabels())):
        boxes = sorted((text.get_window_extent().y0, text.get_window_extent().y1) for text in texts)
        assert all(low[1] <= high[0] + 1 for low, high in zip(boxes, boxes[1:], strict=False)), side


def test_heatmap_numbers_only_runs_that_have_room():
    frame = pd.DataFrame({"cell_id": "a", "cohort": "A", "cycle": range(1000), "code": [0] * 990 + [1] * 10})
    axis = draw_heatmap(frame.assign(life_rank=frame["code"])).axes[0]
    assert [text.get_text() for text in axis.texts] == ["0"]


def test_timeline_of_a_cell_that_is_not_there_is_named(planted_frames):
    with pytest.raises(MagBridgeError, match="cell 'B0005' is not in this run; expected one of cell00"):
        draw_timeline(planted_frames[1]["timeline"], "B0005")
