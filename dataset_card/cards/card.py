"""Render the documents of a release folder from the contract and a manifest."""

import fnmatch
from collections.abc import Sequence

import yaml

from dataset_card.cards.croissant import FILE as CROISSANT
from dataset_card.cards.croissant import croissant
from dataset_card.cards.evaluation import FILE as EVALUATION
from dataset_card.cards.evaluation import eval_yaml
from dataset_card.cards.figure import composition
from dataset_card.cards.rendering import render, source
from dataset_card.contract.configs import DEFAULT_CONFIG, Config
from dataset_card.contract.editions import MEASURED, OWN_CELLS, V2, V3, Edition, edition_of
from dataset_card.contract.field import Field, features_of, names_of
from dataset_card.contract.measured import MEANINGS
from dataset_card.contract.physics import LABELS
from dataset_card.contract.schema import FIELD_NAMES, T

ARXIV_ID = "2605.20240"
PAPER = f"arXiv:{ARXIV_ID}"
DATA_DOI = "10.5281/zenodo.20260147"
OSF_DOI = "10.17605/OSF.IO/CW8ZV"
REPOSITORY = "https://github.com/SakthiGs/MagBridge-Battery"
"""URL of the code, to be changed only here; a test compares `CITATION.cff` and the cards of the models with it."""

PUBLISHED = "2026"
"""Year of the paper and of the published releases."""

VALUE_BYTES = {"float32": 4}
"""Bytes in memory of one value, else 8, also for a label: the sizes in the header are only informative."""

TAGS = (
    "tabular", "timeseries", "battery", "lithium-ion", "magnetometry", "state-of-health", "anomaly-detection",
    "synthetic",
)  # fmt: skip
"""Tags of a dataset on the Hub, which derives the modality from the first two."""

HUB_LICENCES = (
    "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0",
    "odc-by", "odbl", "pddl", "apache-2.0", "mit",
)  # fmt: skip
"""Identifiers of data licences that the Hub recognises."""

TASK_CATEGORIES = ("tabular-regression", "tabular-classification")

IDENTITY = {
    "arxiv_id": ARXIV_ID,
    "paper": PAPER,
    "data_doi": DATA_DOI,
    "osf_doi": OSF_DOI,
    "repository": REPOSITORY,
    "published": PUBLISHED,
}
"""Values used in the documents of every release."""


def documents(manifest: dict, files: dict[str, tuple[int, int, str]]) -> dict[str, str]:
    """Render the text files of a release folder.

    Args:
        manifest: The release's manifest.
        files: Rows, bytes and SHA-256 of each Parquet file, by path.

    Returns:
        Text by file name: `README.md` (the card), its figures `composition.svg` and, for v2, `comparison.svg`,
        `CITING.md`, `CITATION.cff`, `LICENSE`, `eval.yaml`, `croissant.json`. Releases of measured cells have neither
        figures nor `CITATION.cff`.
    """
    sizes = {path: (rows, size) for path, (rows, size, _) in files.items()}
    configs, edition = _configs(manifest, sizes), _edition(manifest)
    if edition is MEASURED:
        texts = _measured_documents(manifest, metadata(manifest, sizes))
    else:
        template = f"card_{edition.bridge}.md"
        texts = with_citations(manifest, template, metadata(manifest, sizes), edition.fields)
    if edition is V2:
        texts["comparison.svg"] = source("comparison.svg")
    return texts | {
        EVALUATION: eval_yaml(_title(manifest), configs),
        CROISSANT: croissant(_about_rows(manifest, texts), edition, configs, files),
    }


def _about_rows(manifest: dict, texts: dict[str, str]) -> dict:
    """Return the values of `croissant.json` that describe a whole release, taken from its card and citation."""
    header, measured = about(manifest), _edition(manifest) is MEASURED
    limits = texts["README.md"].partition("## Limitations\n")[2].partition("\n## ")[0].partition("\n```")[0]
    return _known(manifest) | {
        "description": " ".join(texts["README.md"].split("\n\n")[2].split()),
        "licence": manifest["licence"] if measured else "https://creativecommons.org/licenses/by/4.0/",
        "citation": manifest["citation"] if measured else texts["CITING.md"].split("```bibtex\n")[1].split("```")[0],
        "tags": header["tags"],
        "limitations": " ".join(limits.replace("**", "").split()) or "Few cells of one laboratory; see the card.",
    }


def with_citations(manifest: dict, template: str, header: dict, fields: Sequence[Field], **values) -> dict[str, str]:
    """Render the card, its figure and the files on citation and licence.

    Args:
        manifest: The manifest.
        template: Name of the card's template.
        header: The card's YAML header.
        fields: Columns of the rows.
        values: Further values that the template uses.

    Returns:
        Text by file name.
    """
    edition = _edition(manifest)
    documents_of = edition.bridge if edition in (V2, V3) else _kind(manifest)
    known = _known(manifest) | values | {"fields": fields}
    citing = render(f"citing_{documents_of}.md", known)
    known["citing"] = citing.replace("# How to cite", "## How to cite").strip()
    return {
        "README.md": _header(header) + render(template, known),
        "composition.svg": composition(manifest),
        "CITING.md": citing,
        "CITATION.cff": render(f"citation_{documents_of}.cff", known),
        "LICENSE": render("license.txt", known),
    }


def _measured_documents(manifest: dict, header: dict) -> dict[str, str]:
    """Render the documents of measured cells, with the licence and citation that their owner stated."""
    known = _known(manifest) | {"fields": MEASURED.fields, "meanings": MEANINGS}
    return {
        "README.md": _header(header) + render("card_measured.md", known),
        "CITING.md": render("citing_measured.md", known),
        "LICENSE": f"{manifest['name']}: measured data. Licence, by their owner:\n\n{manifest['licence']}\n",
    }


