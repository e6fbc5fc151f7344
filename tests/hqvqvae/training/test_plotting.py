"""Figures in the house style."""

import subprocess
import sys

from dataset_card.running.plotting import MARKERS, canvas
from hqvqvae.training.plotting import OKABE_ITO, save_figure_of


def test_a_figure_is_drawn_and_written_in_the_house_style(tmp_path):
    def draw(label):
        figure, axes = canvas(2, 3, (6, 4), sharex=True)
        assert axes.shape == (2, 3) and tuple(figure.get_size_inches()) == (6, 4)
        axes[0, 0].set(xlabel=label, title="a")
        texts = (axes[0, 0].title, axes[0, 0].xaxis.label, *axes[0, 0].get_yticklabels())
        sizes = [text.get_fontsize() for text in texts]
        assert sizes[:2] == [10, 9] and set(sizes[2:]) == {8}
        return figure

    save_figure_of(tmp_path / "figure.png", draw, "x")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert len(OKABE_ITO) == len(MARKERS) == len(set(OKABE_ITO))


def test_no_global_state_is_touched(tmp_path):
    code = f"""
import sys
from pathlib import Path
from dataset_card.running.plotting import canvas
from hqvqvae.training.plotting import save_figure_of
save_figure_of(Path({str(tmp_path / "a.png")!r}), lambda: canvas()[0])
assert "matplotlib.pyplot" not in sys.modules"""
    subprocess.run([sys.executable, "-c", code], check=True)
