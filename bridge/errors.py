"""What is said where something is refused: texts by name, with gaps for values."""

from functools import cache
from pathlib import Path

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import plain_yaml

HERE = Path(__file__).parent


@cache
def texts(file: str) -> dict:
    """The texts of a YAML file in this folder."""
    return plain_yaml((HERE / file).read_text(encoding="utf-8"))


def refusal(of: str, **values: object) -> MagBridgeError:
    """The error of a name in `errors.yaml`, its gaps filled with values, to be raised."""
    return MagBridgeError(texts("errors.yaml")[of].format(**values))


def said(of: str, **values: object) -> tuple[str, str, str]:
    """What was found, expected and the fix, of a mistake by its name in `measured/faults.yaml`."""
    found, expected, fix = (text.format(**values) for text in texts("measured/faults.yaml")[of])
    return found, expected, fix
