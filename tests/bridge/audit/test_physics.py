"""Each rule of the audit of v3 against a release that breaks it."""

import json
import shutil

import numpy as np
import pandas
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from bridge.audit.physics import check_physics
from bridge.audit.promises import audit_release
from bridge.audit.regeneration import regenerate
from dataset_card.contract.editions import V3
from dataset_card.contract.physics import DEFECTS
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


METADATA = ("order", "sample_id", "cell_id", "visit", "chemistry", "stack", "soc_knowledge", "soc")
AGEING = ("lli", "lam_pe", "lam_ne", "r_ohm", "r_ct", "gradient_lli", "gradient_r")
CHANCE = 1 / len(DEFECTS) + 4.5 * np.sqrt(1 / 6 * 5 / 6 / 24 / 6)
"""Balanced accuracy over six classes of 24 cells at least, 4.5 standard errors above chance."""


def told_by(rows, name):
    """Balanced accuracy of a tree that sees one column, over folds of cells."""
    column = rows.assign(order=np.arange(len(rows)))[name]
    if name.endswith("_id"):
        column = [int(text.removeprefix("cell-").removeprefix("s"), 16) / 2**63 for text in column]
    elif name in ("chemistry", "stack", "soc_knowledge"):
        column = pandas.factorize(column)[0]
    tree = DecisionTreeClassifier(max_leaf_nodes=12, min_samples_leaf=8, class_weight="balanced", random_state=0)
    inputs, kind = np.array(column, dtype=float)[:, None], rows["defect"].to_numpy(str)
    said = cross_val_predict(tree, inputs, kind, groups=rows["cell_id"], cv=GroupKFold(5))
    return balanced_accuracy_score(kind, said)


@pytest.mark.parametrize("name", [*METADATA, *AGEING])
def test_no_column_alone_tells_the_class(sound, name):
    assert told_by(sound[0], name) < CHANCE


@pytest.mark.parametrize("name", ["soc", "lli", "sample_id"])
def test_a_column_that_tells_the_class_is_found_by_the_same_reader(sound, name):
    rows = sound[0].copy()
    sick = (rows["defect"] == "dry").to_numpy() | (rows["defect"] == "weld").to_numpy()
    if name == "sample_id":
        rows[name] = [f"s{'0' if flag else 'f'}{text[2:]}" for flag, text in zip(sick, rows[name], strict=True)]
    else:
        values = rows[name].astype(float)
        rows[name] = values + values.std() * rows["defect"].map(DEFECTS.index)
    assert told_by(rows, name) > CHANCE


def test_what_is_missing_or_how_it_is_kept_tells_no_class(v3_release):
    """Nulls only where the contract has them, one type a column, and every file holds every class in its share."""
    table = read_table(v3_release)
    nullable = {field.name for field in V3.fields if field.nullable}
    assert {name for name in table.column_names if table[name].null_count} <= nullable
    shares = scalars(table)["defect"].value_counts(normalize=True)
    files = [path for path in v3_release.rglob("*.parquet") if "defect" in pq.read_schema(path).names]
    assert (
        len(files) > 3
        and len({pq.read_schema(path).field("load").type for path in files if "load" in pq.read_schema(path).names})
        == 1
    )
    for path in files:
        assert not [kind for kind in DEFECTS[1:] if kind in str(path.relative_to(v3_release))]
        rows = pq.read_table(path, columns=["cell_id", "defect"], partitioning=None).to_pandas().drop_duplicates()
        own = rows["defect"].value_counts(normalize=True).reindex(shares.index, fill_value=0)
        assert ((own - shares).abs() < 4.5 * np.sqrt(shares * (1 - shares) / len(rows))).all(), path
