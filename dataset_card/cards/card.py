"""Renders the documents of a release folder from the contract and a manifest."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from importlib import resources
from string import Template

import yaml

from dataset_card.cards.croissant import FILE as CROISSANT
from dataset_card.cards.croissant import About, croissant
from dataset_card.cards.evaluation import FILE as EVALUATION
from dataset_card.cards.evaluation import eval_yaml
from dataset_card.cards.figure import REGIME_B, composition
from dataset_card.contract.configs import DEFAULT_CONFIG, SPLITS, Config
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
"""Where the code lives: the one place to change it; `CITATION.cff` and the model's cards agree."""

PUBLISHED = "2026"
"""Year of the paper and of the published releases."""

VALUE_BYTES = 8
"""Bytes in memory of one number, and near enough of one label: the header's sizes are informative."""

TAGS = (
    "tabular", "timeseries", "battery", "lithium-ion", "magnetometry", "state-of-health", "anomaly-detection",
    "synthetic",
)  # fmt: skip
"""The first two are what the Hub knows a dataset's modality by."""

HUB_LICENCES = (
    "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0",
    "odc-by", "odbl", "pddl", "apache-2.0", "mit",
)  # fmt: skip
"""Identifiers of licences of data that the Hub knows."""

TASK_CATEGORIES = ("tabular-regression", "tabular-classification")


def documents(manifest: dict, files: dict[str, tuple[int, int, str]]) -> dict[str, str]:
    """The texts that a release folder carries beside its data.

    Args:
        manifest: The release's manifest.
        files: Rows, bytes and SHA-256 of each Parquet file, by path.

    Returns:
        Text by file name: `README.md` (the card), its figures `composition.svg` and, of v2, `comparison.svg`,
        `CITING.md`, `CITATION.cff`, `LICENSE`, `eval.yaml`, `croissant.json`.
    """
    sizes = {path: (rows, size) for path, (rows, size, _) in files.items()}
    configs = _configs(manifest, sizes)
    texts = _card_and_figures(manifest, sizes)
    return texts | {
        EVALUATION: eval_yaml(_title(manifest), configs),
        CROISSANT: croissant(_about_rows(manifest, texts), _edition(manifest), configs, files),
    }


def _card_and_figures(manifest: dict, sizes: dict[str, tuple[int, int]]) -> dict[str, str]:
    values, edition = _values(manifest), _edition(manifest)
    if edition is MEASURED:
        return _measured_documents(values, manifest, sizes)
    if edition is V2:
        values |= V2_NOTES[manifest["upstream"]["name"]] | {
            "cell_table": _cell_table(manifest),
            "batteries": str(manifest["counts"]["batteries"]),
            "laws": ", ".join(f"{n} by `{law}`" for law, n in manifest["counts"].get("ageing_law", {}).items()),
            "overridden": _overridden(manifest),
        }
        template = "card_v2.md"
    elif edition is V3:
        values |= _physics_values(manifest)
        return with_citations(manifest, "card_v3.md", metadata(manifest, sizes), values)
    else:
        values["nature"] = "simulated" if _simulated(manifest) else "real"
        values["upstream_note"] = UPSTREAM_NOTES[_kind(manifest)]
        values["origin"] = _template(f"origin_{_kind(manifest)}.md").substitute(values).strip()
        template = "card.md"
    values["origin"] += _own_files(manifest)
    texts = with_citations(manifest, template, metadata(manifest, sizes), values)
    if edition is V2:
        texts["comparison.svg"] = _template("comparison.svg").template
    return texts


def with_citations(manifest: dict, template: str, header: dict, values: dict) -> dict[str, str]:
    """The texts of a folder from the template of its card.

    Args:
        manifest: The manifest.
        template: Name of the card's template.
        header: The card's YAML header.
        values: What the template names, beside what every card says of a manifest.

    Returns:
        Text by file name.
    """
    values = _values(manifest) | values
    # The template's lines that only a simulated or only a published release carries are chosen by name.
    edition = _edition(manifest)
    documents_of = edition.bridge if edition in (V2, V3) else _kind(manifest)
    citing = _template(f"citing_{documents_of}.md").substitute(values)
    values["citing"] = citing.replace("# How to cite", "## How to cite").strip()
    head = yaml.safe_dump(header, sort_keys=False, allow_unicode=True, width=1000)
    return {
        "README.md": f"---\n{head}---\n\n{_template(template).substitute(values)}",
        "composition.svg": composition(manifest),
        "CITING.md": citing,
        "CITATION.cff": _template(f"citation_{documents_of}.cff").substitute(values),
        "LICENSE": _template("license.txt").substitute(values),
    }


