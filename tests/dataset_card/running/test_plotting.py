"""Figures in the house style: shapes of the axes, formats by suffix, no half file."""

import pytest

from dataset_card.errors import MagBridgeError
from dataset_card.running.plotting import MARKERS, PRINT, SERIES, canvas, printed, save, styles


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


def test_printed_sizes_hold_inside_and_only_there():
    import matplotlib

    before = matplotlib.rcParams["font.size"]

    @printed
    def draw():
        figure, axis = canvas()
        axis.set_title("words")
        return figure

    figure = draw()
    assert figure.axes[0].title.get_size() == PRINT["axes.titlesize"] and figure.dpi == PRINT["figure.dpi"]
    assert matplotlib.rcParams["font.size"] == before and canvas()[0].dpi < figure.dpi


def test_no_two_lines_look_alike():
    found = styles(f"model-{i}" for i in range(3 * len(SERIES)))
    assert len({tuple(style.values()) for style in found.values()}) == 3 * len(SERIES)
    assert {style["marker"] for style in found.values()} == set(MARKERS)
