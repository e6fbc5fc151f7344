"""The promises that every row of a release keeps, whatever file it is in."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas

from bridge.config import SEVERITY_MAX, SEVERITY_MIN
from bridge.identity import nearest_anchor, regime_of, sample_id
from dataset_card.contract.editions import MEASURED, OWN_CELLS, V1, Edition, edition_of
from dataset_card.contract.field import metadata_of
from dataset_card.contract.schema import FIELDS_V2, REUSE_ABOVE_SOH, SYNTHETIC_SUBTYPES, fields_of
from dataset_card.errors import MagBridgeError
from dataset_card.storage.arrays import place_of

SYNTHETIC, REGIME_B = "synthetic_sensor_perturbation", "bridge_extrapolation"
_OWN_OF_CHILD = ("sample_id", "parent_sample_id", "generation_seed", "anomaly_flag", "anomaly_subtype",
                 "anomaly_origin", "anomaly_severity")  # fmt: skip
INHERITED = tuple(name for name in metadata_of(FIELDS_V2) if name not in _OWN_OF_CHILD)
"""Labels that a synthetic anomaly inherits from its parent."""


@dataclass(frozen=True)
class Finding:
    """One broken promise.

    Attributes:
        check: Name of the promise.
        where: File, or file and row.
        message: What was found and what was expected.
    """

    check: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message} [{self.check}]"


def check_rows(
    rows: pandas.DataFrame, signals: np.ndarray, u_features: np.ndarray, where: Sequence[str]
) -> list[Finding]:
    """Check ids, labels, parents and signals of a whole release.

    Args:
        rows: (n,) scalar fields of the contract; None or NaN for null.
        signals: (n, T, C) signals in nT.
        u_features: (n, 21) pulse voltages in V; NaN rows for null.
        where: (n,) file and row of each, for the findings.

    Returns:
        All broken promises, in the order of the checks.
    """
    versions = rows["schema_version"].unique() if "schema_version" in rows.columns else [""]
    missing = [name for v in versions for name in metadata_of(fields_of(v)) if name not in rows.columns]
    if missing:
        return [Finding("fields", "all rows", f"no column {name!r}") for name in missing]
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    findings = list(unique(rows["sample_id"], where, "unique ids", "sample_id {} is also at {}"))
    checks = (valid_fields, _identity, _voltage_labels, _health_labels, _anomaly_labels)
    findings += each_row(checks, records, where)
    by_id = {record["sample_id"]: record for record in records}
    findings += [Finding("parents", at, words) for at, row in zip(where, records) for words in _parent(row, by_id)]
    return [*findings, *sound_signals(V1, signals, where), *_u_features(records, u_features, where)]


def each_row(checks: Sequence[Callable], records: Sequence[dict], where: Sequence[str]) -> list[Finding]:
    """Apply checks of single rows, and return what they find, check by check."""
    return [
        Finding(name, where[i], message)
        for check in checks
        for i, record in enumerate(records)
        for name, message in check(record)
    ]


def unique(values, where: Sequence[str], check: str, message: str) -> Iterator[Finding]:
    """Yield a finding for each value that occurs again."""
    first: dict = {}
    for i, value in enumerate(values):
        if value in first:
            yield Finding(check, where[i], message.format(value, where[first[value]]))
        else:
            first[value] = i


def valid_fields(row: dict) -> Iterator[tuple[str, str]]:
    """Yield check and message for fields of a row that are null, unknown, not finite or of another contract version."""
    for field in fields_of(row["schema_version"]):
        if field.length is not None:
            continue
        name, value = field.name, row[field.name]
        if value is None:
            if not field.nullable:
                yield "fields", f"{name} is null"
        elif field.values is not None and value not in field.values:
            yield "fields", f"{name} is {value!r}, expected one of {', '.join(field.values)}"
        elif field.dtype == "float64" and not math.isfinite(value):
            yield "fields", f"{name} is {value}, expected a finite number"
    try:
        expected = edition_of(row["bridge_version"]).schema_version
        if row["schema_version"] != expected:
            yield "fields", f"schema_version is {row['schema_version']!r}, expected {expected!r}"
    except MagBridgeError as error:
        yield "fields", str(error)


def _identity(row: dict) -> Iterator[tuple[str, str]]:
    try:
        expected = sample_id(row)
    except (TypeError, KeyError, ValueError):
        return  # a null or unknown label, reported by the check of fields
    if row["sample_id"] != expected:
        yield "ids follow from rows", f"sample_id is {row['sample_id']}, but its fields give {expected}"


def _voltage_labels(row: dict) -> Iterator[tuple[str, str]]:
    voltage = row["voltage"]
    if voltage is None:
        return
    try:
        # Measurements are grounded at any voltage: the anchors limit only the bridge.
        expected = {"regime": "grounded" if _is_measured(row) else regime_of(voltage)}
    except MagBridgeError as error:
        yield "regimes", str(error)
        return
    for name, value in {**expected, "nearest_anchor": nearest_anchor(voltage)}.items():
        if row[name] != value:
            yield "regimes", f"{name} is {row[name]!r} at {voltage} V, expected {value!r}"


def _health_labels(row: dict) -> Iterator[tuple[str, str]]:
    soh, soc, second_life = row["soh"], row["soc"], row["second_life_class"]
    lowest = 0 if _is_measured(row) else math.nextafter(0, 1)
    if soc is not None and not lowest <= soc <= 100:
        yield "health labels", f"soc is {soc} %, expected a value in {'[' if lowest == 0 else '('}0, 100]"
    if row["anomaly_origin"] == REGIME_B:
        for name in ("soh", "second_life_class"):
            if row[name] is not None:
                yield "health labels", f"{name} is {row[name]!r} on a Regime-B row, expected null"
        return
    if soh is None:
        yield "health labels", "soh is null outside Regime-B"
        return
    if not 0 < soh <= 1.1:
        yield "health labels", f"soh is {soh}, expected a fraction in (0, 1.1]"
    expected = "reuse" if soh > REUSE_ABOVE_SOH else "recondition"
    if second_life != expected:
        yield "health labels", f"second_life_class is {second_life!r} at SOH {soh}, expected {expected!r}"


OF_ORIGIN: dict[str, tuple[str, bool, tuple[str, ...], float, float]] = {
    "none": ("grounded", False, ("none",), 0.0, 0.0),
    SYNTHETIC: ("grounded", True, SYNTHETIC_SUBTYPES, SEVERITY_MIN, SEVERITY_MAX),
    REGIME_B: ("extrapolation", True, ("low_voltage_regime_B",), 1.0, 1.0),
}
"""Regime, flag, subtypes and range of severity for rows of each origin."""


def _anomaly_labels(row: dict) -> Iterator[tuple[str, str]]:
    origin, severity = row["anomaly_origin"], row["anomaly_severity"]
    regime, flag, subtypes, low, high = OF_ORIGIN.get(origin, OF_ORIGIN["none"])
    between = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    for name, is_right, expected in (
        ("anomaly_flag", row["anomaly_flag"] == flag, flag),
        ("regime", row["regime"] == regime, regime),
        ("anomaly_subtype", row["anomaly_subtype"] in subtypes, " or ".join(subtypes)),
        ("anomaly_severity", severity is None or low <= severity <= high, between),
    ):
        if not is_right:
            check = "anomaly flags" if name == "anomaly_flag" else "anomaly labels"
            yield check, f"{name} is {row[name]!r} with anomaly_origin {origin!r}, expected {expected}"


def _parent(row: dict, by_id: dict[str, dict]) -> Iterator[str]:
    name, synthetic = row["parent_sample_id"], row["anomaly_origin"] == SYNTHETIC
    parent = by_id.get(name)
    if name is None:
        if synthetic:
            yield "is a synthetic anomaly without parent_sample_id"
    elif not synthetic:
        yield f"parent_sample_id {name} on a row that is not a synthetic anomaly"
    elif parent is None:
        yield f"parent_sample_id {name} is not in the release"
    else:
        if parent["anomaly_origin"] != "none" or parent["regime"] != "grounded":
            yield f"parent {name} is not a clean grounded row"
        for label in INHERITED:
            if row.get(label) != parent.get(label):
                yield f"{label} is {row[label]!r}, but its parent {name} has {parent[label]!r}"


def _is_measured(row: dict) -> bool:
    return str(row["bridge_version"]) == MEASURED.bridge


def sound_signals(edition: Edition, signals: np.ndarray, where: Sequence[str]) -> Iterator[Finding]:
    """Yield rows with a sample that is not finite, and rows whose signals repeat an earlier row's bit by bit."""
    finite = np.isfinite(signals)
    for i in np.flatnonzero(~finite.reshape(len(signals), -1).all(axis=1)):
        at = tuple(int(k) for k in np.unravel_index(np.argmin(finite[i]), finite[i].shape))
        channel, step = place_of(edition, at)
        yield Finding("finite signals", where[i], f"{channel} is {signals[i][at]} at step {step}")
    digests = [hashlib.sha256(np.ascontiguousarray(signal).tobytes()).digest() for signal in signals]
    yield from unique(digests, where, "unique signals", "the same signal as {1}")


def _u_features(records: list[dict], u_features: np.ndarray, where: Sequence[str]) -> Iterator[Finding]:
    null = np.isnan(u_features).all(axis=1)
    for i, row in enumerate(records):
        regime_b = row["anomaly_origin"] == REGIME_B
        if null[i] and (_is_measured(row) or str(row["bridge_version"]).endswith(OWN_CELLS)):
            continue  # a user's own cells need no pulse test
        if regime_b != null[i]:
            found = "given on a Regime-B row, expected null" if regime_b else "null outside Regime-B"
            yield Finding("u_features", where[i], f"u_features are {found}")
        elif not null[i] and not np.isfinite(u_features[i]).all():
            yield Finding("u_features", where[i], "u_features contain NaN or infinity")
