"""`croissant.json`: valid by mlcroissant, and its first row of every configuration is the Parquet's."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.dataset as arrow_data
import pytest

from dataset_card.cards.card import REPOSITORY
from dataset_card.cards.croissant import FILE
from dataset_card.contract.editions import DATASETS
from dataset_card.contract.schema import SYNTHETIC_SUBTYPES
from dataset_card.storage.digests import sha256_of
from dataset_card.storage.reading import read_manifest

pytest.importorskip("mlcroissant")


@pytest.fixture(scope="module", params=["tiny_release", "v2_release", "v3_release"])
def release(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def described(release):
    import mlcroissant

    return mlcroissant.Dataset(str(release / FILE))


def test_mlcroissant_finds_no_error_and_no_warning(described):
    issues = described.metadata.ctx.issues
    assert not issues.errors and not issues.warnings


def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    return None if value is None or (isinstance(value, float) and np.isnan(value)) else value


def test_the_first_row_of_every_configuration_is_the_parquets(release, described):
    edition = DATASETS[release.name]
    named = {record_set.uuid for record_set in described.metadata.record_sets}
    assert named == {f"{c.name}/{split}" for c in edition.configs for split in edition.patterns(c)}
    for config in edition.configs:
        for split, patterns in edition.patterns(config).items():
            name = f"{config.name}/{split}"
            row = {key.removeprefix(f"{name}/"): value for key, value in next(iter(described.records(name))).items()}
            paths = [path for pattern in patterns for path in release.glob(pattern)]
            wanted = arrow_data.field("sample_id") == plain(row["sample_id"])
            table: pa.Table = arrow_data.dataset(paths).to_table(columns=list(config.columns), filter=wanted)
            (expected,) = table.to_pylist()
            assert row.keys() == expected.keys() == set(config.columns)
            for column, value in expected.items():
                if isinstance(value, list):
                    assert np.array_equal(np.asarray(row[column], float), value), (name, column)
                else:
                    assert plain(row[column]) == value, (name, column)


def test_a_whole_subset_can_be_read(release, described):
    summary = read_manifest(release)["splits"]["by_cell_primary"]["subsets"]["test"]
    name, classes = (
        ("nmc/test", summary["chemistry"]) if "defect" in summary else ("anomaly/test", summary["anomaly_subtype"])
    )
    expected = sum(rows for label, rows in classes.items() if label in (*SYNTHETIC_SUBTYPES, "NMC"))
    assert sum(1 for _ in described.records(name)) == expected > 0


def test_files_are_named_with_their_own_digests(release):
    document = json.loads((release / FILE).read_text())
    files = [entry for entry in document["distribution"] if entry["@type"] == "cr:FileObject"]
    assert {entry["contentUrl"] for entry in files} == {
        path.relative_to(release).as_posix() for path in release.rglob("*.parquet")
    }
    for entry in files:
        assert entry["sha256"] == sha256_of(release / entry["contentUrl"])
        assert entry["contentSize"] == f"{(release / entry['contentUrl']).stat().st_size} B"


def test_it_says_what_responsible_use_needs(release):
    document = json.loads((release / FILE).read_text())
    said = {name.removeprefix("rai:"): text for name, text in document.items() if name.startswith("rai:")}
    assert len(said) == 20 and all(said.values())
    assert said["dataCollection"].startswith("Synthetic.")
    if release.name != "magbridge-battery-v3":
        assert "A simulation of both was used" in said["dataCollection"] and "aged" in said["dataLimitations"]
    assert "1. " in said["dataLimitations"] and "**" not in said["dataLimitations"]
    assert document["url"] == REPOSITORY and document["citeAs"].startswith("@misc{")
    sources = read_manifest(release)["upstream"]["sources"]
    assert document["isBasedOn"] == [f"{name}, SHA-256 {digest}" for name, digest in sources.items()]
