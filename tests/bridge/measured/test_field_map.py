"""A field map against v3's design: what was drawn comes back, another design is told apart, bad input is one line."""

import json
import re

import numpy as np
import pandas
import pytest
from typer.testing import CliRunner

from bridge.measured.field_map import compare_map
from bridge.v3 import CellState, Noise, PouchCell, Protocol, SensorArray, simulate
from dataset_card.errors import MagBridgeError

DESIGN = "cell: {length_mm: 110, tab_n_mm: 22}\nstate: {soc: 0.6, lli: 0.05}\nprotocol: {rate_C: 0.7}\n"
SHIFT = np.array([1.1, -0.7, 0.4])
OFFSET = np.array([21_000.0, -3_500.0, 42_000.0])
NOISE_NT = 30.0


@pytest.fixture(scope="module")
def truth():
    """Places of a plane 8 mm above the cell, and the field in nT of the cell whose array really lies `SHIFT` away."""
    cell = PouchCell.preset("nmc", length_mm=110, tab_n_mm=22)
    x, y = (v.ravel() for v in np.meshgrid(np.linspace(-5, 115, 13), np.linspace(0, 80, 9), indexing="ij"))
    position = np.column_stack([x, y, np.full(x.size, cell.thickness_mm / 2 + 8)])
    state, protocol = CellState(soc=0.6, lli=0.05), Protocol(rate_C=0.7)
    found = simulate(cell, state, sensors=SensorArray(position + SHIFT), noise=None, protocol=protocol)
    return position, 1e9 * found.load_T


@pytest.fixture
def table(truth):
    position, field = truth
    field = field + OFFSET + NOISE_NT * np.random.default_rng(3).standard_normal(field.shape)
    return pandas.DataFrame({**dict(zip(("x", "y", "z"), position.T)), **dict(zip(("bx", "by", "bz"), field.T))})


def compared(folder, table, design=DESIGN, columns=None):
    table.to_csv(folder / "map.csv", index=False)
    (folder / "design.yaml").write_text(design)
    if columns is not None:
        (folder / "columns.yaml").write_text(columns)
    return compare_map(folder / "map.csv", folder / "design.yaml", None if columns is None else folder / "columns.yaml")


def test_what_was_drawn_comes_back(tmp_path, table):
    found = compared(tmp_path, table)
    assert (np.abs(found.shift_mm - SHIFT) < 4 * found.shift_sd_mm).all() and found.shift_sd_mm.max() < 0.01
    np.testing.assert_allclose(found.offset_nT, OFFSET, atol=4 * NOISE_NT / np.sqrt(len(table)) + 5)
    for row in found.rows():
        assert row["residual_nT"] == pytest.approx(NOISE_NT, rel=0.2) and row["share"] < 0.01
    assert found.agreement > 0.999
    assert "no structure remains" in found.verdict()[-1]


@pytest.mark.parametrize(
    "change",
    [
        ("tab_n_mm: 22", "tab_n_mm: 58, tab_p_mm: 20"),
        ("length_mm: 110", "length_mm: 125"),
        ("rate_C: 0.7", "rate_C: 0.77"),
        ("tab_n_mm: 22", "tab_n_mm: 22, opposite: true"),
    ],
)
def test_another_design_is_told_apart(tmp_path, table, change):
    found = compared(tmp_path, table, DESIGN.replace(*change))
    assert max(row["residual_nT"] for row in found.rows()) > 3 * NOISE_NT
    assert "structure remains: the design" in found.verdict()[-1]


def test_one_axis_in_another_unit_and_frame_is_the_same(tmp_path, table):
    """One sensor of one axis, in uT and cm, over a laboratory's frame with x and y exchanged and z turned; no z."""
    own = pandas.DataFrame({"U [cm]": table["y"] / 10, "V [cm]": table["x"] / 10, "Bdown (uT)": -table["bz"] / 1e3})
    mapped = (
        "columns:\n  x_mm: {column: 'V [cm]'}\n  y_mm: {column: 'U [cm]'}\n  bz_nT: {column: 'Bdown (uT)', sign: -1}\n"
    )
    found = compared(tmp_path, own, DESIGN + "sensors: {distance_mm: 8}\n", mapped)
    assert "no z: it is assumed to be at 9.38 mm" in " ".join(found.map.notes)
    assert found.map.axes == ("bz_nT",) and "sign turned" in " ".join(found.map.notes)
    assert (np.abs(found.shift_mm - SHIFT) < 4 * found.shift_sd_mm).all()
    assert found.rows()[0]["residual_nT"] == pytest.approx(NOISE_NT, rel=0.2)


