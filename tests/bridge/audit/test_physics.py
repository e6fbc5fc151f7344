"""Each rule of the audit of v3 against a release that breaks it."""

import json
import shutil

import numpy as np
import pytest

from bridge.audit.physics import check_physics
from bridge.audit.promises import audit_release
from bridge.audit.regeneration import regenerate
from dataset_card.contract.editions import V3
from dataset_card.storage.arrays import signals, spans
from dataset_card.storage.reading import MANIFEST, read_table, scalars

SPANS = spans(V3)


@pytest.fixture(scope="module")
def sound(v3_release):
    table = read_table(v3_release)
    return scalars(table), signals(table)


def checks(rows, x):
    return {finding.check for finding in check_physics(rows, x, [f"row {i}" for i in range(len(rows))])}


def test_a_sound_release_has_no_findings(v3_release, sound):
    assert not audit_release(v3_release) and not checks(*sound)
    findings, made = regenerate(v3_release, 6, np.random.default_rng(0))
    assert not findings and made == 6


def test_operators_of_another_arithmetic_are_told(v3_release, tmp_path):
    other = shutil.copytree(v3_release, tmp_path / "other")
    manifest = (other / MANIFEST).read_text()
    digest = json.loads(manifest)["operators"]["LFP-symmetric"]
    (other / MANIFEST).write_text(manifest.replace(digest, "0" * 64))
    (finding,), made = regenerate(other, 2, np.random.default_rng(0))
    assert made == 2 and "operator LFP-symmetric is not the one computed here" in finding.message


def _shared(rows, x):
    x[7, SPANS["rest"]][:6] = x[400, SPANS["rest"]][:6]


def _twice(rows, x):
    x[7] = x[400]


def _exact(rows, x):
    x[:, SPANS["load"].start] = x[:, SPANS["load"].start + 3] - x[:, SPANS["load"].start + 6]


def _order(rows, x):
    order = np.argsort(rows["defect"].to_numpy(str), kind="stable")
    rows[:] = rows.iloc[order].to_numpy()
    x[:] = x[order]


def _names(rows, x):
    healthy = rows["defect"] == "none"
    rows["sample_id"] = [f"s{int(flag)}{name[2:]}" for flag, name in zip(healthy, rows["sample_id"])]


def _words(rows, x):
    rows.loc[3, "sample_id"] = "weld-0123456789abc"


def _bits(rows, x):
    odd = (rows["defect"] == "tear").to_numpy()
    bits = np.ascontiguousarray(x[:, SPANS["scan"]], dtype=np.float32).view(np.uint32)
    x[:, SPANS["scan"]] = (bits & ~np.uint32(1) | odd[:, None].astype(np.uint32)).view(np.float32)


def _nulls(rows, x):
    rows.loc[rows.index[rows["defect"] == "weld"][0], "x_mm"] = 3.0


def _design(rows, x):
    rows.loc[rows["defect"] == "dry", "stack"] = "symmetric"


def _visits(rows, x):
    rows.loc[0, "visit"] = 9


def _number(rows, x):
    x[5, 100] = np.nan


def _charge(rows, x):
    rows.loc[rows.index[rows["soc_knowledge"] == "known_soc"][0], "soc"] = 70.0


@pytest.mark.parametrize(
    ("cheat", "check"),
    [
        (_shared, "shared samples"),
        (_twice, "unique signals"),
        (_exact, "exact relations"),
        (_order, "readers"),
        (_names, "readers"),
        (_words, "opaque names"),
        (_bits, "readers"),
        (_nulls, "labels of defects"),
        (_design, "readers"),
        (_visits, "visits"),
        (_number, "finite signals"),
        (_charge, "health labels"),
    ],
)
def test_a_release_that_tells_more_than_physics_is_found(sound, cheat, check):
    rows, x = sound[0].copy(), sound[1].copy()
    cheat(rows, x)
    assert check in checks(rows, x)
