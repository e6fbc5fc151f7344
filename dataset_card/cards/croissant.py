"""`croissant.json` of a release: MLCommons Croissant 1.1 with the fields of its responsible-AI vocabulary.

Specification: mlcommons/croissant, docs/croissant-spec-1.1.md and docs/croissant_rai.ttl. The template
`croissant.yaml` has the entries that describe the release as a whole.
"""

import json
from collections.abc import Mapping, Sequence

import yaml

from dataset_card.cards.rendering import render
from dataset_card.contract.configs import Config
from dataset_card.contract.editions import Edition
from dataset_card.contract.field import Field

FILE = "croissant.json"
DATA_TYPES = {
    "string": "sc:Text",
    "int64": "cr:Int64",
    "float64": "cr:Float64",
    "float32": "cr:Float32",
    "bool": "sc:Boolean",
}


def croissant(
    about: Mapping, edition: Edition, configs: Sequence[Config], files: Mapping[str, tuple[int, int, str]]
) -> str:
    """Render `croissant.json`.

    Args:
        about: Values for the template, which describe the release as a whole.
        edition: Its edition.
        configs: Configurations that have rows.
        files: Rows, bytes and SHA-256 of each Parquet file, by path.

    Returns:
        JSON-LD, with paths relative to the release folder.
    """
    packed = {"encodingFormat": "application/x-parquet"}
    objects = [
        _named("cr:FileObject", path, contentUrl=path, contentSize=f"{size} B", **packed, sha256=sha256)
        for path, (_, size, sha256) in sorted(files.items())
    ]
    sets, records = [], []
    for config in configs:
        for split, patterns in edition.patterns(config).items():
            name = f"{config.name}/{split}"
            sets.append(_named("cr:FileSet", f"files/{name}", **packed, includes=patterns))
            columns = [_field(column, name) for column in edition.columns_of(config)]
            words = f"{config.description} Subset: {split}."
            records.append(_named("cr:RecordSet", name, description=words, field=columns))
    document = yaml.safe_load(render("croissant.yaml", about))
    document |= {"distribution": objects + sets, "recordSet": records}
    return json.dumps(document, indent=None, separators=(",", ":"), ensure_ascii=False) + "\n"


def _named(kind: str, identifier: str, **entries) -> dict:
    return {"@type": kind, "@id": identifier, "name": identifier, **entries}


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
