"""Texts as jinja2 templates: a file of macros beside the module that fills them in."""

from functools import cache
from importlib import resources
from typing import Any


def engine(**options: Any) -> Any:
    """A jinja2 environment in which a block takes no line of its own and a missing name is an error.

    Args:
        **options: What differs from that, as of `jinja2.Environment`.
    """
    import jinja2

    return jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, **options)


@cache
def template(package: str, name: str, **options: Any) -> Any:
    """A template that lies in a package, to be filled in by `render`.

    Args:
        package: The package that the template lies in, such as `bridge.measured`.
        name: Its file name.
        **options: As of `engine`.
    """
    return engine(**options).from_string(resources.files(package).joinpath(name).read_text(encoding="utf-8"))


def macros(package: str, name: str) -> Any:
    """The macros of a template, as functions that return text; arguments as of `template`."""
    return template(package, name).module
