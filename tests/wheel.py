"""The wheel of this source, and an environment in which only it is installed: a user's machine without a clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ("bridge", "benchmark", "hqvqvae", "dataset_card", "magbridge.py", "magbridge_battery.py")
METADATA = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "NOTICE")
NOWHERE = "http://127.0.0.1:9"
"""A proxy that refuses every connection: nothing outside this machine answers."""


def build_wheel(folder: Path) -> Path:
    """Build the wheel from a copy of the source, so that nothing is written beside it."""
    copy = folder / "source"
    copy.mkdir()
    for name in (*SOURCES, *METADATA):
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, copy)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", folder, copy]
    subprocess.run(command, check=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def site_packages(environment: Path) -> Path:
    """Return the folder of an environment's own packages."""
    return Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))


def make_environment(folder: Path) -> Path:
    """Make an environment that has the libraries of this one, and nothing of this project; return its Python."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    # A plain path: what is installed there is found, but the .pth of an editable install is not obeyed.
    (site_packages(folder) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@dataclass(frozen=True)
class Installed:
    """A wheel and where it is installed.

    Attributes:
        wheel: The file.
        python: Python of an environment that has the wheel, the libraries of this one, and no clone.
        environment: Variables of a user's process: no path to this source, no network, a cache of its own.
    """

    wheel: Path
    python: Path
    environment: dict[str, str]

    @property
    def site(self) -> Path:
        """Folder that holds what is installed in the environment alone."""
        return site_packages(self.python.parents[1])


def installed(folder: Path) -> Installed:
    """Build the wheel and install it."""
    wheel = build_wheel(folder)
    python = make_environment(folder / "environment")
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel], check=True)
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MAGBRIDGE_UPSTREAM")}
    proxies = {"HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE, "NO_PROXY": "127.0.0.1,localhost"}
    cache = {"MAGBRIDGE_CACHE": str(folder / "cache")}
    path = {"PATH": f"{python.parent}{os.pathsep}{kept['PATH']}"}
    return Installed(wheel, python, kept | proxies | cache | path)