def test_a_real_arrays_errors_are_structure_above_its_noise(tmp_path, truth):
    position, _ = truth
    cell = PouchCell.preset("nmc", length_mm=110, tab_n_mm=22)
    state, protocol = CellState(soc=0.6, lli=0.05), Protocol(rate_C=0.7)
    turned = Noise(turn_rad=2e-2)
    read = simulate(cell, state, sensors=SensorArray(position), noise=turned, protocol=protocol,
                    rng=np.random.default_rng(1)).load_T * 1e9  # fmt: skip
    table = pandas.DataFrame(np.hstack([position, read]), columns=["x", "y", "z", "bx", "by", "bz"])
    assert "structure remains" in compared(tmp_path, table).verdict()[-1]


def test_a_charge_is_called_the_other_sign(tmp_path, table):
    found = compared(tmp_path, table.assign(**{b: -table[b] for b in ("bx", "by", "bz")}))
    assert found.agreement < -0.9 and "the model with the opposite sign" in found.verdict()[-2]


@pytest.mark.parametrize(
    "spoil, design, words",
    [
        (lambda t: t.drop(columns=["bx", "by", "bz"]), DESIGN, "map.csv: no field column; expected bx, by or bz"),
        (lambda t: t.drop(columns="x"), DESIGN, "no column for 'x_mm' among 'y', 'z'"),
        (lambda t: t.head(10), DESIGN, "10 points; expected 20 to 5000"),
        (lambda t: t.assign(z=1.0), DESIGN, "sensor 0 at z = 1 mm: inside the cell"),
        (lambda t: t.assign(x=t["x"] / 1e3, y=t["y"] / 1e3), DESIGN, "x -0.005 to 0.115 mm.*state the unit"),
        (lambda t: t.assign(x=t["x"] + 900), DESIGN, "x 895 to 1015 mm.*points around a cell of 110 by 80 mm"),
        (lambda t: t.assign(bx=t["bx"] / 1e3, by=t["by"] / 1e3, bz=t["bz"] / 1e3), DESIGN,
         "a field 0.0009.* times the design's; .*'Bx .uT.'"),
        (lambda t: t.assign(bz=["x"] * len(t)), DESIGN, "row 2, column 'bz': 'x'; expected a number in nT"),
        (lambda t: t.rename(columns={"bz": "bz (kG)"}), DESIGN, "column 'bz .kG.' in 'kG'; expected bz_nT in T, mT"),
        (lambda t: t, "preset: nmd", "design.yaml: preset 'nmd': expected one of nmc"),
        (lambda t: t, "cell: {lenght_mm: 4}", "design.yaml: cell field 'lenght_mm': expected one of"),
        (lambda t: t, "protocol: {rate_C: -1}", "design.yaml: rate_C -1: expected more than 0"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(tmp_path, table, spoil, design, words):
    with pytest.raises(MagBridgeError, match=words) as error:
        compared(tmp_path, spoil(table), design)
    assert "\n" not in str(error.value)


def test_the_command_prints_the_table_and_writes_the_report(tmp_path, table):
    pytest.importorskip("matplotlib")
    from bridge.__main__ import app

    found = compared(tmp_path, table)
    arguments = ["residuals", str(tmp_path / "map.csv"), "--against", str(tmp_path / "design.yaml"), "--out"]
    result = CliRunner().invoke(app, [*arguments, str(tmp_path / "report")])
    assert result.exit_code == 0, result.output
    assert found.text() in result.output and found.understood in result.output
    assert re.search(r"\| bz \| \S+ \| \S+ \| \S+ \|", result.output)
    written = json.loads((tmp_path / "report" / "residuals.json").read_text())
    assert written["axes"] == found.rows()
    assert found.text() in (tmp_path / "report" / "README.md").read_text()
    assert (tmp_path / "report" / "map.png").read_bytes().startswith(b"\x89PNG")
