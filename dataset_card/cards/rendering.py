"""The template engine of the documents: jinja2 on `templates/`, with `${...}` for values, since BibTeX has braces."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from dataset_card.errors import MagBridgeError
from dataset_card.running.templates import engine

FOLDER = Path(__file__).with_name("templates")


def render(template: str, values: Mapping[str, Any]) -> str:
    """Fill in a template.

    Raises:
        MagBridgeError: If `values` lacks a name that the template uses.
    """
    try:
        return _environment().get_template(template).render(values)
    except jinja2.UndefinedError as error:
        raise MagBridgeError(
            f"{template} cannot be filled in: {error.message}; expected a complete manifest"
        ) from error


def source(template: str) -> str:
    """Return the text of a template, not filled in."""
    return (FOLDER / template).read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    environment = engine(
        loader=jinja2.FileSystemLoader(FOLDER),
        variable_start_string="${",
        variable_end_string="}",
        keep_trailing_newline=True,
    )
    environment.filters |= {"thousands": "{:,}".format, "digits": _digits, "span": _span}
    return environment


def _digits(number: float, digits: int = 6) -> str:
    return f"{number:.{digits}g}"


def _span(limits: tuple[float, float] | None) -> str:
    return "none" if limits is None else f"{limits[0]:.3f} to {limits[1]:.3f}"
