"""Programs that cheat: at chance on a sound release, found out on one that gives itself away."""

import numpy as np
import pandas
import pytest

from benchmark import load_task
from benchmark.scoring import score
from benchmark.tasks import get_task
from bridge.audit.shortcuts import check_shortcuts, voltage_errors
from dataset_card.contract.schema import ANOMALY_ORIGINS, SYNTHETIC_SUBTYPES

ROWS = 3000


@pytest.fixture
def sound():
    """Labels, signals, order, files and test rows of a made-up release that gives nothing away."""
    rng = np.random.default_rng(0)
    origin = rng.choice(ANOMALY_ORIGINS, ROWS, p=(0.6, 0.3, 0.1))
    subtype = np.where(origin == ANOMALY_ORIGINS[1], rng.choice(SYNTHETIC_SUBTYPES, ROWS), "none")
    battery = rng.integers(0, 60, ROWS)
    rows = pandas.DataFrame(
        {
            "sample_id": [f"s{n:016x}" for n in rng.integers(0, 2**63, ROWS)],
            "battery_id": np.char.mod("LFP-35Ah-%03d", battery),
            "anomaly_origin": origin,
            "anomaly_subtype": subtype,
            "soh": np.where(origin == ANOMALY_ORIGINS[2], np.nan, 0.6 + 0.4 * battery / 60),
            "voltage": rng.uniform(3.06, 3.34, ROWS),
        }
    )
    level = 1000 * (rows["voltage"].to_numpy() - 3.2)[:, None, None] + rng.normal(0, 20, (ROWS, 1, 1))
    signals = rng.normal(0, 5, (ROWS, 100, 6)) + level
    unseen = rng.normal(100, 10, (ROWS, 100, 2))
    signals[..., 4:] = np.sqrt(signals[..., 0:4:2] ** 2 + signals[..., 1:4:2] ** 2 + unseen**2)
    return rows, signals, rng.permutation(ROWS), ["data.parquet"] * ROWS, battery % 5 == 0


def names(found) -> set[str]:
    return {finding.check for finding in found}


def test_a_sound_release_has_no_shortcut(sound):
    assert check_shortcuts(*sound) == []


@pytest.mark.slow
def test_words_in_ids_are_found(sound):
    rows, *rest = sound
    faulty = rows["anomaly_origin"] == ANOMALY_ORIGINS[1]
    rows["sample_id"] = rows["sample_id"].str[:-1] + np.where(faulty, "d", "c")
    assert names(check_shortcuts(rows, *rest)) == {"no shortcut: words in ids"}


@pytest.mark.slow
def test_ids_that_begin_with_the_cell_give_soh_away(sound):
    rows, *rest = sound
    rows["sample_id"] = rows["battery_id"].str[-3:] + rows["sample_id"].str[3:]
    found = check_shortcuts(rows, *rest)
    assert "no shortcut: words in ids" in names(found) and any("T1: R2" in str(finding) for finding in found)


def test_an_order_by_class_is_found(sound):
    rows, signals, _, files, test = sound
    order = np.argsort(np.argsort(rows["anomaly_origin"].to_numpy(), kind="stable"))
    found = check_shortcuts(rows, signals, order, files, test)
    assert names(found) == {"no shortcut: row order"} and "T3: balanced accuracy 1.000" in str(found[0])


def test_low_bits_are_found(sound):
    rows, signals, *rest = sound
    code = rows["anomaly_subtype"].map({name: i for i, name in enumerate(SYNTHETIC_SUBTYPES)}).fillna(7).to_numpy()
    bits = signals.view(np.uint64)
    bits[:, 50, 0] = bits[:, 50, 0] & ~np.uint64(15) | code.astype(np.uint64)
    assert names(check_shortcuts(rows, signals, *rest)) == {"no shortcut: low bits"}


def test_one_shared_sample_is_found(sound):
    rows, signals, *rest = sound
    signals[7, 19, 2] = signals[1900, 3, 2]
    (found,) = check_shortcuts(rows, signals, *rest)
    assert found.check == "no shortcut: equal samples" and "1 pairs of rows share a sample of B_s2Y" in found.message


def test_a_voltage_in_the_derived_channels_is_found(sound):
    rows, signals, order, files, test = sound
    unseen = (100 + 50 * rows["voltage"].to_numpy())[:, None, None]
    signals[..., 4:] = np.sqrt(signals[..., 0:4:2] ** 2 + signals[..., 1:4:2] ** 2 + unseen)
    (found,) = check_shortcuts(rows, signals, order, files, test)
    assert found.check == "no shortcut: derived channels"
    derived, level = voltage_errors(rows, signals, test)
    assert np.abs(derived).max() < 1e-6 < np.abs(level).max()


def matched(signals: np.ndarray) -> np.ndarray:
    """Rows (n, T, C) that share the first or the last sample of a channel with another row."""
    found = np.zeros(len(signals), bool)
    for step in (0, -1):
        for channel in range(signals.shape[2]):
            _, index, counts = np.unique(signals[:, step, channel], return_inverse=True, return_counts=True)
            found |= counts[index] > 1
    return found


@pytest.mark.parametrize("name", ["t3", "t4"])
def test_matching_samples_tells_no_fault_of_v2(v2_release, name):
    """The program that scored 1.000 on v2.0: of rows that share a sample, one is a parent and the other its child."""
    task, rows = get_task(name), load_task(name, v2_release).test
    said = np.where(matched(rows.signals), *reversed(task.labels[:2]))
    assert score(task, rows.target, said)["balanced_accuracy"] == pytest.approx(task.chance)


def test_matching_samples_adds_nothing_to_soh(v2_release):
    data = load_task("t1", v2_release)
    assert not matched(np.concatenate([subset.signals for subset in data.subsets()])).any()
