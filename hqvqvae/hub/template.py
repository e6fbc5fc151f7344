"""Documents from the templates in `hqvqvae/hub/templates`: the words stand there, the figures come from records."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataset_card.running.templates import engine

TEMPLATES = Path(__file__).parent / "templates"


def render(name: str, values: Mapping[str, Any], filters: Mapping[str, Any] | None = None) -> str:
    """Fill in a template.

    Args:
        name: Its file.
        values: What it names; a name that is not there is an error.
        filters: What it may call on a value beside jinja2's own filters and `fmt`, which is Python's `format`.

    Returns:
        The document, without a line break at the end.
    """
    return _template(name, tuple((filters or {}).items())).render(values).rstrip()


@functools.cache
def _template(name: str, filters: tuple[tuple[str, Any], ...]):
    environment = engine()
    environment.filters |= {"fmt": format, **dict(filters)}
    return environment.from_string((TEMPLATES / name).read_text(encoding="utf-8"))
