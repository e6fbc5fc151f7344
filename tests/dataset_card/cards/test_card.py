"""The documents of a release folder say what its manifest and the contract say."""

import copy
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from dataset_card.cards.card import REPOSITORY, documents
from dataset_card.contract.configs import CONFIGS, SPLITS
from dataset_card.contract.schema import FIELDS
from dataset_card.storage.digests import sha256_of

DATA_DOI = "10.5281/zenodo.20260147"


@pytest.fixture(scope="module")
def manifest(tiny_release):
    return json.loads((tiny_release / "manifest.json").read_text())


@pytest.fixture(scope="module")
def card(tiny_release):
    return (tiny_release / "README.md").read_text()


def published(manifest):
    """The same counts, as the manifest of a release from the published files."""
    manifest = copy.deepcopy(manifest)
    manifest |= {"name": "magbridge-battery", "bridge_version": "v1.3"}
    manifest |= {"rebuild": "python -m bridge build --upstream published"}
    manifest["upstream"] = {"name": "published", "sources": {"magbridge/anchor_stats.npz": "0" * 64}}
    return manifest


def files_of(folder):
    paths = folder.rglob("*.parquet")
    return {
        p.relative_to(folder).as_posix(): (pq.read_metadata(p).num_rows, p.stat().st_size, sha256_of(p)) for p in paths
    }


def test_the_documents_are_those_of_the_manifest_and_the_same_every_time(tiny_release, manifest):
    texts = documents(manifest, files_of(tiny_release))
    of_data = {"eval.yaml", "croissant.json"}
    assert set(texts) == {"README.md", "composition.svg", "CITING.md", "CITATION.cff", "LICENSE"} | of_data
    for name, text in texts.items():
        assert (tiny_release / name).read_text() == text


def test_the_header_counts_the_rows_of_every_configuration(tiny_release, card):
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["license"] == "cc-by-4.0" and header["size_categories"] == ["1K<n<10K"]
    assert "simulated-upstream" in header["tags"]
    assert [c["config_name"] for c in header["configs"]] == [c.name for c in CONFIGS]
    assert [c["config_name"] for c in header["configs"] if c.get("default")] == ["by_cell_primary"]
    for entry, info in zip(header["configs"], header["dataset_info"]):
        for files, split in zip(entry["data_files"], info["splits"]):
            paths = {path for pattern in files["path"] for path in tiny_release.glob(pattern)}
            assert split["name"] == files["split"]
            assert split["num_examples"] == sum(pq.read_metadata(path).num_rows for path in paths) > 0


def test_the_card_has_every_field_with_its_unit_and_every_split_with_its_guarantee(card, manifest):
    for field in FIELDS:
        unit, meaning = re.escape(field.unit), re.escape(field.meaning)
        assert re.search(rf"^\| `{field.name}` \| {field.dtype}.* \| {unit} \| {meaning} \|$", card, re.M)
    for name, summary in manifest["splits"].items():
        counts = " | ".join(f"{summary['subsets'][s]['rows']:,}" for s in SPLITS)
        leaks = " | ".join(str(count) for count in summary["leakage"].values())
        assert f"| `{name}` | {counts} | {leaks} |" in card


@pytest.mark.parametrize(
    "heading",
    [
        "Contents",
        "Configurations",
        "Splits",
        "Fields",
        "Intended uses",
        "Out-of-scope uses",
        "Limitations",
        "Provenance",
        "Licence",
        "How to rebuild",
        "How to cite",
    ],
)
def test_the_card_has_its_sections(card, heading):
    assert f"\n## {heading}\n" in card


def test_the_card_lists_seven_limitations_and_leaves_no_placeholder(card, manifest):
    limitations = card.partition("## Limitations")[2].partition("\n## ")[0]
    assert re.findall(r"^(\d)\. ", limitations, re.M) == list("1234567")
    assert "9 cells are in the test subset" in limitations
    assert "$" not in card and manifest["rebuild"] in card and manifest["dataset_digest"] in card


def test_a_published_release_cites_paper_and_data_and_a_simulated_one_says_what_it_is(tiny_release, manifest, card):
    texts = documents(published(manifest), files_of(tiny_release))
    for text in (texts["README.md"], texts["CITING.md"]):
        assert text.count("@misc{") == 2 and DATA_DOI in text and "2605.20240" in text
    assert "simulat" not in texts["CITING.md"] and "Simulated upstream" not in texts["README.md"]
    assert yaml.safe_load(texts["CITATION.cff"])["doi"] == DATA_DOI
    assert "Simulated upstream" in card and card.count("@misc{") == 1
    simulated = yaml.safe_load((tiny_release / "CITATION.cff").read_text())
    assert "doi" not in simulated and "simulated" in simulated["title"]


def test_a_release_imported_without_its_sources_claims_nothing_about_them(tiny_release, manifest):
    unknown = published(manifest) | {"upstream": {"name": "published", "sources": {}}}
    text = documents(unknown, files_of(tiny_release))["README.md"]
    assert "surrogates" not in text and "lists no upstream files" in text


def test_the_code_has_one_address_everywhere(card):
    root = Path(__file__).parents[3]
    assert yaml.safe_load((root / "CITATION.cff").read_text())["repository-code"] == REPOSITORY
    assert f'pip install "git+{REPOSITORY}"' in card and f"{REPOSITORY}/tree/main/benchmark/results" in card
    for path in re.findall(rf"{REPOSITORY}/tree/main/([\w/]+)", card):
        assert (root / path).is_dir(), path
    named = [
        path.relative_to(root).as_posix()
        for folder in ("dataset_card", "bridge", "benchmark", "hqvqvae")
        for path in (root / folder).rglob("*")
        if path.suffix in (".py", ".md", ".cff", ".txt") and REPOSITORY in path.read_text(encoding="utf-8")
    ]
    cards = [f"hqvqvae/pretrained/{name}/README.md" for name in ("paper", "precursor", "recommended")]
    constants = ["dataset_card/cards/card.py"]
    assert sorted(named) == sorted(constants + cards)


def test_the_header_has_what_the_hub_reads(card):
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["tags"][:2] == ["tabular", "timeseries"]
    assert not [category for category in header["task_categories"] if "forecasting" in category]
    assert "https://arxiv.org/abs/2605.20240" in card
    for entry in header["configs"]:
        assert re.fullmatch(r".{20,110}\. Files [0-9a-f]{12}\.", entry["description"]), entry["description"]
