"""Commands of the benchmark, from `list`, `run` and `score` to `leaderboard`, `analyse` and `push`."""

from dataset_card.running.door import answer_signals, run

if __name__ == "__main__":
    answer_signals()  # before the imports, which take a second

# isort: split
from benchmark.commands import analysis, boards, hub, running
from dataset_card.running.commands import CommandLine

app = CommandLine("Score models and rank them.")
for command in (*running.COMMANDS, *boards.COMMANDS, *analysis.COMMANDS, *hub.COMMANDS):
    app.command(command.__name__.rstrip("_"))(command)


if __name__ == "__main__":
    run(app)
