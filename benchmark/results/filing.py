"""Read and write results files.

The results of a release are in one JSON lines file, sorted, one line per result; their predictions are in one Parquet
file next to it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.data import DatasetInfo
from benchmark.predictions.scored import one_number_a_column
from benchmark.refusals import refused
from benchmark.results.documents import from_json, to_json
from benchmark.results.result import KEY, Result, named_digest
from benchmark.tasks import get_task
from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import plain_json
from dataset_card.storage.files import alone, replacing, write_text
from dataset_card.storage.output import require_place
from dataset_card.storage.parquet import opened_parquet

SHIPPED = Path(__file__).parent
MAX_BYTES = 256 * 2**20
"""Largest results file; the shipped ones have a few MB."""

_NAMES = pa.dictionary(pa.int32(), pa.string())
_NUMBERS = {"seed": pa.int64(), "fold": pa.int64(), "sample_id": pa.string(), "value": pa.float64()}
PREDICTIONS = pa.schema(dict.fromkeys(KEY, _NAMES) | _NUMBERS | {"label": _NAMES, "score": pa.float64()})
"""Columns of the predictions next to a results file; `value` is set in regression, `label` in classification."""


def release_stem(dataset: DatasetInfo) -> str:
    """Return the name, without suffix, of the files with a release's results."""
    seed = None if dataset.seed is None else f"seed-{dataset.seed}"
    return "-".join(filter(None, (dataset.name, dataset.upstream, seed, named_digest(dataset)[:8])))


def write_result(result: Result, folder: str | Path, *, predictions: bool = True) -> Path:
    """Add a result to a folder's files; it replaces an earlier one of the same task, model, split and protocol.

    Args:
        result: From `evaluate_model`, `few_shot` or `cross_validate`, on a release.
        folder: Folder to write to; it is created if it does not exist.
        predictions: Whether to keep the predictions too.

    Returns:
        Path of the JSON lines file.

    Raises:
        MagBridgeError: If the result's rows do not belong to a release, or a name in it cannot be filed.
    """
    return write_results([result], folder, predictions=predictions)[0]


def write_results(results: list[Result], folder: str | Path, *, predictions: bool = True) -> list[Path]:
    """Add several results, as `write_result` adds one; return the paths of the JSON lines files."""
    return add_results(results, require_place(folder), predictions)


def add_results(results: list[Result], folder: Path, predictions: bool) -> list[Path]:
    """Add results as `write_results` does, to any folder; an entry's may be the working folder."""
    by_file: dict[Path, list[Result]] = {}
    for result in results:
        from_json(json.loads(json.dumps(to_json(result))), " ".join(result.key))
        by_file.setdefault(folder / f"{release_stem(result.dataset)}.jsonl", []).append(result)
    folder.mkdir(parents=True, exist_ok=True)
    for path, new in by_file.items():
        with alone(folder):
            kept = list(_read_file(path)) if path.exists() else []
            if not kept and path.with_suffix(".parquet").exists():
                raise refused("predictions_alone", beside=path.with_suffix(".parquet"), name=path.name)
            lines = {result.key: line for result, line in kept}  # word for word: a diff shows what is new
            tables = read_predictions(path, [result for result, _ in kept if result.predictions])
            for result in new:
                tables.pop(result.key, None)
                document = to_json(result) | {"predictions": None}
                if predictions and result.table is not None:
                    tables[result.key] = result.table
                    document["predictions"] = {"rows": result.table.num_rows, "sha256": _digest(result.table)}
                lines[result.key] = json.dumps(document)
            _write_file(path, lines, tables)
    return list(by_file)


def _write_file(path: Path, lines: dict[tuple, str], tables: dict[tuple, pa.Table]) -> None:
    if tables:
        with (
            replacing(path.with_suffix(".parquet")) as temporary,
            pq.ParquetWriter(temporary, _columns_of(tables), compression="zstd") as writer,
        ):
            for key in sorted(tables):
                filed = _filed(key, tables[key], _columns_of(tables))
                writer.write_table(filed, row_group_size=max(1, tables[key].num_rows))
    write_text(path, "".join(f"{lines[key]}\n" for key in sorted(lines)))


def _columns_of(tables: Mapping[tuple[str, ...], pa.Table]) -> pa.Schema:
    """Return the columns of a predictions file; those of places have a second number."""
    places = any(pa.types.is_list(table["prediction"].type) for table in tables.values())
    return PREDICTIONS.append(pa.field("second", pa.float64())) if places else PREDICTIONS


