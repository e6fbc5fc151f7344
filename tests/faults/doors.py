"""Every command on odd files, as its user or as nobody: exit 0, 1 or 2, one line of error, nothing half left."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from dataset_card.running.door import run
from tests.faults.bench import Bench
from tests.faults.child import command, outcomes_of
from tests.faults.mutants import DEEP

NOBODY = 65534

COMMANDS = (
    "bridge verify ODD",
    "bridge verify RELEASE --against ODD",
    "bridge verify ODD --regenerate 1",
    "bridge leakage ODD",
    "bridge leakage RELEASE --split ODD",
    "bridge bundle ODD --out OUT",
    "bridge bundle RELEASE --out ODD",
    "bridge import ODD --out OUT",
    "bridge import BUNDLE --out ODD",
    "bridge plot ODD --out OUT.png",
    "bridge plot RELEASE --out ODD",
    "bridge plot RELEASE --sample ODD --out OUT.png",
    "bridge push ODD --repo user/name --dry-run",
    "bridge adopt ODD --labels ODD --check",
    "bridge adopt ODD.parquet --labels ODD.csv --out OUT",
    "bridge adopt ODD --labels ODD.xlsx --channels ODD --out ODD",
    "bridge residuals ODD --against ODD --out OUT",
    "bridge build --upstream simulated --variants 1 --anomalies 8 --regime-b 8 --out ODD",
    "bridge build --upstream simulated --cells ODD --out OUT",
    "bridge build --bridge v2 --upstream simulated --scans ODD --scan-table ODD --out OUT",
    "bridge build --upstream published --upstream-dir ODD --out OUT",
    "bridge upstream --upstream-dir ODD",
    "bridge round open --out ODD --secret-file ODD",
    "bridge round open --out OUT --secret-file ODD",
    "bridge round reveal ODD --secret-file ODD",
    "bridge round verify ODD",
    "bridge corpus plan ODD --rows 700 --upstream simulated",
    "bridge corpus finish ODD --jobs 1",
    "bridge corpus verify ODD --jobs 1",
    "benchmark score ODD --task t1 --data RELEASE",
    "benchmark score ODD --task t2 --data ODD",
    "benchmark score PREDICTIONS --task t1 --data ODD",
    "benchmark score PREDICTIONS --task t1 --data RELEASE --split ODD",
    "benchmark run --task t1 --model constant --data ODD",
    "benchmark run --task t1 --model constant --data RELEASE --out ODD",
    "benchmark run --task t1 --model ODD --data RELEASE",
    "benchmark submit ODD --data RELEASE",
    "benchmark rescore ODD --data RELEASE",
    "benchmark leaderboard --results ODD",
    "benchmark leaderboard --out ODD",
    "benchmark export ODD --dataset-id user/name",
    "benchmark plot ODD --out OUT.png",
    "benchmark plot --task t2 --out ODD",
    "benchmark analyse --data ODD --out OUT",
    "benchmark transfer --v1 ODD --v2 ODD --simulated ODD --out OUT",
    "benchmark push leaderboard --repo user/name --data user/data --results ODD --dry-run",
    "hqvqvae features --nasa ODD --out OUT",
    "hqvqvae features --table ODD --out OUT",
    "hqvqvae features --table ODD.parquet --out OUT",
    "hqvqvae features --out ODD",
    "hqvqvae train --data ODD --out OUT",
    "hqvqvae train --out ODD --epochs 0",
    "hqvqvae evaluate --data ODD --out OUT",
    "hqvqvae score ODD",
    "hqvqvae score TABLE --model ODD",
    "hqvqvae score TABLE --out ODD",
    "hqvqvae push ODD --repo user/name --dry-run",
    "hqvqvae discover --data ODD --out OUT",
    "hqvqvae discover --codes ODD --out OUT",
    "hqvqvae discover --out ODD --data ODD",
    "hqvqvae plot ODD",
    "hqvqvae warn ODD TABLE",
    "hqvqvae warn ODD ODD",
    "hqvqvae interpret ODD --dry-run",
    "hqvqvae study --out ODD --seeds 0",
)
"""ODD is a path of `odd_paths`; OUT is free."""


def commands(bench: Bench, count: int) -> Iterator[str | None]:
    """Commands on odd paths: all of them in turn, from a random one on."""
    from hqvqvae.commands import model
    from tests.hqvqvae.small import cell_table

    assert model
    folder = bench.folder / "doors"
    folder.mkdir()
    for path in (bench.folder, folder):
        path.chmod(0o755)
    odd = odd_paths(folder / "odd")
    cell_table().to_csv(folder / "table.csv", index=False)
    (folder / "predictions.csv").write_text("sample_id,prediction\nx,0.9\n")
    pairs = [(words, path) for words in COMMANDS for path in odd]
    order = bench.rng.permutation(len(pairs))[:count]
    known = {
        "RELEASE": str(bench.release),
        "BUNDLE": str(bench.bundle),
        "TABLE": str(folder / "table.csv"),
        "PREDICTIONS": str(folder / "predictions.csv"),
    }
    for number, at in enumerate(order):
        words, path = pairs[at]
        out = folder / "out" / str(number)
        out.mkdir(parents=True)
        out.chmod(0o777)
        values = {**known, "OUT": str(out / "made"), "OUT.png": str(out / "made.png"), "ODD": str(path)}
        values |= {f"ODD.{suffix}": f"{path}.{suffix}" for suffix in ("csv", "parquet", "xlsx")}
        package, *arguments = [values.get(word, word) for word in words.split()]
        (outcome,) = outcomes_of([partial(_try, package, arguments, out, path.name.startswith("nobody"))], 60)
        left = [p.name for p in out.iterdir() if p.name.startswith(".")]
        fell = outcome or (f"left {left}" if left else None)
        yield fell and f"{words} on {path.name[:80]!r}: {fell}"


def odd_paths(folder: Path) -> list[Path]:
    """Paths that no command expects; those called nobody are for a user without rights."""
    folder.mkdir()
    contents: dict[str, bytes] = {
        "empty": b"",
        "binary": bytes(range(256)) * 40,
        "deep": DEEP.encode(),
        "text": b"hello",
        "a\nb": b"sample_id,prediction\n",
        "zero.zip": b"PK\x05\x06" + bytes(18),
        "PAR1": b"PAR1" + bytes(20) + b"PAR1",
        "long-line.csv": b"x" * 3_000_000,
        "wide.csv": b",".join(b"c%d" % i for i in range(100_000)) + b"\n",
        "nobody-file": b"{}",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        for suffix in ("csv", "parquet", "xlsx"):
            (folder / f"{name}.{suffix}").write_bytes(content)
    (folder / "nobody-file").chmod(0)
    (folder / "folder").mkdir()
    (folder / "folder" / "manifest.json").mkdir(parents=True)
    for name in ("config.json", "submission.yaml", "corpus.json", "warning_score.json", "B0001.mat"):
        (folder / "folder" / name).mkdir()
    (folder / "texts").mkdir()
    for name in ("manifest.json", "config.json", "submission.yaml", "corpus.json", "warning_score.json", "B0001.mat",
                 "x.jsonl", "checksums.sha256", "metadata.parquet", "model.safetensors"):  # fmt: skip
        (folder / "texts" / name).write_text('{"name": 3}')
    (folder / "nobody-folder").mkdir(mode=0o500)
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket"))
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nowhere")
    named = [*contents, "folder", "texts", "nobody-folder", "fifo", "socket", "loop", "dangling", "missing/x"]
    named += ["x" * 300, "\udcff", "nobody-file/below"]
    return [*(folder / name for name in named), Path("/dev/zero"), Path("/dev/full"), Path("/proc/self/mem"), Path("")]


def _try(package: str, arguments: list[str], where: Path, as_nobody: bool) -> None:
    app = _app(package)
    os.chdir(where)  # an empty path is the working folder
    if as_nobody and os.getuid() == 0:
        os.environ["HOME"] = os.environ["MAGBRIDGE_CACHE"] = "/nonexistent"
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    if package == "hqvqvae":
        command(app, arguments)
    else:
        command(partial(run, app), arguments)


def _app(package: str) -> Callable[[], object]:
    from benchmark import __main__ as benchmark
    from bridge import __main__ as bridge
    from hqvqvae import __main__ as hqvqvae

    return {"bridge": bridge.app, "benchmark": benchmark.app, "hqvqvae": hqvqvae.main}[package]
