"""What laboratories get wrong: each is one line with file, place, value, expectation and fix; nothing is written."""

import json
import os

import numpy as np
import pandas
import pytest

from bridge.measured.adopt import adopt, read_measured
from bridge.measured.channels import read_channel_map
from dataset_card.errors import MagBridgeError
from dataset_card.storage.faults import FaultyInput
from tests.bridge.measured.conftest import write_scans

MAP = "channels:\n" + "".join(
    f"  {name}: {{column: {name}, axis: {axis}, unit: nT}}\n"
    for name, axis in (("B_s1Y", "across"), ("B_s1Z", "along"), ("B_s2Y", "across"), ("B_s2Z", "along"))
)


def faults_of(*arguments, **options):
    try:
        read_measured(*arguments, **options)
    except FaultyInput as error:
        return error.faults
    return ()


def labels(change):
    """Spoils the table of labels."""

    def spoil(folder, x):
        frame = pandas.read_csv(folder / "labels.csv", dtype=str)
        change(frame).to_csv(folder / "labels.csv", index=False)

    return spoil


def value(row, column, new):
    def change(frame):
        frame.loc[row, column] = new
        return frame

    return labels(change)


def signals(change):
    """Spoils the scans (70, 100, 6)."""

    def spoil(folder, x):
        write_scans(change(x.copy()), folder / "scans.parquet")

    return spoil


def at(index, new):
    def change(x):
        x[index] = new(x[index]) if callable(new) else new
        return x

    return signals(change)


def one_file(change, name="s003.csv"):
    """Spoils one CSV file of the folder, which takes the Parquet file's place."""

    def spoil(folder, x):
        (folder / "scans.parquet").unlink()
        (folder / "scans").rename(folder / "scans.parquet")
        path = folder / "scans.parquet" / name
        frame = change(pandas.read_csv(path))
        path.write_text(frame) if isinstance(frame, str) else frame.to_csv(path, index=False)

    return spoil


def all_files(change):
    def spoil(folder, x):
        (folder / "scans.parquet").unlink()
        (folder / "scans").rename(folder / "scans.parquet")
        for number, path in enumerate(sorted((folder / "scans.parquet").iterdir())):
            change(pandas.read_csv(path), number).to_csv(path, index=False)

    return spoil


def text(name, change):
    def spoil(folder, x):
        path = folder / name
        path.write_bytes(change(path.read_bytes()))

    return spoil


def new(name, content):
    def spoil(folder, x):
        (folder / name).write_text(content)

    return spoil


def backwards(frame):
    time = np.arange(100) * 0.1
    time[40] = time[38]
    return frame.assign(time_s=time)


def gap(frame):
    return frame.assign(time_s=np.arange(100) * 0.1 + (np.arange(100) > 60) * 3)


def mixed_clock(frame, number):
    return frame.assign(time_s=np.arange(100) * (0.2 if number == 9 else 0.1))


def date_id(folder, x):
    frame = pandas.read_csv(folder / "labels.csv")
    frame["cell_id"] = frame["cell_id"].astype(object)
    frame.loc[4, "cell_id"] = pandas.Timestamp("2026-03-01")
    frame.to_excel(folder / "labels.xlsx", index=False)


def swap(scan):
    return scan[:, [1, 0, 3, 2, 4, 5]]


def clip(scan):
    return np.minimum(scan, np.quantile(scan, 0.8))


def semicolons(raw):
    return raw.replace(b",", b";")


def comma(row, column):
    def change(frame):
        frame.loc[row, column] = frame.loc[row, column].replace(".", ",")
        return frame

    return labels(change)


