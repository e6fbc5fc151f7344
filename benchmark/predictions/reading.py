"""Reads a predictions file as people make them: Parquet, CSV or JSON lines, with an index or columns of their own.

The one door for such files: what comes in is bounded before it is unpacked, what goes out is a table of known columns
and types, and everything else ends in one line that names it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.tasks import Task, did_you_mean
from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import plain_json
from dataset_card.storage.parquet import opened_parquet

DIGEST_KEY = b"magbridge_dataset_digest"
"""Parquet metadata key that says which release the predictions are for."""

COLUMNS = ("sample_id", "prediction", "seed", "score", "second")
EXPECTED = "expected sample_id and prediction, optionally seed and score"
INDEX = ("", "index", "level_0")
"""Names that an index without a name gets; such columns pass without a remark, as do pandas' own marks."""

MAX_BYTES = 20 * 2**20
"""A file of a few thousand rows is far smaller."""

MAX_UNPACKED = 256 * 2**20
MAX_ROWS = 200_000
"""Over a hundred seeds of the largest task."""

MAX_COLUMNS = 1000
MAX_TEXT = 200
"""Characters of an id or a label."""

MAX_SEED = 2**63 - 1
MAX_NUMBER = 1e9
"""Of a prediction: squares of larger ones are lost to overflow before anything is scored."""


def read_file(path: Path, task: Task) -> tuple[pa.Table, str | None, list[str]]:
    """Read a predictions file.

    Args:
        path: Parquet, CSV (comma, semicolon or tab) or JSON lines, told by its content.
        task: Whose targets are predicted.

    Returns:
        A table with `sample_id` (text), `prediction` (float64, text, or x and y of a place), `seed` (int64) and, where
        the file has it and the task reads it, `score` (float64); the digest of the release that a Parquet file names;
        and remarks.

    Raises:
        MagBridgeError: It is too large, no such file, or holds something else; says what.
    """
    if not path.is_file():
        raise MagBridgeError(f"no predictions file {path}: {EXPECTED} as Parquet, CSV or JSON lines")
    if path.stat().st_size > MAX_BYTES:
        size = path.stat().st_size / 2**20
        raise MagBridgeError(f"{path} has {size:.1f} MB: expected at most {MAX_BYTES / 2**20:.0f} MB")
    with open(path, "rb") as file:
        start = file.read(4)
    if start == b"PAR1" or path.suffix == ".parquet":
        columns, digest, names = _parquet(path)
    else:
        columns, names = _text(path)
        digest = None
    remarks = []
    marks = ("__index_level_", "Unnamed:")
    extra = [name for name in names if name not in COLUMNS + INDEX and not name.startswith(marks)]
    for name, reads in (("score", task.auc is not None), ("second", task.second is not None)):
        if name in columns and not reads:
            del columns[name]
            extra.append(name)
    if task.second is not None and "second" not in columns:
        raise MagBridgeError(
            f"{path} has no column second: expected {task.target} as prediction, {task.second} as second"
        )
    if extra:
        shown = ", ".join(extra[:5]) + (f" and {len(extra) - 5} more" if len(extra) > 5 else "")
        remarks.append(f"columns ignored: {shown}")
    rows = len(columns["sample_id"])
    out = {
        "sample_id": pa.array(_texts(path, "sample_id", columns["sample_id"]), pa.string()),
        "prediction": (
            pa.array(_numbers(path, "prediction", columns["prediction"]))
            if task.is_regression
            else pa.array(_labels(path, columns["prediction"], task), pa.string())
        ),
        "seed": pa.array(_seeds(path, columns["seed"]) if "seed" in columns else np.zeros(rows, dtype=np.int64)),
    }
    if "score" in columns:
        out["score"] = pa.array(_numbers(path, "score", columns["score"]))
    if task.second is not None:
        pairs = np.stack([out["prediction"], _numbers(path, "second", columns["second"])], axis=1)
        out["prediction"] = pa.array(pairs.tolist(), pa.list_(pa.float64()))
    return pa.table(out), digest, remarks


