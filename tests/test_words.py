"""The project's texts keep the rules of CONTRIBUTING.md (Words) that ruff does not know."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOP = ("bridge", "benchmark", "hqvqvae", "dataset_card", "perf", "docs")
FILES = [path for top in TOP for path in (ROOT / top).rglob("*")]
CODE = [*(path for path in FILES if path.suffix == ".py"), ROOT / "magbridge.py", ROOT / "magbridge_battery.py"]
TEXTS = [*CODE, ROOT / "README.md", *(path for path in FILES if path.suffix in (".md", ".yaml"))]

NOUN = re.compile(r"(The|An?|All|Any|What|Which|Who|Whether|Why|How|When|Where|Each|Every|One|Some|Of|It) ")
"""How a docstring begins that names a thing in place of saying what to do."""

BETTER = {
    r"(?<!there )\b(is|are) no (?!better\b|longer\b|more\b|fewer\b)[a-z]": "is not a",
    r"\bon the Hub's terms\b": "as a standard transformers model",
    r"\b(row|line|job|result|file|column|field|sentence) an? (row|line|scan|core|cell|task|seed|step|class)\b": "per",
}
"""Phrases that a reader must read twice, and better ones."""


def begins_with_a_noun(function) -> bool:
    """Whether a function's docstring does; properties may."""
    is_property = any("property" in ast.unparse(decorator) for decorator in function.decorator_list)
    return not is_property and bool(NOUN.match(ast.get_docstring(function) or ""))


def test_docstrings_of_functions_begin_with_an_imperative():
    nodes = ((path, node) for path in CODE for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    functions = [(path, node) for path, node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [f"{path}:{node.lineno}" for path, node in functions if begins_with_a_noun(node)] == []


@pytest.mark.parametrize("phrase", BETTER)
def test_no_text_has_the_phrase(phrase):
    found = {str(path.relative_to(ROOT)): re.search(phrase, path.read_text(encoding="utf-8")) for path in TEXTS}
    assert {path: match[0] for path, match in found.items() if match} == {}, f"better: {BETTER[phrase]}"
