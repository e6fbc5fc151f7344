"""The parsers of external JSON and YAML: they return plain values of the expected form or raise one error."""

import functools
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from dataset_card.contract.configs import SPLITS
from dataset_card.errors import MagBridgeError
from dataset_card.storage.files import replacing

MAX_JSON_BYTES = 2**28
"""A split document has 32 bytes per id, so this allows eight million rows, far more than a document should list."""

MAX_YAML_DEPTH = 10
"""Maximum nesting of values in a YAML document; a submission and a channel map have four levels."""

_SHA256 = re.compile("[0-9a-f]{64}")


def read_json(path: Path, name: str | None = None) -> dict:
    """Read a file that contains one JSON object.

    Args:
        path: The file.
        name: Its name in errors; its path by default.

    Raises:
        MagBridgeError: If it is missing, too large or not valid JSON, or does not contain an object.
    """
    if path.exists() and not path.is_file():
        raise MagBridgeError(f"{name or path}: not a file: expected a JSON document")  # a pipe would never end
    try:
        with open(path, "rb") as file:
            return parse_json(file.read(MAX_JSON_BYTES + 1), name or str(path))
    except OSError as error:
        raise MagBridgeError(f"{name or path}: not readable ({error.strerror})") from error


def parse_json(data: bytes, where: str) -> dict:
    """Parse one JSON object.

    Args:
        data: The bytes to parse.
        where: Their source, for the error.

    Raises:
        MagBridgeError: If it is too large, not JSON in UTF-8, nested too deeply or not an object.
    """
    if len(data) > MAX_JSON_BYTES:
        raise MagBridgeError(f"{where}: larger than {MAX_JSON_BYTES / 1e6:.0f} MB: expected a document of a release")
    try:
        value = plain_json(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise MagBridgeError(f"{where}: not readable as JSON ({error}); restore it from a copy") from error
    if not isinstance(value, dict):
        raise MagBridgeError(f"{where}: contains a {type(value).__name__}: expected a JSON object")
    return value


def plain_json(text: str, parse_constant: Callable[[str], Any] | None = None) -> Any:
    """Parse a JSON value, and check that its texts can be written again.

    Args:
        text: The text to parse.
        parse_constant: As in `json.loads`.

    Raises:
        ValueError: If it is not JSON, or contains half a surrogate pair, which can be read but never written.
        RecursionError: If it is nested too deeply.
    """
    value = json.loads(text, parse_constant=parse_constant)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def plain_yaml(text: str) -> Any:
    """Parse a plain YAML document: no aliases, whose size is unbounded, no tags and no repeated fields; dates are text.

    Raises:
        ValueError: If it is not YAML, or not plain.
    """
    import yaml

    try:
        return yaml.load(text, Loader=_yaml_loader())
    except Exception as error:  # its constructors raise many kinds of errors, all caused by the document
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


@functools.cache
def _yaml_loader():
    import yaml

    class Loader(yaml.SafeLoader):
        depth = 0

        def compose_node(self, parent, index):
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("aliases are not allowed")
            if getattr(self.peek_event(), "tag", None) not in (None, "!"):
                raise yaml.YAMLError(f"tags such as {self.peek_event().tag!r} are not allowed")
            self.depth += 1
            if self.depth > MAX_YAML_DEPTH:
                raise yaml.YAMLError(f"values are nested more than {MAX_YAML_DEPTH} levels deep")
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

        def construct_mapping(self, node, deep=False):
            odd = [key.value for key, _ in node.value if key.tag.rpartition(":")[2] not in ("str", "merge")]
            if odd:
                raise yaml.YAMLError(f"field name {odd[0]}: expected text, in quotes if necessary")
            keys = [key.value for key, _ in node.value]
            twice = [str(key) for key in keys if keys.count(key) > 1]
            if twice:
                raise yaml.YAMLError(f"the field {twice[0]} is given twice")
            return super().construct_mapping(node, deep=deep)

        def construct_yaml_float(self, node):
            value = super().construct_yaml_float(node)
            if not math.isfinite(value):
                raise yaml.YAMLError(f"{node.value} is not allowed: expected a finite number")
            return value

    Loader.add_constructor("tag:yaml.org,2002:float", Loader.construct_yaml_float)
    Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: node.value)
    return Loader