def _own_files(manifest: dict) -> str:
    """What a card adds where scans or cells are a user's own."""
    notes = "".join(f"\n* {note}" for note in manifest.get("notes", ()))
    if notes:
        notes = f"\n{notes}"
    return notes + OWN_CELLS_NOTE if str(manifest["bridge_version"]).endswith(OWN_CELLS) else notes


def _measured_documents(values: dict[str, str], manifest: dict, sizes: dict[str, tuple[int, int]]) -> dict[str, str]:
    """Documents of measured cells: licence and citation are their owner's words."""
    values |= {
        "licence": manifest["licence"],
        "citation": manifest["citation"],
        "notes": "\n".join(f"* {note}" for note in manifest["notes"]),
        "cell_table": _table(
            ("chemistry", "cells", "scans", "SOH"),
            (
                (_in_cell(name), t["cells"], f"{t['clean']:,}", f"{t['soh_range'][0]:.3f} to {t['soh_range'][1]:.3f}")
                for name, t in manifest["counts"]["tables"].items()
            ),
        ),
        "field_table": _table(
            ("field", "type", "unit", "meaning"),
            ((f"`{f.name}`", _type(f), f.unit, MEANINGS.get(f.name, f.meaning)) for f in MEASURED.fields),
        ),
        "class_table": _table(("second-life class", "scans"), manifest["counts"]["second_life_class"].items()),
    }
    header = yaml.safe_dump(metadata(manifest, sizes), sort_keys=False, allow_unicode=True, width=1000)
    return {
        "README.md": f"---\n{header}---\n\n{_template('card_measured.md').substitute(values)}",
        "CITING.md": _template("citing_measured.md").substitute(values),
        "LICENSE": f"{values['name']}: measured data. Licence, by their owner:\n\n{values['licence']}\n",
    }


def _in_cell(text: str) -> str:
    return text.replace("|", "\\|")


def metadata(manifest: dict, sizes: dict[str, tuple[int, int]]) -> dict:
    """The card's YAML header: what the Hub and `datasets` read.

    `datasets` caches a local folder by this header, not by the data; the digest in each configuration's
    description makes the cache of other content another one: twelve digits do, and leave a sentence that people read.
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
    """The configurations that have rows."""
    edition = _edition(manifest)
    return [config for config in edition.configs if _present(edition.patterns(config), sizes)]


def _about_rows(manifest: dict, texts: dict[str, str]) -> About:
    """What `croissant.json` says of a release, in the words of its card and citation."""
    header, measured = about(manifest), _edition(manifest) is MEASURED
    limits = texts["README.md"].partition("## Limitations\n")[2].partition("\n## ")[0].partition("\n```")[0]
    cite = texts["CITING.md"].partition("```bibtex\n")[2].partition("```")[0]
    return About(
        title=_title(manifest),
        name=manifest["name"],
        version=manifest["version"],
        description=" ".join(texts["README.md"].split("\n\n")[2].split()),
        licence=manifest["licence"] if measured else header["license"],
        licence_url=None if measured else "https://creativecommons.org/licenses/by/4.0/",
        url=REPOSITORY,
        cite=manifest["citation"] if measured else cite,
        keywords=header["tags"],
        published=None if measured else PUBLISHED,
        limitations=" ".join(limits.replace("**", "").split()) or "Few cells of one laboratory; see the card.",
        upstream=manifest["upstream"]["name"],
        sources=manifest["upstream"]["sources"],
    )


def about(manifest: dict) -> dict:
    """The header's entries that do not speak of configurations."""
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
    """Entries of the header; what the Hub has no identifier for is `other`, with its owner's words."""
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
    """A configuration in the header: its files and, where it has not all of them, its columns."""
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
    """Whether every split of a configuration has rows: `datasets` refuses one that has none."""
    return all(_matching(globs, sizes) for globs in patterns.values())


def info_entry(
    config: Config, patterns: dict[str, list[str]], sizes: dict[str, tuple[int, int]], fields: Sequence[Field]
) -> dict:
    """A configuration's `dataset_info` in the header: columns, and rows and bytes of each split."""
    import datasets

    splits = datasets.splits.SplitDict()
    row_bytes = sum(VALUE_BYTES * (field.length or 1) for field in fields)
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