def _parquet(path: Path) -> tuple[dict[str, list], str | None, list[str]]:
    """Columns as lists, digest and all column names of a Parquet file, judged by its footer before it is read."""
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            _check_shape(path, schema.names, file.metadata.num_rows)
        wanted = [name for name in COLUMNS if name in schema.names]
        with opened_parquet(path, wanted, MAX_UNPACKED):
            for name in wanted:
                kind = schema.field(name).type
                kind = kind.value_type if pa.types.is_dictionary(kind) else kind
                if not (_is_text(kind) or _is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
                    raise MagBridgeError(f"{path}: column {name} has the type {kind}: expected text or numbers")
        # Repeated text stays one copy, so that what was measured above is what is held.
        texts = [name for name in wanted if _is_text(schema.field(name).type)]
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            table = file.read(columns=wanted)
        columns = {name: _values(path, name, table[name]) for name in wanted}
        digest = (schema.metadata or {}).get(DIGEST_KEY)
        return columns, None if digest is None else digest.decode("ascii", "replace"), schema.names
    except MagBridgeError:
        raise
    except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise MagBridgeError(f"{path} is not readable Parquet ({said[0][:200]}): {EXPECTED}") from error


def _values(path: Path, name: str, column: pa.ChunkedArray) -> list:
    out: list = []
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type):
            longest = max((len(value) for value in chunk.dictionary.to_pylist() if isinstance(value, str)), default=0)
            if longest > MAX_TEXT:
                raise MagBridgeError(f"{path}: column {name} holds a text of {longest:,} characters: {EXPECTED}")
        out += chunk.to_pylist()
    return out


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _text(path: Path) -> tuple[dict[str, list], list[str]]:
    """Columns as lists and all column names of a CSV or JSON lines file."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MagBridgeError(
            f"{path} is neither Parquet nor UTF-8 text (byte {error.start}): expected Parquet, CSV or JSON lines"
        ) from error
    start = text.lstrip()[:1]
    if start == "[":
        raise MagBridgeError(f"{path} holds a JSON list: expected JSON lines, one object a line (pandas: lines=True)")
    return _json_lines(path, text) if start == "{" else _csv(path, text)


def _csv(path: Path, text: str) -> tuple[dict[str, list], list[str]]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    if head.count(delimiter) >= MAX_COLUMNS:
        raise MagBridgeError(f"{path} has over {MAX_COLUMNS:,} columns: {EXPECTED}")
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter, strict=True) if row]
    except csv.Error as error:
        raise MagBridgeError(f"{path} is not CSV ({error}): {EXPECTED}") from error
    names = [name.strip() for name in rows[0]] if rows else []
    _check_shape(path, names, len(rows) - 1)
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(names):
            raise MagBridgeError(f"{path}: row {number} has {len(row)} fields, the header {len(names)}")
    values = {name: [field.strip() or None for field in column] for name, column in zip(names, zip(*rows[1:]))}
    return {name: values.get(name, []) for name in COLUMNS if name in names}, names


def _json_lines(path: Path, text: str) -> tuple[dict[str, list], list[str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > MAX_ROWS:
        _check_shape(path, list(COLUMNS), len(lines))
    objects, names = [], dict[str, None]()
    for number, line in enumerate(lines, 1):
        try:
            value = plain_json(line)
        except (ValueError, RecursionError) as error:
            raise MagBridgeError(f"{path}: line {number} is not JSON ({str(error)[:100]})") from error
        if not isinstance(value, dict):
            raise MagBridgeError(f"{path}: line {number} is no JSON object: {EXPECTED} in each")
        names |= dict.fromkeys(value)
        objects.append(value)
    _check_shape(path, list(names), len(objects))
    return {name: [value.get(name) for value in objects] for name in COLUMNS if name in names}, list(names)


def _check_shape(path: Path, names: list[str], rows: int) -> None:
    if rows > MAX_ROWS:
        raise MagBridgeError(f"{path} has {rows:,} rows: expected at most {MAX_ROWS:,}, one a test sample and seed")
    if len(names) > MAX_COLUMNS:
        raise MagBridgeError(f"{path} has {len(names):,} columns: {EXPECTED}")
    for name in COLUMNS:
        if names.count(name) > 1:
            raise MagBridgeError(f"{path} has the column {name} {names.count(name)} times: {EXPECTED} once each")
        if name not in names and name in ("sample_id", "prediction"):
            shown = ", ".join(map(str, names[:10])) or "none"
            raise MagBridgeError(
                f"{path} has no column {name} (it has {shown[:200]}): {EXPECTED}{did_you_mean(name, names)}"
            )
    if rows < 1:
        raise MagBridgeError(f"{path} is empty: expected one row for each test sample")


def _refuse(path: Path, name: str, row: int, value, expected: str) -> NoReturn:
    raise MagBridgeError(f"{path}: {name} in row {row + 1} is {str(value)[:60]!r}: expected {expected}")


def _present(path: Path, name: str, values: Iterable) -> list:
    values = list(values)
    absent = [row for row, value in enumerate(values) if value is None]
    if absent:
        raise MagBridgeError(
            f"{path}: column {name} has {len(absent)} nulls, the first in row {absent[0] + 1}: expected a value in "
            "every row"
        )
    return values


def _texts(path: Path, name: str, values: list) -> list[str]:
    for row, value in enumerate(_present(path, name, values)):
        if not isinstance(value, str):
            _refuse(path, name, row, value, "an id as text, as in the release's sample_id")
        if len(value) > MAX_TEXT:
            raise MagBridgeError(f"{path}: {name} in row {row + 1} has {len(value):,} characters: expected an id")
    return values


def _numbers(path: Path, name: str, values: list) -> np.ndarray:
    out = np.empty(len(values))
    for row, value in enumerate(_present(path, name, values)):
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            _refuse(path, name, row, value, "a number")
        try:
            out[row] = float(value)
        except (ValueError, OverflowError):
            _refuse(path, name, row, value, "a number, with a point for decimals")
    bad = np.flatnonzero(~np.isfinite(out))
    if len(bad):
        raise MagBridgeError(
            f"{path}: {len(bad)} {name}s are NaN or infinite, the first in row {bad[0] + 1}: expected finite numbers"
        )
    large = np.flatnonzero(np.abs(out) > MAX_NUMBER)
    if len(large):
        _refuse(path, name, int(large[0]), out[large[0]], f"a number within {MAX_NUMBER:g}")
    return out


def _labels(path: Path, values: list, task: Task) -> list[str]:
    known = ", ".join(task.labels)
    for row, value in enumerate(_present(path, "prediction", values)):
        if value in task.labels:
            continue
        if isinstance(value, (int, float)) or (isinstance(value, str) and _is_numeral(value)):
            _refuse(path, "prediction", row, value, f"one of {known}; class numbers and probabilities are not labels")
        _refuse(path, "prediction", row, value, f"one of {known}{did_you_mean(str(value).lower(), task.labels)}")
    return values


def _is_numeral(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _seeds(path: Path, values: list) -> np.ndarray:
    numbers = []
    for row, value in enumerate(_present(path, "seed", values)):
        try:
            number = int(value) if not isinstance(value, float) or value.is_integer() else -1
        except (TypeError, ValueError, OverflowError):
            number = -1
        if isinstance(value, bool) or not 0 <= number <= MAX_SEED:
            _refuse(path, "seed", row, value, "a whole number from 0")
        numbers.append(number)
    return np.array(numbers, dtype=np.int64)
