"""The folder of a hidden round: signals without labels, the commitment to them and, once it closes, the labels.

While a round is open, its folder contains `round.json` and one Parquet file per task, with `sample_id` and six
channels. `round.json` states the commitment: the SHA-256 of master seed, salt and configuration. `entries.json` lists
the entries: the SHA-256 of each predictions file. The reveal closes that list and adds `reveal.json`, with seed, salt
and the list's SHA-256, and `labels.parquet`. `python -m bridge round verify` regenerates all of it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from dataset_card.contract.schema import BY_NAME, CHANNELS, FIELDS_V2, Field, arrow_schema_of, metadata_of
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import canonical_json, sha256_of
from dataset_card.storage.documents import read_json
from dataset_card.storage.reading import read_parquet

ROUND, REVEAL, LABELS, ENTRIES = "round.json", "reveal.json", "labels.parquet", "entries.json"
FORMAT = "1.0"
TASKS = ("t1", "t2", "t3", "t4")

SIGNAL_FIELDS = (
    Field("sample_id", "string", "Number of the row in its task, in an order that the secret draws."),
    *(BY_NAME[name] for name in CHANNELS),
)
"""Columns of a task's file: the id and the signals only."""

LABEL_FIELDS = (
    SIGNAL_FIELDS[0],
    Field("task", "string", "Task whose file has the signal.", values=TASKS),
    *(BY_NAME[name] for name in metadata_of(FIELDS_V2) if name not in ("sample_id", "parent_sample_id")),
)
"""Columns of `labels.parquet`, without `parent_sample_id`: the row that an anomaly was injected into is in no file."""


@dataclass(frozen=True)
class Round:
    """The contents of `round.json`.

    Attributes:
        folder: The round's folder.
        commitment: SHA-256 of master seed, salt and configuration (see `commitment_of`).
        configuration: Everything else that the rows depend on, and the round's `name`.
        files: Number of rows and SHA-256 of each task's file, by task.
        digest: SHA-256 of commitment, configuration and files; a submission names it as its release.
    """

    folder: Path
    commitment: str
    configuration: dict
    files: dict[str, dict]
    digest: str

    @property
    def name(self) -> str:
        """The round's name."""
        return self.configuration["name"]

    @property
    def is_revealed(self) -> bool:
        """Whether the labels have been published."""
        return (self.folder / REVEAL).is_file()


def commitment_of(configuration: Mapping[str, Any], master_seed: int, salt: str) -> str:
    """Compute the SHA-256 of the canonical JSON (sorted keys, no spaces) of configuration, master seed and salt.

    Args:
        configuration: The round's configuration.
        master_seed: The round's master seed; hashed as text, since few programs read JSON numbers of this size.
        salt: Hexadecimal digits.
    """
    document = {"configuration": configuration, "master_seed": str(master_seed), "salt": salt}
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()


def round_digest(commitment: str, configuration: Mapping[str, Any], files: Mapping[str, Any]) -> str:
    """Compute the SHA-256 of a round's commitment, configuration and files."""
    document = {"commitment": commitment, "configuration": configuration, "files": files}
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()


def is_round(folder: Path | str) -> bool:
    """Return whether a folder is that of a hidden round."""
    return (Path(folder) / ROUND).is_file()


def read_round(folder: Path | str) -> Round:
    """Read a round and check that its signal files are those that `round.json` states.

    Raises:
        MagBridgeError: If the folder is not a round, or a file of it is missing or was changed.
    """
    folder = Path(folder)
    if not is_round(folder):
        raise MagBridgeError(f"{folder}: no {ROUND}; expected a round's folder, made by `python -m bridge round open`")
    document = read_json(folder / ROUND)
    commitment, files, configuration = (document.get(name) for name in ("commitment", "files", "configuration"))
    whole = (
        document.get("format") == FORMAT
        and isinstance(configuration, dict)
        and isinstance(configuration.get("name"), str)
        and isinstance(commitment, str)
        and isinstance(files, dict)
        and set(files) == set(TASKS)
        and all(isinstance(file, dict) and isinstance(file.get("rows"), int) for file in files.values())
    )
    if not whole:
        raise MagBridgeError(
            f"{folder / ROUND}: expected format {FORMAT}, a commitment, a configuration and the files of "
            f"{', '.join(TASKS)}; get the round again from where it was published"
        )
    assert isinstance(configuration, dict) and isinstance(files, dict) and isinstance(commitment, str)
    digest = round_digest(commitment, configuration, files)
    if document.get("digest") != digest:
        raise MagBridgeError(
            f"{folder / ROUND}: its contents have the digest {digest[:12]}, but it states "
            f"{str(document.get('digest'))[:12]}: it was changed; get the round again from where it was published"
        )
    found = Round(folder, commitment, configuration, files, digest)
    for task, file in files.items():
        path = folder / file_of(task)
        if not path.is_file() or path.is_symlink():
            raise MagBridgeError(f"{path}: missing; get the round again from where it was published")
        if sha256_of(path) != file.get("sha256"):
            raise MagBridgeError(f"{path} was changed: its SHA-256 is not the one that {ROUND} states")
    return found


