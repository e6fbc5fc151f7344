"""The MATR tables: what the embedded table holds, what is refused, and that the command makes the table anew."""

import json
import os
import zipfile
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from dataset_card.errors import MagBridgeError
from hqvqvae.cells import matr
from hqvqvae.cells.features import CHARGE_FEATURES

PINNED = json.loads((resources.files("hqvqvae") / "data" / "matr_sha256.json").read_text())


def test_the_embedded_table_holds_the_published_cells_and_batches():
    table = matr.embedded_table()
    assert len(table) == 124 * 99 and len(PINNED) == 124 + 3
    cells = table.drop_duplicates("cell_id")
    assert cells["split"].value_counts().to_dict() == matr.CELLS
    assert cells["cohort"].value_counts().to_dict() == {"batch1": 41, "batch2": 43, "batch3": 40}
    assert cells["life_cycles"].agg(["min", "max"]).tolist() == [148, 2237]
    # The batches differ in life, so a wrong division would show: batch 2 was charged hardest.
    assert cells.groupby("cohort")["life_cycles"].median().tolist() == [842, 481, 964.5]
    assert (~table["valid"]).sum() == 29 and (table["reason"] != "").equals(~table["valid"])
    size = (resources.files("hqvqvae") / "data" / "matr_cycles.parquet").stat().st_size
    assert size < 1_000_000


def test_the_published_feature_ranks_lives_as_published():
    last = matr.load_cycles().query("cycle == 100")
    assert spearmanr(last["dq_log_var"], last["life_cycles"])[0] == pytest.approx(-0.90, abs=0.01)


def test_what_follows_at_constant_current():
    cycles = matr.load_cycles()
    assert (cycles["t_total"] * 4.4 / 3600).to_numpy() == pytest.approx(cycles["capacity"].to_numpy())
    first = cycles[cycles["cell_id"] == "train-01"]
    assert first["ah_throughput"].iloc[-1] == pytest.approx(first["capacity"].sum())
    assert set(CHARGE_FEATURES) <= set(cycles) and np.isfinite(cycles[list(matr.FEATURES)]).all(axis=None)


def test_a_straight_curve_has_the_features_that_it_must_have():
    straight = np.tile(np.linspace(0, 1.1, 1000)[:, None], (1, 99))
    straight[:, 50] *= 0.9  # cycle 52
    straight[:, 60] *= 28  # cycle 62: 30.8 Ah
    straight[400:, 70] -= 0.1  # cycle 72 falls
    table = matr.cell_features(straight).set_index("cycle")
    row = table.loc[2]
    assert row["capacity"] == pytest.approx(1.1) and row["v_mean_charge"] == pytest.approx(2.75)
    assert row["v_20"] == pytest.approx(3.2) and row["v_90"] == pytest.approx(2.15)
    assert row["dv_dt_min"] == pytest.approx(-1.5 / (1.1 * 3600 / 4.4))
    change = np.linspace(0, 0.11, 1000).var()
    assert table.loc[52, "dq_log_var"] == pytest.approx(np.log10(change), abs=1e-5)
    assert table["valid"].sum() == 97 and not table.loc[[62, 72], "valid"].any()
    assert table.loc[62, "reason"] == "ends at 30.8 Ah" and table.loc[72, "reason"].startswith("the charge falls by 0.")


@pytest.mark.parametrize(
    "contents, told", [({}, "127 missing, the first cycle_lives"), ({"train/cell1.csv": "1"}, "1 changed")]
)
def test_other_tables_than_the_published_ones_are_refused(tmp_path, contents, told):
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("readme", "")
        for name, text in contents.items():
            archive.writestr(f"data/{name}", text)
            (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "data" / name).write_text(text)
    for path in (tmp_path / "some.zip", tmp_path):
        with pytest.raises(MagBridgeError, match=told):
            matr.read_archive(path)


def test_what_is_no_zip_and_what_is_nowhere_is_told(tmp_path):
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(MagBridgeError, match="not a readable zip of the MATR tables"):
        matr.read_archive(tmp_path / "broken.zip")
    with pytest.raises(MagBridgeError, match="does not exist"):
        matr.read_archive(tmp_path / "nowhere")


@pytest.mark.upstream
def test_the_published_tables_give_the_embedded_one():
    if "MAGBRIDGE_UPSTREAM" not in os.environ:
        pytest.skip("needs the MATR tables in $MAGBRIDGE_UPSTREAM")
    found = matr.read_archive(next((Path(os.environ["MAGBRIDGE_UPSTREAM"]) / "matr").glob("*.zip")))
    pd.testing.assert_frame_equal(found, matr.embedded_table(), check_dtype=False, rtol=1e-6)
