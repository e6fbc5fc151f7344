"""Commands of the benchmark: `list | run | score | leaderboard | plot | analyse | transfer | export | push | serve`."""

from __future__ import annotations

import sys

import typer

from benchmark.commands import analysis, boards, hub, running
from dataset_card.errors import MagBridgeError

app = typer.Typer(
    help="Scores models on MagBridge-Battery releases.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for commands in (running, boards, analysis, hub):
    commands.register(app)


def main() -> None:
    """Runs the command; bad input ends in one line on stderr and exit code 1."""
    try:
        app()
    except (MagBridgeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
