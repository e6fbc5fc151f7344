"""Damaged copies of real files: bytes changed anywhere, or one value or member where the form is known."""

from __future__ import annotations

import csv
import io
import json
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

DEEP = "[" * 5000 + "]" * 5000

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 3, 10**30, -(2**63), 2**63, 1e308, -1e308, 5e-324, float("nan"), float("inf"), -0.0, "",
    "x", "x" * 5000, "\ud800", "a\nb", "a\0b", "../../x", "NaN", "1e999", [], {}, [None], {"x": 1}, [[[[[]]]]],
    [1, "x"], "1" * 400, "\u202e", -1.5, [1e308] * 3,
)  # fmt: skip
"""Values that stand where others are expected."""

ODD_CELLS = (
    "",
    "nan",
    "inf",
    "-1",
    "1e999",
    "1" * 400,
    "x" * 3000,
    '"',
    "é",
    "\u202e",
    "2026-01-01",
    "True",
    "3;4",
    "a,b",
)


def mutant(name: str, data: bytes, rng: np.random.Generator) -> bytes:
    """A damaged copy.

    Args:
        name: The file's name, whose suffix tells its form.
        data: What it holds.
        rng: Draws the damage.
    """
    by_form = _FORMS.get(name.rpartition(".")[2].lower())
    if by_form is None or rng.random() < 0.4:
        return damaged(data, rng)
    return by_form(data, rng)


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes with a few places flipped, overwritten, removed, repeated or cut off."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        at, length = int(rng.integers(len(out) or 1)), int(rng.integers(1, 40))
        match int(rng.integers(6)):
            case 0 if out:
                out[at] ^= 1 << int(rng.integers(8))
            case 1:
                out[at : at + length] = rng.bytes(length)
            case 2:
                del out[at : at + length]
            case 3:
                out[at:at] = out[at : at + length]
            case 4:
                out[at : at + length] = b"9" * length
            case 5 if rng.random() < 0.2:
                del out[at:]
    return bytes(out)


def changed(document: Any, rng: np.random.Generator) -> Any:
    """A document with one value somewhere in it replaced, dropped or added."""
    if not isinstance(document, (dict, list)) or not document or rng.random() < 0.15:
        return _strange(rng)
    out = document.copy()
    keys = list(out) if isinstance(out, dict) else list(range(len(out)))
    key = keys[rng.integers(len(keys))]
    match rng.integers(8):
        case 0:
            del out[key]
        case 1 if isinstance(out, dict):
            out[str(rng.integers(10))] = _strange(rng)
        case 1:
            out.append(out[0])  # type: ignore[union-attr]
        case _:
            out[key] = changed(out[key], rng)
    return out


def _strange(rng: np.random.Generator) -> Any:
    return STRANGE[rng.integers(len(STRANGE))]


