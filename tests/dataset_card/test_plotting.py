"""Figures in the house style: shapes of the axes, formats by suffix, no half file."""

import pytest

from dataset_card.errors import MagBridgeError
from dataset_card.plotting import canvas, save


@pytest.mark.parametrize(("rows", "columns", "shape"), [(1, 1, None), (1, 3, (3,)), (2, 3, (2, 3))])
def test_axes_have_the_shape_of_subplots(rows, columns, shape):
    _, axes = canvas(rows, columns)
    assert getattr(axes, "shape", None) == shape


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")])
def test_the_suffix_picks_the_format(tmp_path, name, start):
    figure, axis = canvas()
    axis.plot([0, 1])
    save(figure, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_an_unknown_format_leaves_nothing(tmp_path):
    with pytest.raises(MagBridgeError, match=r"cannot write .*a\.txt"):
        save(canvas()[0], tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == []
