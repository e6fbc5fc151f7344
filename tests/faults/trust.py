"""Forged entries, a user's folders, releases replaced while they are read, races, signals, pages, terminals, YAML."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml

from benchmark.data import load_task, load_truth
from benchmark.leaderboard.space.server import refusal_of
from benchmark.leaderboard.submissions import check, read_submission, read_submissions, rescore
from benchmark.predictions import save_entry
from benchmark.results import write_results
from benchmark.rounds import Answers
from benchmark.tasks import TASKS, get_task
from bridge.generate import AnyUpstream, resolve
from bridge.release import folder as release
from bridge.release.bundle import origin_of
from bridge.rounds.folder import commit, open_round, reveal, verify
from bridge.rounds.rows import RoundSize
from bridge.rounds.secret import draw_secret, read_secret
from dataset_card.contract.schema import CHANNELS
from dataset_card.errors import MagBridgeError
from dataset_card.running.door import SIGNALS
from dataset_card.storage.arrays import signals
from dataset_card.storage.documents import plain_yaml
from dataset_card.storage.reading import checked_digest, read_manifest, read_table
from tests.benchmark.leaderboard.test_entries import forged as another
from tests.benchmark.leaderboard.test_entries import leaves
from tests.faults.bench import Bench
from tests.faults.child import CONTEXT, ROOT, outcomes_of
from tests.test_output import FILES, FOLDERS, INTO, furnish, refused

ABOUT = {"description": "x", "authors": ["A"], "licence": "MIT", "trained_on": [], "pooling": "scan"}


def forged(bench: Bench, count: int) -> Iterator[str | None]:
    """One value of an entry's filed results is another: the gate must see it."""
    folder, rng = bench.folder / "forged" / "mine", bench.rng
    truth, digest = load_truth(get_task("t1"), bench.release, "by_cell_primary"), checked_digest(bench.release)
    guess = truth.target + rng.normal(0, 0.02, len(truth.target))
    table = pa.table({"sample_id": truth.sample_ids.tolist(), "prediction": guess})
    save_entry(folder, "t1", table, digest, seconds=3, features=5, **ABOUT)
    (file,) = write_results(
        check(read_submission(folder), Answers(bench.release), []).results, folder, predictions=False
    )
    whole = file.read_text()
    places = [p for p, _ in leaves(json.loads(whole)) if p[0] not in ("packages", "schema_version")]
    for _ in range(count):
        document = inner = json.loads(whole)
        *above, last = places[rng.integers(len(places))]
        for key in above:
            inner = inner[key]
        inner[last] = another(inner[last])
        file.write_text(json.dumps(document) + "\n")
        try:
            rescore(read_submissions(folder.parent), [Answers(bench.release)], [])
            yield f"{above}, {last} was believed"
        except MagBridgeError:
            yield None


def foreign(bench: Bench, count: int) -> Iterator[str | None]:
    """Every command that writes, on a folder and a file of a user's."""
    cases = [(words, "mine", replace) for words in FOLDERS for replace in (False, True)]
    cases += [(words, "mine", False) for words in INTO] + [(words, "file", False) for words in FILES]
    for number in bench.rng.permutation(len(cases))[:count]:
        words, name, replace = cases[number]
        (outcome,) = outcomes_of([partial(_foreign, words, name, replace)], 120)
        yield outcome and f"{words} on {name}: {outcome}"


