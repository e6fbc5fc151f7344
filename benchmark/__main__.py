"""Commands of the benchmark: `list | run | score | leaderboard | plot | analyse | transfer | export | push | serve`."""

from __future__ import annotations

from dataset_card.running.door import answer_signals, run

if __name__ == "__main__":
    answer_signals()  # before the imports, which take a second

# isort: split
import typer

from benchmark.commands import analysis, boards, hub, running

app = typer.Typer(
    help="Scores models on MagBridge-Battery releases.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for commands in (running, boards, analysis, hub):
    commands.register(app)


if __name__ == "__main__":
    run(app)
