"""One column of a release, and what derives from a list of columns: names, Arrow schema, `datasets` features, tables.

The columns themselves are declared in `fields.json`. This module imports nothing from the project.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

DECLARED: dict[str, Any] = json.loads(Path(__file__).with_name("fields.json").read_text(encoding="utf-8"))
"""Sections of `fields.json`: columns of v1 and v2, those that v2 adds, those of v3, and those of a user's tables."""

_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class Field:
    """One column of a release.

    Attributes:
        name: Column name.
        dtype: Arrow type name of one value: `string`, `int64`, `float64`, `float32` or `bool`.
        meaning: One sentence for the card.
        unit: Physical unit, or `-`.
        length: Length of a fixed-size list, or None for a scalar.
        nullable: Whether null is allowed.
        values: The allowed values, or None if any value is.
    """

    name: str
    dtype: str
    meaning: str
    unit: str = "-"
    length: int | None = None
    nullable: bool = False
    values: tuple[str, ...] | None = None

    @property
    def arrow_type(self) -> pa.DataType:
        """The column's Arrow type."""
        scalar = pa.type_for_alias(self.dtype)
        return scalar if self.length is None else pa.list_(scalar, self.length)


def declared(kind: Callable[..., _Kind], section: str) -> tuple[_Kind, ...]:
    """Return the fields of one section of `fields.json`, each built by calling `kind` with its entry."""
    entries = ({k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()} for entry in DECLARED[section])
    return tuple(kind(**entry) for entry in entries)


def names_of(fields: tuple[Field, ...]) -> tuple[str, ...]:
    """Return the names of fields."""
    return tuple(field.name for field in fields)


def metadata_of(fields: tuple[Field, ...]) -> tuple[str, ...]:
    """Return the columns of the `metadata` table: every scalar column, so neither signals nor `u_features`."""
    return tuple(field.name for field in fields if field.length is None)


def select(fields: tuple[Field, ...], columns: Iterable[str]) -> tuple[Field, ...]:
    """Return the fields with the given names, in the order of the names."""
    by_name = {field.name: field for field in fields}
    return tuple(by_name[column] for column in columns)


def arrow_schema_of(fields: tuple[Field, ...]) -> pa.Schema:
    """Return the Arrow schema of the given fields."""
    return pa.schema([pa.field(f.name, f.arrow_type, nullable=f.nullable) for f in fields])


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]], rule: str = " --- ") -> str:
    """Return a Markdown table without a final newline; `rule` goes under each column's name."""
    lines = [f"| {' | '.join(map(str, cells))} |" for cells in (head, *rows)]
    return "\n".join([lines[0], f"|{'|'.join([rule] * len(head))}|", *lines[1:]])


def features_of(fields: tuple[Field, ...]):
    """Return the `datasets.Features` of the given fields, labels as classes; import `datasets` when called.

    Files store labels as text, which every reader understands; `datasets` turns them into classes when it loads them.
    """
    import datasets

    def feature(field: Field):
        value = datasets.Value(field.dtype) if field.values is None else datasets.ClassLabel(names=list(field.values))
        return value if field.length is None else datasets.List(value, length=field.length)

    return datasets.Features({f.name: feature(f) for f in fields})
