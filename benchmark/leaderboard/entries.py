"""The entries of a board, with scores that are recomputed from their predictions."""

import contextlib
import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmark.leaderboard.boards import Remark
from benchmark.leaderboard.copies import Known, copies
from benchmark.leaderboard.submissions import FILE, Submitted, check, filed, is_late
from benchmark.results import Result, from_json, to_json
from benchmark.results.documents import SCHEMA_VERSION
from benchmark.rounds import Answers
from benchmark.tasks import get_task
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import canonical_json, sha256_of
from dataset_card.storage.documents import read_json, write_json
from dataset_card.storage.files import cache_dir

NOT_RECOMPUTED = "not recomputed here, so its score is not shown: give its release or round with --data"
LATE = "submitted after the reveal, or its files or tasks were changed after they were committed"


class Entries(NamedTuple):
    """Entries sorted into ranked results and remarks.

    Attributes:
        ranked: Recomputed results that may be ranked.
        remarks: Remarks on entries that are not ranked, and on entries with another model's errors.
    """

    ranked: list[Result]
    remarks: list[Remark]


def recompute(
    entries: Iterable[Submitted],
    answers: Iterable[Answers],
    taken: Sequence[Result],
    others: Sequence[Known] = (),
) -> Entries:
    """Recompute every entry whose release is given; the others are not ranked.

    Args:
        entries: Entries, from `read_submissions`.
        answers: Labels of releases and rounds.
        taken: Results on the board, without the entries.
        others: Results whose copies are named, from `filed_errors`.

    Returns:
        The results to rank, and remarks on entries.

    Raises:
        MagBridgeError: If an entry fails its checks, or a release is damaged.
    """
    by_digest = {of_release.digest: of_release for of_release in answers}
    known: list[Known] = []
    ranked: list[Result] = []
    remarks: list[Remark] = []
    for entry in entries:
        own = by_digest.get(entry.submission.release)
        if own is None:
            remarks += [Remark(result, NOT_RECOMPUTED, shown=False) for result in filed(entry)]
            continue
        found = _recomputed(entry, own, list(taken))
        if is_late(entry, own):
            remarks += [Remark(each.result, LATE) for each in found]
            continue
        known += found
        ranked += [each.result for each in found]
    return Entries(ranked, remarks + copies(known, others))


def _recomputed(entry: Submitted, answers: Answers, taken: list[Result]) -> list[Known]:
    """Return the results and errors of an entry, from the cache if the same files were scored before."""
    if answers.open_round:  # the cache may have its scores from a revealed copy of the round
        return check(entry, answers, taken).known
    versions = {task: get_task(task).version for task in entry.files}
    what = [SCHEMA_VERSION, entry.submission.release, sha256_of(entry.folder / FILE), entry.digests, versions]
    memory = cache_dir() / "entries" / f"{hashlib.sha256(canonical_json(what).encode()).hexdigest()}.json"
    with contextlib.suppress(MagBridgeError, KeyError, TypeError):  # missing or of another version: recompute
        stored = read_json(memory)["entries"]
        return [Known(from_json(each["result"], str(memory)), each["errors"]) for each in stored]
    found = check(entry, answers, taken).known
    document = [{"result": to_json(each.result), "errors": each.errors} for each in found]
    with contextlib.suppress(OSError):  # without a cache, it only takes longer
        write_json(memory, {"entries": document})
    return found
