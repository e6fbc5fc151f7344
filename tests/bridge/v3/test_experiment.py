"""Design files: what they say, and one line for each that says something impossible."""

import pytest

from bridge.v3.experiment import read_experiment
from dataset_card.errors import MagBridgeError
from dataset_card.storage.columns import MAX_BYTES


def write(folder, text):
    path = folder / "design.yaml"
    path.write_text(text)
    return path


def test_every_part_is_read(tmp_path):
    plan = read_experiment(
        write(
            tmp_path,
            "preset: lfp\ncell: {length_mm: 140}\nstate: {soc: 0.3}\ndefect: {kind: weld, share: 0.2}\n"
            "protocol: {rate_C: 2}\nsensors: {columns: 2, rows: 3, distance_mm: 5}\n"
            "noise: {shift_mm: [0.1, 0.1, 0.1]}\n",
        )
    )
    assert (plan.cell.chemistry, plan.cell.length_mm, plan.state.soc) == ("LFP", 140, 0.3)
    assert plan.defect.share == 0.2 and plan.protocol.rate_C == 2
    assert plan.sensors.position_mm.shape == (6, 3) and plan.noise.shift_mm == (0.1, 0.1, 0.1)
    assert read_experiment(write(tmp_path, "")).cell.chemistry == "NMC"
    own = read_experiment(write(tmp_path, "sensors: {position_mm: [[60, 40, 12]]}"))
    assert own.sensors.position_mm.tolist() == [[60, 40, 12]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cell: {tab_p_mm: 500}", "tab_p_mm 500 mm: the tab"),
        ("state: {soc: 120}", "soc 120: expected"),
        ("cell: {foil_p_um: -3}", "foil_p_um -3"),
        ("sensors: {position_mm: [[60, 40, 0.5]]}", "inside the cell"),
        ("sensors: {position_mm: [[60, 40]]}", "position_mm"),
        ("sensors: {position_mm: [[a, b, c]]}", "position_mm"),
        ("sensors: {position_mm: [[60, 40, .nan]]}", ".nan is not allowed: expected a finite number"),
        ("sensors: {distance_mm: near}", "distance_mm 'near'"),
        ("defect: {kind: crack}", "defect 'crack': expected one of none, weld"),
        ("defect: {size: 1}", "defect field 'size'"),
        ("cel: {}", "design field 'cel'"),
        ("cell: 5", "cell 5: expected fields"),
        ("[1, 2]", "expected fields"),
        ("preset: [a]", "preset"),
        ("state: {soc: .inf}", ".inf is not allowed: expected a finite number"),
        ("state: {soc: '0.5'}", "soc '0.5'"),
        ("protocol: {dt_s: 3}", "protocol field 'dt_s'"),
        ("noise: {field_nT: -1}", "field_nT -1"),
        ("noise: {shift_mm: 3}", "shift_mm"),
        ("a: &a [x]\nb: [*a, *a]", "not plain YAML"),
        ("cell: {units: 3}\ncell: {units: 4}", "not plain YAML"),
        ("!!python/object/apply:os.system ['true']", "not plain YAML"),
        ("cell: {units: 999999999}", "units 999999999"),
        ("[" * 5000, "not plain YAML"),
    ],
)
def test_impossible_designs_get_one_line(tmp_path, text, words):
    with pytest.raises(MagBridgeError) as error:
        read_experiment(write(tmp_path, text))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_missing_huge_and_binary_files(tmp_path):
    with pytest.raises(MagBridgeError, match="none.yaml: not readable .No such file"):
        read_experiment(tmp_path / "none.yaml")
    with pytest.raises(MagBridgeError, match="over 65536 bytes"):
        read_experiment(write(tmp_path, "#" * (MAX_BYTES + 1)))
    path = tmp_path / "design.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MagBridgeError, match="not plain YAML"):
        read_experiment(path)
