"""Faults of a whole release: processes killed, bits flipped, contents forged, disks full."""

from __future__ import annotations

import functools
import os
import re
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from bridge.audit.promises import audit_release
from bridge.audit.regeneration import regenerate
from bridge.generate import resolve
from bridge.release import folder as release
from bridge.release.bundle import ORIGIN_KEYS, import_bundle, write_bundle
from dataset_card.errors import MagBridgeError
from dataset_card.storage.files import replacing, standing
from dataset_card.storage.reading import CHECKSUMS, MANIFEST, checked_digest, read_manifest, read_table
from tests.faults.bench import Bench
from tests.faults.child import CONTEXT, outcomes_of


def kills(bench: Bench, count: int) -> Iterator[str | None]:
    """SIGKILL at a random moment of building a release over another, each time in one of two places."""
    upstream = resolve("v1", "simulated")
    out = bench.folder / "killed"
    build = functools.partial(release.build, replace=True, variants=1, anomalies=8, regime_b=8)
    whole: set[str] = set()
    for seed in (1, 2):
        made = build(bench.folder / "whole", upstream, master_seed=seed)
        whole.add(made["dataset_digest"])
    shutil.copytree(bench.folder / "whole", out)

    def build_forever() -> None:
        table, manifest = read_table(bench.release), read_manifest(bench.release)
        origin = {k: manifest[k] for k in ("upstream", "config", "master_seed", "variants", "rebuild", "packages")}
        while True:
            release.write(out, table, origin)
            build(out, upstream, master_seed=2)

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
    build(out, upstream, master_seed=2)
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
            # packages are who built it: another machine's are no forgery, and none can tell them from one
            packages = re.search(r'"packages": {[^}]*}', text) if name.name == MANIFEST else None
            told = range(*packages.span()) if packages else ()
            at = next(at for at in bench.rng.permutation(len(text)).tolist() if at not in told)
            (copy / name).write_text(text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :], encoding="utf-8")
            release.write_checksums(copy)
            what = f"character {at} of {name}"
        caught = _refused(copy) or regenerate(copy, None, bench.rng)[0]
        yield None if caught else f"{what} went unseen"


def _forge_signal(folder: Path, rng: np.random.Generator) -> str:
    table, manifest = read_table(folder), read_manifest(folder)
    values = table["B_s1Y"].combine_chunks().flatten().to_numpy().reshape(-1, 100).copy()
    row, step = int(rng.integers(len(values))), int(rng.integers(100))
    values[row, step] += 1e-9
    column = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 100)
    origin = {k: v for k, v in manifest.items() if k in ORIGIN_KEYS}
    release.write(
        folder, table.set_column(table.schema.get_field_index("B_s1Y"), "B_s1Y", column).cast(table.schema), origin
    )
    return f"1e-9 nT of row {row}, step {step}"


def full_disks(bench: Bench, count: int) -> Iterator[str | None]:
    """A disk that takes no more at a random point: one line that names the path, and what stood before stands."""
    out = bench.folder / "full"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    table, manifest = read_table(bench.release), read_manifest(bench.release)
    origin = {k: v for k, v in manifest.items() if k in ORIGIN_KEYS}

    def text() -> None:
        with replacing(out / "text") as temporary:
            temporary.write_text("x" * 400_000)

    writers: list[tuple[str, Callable[[], object]]] = [
        ("release", lambda: release.write(out / "release", table, origin)),
        ("bundle.zip", lambda: write_bundle(bench.release, out / "bundle.zip", True)),
        ("imported", lambda: import_bundle(bench.bundle, out / "imported", True)),
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