def _foreign(words: str, name: str, replace: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        furnish(place)
        os.chdir(place / "work")
        refused(words, place / name, place, replace)
        os.chdir("/")


def replaced(bench: Bench, count: int) -> Iterator[str | None]:
    """Rows of one release, or one line: another of the same ids takes its place all the time."""
    table, origin, out = read_table(bench.release), origin_of(read_manifest(bench.release)), bench.folder / "replaced"
    other = table
    for name in CHANNELS:
        field = table.schema.field(name)
        values = table[name].combine_chunks().flatten().to_numpy() + 1e6
        moved = pa.FixedSizeListArray.from_arrays(pa.array(values), field.type.list_size).cast(field.type)
        other = other.set_column(table.column_names.index(name), field, moved)
    release.write(out, table, origin)
    writer = CONTEXT.Process(target=_write_for_ever, args=(out, (other, table), origin))
    writer.start()
    try:
        for _ in range(count):
            try:
                kinds = {bool(x > 5e5) for s in load_task("t1", out).subsets() for x in s.signals.mean(axis=(1, 2))}
                kinds |= {bool(signals(read_table(out)).mean() > 5e5)} if len(kinds) > 1 else set()
                yield "rows of two releases" if len(kinds) > 1 else None
            except MagBridgeError as error:
                yield None if "\n" not in str(error) else str(error)
    finally:
        writer.terminate()
        writer.join()


def _write_for_ever(out: Path, tables: tuple[pa.Table, ...], origin: dict) -> None:
    while True:
        for table in tables:
            release.write(out, table, origin)


def writers(bench: Bench, count: int) -> Iterator[str | None]:
    """Four processes add a task each to one entry."""
    table = pa.table({"sample_id": ["a"], "prediction": ["x"]})
    for number in range(count):
        folder = bench.folder / "writers" / f"entry-{number}"
        ends = _ends(*(partial(save_entry, folder, task.id, table, "0" * 64, **ABOUT) for task in TASKS))
        found = set(yaml.safe_load((folder / "submission.yaml").read_text())["tasks"])
        lost = {task.id for task in TASKS} - found
        yield f"lost {sorted(lost)}" if lost or any(ends) else None


def rounds(bench: Bench, count: int) -> Iterator[str | None]:
    """Two open a round with one secret; then two reveal it, while one opens it again and one commits an entry."""
    upstream = resolve("v2", "simulated")
    size = RoundSize(dict.fromkeys(upstream.pulses.table.tolist(), 2), 1, 4, 4)
    for _ in range(count):
        with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
            place = Path(folder, "new")
            opens, reveals = partial(_open, place, upstream, size), partial(_reveal, place, upstream)
            opened = _ends(opens, opens)
            *closed, again, _ = _ends(
                reveals, reveals, opens, partial(commit, place / "round", "mine", {"t1": "0" * 64})
            )
            whole = sorted(opened) == sorted(closed) == [0, REFUSED] and again == REFUSED
            whole = whole and verify(place / "round", upstream).startswith("revealed")
        yield None if whole else f"opens end with {opened}, reveals with {closed}, an open meanwhile with {again}"


def _open(place: Path, upstream: AnyUpstream, size: RoundSize) -> None:
    with contextlib.suppress(FileExistsError):
        draw_secret(place / "secret", "round")
    open_round(place / "round", read_secret(place / "secret", "round"), upstream, size)


def _reveal(place: Path, upstream: AnyUpstream) -> None:
    reveal(place / "round", read_secret(place / "secret", "round"), upstream)


REFUSED = 3


def _ends(*functions: Callable[[], object]) -> list[int | None]:
    """Exit codes of processes that run at once; `REFUSED` is one line."""
    many = [CONTEXT.Process(target=_end, args=(function,)) for function in functions]
    for one in many:
        one.start()
    for one in many:
        one.join()
    return [one.exitcode for one in many]


def _end(function: Callable[[], object]) -> None:
    try:
        function()
    except MagBridgeError:
        sys.exit(REFUSED)


def stopped(bench: Bench, count: int) -> Iterator[str | None]:
    """A signal to a corpus in the making or to all its processes: one line, nobody left; the next build is whole."""
    out = bench.folder / "stopped"
    rows = "--rows 4000 --upstream simulated --variants 1 --anomalies 8 --regime-b 8 --jobs 2"
    words = [sys.executable, "-m", "bridge", "corpus", "build", str(out), *rows.split()]
    for _ in range(count):
        shutil.rmtree(out, ignore_errors=True)
        build = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
        )
        while build.poll() is None and not any(out.glob("data/*/.*")):
            time.sleep(0.01)
        time.sleep(bench.rng.uniform(0, 2))
        number = int(bench.rng.choice([*SIGNALS, signal.SIGKILL]))
        everybody = number == signal.SIGKILL or bench.rng.integers(2)
        if build.poll() is None:
            (os.killpg if everybody else os.kill)(build.pid, number)
        try:
            _, said = build.communicate(timeout=60)
        except subprocess.TimeoutExpired:  # somebody holds the other end
            os.killpg(build.pid, signal.SIGKILL)
            said = "processes are left"
        said = [line for line in said.splitlines() if not line.startswith("upstream: ")]
        ended = build.returncode in (0, -signal.SIGKILL) and not said
        ended = ended or (build.returncode == 128 + number and len(said) == 1 and said[0].startswith("stopped by"))
        again = subprocess.run(words, capture_output=True, cwd=ROOT)
        whole = again.returncode == 0 and not any(out.rglob(".*"))
        what = f"signal {number}, everybody {bool(everybody)}: exit {build.returncode}, {said}, "
        yield None if ended and whole else f"{what}then {again.returncode}, {again.stderr[-200:]!r}"