def _filed(key: tuple[str, ...], table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return predictions in the columns of a file; of places, x is `value` and y is `second`."""
    table = one_number_a_column(table)
    target = "value" if pa.types.is_floating(table["prediction"].type) else "label"
    columns = {name: pa.array([value] * table.num_rows) for name, value in zip(KEY, key)}
    columns |= {target if name == "prediction" else name: table[name] for name in table.column_names}
    absent = pa.nulls(table.num_rows)
    return pa.table({f.name: columns.get(f.name, absent).cast(f.type) for f in schema})


def _digest(table: pa.Table) -> str:
    """Return the SHA-256 of predictions, independent of the file that contains them."""
    names = [name for name in ("sample_id", "seed", "fold", "prediction", "score") if name in table.column_names]
    lines = zip(*(table[name].to_pylist() for name in names))
    return hashlib.sha256("\n".join([" ".join(names), *(repr(line) for line in lines)]).encode()).hexdigest()


def read_predictions(path: Path, results: Sequence[Result]) -> dict[tuple[str, ...], pa.Table]:
    """Read the filed predictions of results by `Result.key`, in the form of `Result.table`.

    Args:
        path: The JSON lines file that the results were read from.
        results: Some of its results.

    Raises:
        MagBridgeError: If a result was filed without predictions, or the predictions file contains others.
    """
    for result in results:
        if result.predictions is None:
            raise MagBridgeError(f"{' '.join(result.key)} in {path} was filed without predictions: run it with --out")
    beside = path.with_suffix(".parquet")
    found = _row_groups(beside) if results else {}
    return {result.key: _predictions_of(result, found.get(result.key), path, beside) for result in results}


def _row_groups(beside: Path) -> dict[tuple[str, ...], pa.Table]:
    """Read a predictions file: one row group per result, by the key in its first row."""
    with opened_parquet(beside) as file:
        tables = (file.read_row_group(i) for i in range(file.num_row_groups))
        return {tuple(str(table[name][0]) for name in KEY): table for table in tables if table.num_rows}


def _predictions_of(result: Result, filed: pa.Table | None, path: Path, beside: Path) -> pa.Table:
    task, filed = get_task(result.task), PREDICTIONS.empty_table() if filed is None else filed
    try:
        if task.second is not None:
            both = np.stack([filed[name].to_numpy() for name in ("value", "second")], axis=1)
            prediction = pa.chunked_array([pa.array(both.tolist(), pa.list_(pa.float64()))])
        else:
            prediction = filed["value"] if task.is_regression else filed["label"].cast(pa.string())
        columns = {name: filed[name] for name in ("sample_id", "seed", "fold")}
        columns |= {"prediction": prediction, "score": filed["score"]}
        table = pa.table({name: c for name, c in columns.items() if c.null_count < len(c) or not len(c)})
        digest = _digest(table)
    except (KeyError, UnicodeDecodeError, pa.ArrowException) as error:
        raise MagBridgeError(f"{beside} cannot be read ({error}): expected the predictions of {path.name}") from error
    assert result.predictions is not None
    if digest != result.predictions["sha256"]:
        raise MagBridgeError(f"{beside} holds other predictions of {' '.join(result.key)} than {path.name} names")
    return table


def read_results(path: str | Path | None = None) -> list[Result]:
    """Read the results of a JSON lines file, or of all such files in a folder; by default the shipped ones.

    Raises:
        MagBridgeError: If there is no such file, or a result breaks the schema.
    """
    return results_of(read_files(path))


def results_of(by_file: Mapping[Path, Sequence[Result]]) -> list[Result]:
    """Return the results of all files."""
    return [result for found in by_file.values() for result in found]


def read_files(path: str | Path | None = None) -> dict[Path, list[Result]]:
    """Read results by the file that contains them; by default the shipped ones.

    Args:
        path: A JSON lines file, or a folder of such files.

    Raises:
        MagBridgeError: As `read_results`.
    """
    files = shipped_files() if path is None else result_files(path)
    return {file: [result for result, _ in _read_file(file)] for file in files}


def _read_file(path: Path) -> Iterator[tuple[Result, str]]:
    """Yield each result of a JSON lines file with its line."""
    if path.stat().st_size > MAX_BYTES:
        raise MagBridgeError(f"{path} is larger than {MAX_BYTES / 2**20:.0f} MB: expected a results file")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise MagBridgeError(f"{path} is not text ({error}): expected a results file") from error
    for number, line in enumerate(lines, 1):
        yield from_json(_loads(line, f"{path}:{number}"), f"{path}:{number}"), line


def shipped_files() -> list[Path]:
    """Return the paths of the shipped results on v1, v2 and v3."""
    return [path for folder in (SHIPPED, SHIPPED / "v2", SHIPPED / "v3") for path in result_files(folder)]


def result_files(path: str | Path) -> list[Path]:
    """Return the paths of the results files that `read_results` reads.

    Raises:
        MagBridgeError: If there is no such file.
    """
    path = Path(path)
    paths = sorted(path.glob("*.jsonl")) if path.is_dir() else [path] if path.is_file() else []
    if not paths:
        raise MagBridgeError(f"no results at {path}: expected *.jsonl written by `python -m benchmark run --out`")
    return paths


def _loads(line: str, where: str) -> dict:
    def refuse(constant: str):
        raise ValueError(f"{constant} is not a JSON number")

    try:
        return plain_json(line, refuse)
    except (ValueError, RecursionError) as error:
        raise MagBridgeError(f"{where} is not JSON ({error}): expected a line written by `run --out`") from error