MISTAKES = {
    "uT for nT": (signals(lambda x: x / 1e3), ["scans.parquet", "row ", "expected 5 to 100000 nT", "looks like uT"]),
    "pT for nT": (signals(lambda x: x * 1e3), ["expected 5 to 100000 nT", "looks like pT"]),
    "one scan in uT": (at(12, lambda s: s / 1e3), ["row 13 (scan s012)", "as in most scans", "uT among scans in nT"]),
    "SOH in percent": (value(3, "soh", "83.5"), ["labels.csv, row 5, column 'soh': 83.5", "(0, 1.1]", "divide by 100"]),
    "SOH of nothing": (value(3, "soh", "0"), ["row 5, column 'soh': 0;", "expected (0, 1.1]"]),
    "SOC as a fraction": (
        labels(lambda f: f.assign(soc=f["soc"].astype(float) / 100)),
        ["column 'soc'", "multiply by 100"],
    ),
    "millivolts": (value(6, "voltage", "3210"), ["row 8, column 'voltage': 3210 V", "divide by 1000"]),
    "seconds for steps": (
        one_file(lambda f: f.assign(step=np.arange(100) * 0.25)),
        ["s003.csv, row 3, scan s003, step 1, column 'step': 0.25", "expected 1", "looks like seconds"],
    ),
    "time runs backwards": (one_file(backwards), ["s003.csv, row 42", "3.8 after 3.9", "time runs backwards"]),
    "a gap in time": (one_file(gap), ["s003.csv, row 63", "3.1 after the previous step", "steps are missing"]),
    "mixed sampling: steps": (
        one_file(lambda f: f.iloc[:90]),
        ["scan s003: 90 steps", "expected 100, as 69", "mixed sampling"],
    ),
    "mixed sampling: clock": (
        all_files(mixed_clock),
        ["scan s009: 0.2 s between steps", "expected 0.1 s", "mixed sampling"],
    ),
    "swapped axes of a scan": (
        at(21, swap),
        ["row 22 (scan s021)", "with Y and Z swapped", "exchange the scan's columns"],
    ),
    "swapped axes of the map": (
        new("map.yaml", MAP.replace("B_s1Y: {column: B_s1Y, axis: across", "B_s1Y: {column: B_s1Y, axis: along")),
        ["map.yaml, channels.B_s1Y: axis 'along'", "expected 'across'", "swap the columns"],
    ),
    "a saturated channel": (
        at((8, slice(None), 1), clip),
        ["scan s008", "B_s1Z", "its highest value, at 20 steps", "the channel is saturated"],
    ),
    "a dead channel": (
        at((8, slice(None), 3), 17.0),
        ["scan s008", "B_s2Z: 17 nT at every step", "dead or not connected"],
    ),
    "a magnitude of another channel": (
        at((5, slice(None), 4), lambda c: c / 3),
        ["scan s005", "B_s1C5: a magnitude of", "omit the column"],
    ),
    "two cells under one name": (
        value(7, "chemistry", "NMC"),
        ["row 9, column 'chemistry': 'NMC' for cell 'lab00'", "if these are two cells"],
    ),
    "one cell under two names": (
        value(7, "cell_id", "LAB00"),
        ["row 9, column 'cell_id': 'LAB00' and also 'lab00'", "use one"],
    ),
    "a label without a scan": (
        labels(lambda f: pandas.concat([f, f.iloc[[0]].assign(scan_id="s999")])),
        ["labels.csv, row 72: a label for 's999', which has no scan", "add the scan or remove the row"],
    ),
    "a scan without a label": (
        labels(lambda f: f.drop(index=33)),
        ["row 34 (scan s033): a scan without a label", "add the row"],
    ),
    "a scan labelled twice": (
        labels(lambda f: pandas.concat([f, f.iloc[[4]]])),
        ["row 72, column 'scan_id': 's004', which is also in row 6"],
    ),
    "one scan under two names": (at(30, lambda s: s), None),
    "a NaN run": (
        at((11, slice(50, 57), 2), np.nan),
        ["scan s011), step 50, B_s2Y: empty or NaN for 7 steps", "repair or remove"],
    ),
    "infinity": (at((11, 3, 0), np.inf), ["scan s011), step 3, B_s1Y: inf for 1 steps", "a number at every step"]),
    "a decimal comma in the labels": (
        comma(9, "soh"),
        ["labels.csv, row 11, column 'soh'", "a decimal comma", "write 0."],
    ),
    "a decimal comma in a scan": (
        one_file(
            lambda f: (
                f.round(2).astype(str).assign(B_s1Z=[v.replace(".", ",") for v in f["B_s1Z"].round(2).astype(str)])
            )
        ),
        ["s003.csv, row 2, column 'B_s1Z'", "a decimal comma", "export with decimal points"],
    ),
    "an Excel date as an id": (
        value(4, "cell_id", "3-Mar"),
        ["labels.csv, row 6, column 'cell_id': a date, '3-Mar'", "as text"],
    ),
    "an Excel date in a workbook": (
        date_id,
        ["labels.xlsx, row 6, column 'cell_id': a date", "format the column as text"],
    ),
    "a column missing": (
        labels(lambda f: f.drop(columns="soc")),
        ["labels.csv, row 1: no column for 'soc' among 'scan_id'", "expected soc in %", "soc: {column: ...}"],
    ),
    "a column misspelt": (
        labels(lambda f: f.rename(columns={"voltage": "Voltge"})),
        ["no column for 'voltage' among", "did you mean 'Voltge'?"],
    ),
    "a column twice": (
        text("labels.csv", lambda b: b.replace(b"soc,", b"soh,", 1)),
        ["labels.csv, row 1: column 'soh' twice"],
    ),
    "an empty field": (value(2, "soh", ""), ["row 4, column 'soh': empty", "fill it in"]),
    "a word for a number": (value(2, "voltage", "high"), ["row 4, column 'voltage': 'high'", "expected a number in V"]),
    "a space in the id of a scan": (value(2, "scan_id", "s 02"), ["row 4, column 'scan_id': 's 02'", "remove spaces"]),
    "two cells that only a space keeps apart": (
        labels(lambda f: f.assign(cell_id=["lab 00", "lab_00", *f["cell_id"][2:]])),
        ["row 3, column 'cell_id': 'lab_00' and 'lab 00', which both become 'lab_00'", "rename one"],
    ),
    "a channel missing": (
        lambda d, x: write_scans(x, d / "scans.parquet", ("Bx", *("B_s1Z", "B_s2Y", "B_s2Z"))),
        ["no column 'B_s1Y' for B_s1Y among", "--channels"],
    ),
    "capacity against SOH": (
        labels(lambda f: f.assign(capacity_Ah=30, nominal_Ah=35)),
        ["row 2, column 'soh'", "of 35 Ah", "correct the capacity"],
    ),
    "half a pulse test": (
        labels(lambda f: f.assign(U1=3.2, U2=3.2)),
        ["2 of the columns 'U1' to 'U21', but no 'U3'", "all 21 or none"],
    ),
    "text that is not UTF-8": (
        text("labels.csv", lambda b: b.replace(b"LFP", b"\xe4FP", 1)),
        ["labels.csv: not UTF-8 text", "CSV UTF-8"],
    ),
    "a cut-off file": (
        text("scans.parquet", lambda b: b[: len(b) // 2]),
        ["scans.parquet: not readable", "export it again"],
    ),
    "no rows": (text("labels.csv", lambda b: b.splitlines()[0]), ["labels.csv: no rows"]),
    "another file in the folder": (
        lambda d, x: (one_file(lambda f: f)(d, x), (d / "scans.parquet" / "notes.txt").write_text("x")),
        ["notes.txt: not a CSV file", "move it elsewhere"],
    ),
    "too few cells": (labels(lambda f: f.assign(cell_id=["a", "b"] * 35)), ["2 cells, none of them for", "--split"]),
    "a split that leaks": (
        new(
            "split.json",
            json.dumps(
                {
                    "train": [f"s{i:03d}" for i in range(65)],
                    "validation": ["s065", "s066"],
                    "test": ["s067", "s068", "s069"],
                }
            ),
        ),
        ["split.json, cell 'lab06': scans in test and train and validation", "split by cell"],
    ),
    "a cell in two subsets": (
        new(
            "split.json",
            json.dumps({"train": [f"lab0{i}" for i in range(6)], "validation": ["lab05"], "test": ["lab06"]}),
        ),
        ["'lab05', which is also in train", "each id in one subset"],
    ),
    "a cell in no subset": (
        new("split.json", json.dumps({"train": ["lab00"], "validation": ["lab05"], "test": ["lab06"]})),
        ["split.json: 'lab01' in no subset"],
    ),
    "an unknown unit": (
        new("map.yaml", MAP.replace("nT", "Oe")),
        ["map.yaml, channels.B_s1Y.unit: 'Oe'; expected T, mT, uT, nT, pT, fT, G, gauss, mG", "(and 1 more like it"],
    ),
    "a map that runs code": (new("map.yaml", "!!python/object/apply:os.system ['true']"), ["map.yaml: not plain YAML"]),
}
MISTAKES["one scan under two names"] = (
    signals(lambda x: np.concatenate([x[:30], x[3:4], x[31:]])),
    ["row 31 (scan s030): the same numbers as row 4 (scan s003)", "remove one"],
)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_written(laboratory, measurements, tmp_path, mistake):
    spoil, words = MISTAKES[mistake]
    spoil(laboratory, measurements[1])
    labels = laboratory / ("labels.xlsx" if (laboratory / "labels.xlsx").exists() else "labels.csv")
    optional = {
        name: laboratory / file
        for name, file in (("channels", "map.yaml"), ("split", "split.json"))
        if (laboratory / file).exists()
    }
    with pytest.raises(FaultyInput) as error:
        adopt(laboratory / "scans.parquet", labels, tmp_path / "out", licence="CC0-1.0", citation="Us", **optional)
    message = str(error.value)
    assert "\n" not in message and str(laboratory) in message
    for word in words:
        assert word in message, message
    assert sorted(p.name for p in tmp_path.iterdir()) == ["laboratory"]
    assert [str(f) for f in faults_of(laboratory / "scans.parquet", labels, **optional)] == [
        str(f) for f in error.value.faults
    ]


def test_they_are_at_least_thirty():
    assert len(MISTAKES) >= 30


def test_sound_files_have_no_fault(laboratory):
    assert faults_of(laboratory / "scans.parquet", laboratory / "labels.csv") == ()
    assert faults_of(laboratory / "scans", laboratory / "labels.csv") == ()


def test_faults_of_several_files_are_named_together(laboratory, measurements):
    value(3, "soh", "83.5")(laboratory, None)
    value(9, "cell_id", "")(laboratory, None)
    text("scans.parquet", lambda raw: raw[:100])(laboratory, None)
    found = [str(fault) for fault in faults_of(laboratory / "scans.parquet", laboratory / "labels.csv")]
    assert (
        len(found) == 3 and "83.5" in "".join(found) and "empty" in "".join(found) and "not readable" in "".join(found)
    )


@pytest.mark.parametrize("option", ["licence", "citation"])
def test_licence_and_citation_are_asked_for(laboratory, tmp_path, option):
    words = {"licence": "CC0-1.0", "citation": "Us"} | {option: " "}
    with pytest.raises(MagBridgeError, match=f"no --{option}: expected the {option} of your data"):
        adopt(laboratory / "scans.parquet", laboratory / "labels.csv", tmp_path / "out", **words)
    assert not (tmp_path / "out").exists()


def test_a_channel_map_of_an_alias_bomb_is_refused(tmp_path):
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(8)
    )
    (tmp_path / "map.yaml").write_text(f"{bomb}channels: *i\n")
    with pytest.raises(FaultyInput, match=r"map\.yaml: not plain YAML \(aliases are not allowed\)"):
        read_channel_map(tmp_path / "map.yaml")


def test_a_pipe_is_no_channel_map(tmp_path):
    os.mkfifo(tmp_path / "map.yaml")
    with pytest.raises(FaultyInput, match=r"map\.yaml: not a file; expected a YAML file"):
        read_channel_map(tmp_path / "map.yaml")
