"""The error that bad user input raises; commands print it as one line and exit with 1."""

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
    """Bad input or a broken guarantee.

    The message is one line that names the value, what was expected and the fix. A password in an address
    (`https://user:password@host`) is removed from it.
    """

    def __init__(self, message: str):
        super().__init__(one_line(without_passwords(message)))


def one_line(text: str) -> str:
    """Return a text on one line; escape what cannot be printed, such as codes that rewrite a terminal."""
    line = " ".join(line.strip() for line in text.splitlines())
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)


def without_passwords(text: str) -> str:
    """Return the text without the user name and password of any address in it."""
    return re.sub(r"(?<=://)[^/\s@]+@", "", text)


def causes(error: BaseException) -> list[BaseException]:
    """Return an error and its causes, outermost first."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    return chain


def innermost(error: BaseException) -> str:
    """Return the message of the innermost cause on one line, without what libraries wrapped around it."""
    last = causes(error)[-1]
    return " ".join(str(last).split()) or type(last).__name__


def missing(library: str) -> str:
    """Return the error message for an optional library that is not installed."""
    return f"this needs {library}: pip install 'magbridge-battery[{EXTRAS[library]}]'"


@contextmanager
def optional(library: str) -> Iterator[None]:
    """Import an optional library in this block, or report which extra installs it.

    Raises:
        MagBridgeError: If the library, or one of its own dependencies, is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise MagBridgeError(missing(library)) from error
