"""Tries faults on real files and counts what held: kills, flips, forgeries, full disks, fuzzed inputs, networks.

    python perf/faults.py [--seed N] [--only KIND ...] [--long]

Prints the seed, a table of tried and held, and what fell; exit code 1 where anything did. Inputs are read in a child
process, so that a crash, a hang and a great allocation are seen as well.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bridge.audit.leakage import read_split  # noqa: E402
from bridge.audit.promises import audit_release  # noqa: E402
from bridge.audit.regeneration import regenerate  # noqa: E402
from bridge.generate import resolve  # noqa: E402
from bridge.release import folder as release  # noqa: E402
from bridge.release.bundle import import_bundle, write_bundle  # noqa: E402
from bridge.upstream import files as upstream_files  # noqa: E402
from bridge.upstream.published import read_anchor_statistics, read_pulse_table  # noqa: E402
from bridge.upstream.simulated_parameters import PARAMETER_FILE, load_parameters  # noqa: E402
from dataset_card.errors import MagBridgeError  # noqa: E402
from dataset_card.files import replacing, standing  # noqa: E402
from dataset_card.reading import CHECKSUMS, checked_digest, read_manifest, read_rows, read_table  # noqa: E402

HANG_S = 10.0
"""Longest time that one input may take."""

BATCH = 50
"""Inputs that one child process reads, one after another."""

MAX_ALLOCATION = 2**30
"""Bytes of address space that one input may add to what a process has."""

CONTEXT = multiprocessing.get_context("fork")


@dataclass
class Score:
    """What became of one kind of fault.

    Attributes:
        kind: Its name.
        tried: Faults tried.
        fell: What did not hold, one line each.
    """

    kind: str
    tried: int = 0
    fell: list[str] = field(default_factory=list)

    def count(self, outcome: str | None) -> None:
        """Counts one fault; the outcome is None where it held."""
        self.tried += 1
        if outcome is not None:
            self.fell.append(outcome)


@dataclass(frozen=True)
class Bench:
    """Real files to damage, and a place to do it.

    Attributes:
        folder: Scratch folder.
        release: A release of a few hundred rows.
        bundle: The same as a bundle.
        rng: Draws the faults.
    """

    folder: Path
    release: Path
    bundle: Path
    rng: np.random.Generator

    def copy(self) -> Path:
        """A copy of the release that a fault may spoil."""
        target = self.folder / "copy"
        shutil.rmtree(target, ignore_errors=True)
        return shutil.copytree(self.release, target)


def make_bench(folder: Path, rng: np.random.Generator) -> Bench:
    """Builds the release that the faults are tried on."""
    built = folder / "release"
    release.build(built, resolve("v1", "simulated"), variants=1, anomalies=8, regime_b=8)
    return Bench(folder, built, write_bundle(built, folder / "bundle.zip"), rng)


# In a child process


def outcomes_of(functions: list[Callable[[], object]], limit_s: float = HANG_S) -> list[str | None]:
    """Runs functions in child processes of bounded memory; None for each that ends well or with one line of its own."""
    outcomes: list[str | None] = []
    while len(outcomes) < len(functions):
        ours, theirs = CONTEXT.Pipe(duplex=False)
        child = CONTEXT.Process(target=_child, args=(functions[len(outcomes) :], theirs))
        child.start()
        theirs.close()
        while len(outcomes) < len(functions):
            if not ours.poll(limit_s):
                outcomes.append(f"no answer in {limit_s:g} s")
                child.kill()
                break
            try:
                outcomes.append(ours.recv())
            except EOFError:
                child.join()
                outcomes.append(f"the interpreter died with exit code {child.exitcode}")
                break
        child.join()
    return outcomes


def _child(functions: list[Callable[[], object]], answers) -> None:
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MAX_ALLOCATION, resource.RLIM_INFINITY))
    for function in functions:
        try:
            function()
            answers.send(None)
        except (MagBridgeError, OSError) as error:
            answers.send(None if "\n" not in str(error) else f"more than one line: {str(error)[:200]!r}")
        except BaseException as error:  # whatever it is, it would have been a traceback
            answers.send(f"{type(error).__name__}: {str(error)[:200]}")


# Kinds of faults: each yields None for one that held, or what happened


def kills(bench: Bench, count: int) -> Iterator[str | None]:
    """SIGKILL at a random moment of building a release over another, each time in one of two places."""
    upstream = resolve("v1", "simulated")
    out = bench.folder / "killed"
    whole: set[str] = set()
    for seed in (1, 2):
        made = release.build(bench.folder / "whole", upstream, master_seed=seed, variants=1, anomalies=8, regime_b=8)
        whole.add(made["dataset_digest"])
    shutil.copytree(bench.folder / "whole", out)

    def build_forever() -> None:
        table, manifest = read_table(bench.release), read_manifest(bench.release)
        origin = {k: manifest[k] for k in ("upstream", "config", "master_seed", "variants", "rebuild", "packages")}
        while True:
            release.write(out, table, origin)
            release.build(out, upstream, master_seed=2, replace=True, variants=1, anomalies=8, regime_b=8)

    whole.add(read_manifest(bench.release)["dataset_digest"])
    for _ in range(count):
        child = CONTEXT.Process(target=build_forever)
        child.start()
        time.sleep(float(bench.rng.uniform(0, 1.5)))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        found = standing(out)
        yield (
            None
            if found.is_dir() and checked_digest(found) in whole and not _broken(found)
            else f"{found} is not whole"
        )
    release.build(out, upstream, master_seed=2, replace=True, variants=1, anomalies=8, regime_b=8)
    left = [p.name for p in bench.folder.iterdir() if p.name.startswith(".killed")]
    yield None if not left else f"left behind: {left}"


def _broken(folder: Path) -> bool:
    return any(finding.check in ("files", "checksums") for finding in audit_release(folder))


def flips(bench: Bench, count: int) -> Iterator[str | None]:
    """One bit of one file of a release: `verify` finds it."""
    copy = bench.copy()
    paths = sorted(p for p in copy.rglob("*") if p.is_file())
    for _ in range(count):
        path = paths[bench.rng.integers(len(paths))]
        data = bytearray(path.read_bytes())
        at = int(bench.rng.integers(8 * len(data)))
        data[at // 8] ^= 1 << at % 8
        kept = path.read_bytes()
        path.write_bytes(data)
        yield None if _refused(copy) else f"bit {at} of {path.name} went unseen"
        path.write_bytes(kept)


def _refused(folder: Path) -> bool:
    try:
        return bool(audit_release(folder))
    except MagBridgeError:
        return True


def forgeries(bench: Bench, count: int) -> Iterator[str | None]:
    """A text or a signal changed and every checksum made anew: `verify --regenerate` finds it."""
    texts = [p.relative_to(bench.release) for p in bench.release.rglob("*") if p.suffix != ".parquet" and p.is_file()]
    texts = [name for name in texts if name.name != CHECKSUMS]
    for number in range(count):
        copy = bench.copy()
        if number % 4 == 0:
            what = _forge_signal(copy, bench.rng)
        else:
            name = texts[bench.rng.integers(len(texts))]
            text = (copy / name).read_text(encoding="utf-8")
            at = int(bench.rng.integers(len(text)))
            (copy / name).write_text(text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :], encoding="utf-8")
            release.write_checksums(copy)
            what = f"character {at} of {name}"
        caught = _refused(copy) or regenerate(copy, None, bench.rng)[0]
        yield None if caught else f"{what} went unseen"


def _forge_signal(folder: Path, rng: np.random.Generator) -> str:
    import pyarrow as pa

    table, manifest = read_table(folder), read_manifest(folder)
    values = table["B_s1Y"].combine_chunks().flatten().to_numpy().reshape(-1, 100).copy()
    row, step = int(rng.integers(len(values))), int(rng.integers(100))
    values[row, step] += 1e-9
    column = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 100)
    origin = {k: v for k, v in manifest.items() if k in release_origin()}
    release.write(
        folder, table.set_column(table.schema.get_field_index("B_s1Y"), "B_s1Y", column).cast(table.schema), origin
    )
    return f"1e-9 nT of row {row}, step {step}"


def release_origin() -> tuple[str, ...]:
    """Entries of a manifest that rows do not give."""
    from bridge.release.bundle import ORIGIN_KEYS

    return ORIGIN_KEYS


def full_disks(bench: Bench, count: int) -> Iterator[str | None]:
    """A disk that takes no more at a random point: one line that names the path, and what stood before stands."""
    out = bench.folder / "full"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    table, manifest = read_table(bench.release), read_manifest(bench.release)
    origin = {k: v for k, v in manifest.items() if k in release_origin()}

    def text() -> None:
        with replacing(out / "text") as temporary:
            temporary.write_text("x" * 400_000)

    writers: list[tuple[str, Callable[[], object]]] = [
        ("release", lambda: release.write(out / "release", table, origin)),
        ("bundle.zip", lambda: write_bundle(bench.release, out / "bundle.zip")),
        ("imported", lambda: import_bundle(bench.bundle, out / "imported")),
        ("text", text),
    ]
    for number in range(count):
        name, write = writers[number % len(writers)]
        shutil.rmtree(out)
        out.mkdir()
        limit = int(bench.rng.integers(1, 300_000))

        def limited(write=write, name=name, limit=limit) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                write()
            except OSError as error:
                if error.filename is None:
                    raise RuntimeError(f"no path is named: {error}") from error
                raise

        (outcome,) = outcomes_of([limited], 60)
        left = [p.name for p in out.iterdir()]
        half = left and (left != [name] or (name == "release" and _refused(out / name)))
        yield outcome if outcome is not None else f"{name} at {limit} bytes: {left} is left" if half else None


@dataclass(frozen=True)
class Input:
    """One kind of untrusted file.

    Attributes:
        source: A real one.
        read: Reads it as the commands do.
    """

    source: Path
    read: Callable[[Path], object]


def inputs(bench: Bench) -> dict[str, Input]:
    """Every kind of file that comes from outside, by name."""
    out = bench.folder / "fuzzed-out"
    found = {
        "manifest": Input(bench.release / "manifest.json", lambda path: read_manifest(path.parent)),
        "split": Input(bench.release / "splits" / "by_cell_primary.json", read_split),
        "rows": Input(next((bench.release / "data" / "clean" / "test").iterdir()), read_rows),
        "bundle": Input(bench.bundle, lambda path: import_bundle(path, out)),
        "parameters": Input(PARAMETER_FILE, load_parameters),
    }
    folder = os.environ.get(upstream_files.ENVIRONMENT_VARIABLE)
    if folder:
        found["npz"] = Input(Path(folder, upstream_files.ANCHOR_STATISTICS.path), read_anchor_statistics)
        found["workbook"] = Input(Path(folder, upstream_files.PULSE_TABLE.path), read_pulse_table)
    return found


def fuzzed(bench: Bench, count: int) -> Iterator[str | None]:
    """Damaged copies of real files, in equal shares of every kind: a value or one line, never a traceback."""
    kinds, folder = inputs(bench), bench.folder / "fuzzed"
    for start in range(0, count, BATCH):
        shutil.rmtree(folder, ignore_errors=True)
        names, reads = [], []
        for number in range(start, min(start + BATCH, count)):
            kind = list(kinds)[number % len(kinds)]
            path = folder / str(number) / kinds[kind].source.name
            path.parent.mkdir(parents=True)
            path.write_bytes(damaged(kinds[kind].source.read_bytes(), bench.rng))
            names.append(f"{kind} {number}")
            reads.append(partial(kinds[kind].read, path))
        for name, outcome in zip(names, outcomes_of(reads)):
            yield None if outcome is None else f"{name}: {outcome}"


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


PULL = """
import sys
from dataset_card.errors import MagBridgeError
from dataset_card.hub import pull_release
from dataset_card.reading import checked_digest
try:
    print(checked_digest(pull_release("user/rel")))
except (MagBridgeError, OSError) as error:
    sys.exit(f"error: {error}")
"""


def network(bench: Bench, count: int) -> Iterator[str | None]:
    """A Hub on the loopback that refuses or sends other bytes: one line, and the next pull is whole."""
    from tests.hub import LoopbackHub, Repo

    tree = {p.relative_to(bench.release).as_posix(): p.read_bytes() for p in bench.release.rglob("*") if p.is_file()}
    digest = json.loads(tree["manifest.json"])["dataset_digest"]
    for number in range(count):
        with LoopbackHub() as hub:
            hub.repos["dataset", "user/rel"] = repo = Repo(private=False)
            status = [None, 403, 404, 416, 500][number % 5]
            if status is None:
                name = sorted(n for n in tree if n.endswith(".parquet"))[int(bench.rng.integers(9))]
                data = bytearray(tree[name])
                data[int(bench.rng.integers(len(data)))] ^= 1 << int(bench.rng.integers(8))
                repo.commit("main", tree | {name: bytes(data)}, "flipped")
            else:
                repo.commit("main", tree, "whole")
                hub.fail("GET", ["/api/datasets/", "/resolve/"][int(bench.rng.integers(2))], 1000, status)
            home = bench.folder / f"home-{number}"
            environment = hub.env(home) | {"MAGBRIDGE_CACHE": str(home / "cache")}

            def pull(environment=environment):
                command = [sys.executable, "-c", PULL]
                return subprocess.run(command, env=environment, cwd=ROOT, text=True, capture_output=True, timeout=120)

            first = pull()
            hub.faults.clear()
            repo.commit("main", tree, "whole")
            second = pull()
        same = first.returncode == 0 and first.stdout.strip() == digest
        if not same and (first.returncode != 1 or first.stderr.count("\n") != 1):
            yield f"fault {number} ({status}): exit {first.returncode}, {first.stderr[-300:]!r}"
        else:
            yield (
                None
                if second.stdout.strip() == digest
                else f"fault {number}: not whole again: {second.stderr[-300:]!r}"
            )


KINDS: dict[str, tuple[Callable[[Bench, int], Iterator[str | None]], int, int]] = {
    "kills": (kills, 2, 100),
    "flips": (flips, 4, 1000),
    "forgeries": (forgeries, 2, 60),
    "full disks": (full_disks, 4, 100),
    "fuzzed": (fuzzed, 70, 10_000),
    "network": (network, 0, 15),
}
"""Faults by name: how they are tried, how many in the short form and how many in the long one."""


def main() -> int:
    """Tries the faults; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--long", action="store_true", help="thousands of faults, for an hour or two")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    scores = []
    with tempfile.TemporaryDirectory(prefix="magbridge-faults-") as scratch:
        os.environ["MAGBRIDGE_CACHE"] = str(Path(scratch, "cache"))
        bench = make_bench(Path(scratch), np.random.default_rng(options.seed))
        for kind in options.only:
            tried, short, long = KINDS[kind]
            scores.append(Score(kind))
            for outcome in tried(bench, long if options.long else short):
                scores[-1].count(outcome)
            score = scores[-1]
            print(f"{kind:12} tried {score.tried:6}   held {score.tried - len(score.fell):6}", flush=True)
            for line in score.fell[:20]:
                print(f"    {line}", flush=True)
    return 1 if any(score.fell for score in scores) else 0


if __name__ == "__main__":
    sys.exit(main())
