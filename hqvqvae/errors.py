"""The error that a user's input can cause, which commands print as one line, and what an absent library is told by."""

MODEL_EXTRA = ("accelerate", "matplotlib", "torch", "transformers")
"""Libraries of the extra `[model]`."""


class HQVQVAEError(ValueError):
    """Bad input: the message, one line, names the value, what was expected and the fix."""

    def __init__(self, message: str):
        super().__init__(" ".join(line.strip() for line in message.splitlines()))


def missing(library: str) -> str:
    """The line for a library of the extra that is not installed."""
    return f"this needs {library}: pip install 'magbridge-battery[model]'"
