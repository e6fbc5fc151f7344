"""The error that a user's input can cause; commands print it as one line and exit with 1."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

EXTRAS = {
    "matplotlib": "plot",
    **dict.fromkeys(("accelerate", "torch", "transformers"), "model"),
    **dict.fromkeys(("catboost", "lightgbm"), "boosting"),
    **dict.fromkeys(("dask", "distributed"), "cluster"),
    "aeon": "model,rocket",
    "skops": "skops",
    "tabicl": "tabicl",
}
"""The extra that installs each optional library."""


class MagBridgeError(ValueError):
    """Bad input or a broken promise: the message, one line, names the value, what was expected and the fix.

    A password in an address (`https://user:password@host`) is not repeated.
    """

    def __init__(self, message: str):
        super().__init__(" ".join(line.strip() for line in without_passwords(message).splitlines()))


def without_passwords(text: str) -> str:
    """The text without the user and password of any address in it."""
    return re.sub(r"(?<=://)[^/\s@]+@", "", text)


def causes(error: BaseException) -> list[BaseException]:
    """An error and its causes, outermost first."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    return chain


def innermost(error: BaseException) -> str:
    """The innermost reason on one line, without the wrapping of libraries."""
    last = causes(error)[-1]
    return " ".join(str(last).split()) or type(last).__name__


def missing(library: str) -> str:
    """Return the line for an optional library that is not installed."""
    return f"this needs {library}: pip install 'magbridge-battery[{EXTRAS[library]}]'"


@contextmanager
def optional(library: str) -> Iterator[None]:
    """Import an optional library in this block, or say which extra has it.

    Raises:
        MagBridgeError: It, or what it needs itself, is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise MagBridgeError(missing(library)) from error
