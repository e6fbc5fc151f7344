"""The folder of a hidden round: opened, revealed, and made again by anyone."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa

from bridge.generate import AnyUpstream, resolve
from bridge.release.folder import choice_of, json_text, package_versions, write_parquet
from bridge.rounds.rows import FULL_SIZE, RoundRows, RoundSize, make_configuration, make_rows
from bridge.rounds.secret import Secret
from dataset_card.errors import MagBridgeError
from dataset_card.running.templates import macros
from dataset_card.storage import rounds
from dataset_card.storage.digests import canonical_json, sha256_of
from dataset_card.storage.documents import write_json
from dataset_card.storage.files import alone, replacing, require_writable
from dataset_card.storage.output import require_place
from dataset_card.storage.rounds import ENTRIES, LABELS, REVEAL, ROUND, Round, commitment_of, entries_sha256, read_round

README = "README.md"


def open_round(out: Path, secret: Secret, upstream: AnyUpstream, size: RoundSize = FULL_SIZE) -> Round:
    """Write the public folder of a round: signals without labels, and the commitment to the secret.

    Args:
        out: A new folder.
        secret: Master seed and salt, which `out` tells nothing of.
        upstream: Inputs of v2 that everybody can have, so that anyone can make the round again.
        size: How many rows.

    Raises:
        MagBridgeError: `out` is there already, or the upstream is not v2's.
    """
    require_new(out)
    configuration = make_configuration(secret.round, upstream, size)
    rows = make_rows(configuration, secret.master_seed, upstream)
    with alone(out.parent), replacing(out) as folder:
        require_new(out)  # another command may have opened it meanwhile
        folder.mkdir()
        _write_public(folder, rows, configuration, commitment_of(configuration, secret.master_seed, secret.salt))
    return read_round(out)


def require_new(out: Path) -> None:
    """Raise unless a round may be opened at `out`."""
    if os.path.lexists(require_place(out)):
        raise MagBridgeError(f"{out} exists: expected a new folder; a round that is open never changes")
    require_writable(out)


def _write_public(folder: Path, rows: RoundRows, configuration: dict[str, Any], commitment: str) -> None:
    files = {}
    for task, table in rows.signals.items():
        write_parquet(table, folder / rounds.file_of(task))
        files[task] = {"rows": table.num_rows, "sha256": sha256_of(folder / rounds.file_of(task))}
    document = {
        "format": rounds.FORMAT,
        "commitment": commitment,
        "digest": rounds.round_digest(commitment, configuration, files),
        "files": files,
        "configuration": configuration,
    }
    (folder / ROUND).write_text(json_text(document), encoding="utf-8")
    text = macros("bridge.rounds", "readme.md").readme(configuration["name"], configuration["bridge"], commitment)
    (folder / README).write_text(text, encoding="utf-8")


def reveal(folder: Path, secret: Secret, upstream: AnyUpstream) -> Round:
    """Add seed, salt and labels to a round's folder, once they are found to make exactly what lies there.

    Args:
        folder: Of a round that is open.
        secret: Its own.
        upstream: The one that its configuration names.

    Raises:
        MagBridgeError: It is closed already, the secret is another, or the rows are not those of the folder.
    """
    found = read_round(folder)
    if found.is_revealed:
        raise MagBridgeError(f"{folder}: {found.name} is revealed already")
    if commitment_of(found.configuration, secret.master_seed, secret.salt) != found.commitment:
        raise MagBridgeError(
            f"{folder}: the secret does not give the commitment {found.commitment[:12]}: expected the seed and the "
            "salt that the round was opened with"
        )
    with alone(folder.parent), replacing(folder) as whole:
        if read_round(folder).is_revealed:
            raise MagBridgeError(f"{folder}: {found.name} was revealed meanwhile")
        whole.mkdir()
        rows = _write_again(whole, found, secret.master_seed, upstream)
        _compare(found, whole)
        if (folder / ENTRIES).is_file():
            shutil.copyfile(folder / ENTRIES, whole / ENTRIES)
        _write_labels(whole, rows.labels, secret.master_seed, secret.salt, entries_sha256(whole))
    return read_round(folder)


def commit(folder: Path, name: str, digests: dict[str, str]) -> None:
    """Put an entry on the list of a round that is open; one of the same name is replaced.

    Args:
        folder: Of the round.
        name: Of the entry.
        digests: SHA-256 of the predictions file of each task.

    Raises:
        MagBridgeError: The round is revealed, or its list is damaged.
    """
    with alone(folder.parent):
        found = read_round(folder)
        if found.is_revealed:
            raise MagBridgeError(f"{folder}: {found.name} is revealed: its list of entries is closed")
        entries = {**rounds.read_entries(found), name: digests}
        write_json(folder / ENTRIES, {"entries": dict(sorted(entries.items()))})


def _write_labels(folder: Path, labels: pa.Table, master_seed: int, salt: str, entries: str | None) -> None:
    write_parquet(labels, folder / LABELS)
    document = {
        "master_seed": str(master_seed),
        "salt": salt,
        "labels_sha256": sha256_of(folder / LABELS),
        "entries_sha256": entries,
    }
    (folder / REVEAL).write_text(json_text(document), encoding="utf-8")


def verify(folder: Path, upstream: AnyUpstream | None = None) -> str:
    """Make a round again from what it reveals, and compare it byte for byte; of an open one, check the files.

    Args:
        folder: Of the round.
        upstream: Found as the configuration says by default.

    Returns:
        What holds, in a few words.

    Raises:
        MagBridgeError: Something was changed; says what.
    """
    found = read_round(folder)
    rows = sum(file["rows"] for file in found.files.values())
    if not found.is_revealed:
        return f"open, {rows:,} rows, commitment {found.commitment}"
    master_seed, salt = rounds.read_reveal(found)
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary)
        again = _write_again(whole, found, master_seed, upstream or upstream_of(found))
        _write_labels(whole, again.labels, master_seed, salt, entries_sha256(folder))
        _compare(found, whole)
    return f"revealed, {rows:,} rows made again byte for byte, commitment {found.commitment}"


def upstream_of(found: Round, upstream_dir: Path | None = None) -> AnyUpstream:
    """The upstream that a round was made from."""
    return resolve(found.configuration["bridge"], choice_of(found.configuration["upstream"]), upstream_dir)


def _write_again(folder: Path, found: Round, master_seed: int, upstream: AnyUpstream) -> RoundRows:
    """Write what is public of a round once more, from its seed; raise where an input here is another."""
    stated = found.configuration
    here = make_configuration(found.name, upstream, RoundSize.of(stated))
    for name in sorted((stated.keys() | here.keys()) - {"packages"}):
        if canonical_json(stated.get(name)) != canonical_json(here.get(name)):
            raise MagBridgeError(
                f"{found.folder}: {name} of the round is {str(stated.get(name))[:80]}, here it is "
                f"{str(here.get(name))[:80]}: expected the same; is --upstream-dir the upstream of the round?"
            )
    rows = make_rows(stated, master_seed, upstream)
    _write_public(folder, rows, stated, found.commitment)
    return rows


def _compare(found: Round, again: Path) -> None:
    """Raise unless a round's folder holds the same files, byte for byte, as the one made again."""
    made, lying = ({path.name for path in folder.iterdir()} - {ENTRIES} for folder in (again, found.folder))
    for name in sorted(lying - made):
        raise MagBridgeError(f"{found.folder / name}: no file of a round: expected {', '.join(sorted(made))}")
    # Data first: round.json only follows them.
    for name in sorted(made, key=lambda name: (not name.endswith(".parquet"), name)):
        path = found.folder / name
        if not path.is_file() or sha256_of(path) != sha256_of(again / name):
            packages = found.configuration.get("packages", {})
            other = [f"{k} {packages.get(k)}" for k, own in package_versions().items() if own != packages.get(k)]
            words = f"; it was made with {', '.join(other)}" if other else ""
            raise MagBridgeError(f"{path}: is not what seed, salt and configuration give, byte for byte{words}")