def origins(bench: Bench, count: int) -> Iterator[str | None]:
    """Requests of other pages and under other names."""
    own = ["127.0.0.1", "localhost", "[::1]", "10.0.0.7"]
    others = [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "0x7f.1",
        "",
        "a b",
        "localhost@evil",
        "[::1",
    ]
    for _ in range(count):
        host, port = bench.rng.choice(own + others), bench.rng.choice(["", ":7860", ":80"])
        origin = bench.rng.choice(["none", "null", f"http://{host}{port}", *(f"http://{name}:7860" for name in others)])
        headers = {"host": f"{host}{port}"} | ({} if origin == "none" else {"origin": origin})
        passes = host in own and origin in ("none", f"http://{host}{port}")
        yield None if (refusal_of(headers) is None) == passes else f"{headers}: passed {not passes}"


REDIRECTS = {
    "": (0,), "| head -1": (141, 0), "| true": (141, 0), ">&-": (0,), "2>&-": (0,), "<&-": (0,), ">/dev/full": (1,),
}  # fmt: skip
"""Exit codes that are right; a reader may go away after all was written."""

ENCODINGS = ("ascii", "cp1252", "latin-1", "shift_jis", "koi8-r", "gbk", "big5", "cp437", "iso8859-15", "utf-8")
LOCALES = ("C", "C.UTF-8", "POSIX", "de_DE", "tr_TR.UTF-8", "ja_JP.SJIS", "xx_XX")


def terminals(bench: Bench, count: int) -> Iterator[str | None]:
    """A command whose words go beyond ASCII, in any encoding, into pipes that close, half with nowhere to write."""
    (bench.folder / "home").mkdir()
    mounts = "".join(f"mount --bind {p} {p}; mount -o remount,ro,bind {p}; " for p in (ROOT, bench.folder / "home"))
    shells = [["bash", "-c"], ["unshare", "-m", "bash", "-c"]]
    shells = [shell for shell in shells if subprocess.run([*shell, mounts * len(shell[2:])]).returncode == 0]
    for _ in range(count):
        encoding, locale, redirect = (bench.rng.choice(list(names)) for names in (ENCODINGS, LOCALES, REDIRECTS))
        shell = shells[bench.rng.integers(len(shells))]
        command = f"{sys.executable} -m benchmark leaderboard --task t1 {redirect}; exit ${{PIPESTATUS[0]}}"
        environment = {**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": locale}
        if len(shell) > 2:
            command, environment["HOME"] = mounts + command, str(bench.folder / "home")
        done = subprocess.run([*shell, command], capture_output=True, cwd=ROOT, env=environment, timeout=120)
        ends = done.returncode in REDIRECTS[redirect] and b"Traceback" not in done.stderr
        yield (
            None if ends else f"{encoding} {locale} {shell[0]} {redirect}: {done.returncode}, {done.stderr[-200:]!r}"
        )


PIECES = ("!!int", "!!float", "!!bool", "!!binary", "!!set", "!!omap", "!!timestamp", "!x", "''", "'", '"\\x', "[", "]",
          "{", "}", "a: ", "- ", "? ", "<<: ", "&a ", "*a", "0x_", "0b_", "1:_", "._", "=", "\n", " ", "#", "|", ">",
          "%", "---", "...", "~", "\t", "é", "\x00", "9" * 5000)  # fmt: skip


def tags(bench: Bench, count: int) -> Iterator[str | None]:
    """YAML of odd pieces: a value, or one error."""
    return iter(outcomes_of([partial(_tags, int(bench.rng.integers(2**31))) for _ in range(count)]))


def _tags(seed: int) -> None:
    rng = np.random.default_rng(seed)
    text = "".join(rng.choice(PIECES) for _ in range(rng.integers(1, 12)))
    try:
        plain_yaml(f"name: {text}")
    except ValueError as error:
        raise MagBridgeError(str(error)) from error
