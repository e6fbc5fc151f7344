"""Commands of the benchmark: `list | run | score | leaderboard | plot | analyse | transfer | export | push | serve`."""

from __future__ import annotations

from dataset_card.running.door import answer_signals, run

if __name__ == "__main__":
    answer_signals()  # before the imports, which take a second

# isort: split
from benchmark.commands import analysis, boards, hub, running
from dataset_card.running.commands import CommandLine

app = CommandLine("Score models and rank them.")
for commands in (running, boards, analysis, hub):
    commands.register(app)


if __name__ == "__main__":
    run(app)
