"""The error of the model's own files, which travel to the Hub and stand alone there."""


class HQVQVAEError(ValueError):
    """Bad input: the message, one line, names the value, what was expected and the fix."""

    def __init__(self, message: str):
        super().__init__(" ".join(line.strip() for line in message.splitlines()))
