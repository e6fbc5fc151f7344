"""The error that a user's input can cause; commands print it as one line and exit with 1."""


class HQVQVAEError(ValueError):
    """Bad input: the message names the value, what was expected and the fix."""
