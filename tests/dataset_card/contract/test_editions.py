import pytest

from dataset_card.contract.configs import CONFIGS
from dataset_card.contract.editions import (
    DATASETS,
    EDITIONS,
    MEASURED,
    PUBLISHED_DIGESTS,
    V1,
    V2,
    V3,
    edition_of,
    has_own_cells,
    unpublished,
)
from dataset_card.errors import MagBridgeError


def test_each_bridge_version_belongs_to_one_edition():
    assert {edition_of(version) for version in ("v1.3", "v1.3-simulated")} == {V1}
    assert {edition_of(version) for version in ("v2.1-hybrid", "v2.1-osf", "v2.1-simulated")} == {V2}
    assert edition_of("measured") is MEASURED
    assert {edition.name: edition for edition in EDITIONS.values() if edition is not MEASURED} == DATASETS


def test_own_cells_are_told_by_the_version():
    assert [has_own_cells(v) for v in ("v1.3", "v1.3+cells", "v2.1-hybrid+cells", "measured")] == [
        False,
        True,
        True,
        True,
    ]
    assert edition_of("v1.3-simulated+cells") is V1 and edition_of("v2.1-scans+cells") is V2


def test_a_release_is_published_by_its_digest_alone():
    assert unpublished(PUBLISHED_DIGESTS[V3.name], "v3.0-physics", 20260512) is None
    other = unpublished("0" * 64, "v3.0-physics", 1)
    assert other is not None and "not a published one (v3.0-physics, seed 1" in other and "upstream" not in other
    assert "upstream --fetch" in str(unpublished(None, "v1.3-simulated", None))
    assert "upstream --fetch" not in str(unpublished("0" * 64, "v1.3", 7)), "which has the files"


@pytest.mark.parametrize("version", ["v4.0", "2.0", "", None])
def test_an_unknown_bridge_is_one_error(version):
    with pytest.raises(MagBridgeError, match="expected one that begins with v1 or v2"):
        edition_of(version)


def test_v2_has_every_configuration_of_v1_and_one_a_chemistry():
    assert V1.configs == CONFIGS
    assert [config.name for config in V2.configs[len(CONFIGS) :]] == ["lfp", "lmo", "nmc", "ageing"]


def test_patterns_name_the_chemistry_where_files_have_one():
    grounded = V1.config("grounded")
    assert V1.patterns(grounded)["test"] == ["data/clean/by-cell-test/by-record-*.parquet"]
    assert (
        V2.patterns(V2.config("by_record_optimistic_baseline"))["test"][0]
        == "data/clean/by-cell-*/by-record-test-*.parquet"
    )
    assert V2.patterns(V2.config("nmc"))["train"] == [
        "data/clean/by-cell-train/by-record-*-nmc*.parquet",
        "data/anomaly/by-cell-train/by-record-*-nmc*.parquet",
    ]


def test_an_unknown_configuration_is_named():
    with pytest.raises(MagBridgeError, match="configuration 'lfp': expected one of by_cell_primary"):
        V1.config("lfp")
