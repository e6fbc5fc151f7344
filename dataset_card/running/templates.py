"""Texts as jinja2 templates: a file of macros next to the module that fills them in."""

from functools import cache
from importlib import resources
from typing import Any


def engine(**options: Any) -> Any:
    """Create a jinja2 environment in which a block leaves no empty line and an undefined name is an error.

    Args:
        **options: Further options of `jinja2.Environment`.
    """
    import jinja2

    return jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, **options)


@cache
def template(package: str, name: str, **options: Any) -> Any:
    """Load a template from a package, to be filled in with its method `render`.

    Args:
        package: The package that contains the template, such as `bridge.measured`.
        name: Its file name.
        **options: Options of `engine`.
    """
    return engine(**options).from_string(resources.files(package).joinpath(name).read_text(encoding="utf-8"))


def macros(package: str, name: str) -> Any:
    """Load the macros of a template, as functions that return text; arguments as for `template`."""
    return template(package, name).module
