"""`croissant.json` of a release: MLCommons Croissant 1.1 with the fields of its responsible-AI vocabulary.

Specification: mlcommons/croissant, docs/croissant-spec-1.1.md and docs/croissant_rai.ttl.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dataset_card.contract.configs import Config
from dataset_card.contract.editions import MEASURED, V2, V3, Edition
from dataset_card.contract.field import Field

FILE = "croissant.json"
CROISSANT, RAI = "http://mlcommons.org/croissant/", "http://mlcommons.org/croissant/RAI/"
DATA_TYPES = {
    "string": "sc:Text",
    "int64": "cr:Int64",
    "float64": "cr:Float64",
    "float32": "cr:Float32",
    "bool": "sc:Boolean",
}


class About(NamedTuple):
    """What the document says of the release as a whole.

    Attributes:
        title: For people.
        name: Of the dataset.
        version: Of the release.
        description: One or two sentences.
        licence: Identifier, or the owner's words.
        licence_url: Its address, or None.
        url: Of the project.
        cite: BibTeX of the paper, or the owner's words.
        keywords: Tags.
        published: Year, or None where nobody can tell.
        limitations: As on the card, one sentence or a few each.
        upstream: Kind of upstream, as in the manifest.
        sources: SHA-256 of what was read, by name.
    """

    title: str
    name: str
    version: str
    description: str
    licence: str
    licence_url: str | None
    url: str
    cite: str
    keywords: Sequence[str]
    published: str | None
    limitations: str
    upstream: str
    sources: Mapping[str, str]


def croissant(
    about: About, edition: Edition, configs: Sequence[Config], files: Mapping[str, tuple[int, int, str]]
) -> str:
    """The document.

    Args:
        about: The release as a whole.
        edition: Its edition.
        configs: Configurations that have rows.
        files: Rows, bytes and SHA-256 of each Parquet file, by path.

    Returns:
        JSON-LD; paths in it are relative to its own folder.
    """
    objects = [
        {
            "@type": "cr:FileObject",
            "@id": path,
            "name": path,
            "contentUrl": path,
            "contentSize": f"{size} B",
            "encodingFormat": "application/x-parquet",
            "sha256": sha256,
        }
        for path, (_, size, sha256) in sorted(files.items())
    ]
    sets, records = [], []
    for config in configs:
        for split, patterns in edition.patterns(config).items():
            name = f"{config.name}/{split}"
            sets.append(
                {
                    "@type": "cr:FileSet",
                    "@id": f"files/{name}",
                    "name": f"files/{name}",
                    "encodingFormat": "application/x-parquet",
                    "includes": patterns,
                }
            )
            records.append(
                {
                    "@type": "cr:RecordSet",
                    "@id": name,
                    "name": name,
                    "description": f"{config.description} Subset: {split}.",
                    "field": [_field(column, name) for column in edition.columns_of(config)],
                }
            )
    document = {
        "@context": _context(),
        **_metadata(about, edition),
        "distribution": objects + sets,
        "recordSet": records,
    }
    return json.dumps(document, indent=None, separators=(",", ":"), ensure_ascii=False) + "\n"


def _field(field: Field, record_set: str) -> dict:
    unit = "" if field.unit == "-" else f" Unit: {field.unit}."
    out = {
        "@type": "cr:Field",
        "@id": f"{record_set}/{field.name}",
        "name": field.name,
        "description": field.meaning + unit,
        "dataType": DATA_TYPES[field.dtype],
        "source": {"fileSet": {"@id": f"files/{record_set}"}, "extract": {"column": field.name}},
    }
    return out if field.length is None else out | {"isArray": True, "arrayShape": str(field.length)}


def _metadata(about: About, edition: Edition) -> dict:
    return {
        "@type": "sc:Dataset",
        "conformsTo": [f"{CROISSANT}1.1", f"{RAI}1.0"],
        "name": about.name,
        "alternateName": about.title,
        "description": about.description,
        "version": about.version,
        "license": about.licence_url or about.licence,
        "url": about.url,
        "creator": {"@type": "sc:Organization", "name": "The MagBridge-Battery authors", "url": about.url},
        **({"datePublished": about.published} if about.published else {}),
        "citeAs": about.cite,
        "keywords": list(about.keywords),
        "inLanguage": "en",
        "isLiveDataset": False,
        "isBasedOn": [f"{name}, SHA-256 {digest}" for name, digest in about.sources.items()],
        **{f"rai:{name}": text for name, text in _responsible(about, edition).items()},
    }


def _responsible(about: About, edition: Edition) -> dict[str, object]:
    """Fields of the responsible-AI vocabulary."""
    by_hand = "Nobody: no row was annotated by hand."
    common: dict[str, object] = {
        "dataLimitations": about.limitations,
        "dataCollectionMissingData": "Null where a row has no such value; the card's table of fields says where.",
        "dataCollectionTimeframe": [about.published] if about.published else [],
        "dataImputationProtocol": "Nothing is imputed.",
        "dataCollectionRawData": "The rows are all there is: nothing was left out of them.",
        "dataPreprocessingProtocol": ["Signals are stored in nT and V, as made."],
        "dataManipulationProtocol": "None beside that.",
        "dataAnnotationPlatform": [by_hand],
        "dataAnnotationAnalysis": ["Labels are exact by construction, or measured: there are no annotators to agree."],
        "annotationsPerItem": "One value of each label.",
        "annotatorDemographics": [by_hand],
        "personalSensitiveInformation": "None: the rows speak of battery cells.",
        "dataReleaseMaintenancePlan": "A version stands for its rows, named by their digest; other rows get another.",
    }
    if edition is MEASURED:
        return common | {
            "dataCollection": "Magnetic scans and labels that a laboratory measured on its own cells.",
            "dataCollectionType": ["Physical data collection"],
            "dataBiases": "Cells, chemistries and states of health are those that the laboratory chose.",
            "dataUseCases": "Training and testing models of magnetic diagnostics on measured cells.",
            "dataSocialImpact": "Few cells of one laboratory: no ground for deciding about other cells.",
        }
    if edition is V3:
        return common | {
            "dataCollection": "Synthetic. Terminal voltage and magnetic field of virtual pouch cells, computed from "
            "open-circuit potentials, diffusion, currents in foils and tabs, and magnetic susceptibility, with errors "
            "of mounting, gains and noise.",
            "dataCollectionType": ["Software Collection"],
            "dataAnnotationProtocol": "Labels are the parameters that a row was computed from, SOH the capacity that "
            "follows from them.",
            "machineAnnotationTools": [f"MagBridge-Battery {about.version}"],
            "dataBiases": "Two chemistries, one format, one array and one protocol; ageing, gradients, defects and "
            "their shares are chosen.",
            "dataUseCases": "Measuring what magnetic readings add to terminal voltage, and sizing experiments. Not for "
            "deciding about real cells.",
            "dataSocialImpact": "A model that scores well here has seen no real cell: sorting real cells by it could "
            "put unsafe ones back to use.",
        }
    read = "A simulation of both was read" if about.upstream == "simulated" else "Both were read"
    ageing = (
        "a model of the cell as a magnetised sheet that loses moment"
        if edition is V2
        else "a displacement in a latent space, decoded from scans, and added noise"
    )
    return common | {
        "dataCollection": "Synthetic. Magnetic signatures of aged cells are generated from two sources that never met: "
        "magnetometry of one fresh Li-ion cell at five voltages (OSF, DOI 10.17605/OSF.IO/CW8ZV) and pulse tests of "
        f"other, retired cells with measured state of health (PulseBat). {read}. Ageing enters as {ageing}.",
        "dataCollectionType": ["Software Collection"],
        "dataCollectionRawData": "Raw scans may not be redistributed and are not in the release.",
        "dataPreprocessingProtocol": "Pulse tables are read as published, their voltages clipped to 3.06 to 3.34 V; "
        "scans are resampled to 100 steps of six channels in nT.",
        "dataManipulationProtocol": "Four sensor faults are injected into copies of clean rows by published formulas.",
        "dataAnnotationProtocol": "SOH is that of the pulse table; anomaly labels are what the generator did.",
        "machineAnnotationTools": [f"MagBridge-Battery {about.version}"],
        "dataBiases": "One scanned cell, one sensor geometry and one scan path carry all morphology; "
        + ("most of the SOH range is that of LMO cells." if edition is V2 else "all cells are of one chemistry (LFP)."),
        "dataUseCases": "Comparing methods for SOH regression, second-life triage and sensor faults under a split by "
        "cell, and developing pipelines before measured data of aged cells exist. Not for deciding about real cells.",
        "dataSocialImpact": "A model that scores well here has not seen one aged cell's field: sorting real cells "
        "by it could put unsafe ones back to use.",
    }


def _context() -> dict:
    """The context of Croissant 1.1; mlcroissant takes no other."""
    of_croissant = (
        "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty",
        "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5",
        "parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator",
        "source", "subField", "transform",
    )  # fmt: skip
    return {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": CROISSANT,
        "rai": RAI,
        "dct": "http://purl.org/dc/terms/",
        "conformsTo": "dct:conformsTo",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "description": {"@container": "@language"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "name": {"@container": "@language"},
        **{name: f"cr:{name}" for name in of_croissant},
    }
