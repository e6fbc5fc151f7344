import fnmatch

import pytest

from dataset_card.contract.configs import BY_NAME, CONFIGS, PROVENANCES, SPLITS, atom_path, provenance
from dataset_card.errors import MagBridgeError

PATHS = [atom_path(p, first, second) for p in PROVENANCES for first in SPLITS for second in SPLITS]


@pytest.mark.parametrize("config", [c for c in CONFIGS if c.name != "metadata"], ids=lambda c: c.name)
def test_each_row_is_in_one_split_of_a_configuration_or_in_none(config):
    splits = config.patterns().values()
    for path in PATHS:
        hits = sum(any(fnmatch.fnmatch(path, pattern) for pattern in patterns) for patterns in splits)
        assert hits == (path.split("/")[1] in config.provenances)


def test_each_task_has_its_configuration():
    assert [config.task for config in CONFIGS if config.task] == ["t1", "t2", "t3", "t4"]
    assert "soh" in BY_NAME["t1_soh_regression"].columns and "soh" not in BY_NAME["t4_anomaly_subtype"].columns


def test_a_chemistry_ends_the_files_name():
    assert atom_path("clean", "train", "test", "NMC") == "data/clean/by-cell-train/by-record-test-nmc.parquet"


def test_provenance_knows_its_origins_alone():
    assert provenance(["none", "bridge_extrapolation"]).tolist() == ["clean", "regime_b"]
    with pytest.raises(MagBridgeError, match="origin 'elsewhere': expected one of none"):
        provenance(["elsewhere"])
