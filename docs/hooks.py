"""Pages generated when the documentation is built: notebooks, commands, tables, and texts from other folders."""

import base64
import posixpath
import re
import sys
from pathlib import Path

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "https://github.com/SakthiGs/MagBridge-Battery/blob/main"

KEPT_ELSEWHERE = {
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "guides/rounds.md": "benchmark/submissions/README.md",
    "explanations/analysis.md": "benchmark/results/analysis/README.md",
    "explanations/analysis-v3.md": "benchmark/results/v3/analysis.md",
    "explanations/results-v2.md": "benchmark/results/v2/README.md",
    "explanations/precursors.md": "hqvqvae/pretrained/precursor/README.md",
}
PRECURSOR_PICTURE = "hqvqvae/pretrained/precursor/codes.png"
LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)\s]+)(?=\))")


def on_files(files: Files, config) -> Files:
    """Add the generated files: pages and pictures."""
    if str(ROOT) not in sys.path:  # MkDocs removes what is added while it loads the hooks
        sys.path.insert(0, str(ROOT))
    for page, path in KEPT_ELSEWHERE.items():
        files.append(File.generated(config, page, content=_page(page, path)))
    folders = [ROOT / "benchmark/results" / name for name in ("analysis", "v3")]
    pictures = (*(path for folder in folders for path in sorted(folder.glob("*.png"))), ROOT / PRECURSOR_PICTURE)
    for picture in pictures:
        files.append(File.generated(config, f"explanations/{picture.name}", abs_src_path=str(picture)))
    for notebook in sorted((ROOT / "examples").glob("*.ipynb")):
        page = f"tutorials/{notebook.stem}.md"
        text, pictures = _notebook(notebook)
        files.append(File.generated(config, page, content=text))
        for name, content in pictures.items():
            files.append(File.generated(config, f"tutorials/{name}", content=content))
    for name, text in _commands().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page, config, files: Files) -> str:
    """Replace placeholders by tables: `{{ scores v1 }}`, `{{ fields }}`, `{{ configs v2 }}` or `{{ presets }}`."""
    return re.sub(r"^\{\{ (\w+) ?(\w*) \}\}$", lambda m: TABLES[m[1]](m[2]), markdown, flags=re.M)


def _page(page: str, path: str) -> str:
    """Read a text from another folder, and adapt its links to its page."""
    return LINK.sub(lambda match: _moved(match[1], page, path), (ROOT / path).read_text(encoding="utf-8"))


def _moved(link: str, page: str, path: str) -> str:
    """Adapt a link to its page: it leads to another page, a picture in the same folder, or the source on GitHub."""
    target, _, anchor = link.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    pages = {source: made for made, source in KEPT_ELSEWHERE.items()}
    if target in pages:
        return posixpath.relpath(pages[target], posixpath.dirname(page)) + (f"#{anchor}" if anchor else "")
    if target.startswith("docs/"):
        return posixpath.relpath(target.removeprefix("docs/"), posixpath.dirname(page))
    return link if link.endswith(".png") else f"{SOURCE}/{target}"


def _notebook(path: Path) -> tuple[str, dict[str, bytes]]:
    """Convert a notebook to Markdown; return it and its pictures by file name."""
    import nbformat

    parts = [f"*This page is the notebook [`examples/{path.name}`]({SOURCE}/examples/{path.name}).*"]
    pictures = {}
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                name = f"{path.stem}-{len(pictures)}.png"
                pictures[name] = base64.b64decode(data["image/png"])
                parts.append(f"![]({name})")
            elif text := output.get("text") or data.get("text/plain"):
                parts.append(f"```text\n{text.rstrip()}\n```")
    parts.insert(1, parts.pop(0))  # the title first
    return "\n\n".join(parts) + "\n", pictures


def _commands() -> dict[str, str]:
    """Return the pages of commands by name, generated from `--help` by Typer."""
    import typer
    from typer.cli import get_docs_for_click

    import magbridge

    root = typer.main.get_command(magbridge.command_line())
    context = typer.Context(root, info_name="magbridge")
    pages = {
        f"commands-{name}": get_docs_for_click(
            obj=root.commands.pop(name), ctx=context, name=name, call_prefix="magbridge", title=f"magbridge {name}"
        )
        for name in ("benchmark", "hqvqvae")
    }
    return {"commands": get_docs_for_click(obj=root, ctx=context, name="magbridge", title="magbridge")} | pages


def _table(head: tuple[str, ...], rows) -> str:
    from dataset_card.contract.field import markdown_table

    return markdown_table(head, rows)


def _scores(edition: str) -> str:
    """Tabulate the best ranked model of each task on the default seed, as on the board."""
    from benchmark.results import SHIPPED, read_results
    from benchmark.tasks import TASKS, V3_TASKS
    from dataset_card.contract.schema import MASTER_SEED

    shipped = read_results(SHIPPED if edition == "v1" else SHIPPED / edition)
    own = [r for r in shipped if r.dataset.seed == MASTER_SEED and r.split == "by_cell_primary"]
    rows = []
    for task in V3_TASKS if edition == "v3" else TASKS:
        ranked = (r for r in own if r.task == task.id and r.protocol in ("rows", "cells", "full"))
        best = max(ranked, key=lambda r: r.mean() * task.headline.sign)
        by_cell = [r for r in own if (r.task, r.model, r.protocol) == (task.id, best.model, "cross_validation")]
        low, high = best.interval()
        rows.append(
            (
                f"{task.id.upper()}, {best.headline.replace('_', ' ')}",
                f"`{best.model}`",
                _figure(best.mean()),
                f"{_figure(low)} to {_figure(high)}",
                _figure(by_cell[0].mean()) if by_cell else "",
            )
        )
    return _table(("task and metric", "model", "test cells", "95 % interval", "cross-validation by cell"), rows)


def _figure(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def _fields(_: str) -> str:
    from dataset_card.contract import schema

    return _table(
        ("field", "type", "unit", "meaning"),
        [(f"`{f.name}`", f.dtype + (f"[{f.length}]" if f.length else ""), f.unit, f.meaning) for f in schema.FIELDS],
    )


def _configs(edition: str) -> str:
    from dataset_card.contract.editions import EDITIONS

    return _table(("configuration", "rows"), [(f"`{c.name}`", c.description) for c in EDITIONS[edition].configs])


def _presets(_: str) -> str:
    import yaml

    from bridge.v3.design import PRESETS

    presets = yaml.safe_load(PRESETS.read_text(encoding="utf-8"))
    rows = []
    for name, (value, source) in presets["nmc"].items():
        other, reason = presets["lfp"].get(name, (value, None))
        rows.append((f"`{name}`", f"{value}", f"{other}", source if reason is None else f"{source}; LFP: {reason}"))
    return _table(("value", "NMC", "LFP", "source"), rows)


TABLES = {"scores": _scores, "fields": _fields, "configs": _configs, "presets": _presets}