def _template(name: str) -> Template:
    return Template(resources.files("dataset_card.cards").joinpath("templates", name).read_text(encoding="utf-8"))


SCANS = {
    "osf": "The decoder uses the raw scans of the OSF archive.",
    "published": "The raw scans behind them are not public: the decoder uses surrogates that have the scans' mean and "
    "standard deviation at every anchor and time step.",
}
"""What the decoder averages, by upstream (specification of the release, section 1)."""

V2_NOTES = {
    "hybrid": {
        "origin": "Made from the published upstream files: means and standard deviations at the anchors are the "
        "published ones; correlations and spectra are borrowed from a simulated archive, since the raw scans are not "
        "public.",
        "scans": "The published statistics are of one cell, and none shows an aged one. Correlations between channels "
        "and in time come from a simulation, and nothing was tested on the raw scans.",
        "shared_model": "Correlations, and the increments of ageing and of each cell's make, come from one model of "
        "the cell.",
    },
    "osf": {
        "origin": "Made from the raw scans of the OSF archive and the published pulse tables.",
        "scans": "The scans are of one cell, and none shows an aged one.",
        "shared_model": "Ageing and each cell's make come from one model of the cell as a magnetised sheet.",
    },
    "scans": {
        "origin": "Made from a user's own scans, whose SHA-256 is below:",
        "scans": "The scans are of the user's cell or cells, and none is told to be aged.",
        "shared_model": "Ageing and each cell's make come from one model of the cell as a magnetised sheet, in "
        "the geometry of the OSF archive's.",
    },
    "simulated": {
        "origin": "**Simulated upstream.** Made without the published magnetometry and pulse tests, from a closed-form "
        "simulation of both: ids, labels and signals differ from a release of the published files.",
        "scans": "Scans and labels are simulated.",
        "shared_model": "The scans are simulated with the sheet model that the increments use, which favours v2.",
    },
}
"""What the card of a v2 release says of its scans, by upstream."""

UPSTREAM_NOTES = {
    "published": "Both upstreams are public:",
    "simulated": "Nothing was read of the two upstreams that the simulation stands in for:",
}
"""Lead-in of the card's table of upstreams and licences."""

OWN_CELLS_NOTE = (
    "\n\n**Own cells.** Where this card says PulseBat, read a table of the user's own: cells, SOH, SOC and voltages "
    "are from there, and only the signals are generated. An LFP cell stands at its own voltage, clipped to 3.06 to "
    "3.34 V; another chemistry at the scanned cell's median voltage at its SOC. What is said of chemistries, tables "
    "and counts of published releases does not hold here. The table's SHA-256 is below."
)

IMPORTED = "It was imported from a bundle that does not list them."


DERIVED = (
    "They derive from anchor statistics of MagBridge-Battery (Apache-2.0) and from PulseBat pulse tests (MIT / "
    "CC-BY-4.0), or from a\nsimulation of both where the card says so."
)
COMPUTED = "They are computed and derive from nobody's data."
"""What the licence says of the rows' origin."""


def _physics_values(manifest: dict) -> dict[str, str]:
    """What the card of v3 says beside what every card says."""
    counts, measured = manifest["counts"], manifest["protocol"]
    noise = manifest["config"]["noise"]
    return {
        "voltage_noise": f"{1e3 * noise['voltage_V']:g} mV",
        "field_noise": f"{1e3 * noise['field_nT']:g} pT and as much again as 1/f noise"
        if noise["flicker"] == 1
        else f"{1e3 * noise['field_nT']:g} pT, with 1/f noise of {noise['flicker']:g} times that",
        "count_table": _table(
            ("rows", "of"),
            [(f"{n:,}", name) for part in ("chemistry", "provenance", "stack") for name, n in counts[part].items()],
        ),
        "defect_table": _table(("defect", "rows"), counts["defect"].items()),
        "voltage_times": ", ".join(f"{time:.4g}" for time in measured["voltage_s"]),
        "load_time": f"{measured['load_s']:g}",
        "rest_times": ", ".join(f"{time:.4g}" for time in measured["rest_s"]),
        "labels": ", ".join(f"`{name}`" for name in LABELS),
    }


