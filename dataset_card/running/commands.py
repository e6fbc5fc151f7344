"""Code shared by the command lines: options, help from docstrings, and output as JSON or text."""

import inspect
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from functools import wraps
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup

from dataset_card.errors import MagBridgeError

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="Replace earlier output of such a command.")]
JobsOption = Annotated[
    int | None,
    typer.Option(help="Number of processes on this machine; results do not depend on it.", show_default=False),
]
AddressOption = Annotated[
    str | None, typer.Option(help="HOST:PORT of a Dask scheduler that you run: its workers do the work.")
]


class CommandLine(typer.Typer):
    """A command line of this project.

    Flags show no type in `--help`. An option that is given twice is an error unless it may repeat; otherwise the last
    value would silently win.
    """

    def __init__(self, help: str, *, completion: bool = False, callback: Callable | None = None):
        super().__init__(
            help=help,
            callback=callback,
            cls=_Group,
            no_args_is_help=True,
            add_completion=completion,
            pretty_exceptions_enable=False,
        )

    def command(self, name: str | None = None, **options: Any) -> Callable:
        """Register a command, as `typer.Typer.command` does, with the help of its options from its docstring."""

        def register(function: Any) -> Callable:
            parameters, about = described(function), re.split(r"\n+Args:\n", inspect.getdoc(function) or "")[0]
            function.__signature__ = inspect.Signature(list(parameters.values()))
            function.__annotations__ = {name: one.annotation for name, one in parameters.items()}
            return super(CommandLine, self).command(name, cls=_Command, help=about, **options)(function)

        return register


def described(function: Callable) -> dict[str, inspect.Parameter]:
    """Return the options of a function, with help from `Args:` (for a class, `Attributes:`) of its docstring.

    A parameter without typer metadata in its annotation becomes an option if it has a default or comes after `*`, and
    an argument otherwise. A flag gets no `--no-...` counterpart.
    """
    section = re.split(r"(?:Args|Attributes):\n", inspect.getdoc(function) or "")[-1]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section, re.M)
    words = {name: " ".join(text.split()) for name, text in entries}
    options = {}
    for name, one in inspect.signature(function, eval_str=True).parameters.items():
        kind = one.annotation
        if get_origin(kind) is not Annotated:
            flag = [f"--{name.replace('_', '-')}"] if kind is bool else []
            is_argument = one.default is one.empty and one.kind is not one.KEYWORD_ONLY
            kind = Annotated[kind, typer.Argument() if is_argument else typer.Option(*flag)]
        if name in words:
            kind = Annotated[get_args(kind)[0], copy(get_args(kind)[1])]
            get_args(kind)[1].help = words[name]
        options[name] = one.replace(annotation=kind, kind=one.KEYWORD_ONLY)
    return options


def takes(**makers: Callable) -> Callable[[Callable], Callable]:
    """Replace each named parameter of a command by the options of the function that makes its value."""
    made_from = {name: described(maker) for name, maker in makers.items()}

    def decorate(command: Callable) -> Callable:
        @wraps(command)
        def run(**given):
            made = {name: makers[name](**{o: given.pop(o) for o in options}) for name, options in made_from.items()}
            return command(**made, **given)

        options: dict[str, inspect.Parameter] = {}
        for name, parameter in described(command).items():
            options |= made_from.get(name, {name: parameter})
        run.__signature__ = inspect.Signature(list(options.values()))  # type: ignore[attr-defined]
        return run

    return decorate


class _Group(TyperGroup):
    def get_params(self, ctx):
        return _without_types_of_flags(super().get_params(ctx))


class _Command(TyperCommand):
    def get_params(self, ctx):
        return _without_types_of_flags(super().get_params(ctx))

    def parse_args(self, ctx, args):
        *_, given = self.make_parser(ctx).parse_args(args=list(args))
        once = [p for p in given if p.param_type_name == "option" and not p.multiple]
        for option, times in Counter(id(p) for p in once).items():
            if times > 1 and not ctx.resilient_parsing:
                name = next(p.opts[0] for p in once if id(p) == option)
                raise MagBridgeError(f"{name} is given {times} times: expected it once")
        return super().parse_args(ctx, args)


def _without_types_of_flags(params: list) -> list:
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
    return params


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    typer.echo(json.dumps(value))


def show(document: Any, text: str, as_json: bool) -> None:
    """Print a document as one line of JSON, or its text for people."""
    typer.echo(json.dumps(document) if as_json else text)


def list_findings(where: object, findings: Sequence[object], what: str, none: str) -> None:
    """Print one line per finding and their number, or that there are none.

    Args:
        where: What was examined, such as a path.
        findings: The findings.
        what: Noun after their number, such as `problems`.
        none: Text to print instead if there are no findings.
    """
    for finding in findings:
        typer.echo(str(finding))
    typer.echo(f"{where}: {len(findings)} {what}" if findings else f"{where}: {none}")
