"""`python -m hqvqvae ...`: features, training, evaluation, scoring, publishing, discovery, study, reproduction."""

from dataset_card.running.door import answer_signals, run

if __name__ == "__main__":
    answer_signals()  # before the imports, which take a second

# isort: split
from dataset_card.running.commands import CommandLine

from .commands import discovery, model, study
from .errors import HQVQVAEError

app = CommandLine("Train and use HQ-VQVAE, which encodes battery discharges as codes.")
for command in (*model.COMMANDS, *discovery.COMMANDS, *study.COMMANDS):
    app.command()(command)


def main() -> None:
    """Run the command line."""
    run(app, (HQVQVAEError,))


if __name__ == "__main__":
    main()