def _values(manifest: dict) -> dict[str, str]:
    counts, splits = manifest["counts"], manifest["splits"]
    provenance = counts["provenance"]
    # a corpus has no split by record
    leaks = splits.get("by_record_optimistic_baseline", splits[DEFAULT_CONFIG])["leakage"]
    soh = manifest["soh_range"]
    return {
        "title": _title(manifest),
        "name": manifest["name"],
        "version": manifest["version"],
        "bridge_version": manifest["bridge_version"],
        "config_hash": manifest["bridge_config_hash"],
        "digest": manifest["dataset_digest"],
        "short_digest": manifest["dataset_digest"][:12],
        "scans": SCANS.get(manifest["upstream"]["name"], "") if manifest["upstream"]["sources"] else IMPORTED,
        "rebuild": manifest["rebuild"],
        "rows": f"{counts['rows']:,}",
        "cells": str(counts["cells"]),
        "clean": f"{provenance.get('clean', 0):,}",
        "anomaly": f"{provenance.get('anomaly', 0):,}",
        "regime_b": f"{provenance.get('regime_b', 0):,}",
        "steps": str(T),
        "soh_range": "none" if soh is None else f"{soh[0]:.3f} to {soh[1]:.3f}",
        "subtype_table": _table(("subtype", "rows"), counts.get("anomaly_subtype", {}).items()),
        "derived": COMPUTED if _edition(manifest) is V3 else DERIVED,
        "config_table": _table(
            ("configuration", "what it holds"), ((f"`{c.name}`", c.description) for c in _edition(manifest).configs)
        ),
        "field_table": field_table(_edition(manifest).fields),
        "split_table": _table(
            ("split", *SPLITS, "cells in more than one subset", "parents apart from their anomaly"),
            (
                (
                    f"`{name}`",
                    *(f"{summary['subsets'][s]['rows']:,}" for s in SPLITS),
                    summary["leakage"]["cells_in_more_than_one_subset"],
                    summary["leakage"]["parent_child_pairs_across_subsets"],
                )
                for name, summary in splits.items()
            ),
        ),
        "leaking_cells": str(leaks["cells_in_more_than_one_subset"]),
        "leaking_pairs": str(leaks["parent_child_pairs_across_subsets"]),
        "source_table": _source_table(manifest["upstream"]["sources"]),
        "test_cells": str(_test_cells(manifest)),
        "paper": f"[{PAPER}](https://arxiv.org/abs/{ARXIV_ID})",
        "paper_id": PAPER,
        "repository": REPOSITORY,
        "arxiv_id": ARXIV_ID,
        "data_doi": DATA_DOI,
        "osf_doi": OSF_DOI,
    }


def field_table(fields: Sequence[Field]) -> str:
    """The card's table of columns."""
    return _table(("field", "type", "unit", "meaning"), ((f"`{f.name}`", _type(f), f.unit, f.meaning) for f in fields))


def _source_table(sources: dict[str, str]) -> str:
    rows = [(f"`{name}`", f"`{digest}`") for name, digest in sources.items()]
    if not rows:
        return "The bundle that this release was imported from lists no upstream files."
    return _table(("read", "SHA-256"), rows)


def _cell_table(manifest: dict) -> str:
    """Cells and clean rows of each table of a v2 release."""
    tables = manifest["counts"]["tables"]
    head = ("table", "cells", "clean rows", "SOH")
    return _table(
        head,
        (
            (name, t["cells"], f"{t['clean']:,}", f"{t['soh_range'][0]:.3f} to {t['soh_range'][1]:.3f}")
            for name, t in tables.items()
        ),
    )


def _overridden(manifest: dict) -> str:
    """A sentence on each thing that was done to records' own voltages."""
    done = manifest.get("overridden", {}).items()
    return " ".join(f"{count:,} records have their {what}." for what, count in done if count)


def _test_cells(manifest: dict) -> int:
    """Real cells of v1's test subset: its Regime-B rows have a pseudo-cell of their own."""
    subset = manifest["splits"][DEFAULT_CONFIG]["subsets"]["test"]
    return subset["cells"] - (REGIME_B in subset.get("anomaly_subtype", ()))


def _type(field) -> str:
    name = field.dtype if field.length is None else f"{field.dtype}[{field.length}]"
    return name + (", nullable" if field.nullable else "")


def _table(head, rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
