"""What the command lines share: options, and how they print JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from dataset_card.errors import MagBridgeError

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="Replace what a command wrote there before.")]
JobsOption = Annotated[
    int | None,
    typer.Option(help="Number of processes on this machine; results do not depend on it.", show_default=False),
]
AddressOption = Annotated[
    str | None, typer.Option(help="HOST:PORT of a Dask scheduler that you run: its workers do the work.")
]


class CommandLine(typer.Typer):
    """A command line of this project.

    Flags show no type in `--help`, and an option that is given twice is an error unless it may repeat: otherwise the
    last one would win in silence.
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
        """Register a command, as `typer.Typer.command` does."""
        return super().command(name, cls=_Command, **options)


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


def list_findings(where: object, findings: Sequence[object], what: str, none: str) -> None:
    """Print a line a finding, and how many of what they are, or that there are none."""
    for finding in findings:
        typer.echo(str(finding))
    typer.echo(f"{where}: {len(findings)} {what}" if findings else f"{where}: {none}")