def _header(header: dict) -> str:
    return f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True, width=1000)}---\n\n"


def _known(manifest: dict) -> dict:
    """Return the values that every template may use: the manifest's entries, and values derived from them."""
    edition = _edition(manifest)
    return (
        manifest
        | IDENTITY
        | {
            "title": _title(manifest),
            "edition": edition.bridge,
            "kind": _kind(manifest),
            "simulated": _simulated(manifest),
            "own_cells": str(manifest["bridge_version"]).endswith(OWN_CELLS),
            "configs": edition.configs,
            "meanings": {},
            "labels": LABELS,
            "steps": T,
        }
    )


def metadata(manifest: dict, sizes: dict[str, tuple[int, int]]) -> dict:
    """Return the card's YAML header, which the Hub and `datasets` read.

    `datasets` caches a local folder by this header, not by its data. The digest in each configuration's description
    therefore gives other content another cache; twelve digits suffice and keep the sentence readable.
    """
    edition = _edition(manifest)
    configs = _configs(manifest, sizes)
    return {
        **about(manifest),
        "configs": [config_entry(config, edition.patterns(config), manifest) for config in configs],
        "dataset_info": [
            info_entry(config, edition.patterns(config), sizes, edition.columns_of(config)) for config in configs
        ],
    }


def _configs(manifest: dict, sizes: dict[str, tuple[int, int]]) -> list[Config]:
    """Return the configurations that have rows."""
    edition = _edition(manifest)
    return [config for config in edition.configs if _present(edition.patterns(config), sizes)]


def about(manifest: dict) -> dict:
    """Return the entries of the header other than those on configurations."""
    return {
        "pretty_name": _title(manifest),
        **_licence(manifest),
        "language": ["en"],
        "task_categories": list(TASK_CATEGORIES),
        "tags": _tags(manifest),
        "size_categories": [_size_category(manifest["counts"]["rows"])],
    }


def _tags(manifest: dict) -> list[str]:
    if _edition(manifest) is MEASURED:
        return [tag for tag in TAGS if tag not in ("synthetic", "anomaly-detection")] + ["measured"]
    return [*TAGS, *(["simulated-upstream"] if _simulated(manifest) else [])]


def _licence(manifest: dict) -> dict[str, str]:
    """Return the header's entries on the licence: `other` with the owner's text if the Hub has no identifier for it."""
    if _edition(manifest) is not MEASURED:
        return {"license": "cc-by-4.0"}
    identifier = manifest["licence"].strip().lower()
    if identifier in HUB_LICENCES:
        return {"license": identifier}
    return {"license": "other", "license_name": " ".join(manifest["licence"].split())[:80]}


SIZE_CATEGORIES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B")


def _size_category(rows: int) -> str:
    return SIZE_CATEGORIES[min(max(len(str(rows)) - 3, 0), len(SIZE_CATEGORIES) - 1)]


def config_entry(config: Config, patterns: dict[str, list[str]], manifest: dict) -> dict:
    """Return the header's entry of a configuration: its files and, if it omits some columns, its columns."""
    entry: dict = {
        "config_name": config.name,
        "description": f"{config.description} Files {manifest['files_digest'][:12]}.",
        "data_files": [{"split": split, "path": paths} for split, paths in patterns.items()],
    }
    if config.columns not in (FIELD_NAMES, names_of(_edition(manifest).fields)):
        entry["columns"] = list(config.columns)
    if config.name == DEFAULT_CONFIG:
        entry["default"] = True
    return entry


def _matching(patterns: list[str], sizes: dict[str, tuple[int, int]]) -> list[tuple[int, int]]:
    return [size for path, size in sizes.items() if any(fnmatch.fnmatch(path, pattern) for pattern in patterns)]


def _present(patterns: dict[str, list[str]], sizes: dict[str, tuple[int, int]]) -> bool:
    """Return whether every split of a configuration has rows; `datasets` refuses an empty split."""
    return all(_matching(globs, sizes) for globs in patterns.values())


def info_entry(
    config: Config, patterns: dict[str, list[str]], sizes: dict[str, tuple[int, int]], fields: Sequence[Field]
) -> dict:
    """Return a configuration's `dataset_info` for the header: its columns, and rows and bytes of each split."""
    import datasets

    splits = datasets.splits.SplitDict()
    row_bytes = sum(VALUE_BYTES.get(field.dtype, 8) * (field.length or 1) for field in fields)
    download_size = 0
    for split, globs in patterns.items():
        found = _matching(globs, sizes)
        rows = sum(rows for rows, _ in found)
        download_size += sum(size for _, size in found)
        splits.add(datasets.SplitInfo(split, num_bytes=rows * row_bytes, num_examples=rows))
    info = datasets.DatasetInfo(features=features_of(tuple(fields)), splits=splits)
    dataset_size = sum(split.num_bytes for split in splits.values())
    return {
        "config_name": config.name,
        **info._to_yaml_dict(),
        "download_size": download_size,
        "dataset_size": dataset_size,
    }


def _simulated(manifest: dict) -> bool:
    return manifest["upstream"]["name"] == "simulated"


def _kind(manifest: dict) -> str:
    return "simulated" if _simulated(manifest) else "published"


def _edition(manifest: dict) -> Edition:
    version = manifest["bridge_version"]
    return edition_of(version if isinstance(version, str) else version[0])


def _title(manifest: dict) -> str:
    if _edition(manifest) is MEASURED:
        return f"{manifest['name']} (measured)"
    title = "MagBridge-Battery" + (f" {edition.bridge}" if (edition := _edition(manifest)) in (V2, V3) else "")
    title += " corpus" if "seeds" in manifest else ""
    return title + (" (simulated upstream)" if _simulated(manifest) else "")
