"""The entries of a board: their figures recomputed from their predictions, what is no entry of its own named."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from benchmark.leaderboard.boards import Remark
from benchmark.leaderboard.submissions import FILE, Submission, check, filed, folders, is_late, read_submission
from benchmark.results import OFFICIAL_TEST, Result, from_json, read_predictions, read_results, to_json
from benchmark.results.documents import SCHEMA_VERSION
from benchmark.rounds import digest_of
from benchmark.tasks import PRIMARY_SPLIT, get_task
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import canonical_json, sha256_of
from dataset_card.storage.documents import read_json, write_json
from dataset_card.storage.files import cache_dir

DECIMALS = 6
"""To which standardised predictions are compared."""

NOT_RECOMPUTED = "not recomputed here, so that no figure of it is shown: give its release or round with --data"
LATE = "handed in after the reveal, or changed since it was committed"


class Entries(NamedTuple):
    """What is known of the entries.

    Attributes:
        ranked: Recomputed results that may be ranked.
        remarks: Entries that are not ranked, and those whose predictions are another's.
    """

    ranked: list[Result]
    remarks: list[Remark]


class _Known(NamedTuple):
    result: Result
    fingerprints: frozenset[str]


def read_entries(
    submissions: Path,
    releases: Iterable[str | Path],
    taken: Sequence[Result],
    files: Sequence[Path] = (),
    besides: Path | None = None,
) -> Entries:
    """Recomputes every entry whose release is at hand; the others are not ranked.

    Args:
        submissions: A folder with one folder per entry.
        releases: Release folders, Hub ids or folders of rounds.
        taken: Results on the board besides the entries.
        files: Files of those of them whose predictions entries are compared with.
        besides: An entry to leave out.

    Raises:
        MagBridgeError: An entry does not hold, or a release is damaged.
    """
    by_digest = {digest_of(release): release for release in releases}
    except_for = None if besides is None else os.path.realpath(besides)
    known: list[_Known] = []
    ranked: list[Result] = []
    remarks: list[Remark] = []
    for folder in folders(submissions):
        if os.path.realpath(folder) == except_for:
            continue
        submission = read_submission(folder)
        release = by_digest.get(submission.release)
        if release is None:
            remarks += [Remark(result, NOT_RECOMPUTED, shown=False) for result in filed(folder, submission)]
            continue
        found = _recomputed(folder, submission, release, list(taken))
        if is_late(folder, submission, release):
            remarks += [Remark(each.result, LATE) for each in found]
            continue
        known += found
        ranked += [each.result for each in found]
    return Entries(ranked, remarks + _duplicates(known, files))


def _recomputed(folder: Path, submission: Submission, release: str | Path, taken: list[Result]) -> list[_Known]:
    """Results and fingerprints of an entry, from the cache where the same files were scored before."""
    digests = {task: sha256_of(folder / about["predictions"]) for task, about in submission.tasks.items()}
    versions = {task: get_task(task).version for task in submission.tasks}
    what = [SCHEMA_VERSION, submission.release, sha256_of(folder / FILE), digests, versions]
    memory = cache_dir() / "entries" / f"{hashlib.sha256(canonical_json(what).encode()).hexdigest()}.json"
    with contextlib.suppress(MagBridgeError, KeyError, TypeError):  # not there, or of another version: it is computed
        stored = read_json(memory)["entries"]
        return [_Known(from_json(each["result"], str(memory)), frozenset(each["fingerprints"])) for each in stored]
    found = [_Known(result, fingerprints(result)) for result in check(folder, release, taken).results]
    if not found:
        return []  # of a round that is open
    document = [{"result": to_json(each.result), "fingerprints": sorted(each.fingerprints)} for each in found]
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time alone
        write_json(memory, {"entries": document})
    return found


def fingerprints(result: Result) -> frozenset[str]:
    """SHA-256 of each seed's predictions, the same for any scale and offset; none of those that are all alike.

    Args:
        result: With its predictions.
    """
    found = set()
    table = result.table
    assert table is not None
    seeds = table["seed"].to_numpy() if "seed" in table.column_names else np.zeros(table.num_rows, int)
    ids = np.array(table["sample_id"].to_pylist())
    values = np.array(table["prediction"].to_pylist())
    for seed in np.unique(seeds):
        chosen = seeds == seed
        prediction = values[chosen][np.argsort(ids[chosen])]
        if len(set(prediction.tolist())) < 2:
            continue
        if get_task(result.task).is_regression:
            standard = (prediction - prediction.mean()) / prediction.std()
            standard *= np.sign(standard[np.abs(standard) > 0.1][0])
            text = (np.round(standard, DECIMALS) + 0.0).tobytes()
        else:
            text = "\n".join(prediction.tolist()).encode()
        found.add(hashlib.sha256(text).hexdigest())
    return frozenset(found)


def duplicates(results: Sequence[Result], files: Sequence[Path]) -> list[Remark]:
    """Names each result whose predictions are those of another, or of one in the files.

    Args:
        results: With their predictions.
        files: Files of results.
    """
    return _duplicates([_Known(result, fingerprints(result)) for result in results], files)


def _duplicates(entries: list[_Known], files: Sequence[Path]) -> list[Remark]:
    """Names each entry whose predictions are those of another entry or of a filed result."""
    remarks = []
    wanted = {(each.result.task, each.result.dataset.digest) for each in entries}
    others = [*entries, *(each for path in files for each in _filed_with_predictions(path, wanted))]
    for entry in entries:
        models = sorted(
            {
                other.result.model
                for other in others
                if (other.result.task, other.result.dataset.digest) == (entry.result.task, entry.result.dataset.digest)
                and other.result.model != entry.result.model
                and other.fingerprints & entry.fingerprints
            }
        )
        if models:
            words = f"its predictions are those of {', '.join(models)}, but perhaps for a scale and an offset"
            remarks.append(Remark(entry.result, words, ranked=True))
    return remarks


def _filed_with_predictions(path: Path, wanted: set[tuple[str, str | None]]) -> list[_Known]:
    results = [
        result
        for result in read_results(path)
        if (result.task, result.dataset.digest) in wanted
        and result.predictions
        and result.split == PRIMARY_SPLIT
        and result.protocol in OFFICIAL_TEST
    ]
    cache = cache_dir() / "fingerprints"
    memory = {r.key: cache / f"{r.predictions['sha256']}.json" for r in results if r.predictions is not None}
    found, missing = [], []
    for result in results:
        try:
            found.append(_Known(result, frozenset(read_json(memory[result.key])["fingerprints"])))
        except (MagBridgeError, KeyError, TypeError):
            missing.append(result)
    tables: dict[tuple[str, ...], pa.Table] = read_predictions(path, missing) if missing else {}
    for result in missing:
        prints = fingerprints(dataclasses.replace(result, table=tables[result.key]))
        found.append(_Known(result, prints))
        with contextlib.suppress(OSError):
            write_json(memory[result.key], {"fingerprints": sorted(prints)})
    return found


def released(given: Sequence[str] | None, default: str) -> list[str]:
    """The releases given, or the default one where it lies in the working folder."""
    return list(given) if given else [default] if Path(default).is_dir() else []