def file_of(task: str) -> str:
    """Return the name of the file with a task's signals."""
    return f"{task}.parquet"


def read_signals(found: Round, task: str) -> pa.Table:
    """Read the ids and signals of a task, with the columns `SIGNAL_FIELDS`.

    Raises:
        MagBridgeError: If the round does not have the task, or the file has other columns or another number of rows.
    """
    if task not in found.files:
        raise MagBridgeError(f"{found.folder}: {found.name} has no rows of {task}: expected {', '.join(TASKS)}")
    return _of_fields(found.folder / file_of(task), SIGNAL_FIELDS, found.files[task]["rows"])


def read_labels(found: Round) -> pa.Table:
    """Read the labels of every row, with the columns `LABEL_FIELDS`, after checking the commitment.

    Only `python -m bridge round verify` checks that the labels follow from seed, salt and configuration.

    Raises:
        MagBridgeError: If the round is still open, or seed, salt, configuration or labels fail their commitment check.
    """
    read_reveal(found)
    return _of_fields(found.folder / LABELS, LABEL_FIELDS, sum(file["rows"] for file in found.files.values()))


def read_reveal(found: Round) -> tuple[int, str]:
    """Read the master seed and salt of a closed round.

    Raises:
        MagBridgeError: As in `read_labels`.
    """
    if not found.is_revealed:
        raise MagBridgeError(f"{found.folder}: {found.name} is open: its labels come with the reveal")
    document, path = read_json(found.folder / REVEAL), found.folder / REVEAL
    seed, salt, labels = (document.get(name) for name in ("master_seed", "salt", "labels_sha256"))
    if not isinstance(seed, str) or not seed.isdecimal() or len(seed) > 200 or not isinstance(salt, str):
        raise MagBridgeError(f"{path}: expected a master_seed of digits and a salt, both as text")
    if commitment_of(found.configuration, int(seed), salt) != found.commitment:
        raise MagBridgeError(
            f"{path}: master_seed and salt do not give the commitment {found.commitment[:12]} of {ROUND}: the seed, "
            "the salt or the configuration was changed after the round opened"
        )
    if not (found.folder / LABELS).is_file() or sha256_of(found.folder / LABELS) != labels:
        raise MagBridgeError(f"{found.folder / LABELS}: missing or changed: {REVEAL} states another SHA-256")
    return int(seed), salt


def entries_sha256(folder: Path) -> str | None:
    """Compute the SHA-256 of a round's list of entries; return None if it has no list."""
    return sha256_of(folder / ENTRIES) if (folder / ENTRIES).is_file() else None


def read_entries(found: Round) -> dict[str, dict[str, str]]:
    """Read the committed entries: the SHA-256 of each task's predictions file, by name of the entry.

    Raises:
        MagBridgeError: If the list is damaged, or was changed after the reveal, which closed it.
    """
    path = found.folder / ENTRIES
    if found.is_revealed and read_json(found.folder / REVEAL).get("entries_sha256") != entries_sha256(found.folder):
        raise MagBridgeError(f"{path} was changed after the reveal: {REVEAL} states another SHA-256")
    if not path.is_file():
        return {}
    entries = read_json(path).get("entries")
    if not isinstance(entries, dict) or not all(
        isinstance(files, dict) and set(files) <= set(TASKS) and all(isinstance(d, str) for d in files.values())
        for files in entries.values()
    ):
        raise MagBridgeError(f"{path}: expected the SHA-256 of each task's predictions, by name of the entry")
    return entries


def _of_fields(path: Path, fields: tuple[Field, ...], rows: int) -> pa.Table:
    table, schema = read_parquet(path), arrow_schema_of(fields)
    if not table.schema.equals(schema) or table.num_rows != rows:
        raise MagBridgeError(f"{path}: expected {rows} rows with the columns {', '.join(schema.names)}")
    return table