def _json(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.decode().splitlines(keepends=True) if data.count(b"\n{") else [data.decode()]
    number = int(rng.integers(len(lines)))
    text = json.dumps(changed(json.loads(lines[number]), rng))
    match rng.integers(12):
        case 0:
            text = DEEP
        case 1 if text.startswith("{") and len(text) > 2:
            text = text[0] + text[1:-1] + ", " + text[1:]  # every key twice
        case 2:
            text = "\ufeff" + text
    lines[number] = text + ("\n" if len(lines) > 1 else "")
    return "".join(lines).encode("utf-8", "surrogatepass")


def _yaml(data: bytes, rng: np.random.Generator) -> bytes:
    document = changed(yaml.safe_load(data), rng)
    match rng.integers(8):
        case 0:
            return b"a: &a [x,x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b]\n" + data
        case 1:
            return DEEP.encode()
        case 2:
            return b"!!python/object/apply:os.getpid []\n"
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _csv(data: bytes, rng: np.random.Generator) -> bytes:
    rows = list(csv.reader(io.StringIO(data.decode())))
    row = rows[0 if rng.random() < 0.25 else int(rng.integers(len(rows)))]
    match rng.integers(8):
        case 0:
            del row[rng.integers(len(row)) :]
        case 1:
            row.append("1")
        case 2:
            rows.append(row)
        case 3:
            return data.replace(b",", [b";", b"\t", b"\0", b",,"][rng.integers(4)])
        case _:
            row[rng.integers(len(row))] = ODD_CELLS[rng.integers(len(ODD_CELLS))]
    out = io.StringIO()
    csv.writer(out, lineterminator=["\n", "\r\n", "\r"][rng.integers(3)]).writerows(rows)
    return out.getvalue().encode(["utf-8", "utf-16", "latin-1"][rng.choice(3, p=[0.9, 0.05, 0.05])], "replace")


def _zip(data: bytes, rng: np.random.Generator) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        entries = old.infolist()
        chosen = int(rng.integers(len(entries)))
        for number, entry in enumerate(entries):
            content, name = old.read(entry), entry.filename
            if number == chosen:
                match rng.integers(8):
                    case 0:
                        continue
                    case 1:
                        name = ["../x", "/x", "a" * 300, "x\\y", "", "C:x", f"{name}/x"][rng.integers(7)]
                    case 2:
                        new.writestr(f"{name}x", content)
                        content = b""
                    case 3:
                        new.writestr(name, content, [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2][rng.integers(2)])
                        continue
                    case _:
                        content = mutant(name, content, rng)
            with_warning = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            new.writestr(with_warning, content, zipfile.ZIP_DEFLATED)
    packed = bytearray(out.getvalue())
    if rng.random() < 0.1:  # encrypted, it says
        at = packed.find(b"PK\x01\x02")
        packed[at + 8] |= 1
    return bytes(packed)


def _parquet(data: bytes, rng: np.random.Generator) -> bytes:
    table = pq.read_table(io.BytesIO(data), partitioning=None)
    at = int(rng.integers(table.num_columns))
    name, rows = table.column_names[at], table.num_rows
    others: list[Callable[[], pa.Array]] = [
        lambda: pa.nulls(rows),
        lambda: pa.array([[1.0, None]] * rows),
        lambda: pa.array([{"a": 1}] * rows),
        lambda: pa.array([b"\xff\xfe"] * rows),
        lambda: pa.array([True] * rows),
        lambda: pa.array(["x"] * rows),
        lambda: pa.array(["x"] * rows).dictionary_encode(),
        lambda: pa.array([float("inf")] * rows),
        lambda: pa.array([-(2**62)] * rows),
        lambda: pa.array([10**9] * rows, pa.timestamp("ns")),
        lambda: pa.array([[("k", 1)]] * rows, pa.map_(pa.string(), pa.int64())),
        lambda: pa.array([[]] * rows, pa.list_(pa.float64())),
        lambda: pa.array([1] * rows, pa.decimal128(5, 2)),
    ]
    match rng.integers(8):
        case 0:
            table = table.drop_columns([name])
        case 1:
            table = table.rename_columns([f"{c}x" if c == name else c for c in table.column_names])
        case 2:
            table = table.append_column(name, table[name])
        case 3:
            table = table.slice(0, int(rng.integers(rows + 1)))
        case 4:
            table = pa.concat_tables([table, table.slice(0, 1)])
        case _:
            table = table.set_column(at, name, others[rng.integers(len(others))]())
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def _safetensors(data: bytes, rng: np.random.Generator) -> bytes:
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    if "__metadata__" in header and rng.random() < 0.5 and "state" in header["__metadata__"]:
        state = json.loads(header["__metadata__"]["state"])
        header["__metadata__"]["state"] = json.dumps(changed(state, rng))
    else:
        header = changed(header, rng)
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


_FORMS: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "json": _json,
    "jsonl": _json,
    "yaml": _yaml,
    "csv": _csv,
    "zip": _zip,
    "xlsx": _zip,
    "npz": _zip,
    "skops": _zip,
    "parquet": _parquet,
    "safetensors": _safetensors,
}