@functools.cache
def packaged(package: str, name: str) -> Any:
    """Load a YAML document from a package. The result is cached: copy it before you change it.

    Args:
        package: The package, such as `bridge.validation`.
        name: Path of the file in it.
    """
    import yaml

    return yaml.safe_load(resources.files(package).joinpath(name).read_text(encoding="utf-8"))


def worded(package: str, name: str, of: str, /, **values: object) -> MagBridgeError:
    """Return an error, to be raised, with a message from a package's table of texts.

    Args:
        package: The package.
        name: File of the table: texts by name, with placeholders.
        of: Name of the text.
        **values: Values of its placeholders.
    """
    return MagBridgeError(packaged(package, name)[of].format(**values))


def schema_errors(document: Any, schema: Path) -> Iterator[tuple[list[str], str]]:
    """Yield the path of each place where a document violates a JSON schema, and the reason."""
    for error in _validator(schema).iter_errors(document):
        yield [str(part) for part in error.absolute_path], error.message


@functools.cache
def _validator(schema: Path):
    import jsonschema

    return jsonschema.Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))


def check_manifest(manifest: Mapping[str, Any], where: str) -> None:
    """Check that a manifest has the entries that readers rely on, with the right types.

    Args:
        manifest: The manifest.
        where: Its path, for the error.

    Raises:
        MagBridgeError: If an entry is missing or has another type.
    """
    upstream = manifest.get("upstream")
    upstream = upstream if isinstance(upstream, dict) else {}
    for name, holds, expected in (
        ("dataset_digest", _is_digest(manifest.get("dataset_digest")), "a SHA-256"),
        ("name", isinstance(manifest.get("name"), str), "a string"),
        ("bridge_version", isinstance(manifest.get("bridge_version"), (str, list)), "a string or a list of them"),
        (
            "upstream",
            isinstance(upstream.get("name"), str) and _strings(upstream.get("sources", {})),
            "an object with a name and the digests of its sources",
        ),
    ):
        if not holds:
            found = f"{where}: {name} is {_short(manifest[name])}" if name in manifest else f"{where} has no {name}"
            raise MagBridgeError(f"{found}: expected {expected}, as in every manifest of a release")


def check_members(members: Any, where: str) -> dict[str, list[str]]:
    """Return the sample ids by subset of a split document, after checking that they are lists of text.

    Raises:
        MagBridgeError: If they are not.
    """
    if not isinstance(members, dict) or not all(_texts(ids) for ids in members.values()):
        raise MagBridgeError(f'{where}: expected {{"train": [sample ids], "test": [sample ids]}}')
    return members


def check_split(document: Mapping[str, Any], where: str) -> None:
    """Check that a release's split document lists the ids, cells and counts of every subset.

    Raises:
        MagBridgeError: If it does not.
    """
    members = document.get("sample_ids")
    if not isinstance(members, dict) or set(members) != set(SPLITS) or not all(_texts(ids) for ids in members.values()):
        raise MagBridgeError(f"{where}: sample_ids is not an object with lists of ids for {', '.join(SPLITS)}")
    for name in ("counts", "cells"):
        if not isinstance(document.get(name), dict):
            raise MagBridgeError(f"{where}: {name} is not an object")


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _strings(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(entry, str) for entry in value.values())


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def json_text(value: object, indent: int = 1) -> str:
    """Return a value as JSON; NaN and infinity, which JSON lacks, become null."""
    return json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False)


def write_json(path: Path, value: object) -> None:
    """Write a value as a JSON file, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(json_text(value) + "\n", encoding="utf-8")


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "item"):  # a scalar of numpy
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
