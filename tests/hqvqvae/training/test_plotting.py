"""The canvas of every figure."""

import subprocess
import sys

from hqvqvae.training.plotting import MARKERS, OKABE_ITO, canvas


def test_a_canvas_has_the_asked_axes_without_a_box():
    figure, axes = canvas(6, 4, rows=2, columns=3, sharex=True)
    assert axes.shape == (2, 3) and tuple(figure.get_size_inches()) == (6, 4)
    assert not axes[0, 0].spines["top"].get_visible() and axes[0, 0].spines["left"].get_visible()
    assert len(OKABE_ITO) == len(MARKERS) == len(set(OKABE_ITO))


def test_no_global_state_is_touched():
    use = "from hqvqvae.training.plotting import canvas; canvas(1, 1)"
    code = f"import sys; {use}; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
