"""The direction of dependencies, and what an import may load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = ["magbridge_battery", "bridge", "benchmark", "dataset_card"]
"""Each may import the later ones, never an earlier one."""


def imports_of(path: Path) -> set[str]:
    """Top-level names a file imports anywhere, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def sources(package: str) -> list[Path]:
    single = ROOT / f"{package}.py"
    return [single] if single.is_file() else sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", ORDER)
def test_imports_run_one_way(package):
    forbidden = set(ORDER[: ORDER.index(package)])
    if package != "benchmark":
        forbidden.add("hqvqvae")  # the benchmark may run it as a baseline
    assert sources(package)
    for path in sources(package):
        assert not imports_of(path) & forbidden, path


def test_the_model_stands_alone():
    assert sources("hqvqvae")
    for path in sources("hqvqvae"):
        assert not imports_of(path) & set(ORDER), path


def modules_under(module: str) -> set[str]:
    """Project modules of the benchmark that a module imports, directly or through others."""
    found, queue = set(), [module]
    while queue:
        name = queue.pop()
        path = ROOT / f"{name.replace('.', '/')}.py"
        if name in found or not path.is_file():
            continue
        found.add(name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                queue += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                queue += [alias.name for alias in node.names]
    return found


def test_scoring_never_imports_running():
    loaded = modules_under("benchmark.scoring") | modules_under("benchmark.predictions")
    assert "benchmark.tasks" in loaded
    assert not [m for m in loaded if m == "benchmark.protocol" or m.startswith("benchmark.baselines")]


@pytest.mark.parametrize("package", [*ORDER, "hqvqvae"])
def test_imports_are_light(package):
    code = f"import {package}, sys; print([m for m in ('torch', 'transformers', 'matplotlib', 'pennylane') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert loaded == "[]\n"
