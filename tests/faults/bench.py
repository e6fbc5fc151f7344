"""Real files to damage, made once: a release, what is made of it, and a place to do it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bridge.generate import resolve
from bridge.release import folder as release
from bridge.release.bundle import write_bundle
from tests.faults.mutants import mutant


@dataclass(frozen=True)
class Bench:
    """Where faults are tried.

    Attributes:
        folder: Scratch folder.
        release: A release of a few hundred rows.
        bundle: The same as a bundle.
        rng: Draws the faults.
        keep: Folder for copies of the files that fell, or None.
    """

    folder: Path
    release: Path
    bundle: Path
    rng: np.random.Generator
    keep: Path | None = None

    def copy(self) -> Path:
        """A copy of the release that a fault may spoil."""
        target = self.folder / "copy"
        shutil.rmtree(target, ignore_errors=True)
        return shutil.copytree(self.release, target)


def make_bench(folder: Path, rng: np.random.Generator, keep: Path | None = None) -> Bench:
    """Builds the release that the faults are tried on."""
    built = folder / "release"
    release.build(built, resolve("v1", "simulated"), variants=1, anomalies=24, regime_b=8)
    return Bench(folder, built, write_bundle(built, folder / "bundle.zip"), rng, keep)


@dataclass(frozen=True)
class Input:
    """One kind of untrusted input.

    Attributes:
        folder: Where a whole one lies.
        read: Reads it as the commands do, from a copy of the folder.
        files: Paths in the folder that are damaged; all by default.
        share: How often it is tried, beside others that cost more or less.
    """

    folder: Path
    read: Callable[[Path], object]
    files: tuple[str, ...] = ()
    share: int = 4

    def damaged_copy(self, target: Path, rng: np.random.Generator) -> str:
        """Puts a copy with one damaged file at `target`; returns that file's name."""
        whole = sorted(path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())
        names = [Path(name) for name in self.files] or whole
        chosen = names[rng.integers(len(names))]
        for name in whole:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            if name != chosen:
                os.link(self.folder / name, target / name)
        (target / chosen).write_bytes(mutant(chosen.name, (self.folder / chosen).read_bytes(), rng))
        return chosen.as_posix()
