"""`python -m hqvqvae ...`: features, training, evaluation, scoring, publishing, discovery, study, reproduction."""

from __future__ import annotations

from .door import answer_signals, raise_signals

if __name__ == "__main__":
    answer_signals()  # before the imports, which take a second

# isort: split
import sys

import typer

from .commands import discovery, model, study
from .door import Stopped, require_text
from .errors import MODEL_EXTRA, HQVQVAEError, missing

app = typer.Typer(
    help="HQ-VQVAE: codes for battery discharge segments.",
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
)
model.register(app)
discovery.register(app)
study.register(app)


def main() -> None:
    """Run a command; an error of the input or the disk is one line on stderr and exit code 1, a signal 130 or 143."""
    try:
        require_text(sys.argv[1:])
        app()
    except Stopped as stopped:
        stopped.tell()
        sys.exit(128 + stopped.signal)
    except (HQVQVAEError, OSError) as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        sys.exit(1)
    except ModuleNotFoundError as error:
        if error.name not in MODEL_EXTRA:
            raise
        print(f"error: {missing(error.name)}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    raise_signals()
    main()
