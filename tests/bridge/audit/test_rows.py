"""Every promise of a row: kept by a sound release, and named when it is broken."""

import numpy as np
import pytest

from bridge.audit.contents import read_contents, u_features
from bridge.audit.rows import Finding, check_rows
from bridge.release import folder as release
from dataset_card.storage.arrays import signals
from dataset_card.storage.reading import scalars


@pytest.fixture(scope="module")
def sound(tiny_release):
    """Some clean rows, their anomalies and some Regime-B rows of a small release."""
    with read_contents(tiny_release) as contents:
        rows = contents.rows
        origin = rows["anomaly_origin"]
        children = np.flatnonzero(origin == "synthetic_sensor_perturbation")[:20]
        position = {sample_id: i for i, sample_id in enumerate(rows["sample_id"])}
        parents = [position[parent] for parent in rows["parent_sample_id"].iloc[children]]
        regime_b = np.flatnonzero(origin == "bridge_extrapolation")[:20]
        chosen = np.concatenate([parents, children, regime_b])
        return (
            rows.iloc[chosen].reset_index(drop=True),
            signals(contents.table)[chosen],
            u_features(contents.table)[chosen],
            [f"row {i}" for i in range(len(chosen))],
        )


CLEAN, CHILD, REGIME_B = 3, 25, 45


def found(sound, change) -> list[Finding]:
    rows, x, u, where = sound[0].copy(), sound[1].copy(), sound[2].copy(), sound[3]
    change(rows, x, u)
    return check_rows(rows, x, u, where)


def test_sound_rows_have_no_finding(sound):
    assert found(sound, lambda rows, x, u: None) == []


def test_ids_do_not_depend_on_how_floats_were_read(tiny_release):
    # ids are recomputed from the fields of every row, over all kinds of rows
    rows = scalars(release.read_table(tiny_release))
    n = len(rows)
    x = np.random.default_rng(0).standard_normal((n, 4, 6))
    u = np.where((rows["anomaly_origin"] == "bridge_extrapolation").to_numpy()[:, None], np.nan, np.ones((n, 21)))
    assert check_rows(rows, x, u, [str(i) for i in range(n)]) == []


def set_field(row, name, value):
    def change(rows, x, u):
        rows.at[row, name] = value

    return change


def set_signal(row, step, channel, value):
    def change(rows, x, u):
        x[row, step, channel] = value

    return change


def copy_signal(rows, x, u):
    x[CHILD] = x[CLEAN]


def null_u(rows, x, u):
    u[CLEAN] = np.nan


def give_u(rows, x, u):
    u[REGIME_B] = 3.2


@pytest.mark.parametrize(
    "change, row, checks, words",
    [
        (set_field(CLEAN, "anomaly_flag", True), CLEAN, {"anomaly flags"}, "anomaly_flag is True"),
        (set_field(CHILD, "anomaly_flag", False), CHILD, {"anomaly flags"}, "anomaly_flag is False"),
        (set_field(REGIME_B, "anomaly_flag", False), REGIME_B, {"anomaly flags"}, "expected True"),
        (set_field(CLEAN, "schema_version", "0.9"), CLEAN, {"fields", "parents"}, "schema_version is '0.9'"),
        (set_field(CHILD, "chemistry", None), CHILD, {"fields", "parents"}, "chemistry is null"),
        (
            set_field(REGIME_B, "soc", float("inf")),
            REGIME_B,
            {"fields", "health labels", "ids follow from rows"},
            "soc is inf",
        ),
        (set_field(REGIME_B, "sample_id", "lfp_x"), REGIME_B, {"ids follow from rows"}, "sample_id is lfp_x"),
        (set_field(REGIME_B, "generation_seed", 1), REGIME_B, {"ids follow from rows"}, "its fields give"),
        (set_field(REGIME_B, "regime", "grounded"), REGIME_B, {"regimes", "anomaly labels"}, "regime is 'grounded' at"),
        (set_field(REGIME_B, "nearest_anchor", 3.34), REGIME_B, {"regimes"}, "nearest_anchor is 3.34"),
        (set_field(REGIME_B, "voltage", 4.0), REGIME_B, {"regimes", "ids follow from rows"}, "voltage 4.0"),
        (
            set_field(REGIME_B, "soh", 0.9),
            REGIME_B,
            {"health labels", "ids follow from rows"},
            "soh is 0.9 on a Regime",
        ),
        (set_field(REGIME_B, "second_life_class", "reuse"), REGIME_B, {"health labels"}, "expected null"),
        (
            set_field(CHILD, "second_life_class", "retire"),
            CHILD,
            {"fields", "health labels", "parents"},
            "second_life_class is 'retire' at SOH",
        ),
        (set_field(CHILD, "anomaly_severity", 1.5), CHILD, {"anomaly labels", "ids follow from rows"}, "0.2 to 1"),
        (
            set_field(CHILD, "parent_sample_id", "lfp_none"),
            CHILD,
            {"parents", "ids follow from rows"},
            "lfp_none is not in the release",
        ),
        (
            set_field(CHILD, "parent_sample_id", None),
            CHILD,
            {"parents", "ids follow from rows"},
            "a synthetic anomaly without",
        ),
        (set_signal(CLEAN, 40, 2, np.nan), CLEAN, {"finite signals"}, "B_s2Y is nan at step 40"),
        (set_signal(REGIME_B, 99, 5, np.inf), REGIME_B, {"finite signals"}, "B_s2C6 is inf at step 99"),
        (copy_signal, CHILD, {"unique signals"}, f"the same signal as row {CLEAN}"),
        (null_u, CLEAN, {"u_features"}, "null outside Regime-B"),
        (give_u, REGIME_B, {"u_features"}, "given on a Regime-B row"),
    ],
)
def test_a_broken_promise_is_named_with_its_row(sound, change, row, checks, words):
    findings = found(sound, change)
    assert {finding.check for finding in findings} == checks
    assert any(finding.where == f"row {row}" and words in finding.message for finding in findings)


def test_a_repeated_id_and_a_wrong_parent(sound):
    def repeat(rows, x, u):
        rows.loc[REGIME_B + 1] = rows.loc[REGIME_B]

    assert [f.check for f in found(sound, repeat)] == ["unique ids"]

    def anomalous_parent(rows, x, u):
        rows.at[CHILD, "parent_sample_id"] = rows.at[CHILD + 1, "sample_id"]

    assert any("is not a clean grounded row" in f.message for f in found(sound, anomalous_parent))
