"""The error that a user's input can cause; commands print it as one line and exit with 1."""


class HQVQVAEError(ValueError):
    """Bad input: the message, one line, names the value, what was expected and the fix."""

    def __init__(self, message: str):
        super().__init__(" ".join(line.strip() for line in message.splitlines()))
