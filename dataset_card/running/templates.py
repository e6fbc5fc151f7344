"""Texts as jinja2 templates: a file of macros beside the module that fills them in."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any


@cache
def macros(package: str, name: str) -> Any:
    """The macros of a template, as functions that return text.

    Args:
        package: The package that the template lies in, such as `bridge.measured`.
        name: Its file name.
    """
    import jinja2

    environment = jinja2.Environment(
        autoescape=False, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(resources.files(package).joinpath(name).read_text(encoding="utf-8")).module
