"""Read a user's predictions file: Parquet, CSV or JSON lines, possibly with an index or additional columns.

This is the only parser of such files. It enforces size limits before it unpacks anything, returns a table of known
columns and types, and answers every fault with one line that names it.
"""

import csv
import io
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.refusals import refused
from benchmark.tasks import Task, did_you_mean
from dataset_card.errors import MagBridgeError, one_line
from dataset_card.storage.documents import plain_json
from dataset_card.storage.parquet import opened_parquet

DIGEST_KEY = b"magbridge_dataset_digest"
"""Parquet metadata key with the digest of the release that the predictions are for."""

COLUMNS = ("sample_id", "prediction", "seed", "score", "second")
EXPECTED = "expected sample_id and prediction, optionally seed and score"
INDEX = ("", "index", "level_0")
"""Names that libraries give to an unnamed index; such columns are ignored without a remark, like those of pandas."""

MAX_BYTES = 20 * 2**20
"""Size limit of a file; one of a few thousand rows is far smaller."""

MAX_UNPACKED = 256 * 2**20
MAX_ROWS = 200_000
MAX_SEEDS = 100
"""Limits of rows and seeds; all seeds of the largest task fit, and a file of few rows per seed is scored in seconds."""

TEXTS = (pa.types.is_string, pa.types.is_large_string)
NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
"""Types that the columns of a Parquet file may have."""

MAX_COLUMNS = 1000
MAX_TEXT = 200
"""Limit of characters in an id or a label."""

MAX_SEED = 2**63 - 1
MAX_NUMBER = 1e9
"""Limit of a prediction's absolute value; the squares of much larger ones would overflow."""


def read_file(path: Path, task: Task) -> tuple[pa.Table, str | None, list[str]]:
    """Read a predictions file.

    Args:
        path: File in Parquet, CSV (comma, semicolon or tab) or JSON lines; the format is detected from its content.
        task: Task whose targets are predicted.

    Returns:
        A table with `sample_id` (text), `prediction` (float64, text, or x and y of a place), `seed` (int64) and, if
        the file has scores and the task reads them, `score` (float64); the digest of the release that a Parquet file
        names, or None; and remarks.

    Raises:
        MagBridgeError: If the file is missing, too large or invalid; the message names the fault.
    """
    if not path.is_file():
        raise MagBridgeError(f"no predictions file {path}: {EXPECTED} as Parquet, CSV or JSON lines")
    if path.stat().st_size > MAX_BYTES:
        size = path.stat().st_size / 2**20
        raise MagBridgeError(f"{path} is {size:.1f} MB: expected at most {MAX_BYTES / 2**20:.0f} MB")
    with open(path, "rb") as file:
        start = file.read(4)
    columns, digest, names = _parquet(path) if start == b"PAR1" or path.suffix == ".parquet" else _text(path)
    remarks = []
    marks = ("__index_level_", "Unnamed:")
    extra = [name for name in names if name not in COLUMNS + INDEX and not name.startswith(marks)]
    for name, reads in (("score", task.auc is not None), ("second", task.second is not None)):
        if name in columns and not reads:
            del columns[name]
            extra.append(name)
    if task.second is not None and "second" not in columns:
        raise refused("no_second", path=path, target=task.target, second=task.second)
    if extra:
        shown = ", ".join(extra[:5]) + (f" and {len(extra) - 5} more" if len(extra) > 5 else "")
        remarks.append(one_line(f"columns ignored: {shown}"))
    ids = _read(path, "sample_id", columns["sample_id"], _id)
    numbers = {name: _numbers(path, name, columns[name]) for name in ("score", "second") if name in columns}
    seeds = _read(path, "seed", columns.get("seed", [0] * len(ids)), _seed)
    if len(set(seeds)) > MAX_SEEDS:
        raise MagBridgeError(f"{path} has {len(set(seeds)):,} different seeds: expected at most {MAX_SEEDS}")
    if not task.is_regression:
        labels = _read(path, "prediction", columns["prediction"], partial(_label, labels=task.labels))
        prediction = pa.array(labels, pa.string())
    elif task.second is None:
        prediction = pa.array(_numbers(path, "prediction", columns["prediction"]))
    else:
        both = _numbers(path, "prediction", columns["prediction"]), numbers["second"]
        prediction = pa.array(np.stack(both, axis=1).tolist(), pa.list_(pa.float64()))
    out = {"sample_id": pa.array(ids, pa.string()), "prediction": prediction}
    out["seed"] = pa.array(np.array(seeds, dtype=np.int64))
    if "score" in columns:
        out["score"] = pa.array(numbers["score"])
    return pa.table(out), digest, remarks


def _parquet(path: Path) -> tuple[dict[str, list], str | None, list[str]]:
    """Return columns as lists, digest and all column names of a Parquet file, after checking its footer."""
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            _check_shape(path, schema.names, file.metadata.num_rows)
        wanted = [name for name in COLUMNS if name in schema.names]
        with opened_parquet(path, wanted, MAX_UNPACKED):
            for name in wanted:
                kind = schema.field(name).type
                kind = kind.value_type if pa.types.is_dictionary(kind) else kind
                if not any(is_kind(kind) for is_kind in (*TEXTS, *NUMBERS)):
                    raise MagBridgeError(f"{path}: column {name} has the type {kind}: expected text or numbers")
        # Keep one copy of repeated text, so that memory stays within the size checked above.
        texts = [name for name in wanted if any(is_text(schema.field(name).type) for is_text in TEXTS)]
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
                raise MagBridgeError(f"{path}: column {name} has a text of {longest:,} characters: {EXPECTED}")
        out += chunk.to_pylist()
    return out


