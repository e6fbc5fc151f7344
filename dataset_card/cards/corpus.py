"""The contract of a corpus: the rows of many releases, identified by their master seeds, in one folder of any size."""

import dataclasses

import pyarrow as pa

from dataset_card.cards import card
from dataset_card.contract.configs import DEFAULT_CONFIG, SPLITS, Config
from dataset_card.contract.editions import V3, edition_of
from dataset_card.contract.field import Field, arrow_schema_of
from dataset_card.contract.schema import fields_of

DTYPES = ("float64", "float32")
"""Types of signals, time and pulse voltages; labels are always float64."""

MASTER_SEED_FIELD = Field(
    "master_seed", "int64", "Seed of the release that the row belongs to; with `sample_id`, a key."
)

CONFIG = Config(DEFAULT_CONFIG, "Every row, split by cell: no cell is in two subsets, whatever the seed.")


def data_path(split: str, shard: int) -> str:
    """Return the path, in the folder, of a shard's rows of one split."""
    return f"data/{split}/{shard:06d}.parquet"


PATTERNS = {split: [f"data/{split}/*.parquet"] for split in SPLITS}
"""Globs of each split, relative to the folder."""


def fields(dtype: str, schema_version: str) -> tuple[Field, ...]:
    """Return the columns of a corpus: those of a release, with lists of type `dtype`, and the master seed."""
    # v3's lists are float32 in a release too
    lists = (
        dataclasses.replace(f, dtype=dtype) if f.dtype == "float64" and f.length else f
        for f in fields_of(schema_version)
    )
    return (*lists, MASTER_SEED_FIELD)


def arrow_schema(dtype: str, schema_version: str) -> pa.Schema:
    """Return the Arrow schema of a corpus."""
    return arrow_schema_of(fields(dtype, schema_version))


UNFINISHED = """---
configs:
- config_name: unfinished
  data_files: UNFINISHED-CORPUS-run-python-m-bridge-corpus-build-to-its-end.parquet
---

# Unfinished corpus

Shards are missing: run the command that started it again. The card replaces this page when all shards are complete.
"""
"""The card of an incomplete corpus. It names a file that never exists, so that `datasets` refuses the folder."""


def documents(manifest: dict, sizes: dict[str, tuple[int, int]]) -> dict[str, str]:
    """Render the text files of a finished corpus.

    Args:
        manifest: The corpus's manifest.
        sizes: Rows and bytes of each Parquet file, by path.

    Returns:
        Text by file name: `README.md` (the card), `composition.svg`, `CITING.md`, `CITATION.cff`, `LICENSE`.
    """
    columns = fields(manifest["dtype"], manifest["schema_version"])
    total = sum(size for _, size in sizes.values())
    values = {
        "files": len(sizes),
        "gigabytes": f"{total / 1e9:.3g}",
        "row_bytes": f"{total / manifest['counts']['rows']:,.0f}",
    }
    header = {
        **card.about(manifest),
        "configs": [card.config_entry(CONFIG, PATTERNS, manifest)],
        "dataset_info": [card.info_entry(CONFIG, PATTERNS, sizes, columns)],
    }
    template = "card_corpus_v3.md" if edition_of(manifest["bridge_version"]) is V3 else "card_corpus.md"
    return card.with_citations(manifest, template, header, columns, **values)
