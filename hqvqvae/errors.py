"""The error type of the model's own files, which are published on the Hub without the rest of the package."""


class HQVQVAEError(ValueError):
    """Bad input; the one-line message names the value, what was expected and the fix."""

    def __init__(self, message: str):
        super().__init__(" ".join(line.strip() for line in message.splitlines()))