def _text(path: Path) -> tuple[dict[str, list], None, list[str]]:
    """Return columns as lists, None for the digest, and all column names of a CSV or JSON lines file."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refused("not_text", path=path, byte=error.start) from error
    start = text.lstrip()[:1]
    if start == "[":
        raise MagBridgeError(f"{path} is a JSON list: expected JSON lines, one object per line (pandas: lines=True)")
    columns, names = _json_lines(path, text) if start == "{" else _csv(path, text)
    return columns, None, names


def _csv(path: Path, text: str) -> tuple[dict[str, list], list[str]]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    if head.count(delimiter) >= MAX_COLUMNS:
        raise MagBridgeError(f"{path} has over {MAX_COLUMNS:,} columns: {EXPECTED}")
    try:
        parsed = (row for row in csv.reader(io.StringIO(text), delimiter=delimiter, strict=True) if row)
        rows = list(islice(parsed, MAX_ROWS + 2))  # the header, and one too many
    except csv.Error as error:
        raise MagBridgeError(f"{path} is not CSV ({error}): {EXPECTED}") from error
    names = [name.strip() for name in rows[0]] if rows else []
    _check_shape(path, names, len(rows) - 1)
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(names):
            raise MagBridgeError(f"{path}: row {number} has {len(row)} fields: expected {len(names)}, as in the header")
    values = {name: [field.strip() or None for field in column] for name, column in zip(names, zip(*rows[1:]))}
    return {name: values.get(name, []) for name in COLUMNS if name in names}, names


def _json_lines(path: Path, text: str) -> tuple[dict[str, list], list[str]]:
    lines = list(islice((line for line in io.StringIO(text) if line.strip()), MAX_ROWS + 1))
    if len(lines) > MAX_ROWS:
        _check_shape(path, list(COLUMNS), len(lines))
    objects, names = [], dict[str, None]()
    for number, line in enumerate(lines, 1):
        try:
            value = plain_json(line)
        except (ValueError, RecursionError) as error:
            raise MagBridgeError(f"{path}: line {number} is not valid JSON ({str(error)[:100]})") from error
        if not isinstance(value, dict):
            raise MagBridgeError(f"{path}: line {number} is not a JSON object: {EXPECTED} in each line")
        names |= dict.fromkeys(value)
        objects.append(value)
    _check_shape(path, list(names), len(objects))
    return {name: [value.get(name) for value in objects] for name in COLUMNS if name in names}, list(names)


def _check_shape(path: Path, names: list[str], rows: int) -> None:
    if rows > MAX_ROWS:
        raise MagBridgeError(f"{path} has over {MAX_ROWS:,} rows: expected one per test sample and seed")
    if len(names) > MAX_COLUMNS:
        raise MagBridgeError(f"{path} has {len(names):,} columns: {EXPECTED}")
    for name in COLUMNS:
        if names.count(name) > 1:
            raise MagBridgeError(f"{path} has the column {name} {names.count(name)} times: {EXPECTED}, once each")
        if name not in names and name in ("sample_id", "prediction"):
            shown = (", ".join(map(str, names[:10])) or "none")[:200]
            raise refused("no_column", path=path, name=name, shown=shown, hint=did_you_mean(name, names))
    if rows < 1:
        raise MagBridgeError(f"{path} is empty: expected one row for each test sample")


def _read(path: Path, name: str, values: list, read: Callable[[Any], Any]) -> list:
    """Convert each value with `read`, whose ValueError states what it expected; null values are refused."""
    absent = [row for row, value in enumerate(values) if value is None]
    if absent:
        raise refused("nulls", path=path, name=name, count=len(absent), row=absent[0] + 1)
    found = []
    for row, value in enumerate(values):
        try:
            found.append(read(value))
        except ValueError as error:
            where = f"{path}: {name} in row {row + 1} is {str(value)[:60]!r}"
            raise MagBridgeError(f"{where}: expected {error}") from None
    return found


def _id(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("an id as text, as in the release's sample_id")
    if len(value) > MAX_TEXT:
        raise ValueError(f"an id of at most {MAX_TEXT}, not {len(value):,} characters")
    return value


def _as_number(value: Any) -> float | None:
    """Return the number that a value represents, or None."""
    try:
        return None if isinstance(value, bool) or not isinstance(value, (str, int, float)) else float(value)
    except (ValueError, OverflowError):
        return None


def _number(value: Any) -> float:
    number = _as_number(value)
    if number is None:
        raise ValueError("a number, with a point for decimals")
    if MAX_NUMBER < abs(number) < float("inf"):
        raise ValueError(f"a number within {MAX_NUMBER:g}")
    return number


def _numbers(path: Path, name: str, values: list) -> np.ndarray:
    out = np.array(_read(path, name, values, _number), dtype=float)
    bad = np.flatnonzero(~np.isfinite(out))
    if len(bad):
        raise refused("not_finite", path=path, count=len(bad), name=name, row=bad[0] + 1)
    return out


def _label(value: Any, labels: tuple[str, ...]) -> str:
    if value in labels:
        return value
    if isinstance(value, bool) or _as_number(value) is not None:
        raise ValueError(f"one of {', '.join(labels)}; class numbers and probabilities are not labels")
    raise ValueError(f"one of {', '.join(labels)}{did_you_mean(str(value).lower(), labels)}")


def _seed(value: Any) -> int:
    try:
        number = int(value) if not isinstance(value, float) or value.is_integer() else -1
    except (TypeError, ValueError, OverflowError):
        number = -1
    if isinstance(value, bool) or not 0 <= number <= MAX_SEED:
        raise ValueError("a whole number of at least 0")
    return number
