"""Check whether labels of a v2 release can be read by a shortcut: not from the signal, but from how rows were made.

Each reader is a program that cheats. It sees what a task's configuration contains besides the signals, or bits of the
signals that no physics sets. It is fitted on the training and validation rows, and must score at chance on the test
rows: at most three standard errors above it.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas

from bridge.audit.rows import Finding
from bridge.release.splits import unit_of
from dataset_card.contract.schema import ANOMALY_ORIGINS, CHANNELS, SYNTHETIC_SUBTYPES

STANDARD_ERRORS = 3.0
FEWEST = 20
"""Least number of rows of each class, to fit and to score; with fewer, nothing is reported."""

STEPS = (0, 1, 50, 98, 99)
"""Steps whose low bits are read: both ends, where some faults leave a signal unchanged, and the middle."""

SENSORS = ((0, 1, 4), (2, 3, 5))
"""Measured channels of each sensor, and its magnitude."""


def check_shortcuts(
    rows: pandas.DataFrame, signals: np.ndarray, order: np.ndarray, files: Sequence[str], test: np.ndarray
) -> list[Finding]:
    """Try every reader.

    Args:
        rows: (n,) labels, file after file.
        signals: (n, T, C) in nT.
        order: (n,) position of each row in the metadata table.
        files: (n,) data file of each row.
        test: (n,) bool, whether a row is in the test subset of the split by cell.

    Returns:
        One finding for each reader that scores above chance.
    """
    return [
        *_equal_samples(rows, signals),
        *_readers(rows, readers(rows, signals, order, files), test),
        *_voltage(rows, signals, test),
    ]


def _equal_samples(rows: pandas.DataFrame, signals: np.ndarray) -> Iterator[Finding]:
    """Check that no two rows share a sample of a channel, which would match a faulty row with its original."""
    ids, steps = rows["sample_id"].to_numpy(), signals.shape[1]
    for c, channel in enumerate(CHANNELS):
        values = signals[:, :, c].ravel()
        place = np.argsort(values, kind="stable")
        same = np.flatnonzero(values[place[1:]] == values[place[:-1]])
        pairs = {(place[i] // steps, place[i + 1] // steps) for i in same.tolist()}
        pairs = {(a, b) for a, b in pairs if a != b}
        if pairs:
            a, b = min(pairs)
            message = f"{len(pairs)} pairs of rows share a sample of {channel}, {ids[a]} and {ids[b]} among them"
            yield Finding("no shortcut: equal samples", "data", message)


def readers(
    rows: pandas.DataFrame, signals: np.ndarray, order: np.ndarray, files: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return what each reader sees of the rows, (n, F) by the reader's name."""
    ids = rows["sample_id"].astype(str)
    width = int(ids.str.len().max())
    letters = np.array([[ord(letter) for letter in name.ljust(width)] for name in ids])
    # A row's place as a share of its file: larger files contain other kinds of rows.
    by_file = pandas.Series(np.arange(len(rows))).groupby(list(files))
    place, size = by_file.cumcount().to_numpy(), by_file.transform("size").to_numpy()
    shares = np.floor(50 * np.column_stack([(place + 0.5) / size, (order + 0.5) / len(order)]))
    parity = np.column_stack([place % 2, place % 5, order % 2, order % 5])
    bits = np.ascontiguousarray(signals[:, STEPS]).view(np.uint64) & np.uint64(255)
    prefixes = [ids.str[:length] for length in (2, 3, 4)]
    return {
        "words in ids": letters,
        "row order": np.column_stack([shares, parity]),
        "low bits": bits.reshape(len(rows), -1),
        "counts": np.column_stack([prefix.map(prefix.value_counts()).to_numpy() for prefix in prefixes]),
    }


def _readers(rows: pandas.DataFrame, seen: dict[str, np.ndarray], test: np.ndarray) -> Iterator[Finding]:
    origin, subtype = rows["anomaly_origin"].to_numpy(), rows["anomaly_subtype"].to_numpy()
    parts = {
        "T1": (origin == "none", rows["soh"].to_numpy(), ()),
        "T3": (np.ones(len(rows), bool), origin, ANOMALY_ORIGINS),
        "T4": (np.isin(subtype, SYNTHETIC_SUBTYPES), subtype, SYNTHETIC_SUBTYPES),
    }
    unit = rows[unit_of(rows)].to_numpy()
    for task, (of_task, target, labels) in parts.items():
        fit, scored = of_task & ~test, of_task & test
        if min(fit.sum(), scored.sum(), *_support(target, labels, fit), *_support(target, labels, scored)) < FEWEST:
            continue
        # All readers in one fit: twelve tests instead of three would fail by chance in one of sixty releases.
        if _excess(np.column_stack(list(seen.values())), target, labels, fit, scored, unit) is None:
            continue
        alone = {name: _excess(inputs, target, labels, fit, scored, unit) for name, inputs in seen.items()}
        for name, found in alone.items():
            if found is not None:
                yield Finding(f"no shortcut: {name}", "data", f"{task}: {found}")
        if not any(alone.values()):
            yield Finding("no shortcut", "data", f"{task} is revealed by {', '.join(seen)} together")


def _support(target: np.ndarray, labels: tuple[str, ...], rows: np.ndarray) -> list[int]:
    return [int((target[rows] == label).sum()) for label in labels]


def _excess(
    inputs: np.ndarray, target: np.ndarray, labels: tuple[str, ...], fit: np.ndarray, scored: np.ndarray, unit
) -> str | None:
    """Return a learner's score if it exceeds chance by three standard errors; `unit` (n,) names the batteries."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    options = {"max_iter": 40, "max_leaf_nodes": 8, "random_state": 0}
    truth = target[scored]
    if not labels:
        regressor = HistGradientBoostingRegressor(**options).fit(inputs[fit], target[fit].astype(float))
        return _r2_excess(truth.astype(float), regressor.predict(inputs[scored]), unit[scored])
    model = HistGradientBoostingClassifier(class_weight="balanced", **options).fit(inputs[fit], target[fit])
    right = model.predict(inputs[scored]) == truth
    score = float(np.mean([right[truth == label].mean() for label in labels]))
    chance = 1 / len(labels)
    error = np.sqrt(chance * (1 - chance) * sum(1 / n for n in _support(target, labels, scored))) / len(labels)
    if score <= chance + STANDARD_ERRORS * error:
        return None
    return f"balanced accuracy {score:.3f}, chance is {chance:.3f} +- {error:.3f}"


def _r2_excess(truth: np.ndarray, said: np.ndarray, unit: np.ndarray) -> str | None:
    _, index = np.unique(unit, return_inverse=True)
    terms = np.stack([np.ones(len(truth)), truth, truth**2, (truth - said) ** 2], axis=1)
    sums = np.zeros((index.max() + 1, 4))
    np.add.at(sums, index, terms)
    weights = np.random.default_rng(0).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=1000)
    count, total, square, rest = (weights @ sums).T
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = 1 - rest / (square - total**2 / count)
    score, error = 1 - sums[:, 3].sum() / ((truth - truth.mean()) ** 2).sum(), np.nanstd(draws)
    if score <= STANDARD_ERRORS * error:
        return None
    return f"R2 {score:.3f} +- {error:.3f}, chance is 0"


def voltage_errors(rows: pandas.DataFrame, signals: np.ndarray, test: np.ndarray) -> list[np.ndarray] | None:
    """Return voltage errors in V of clean test rows: from the field that Y and Z miss, and from the signal's level.

    The first regresses on mean, spread and ends over the scan of C^2 - Y^2 - Z^2 of both sensors, the second on the
    means of the four measured channels and their squares. Returns None if there are too few rows.
    """
    clean = (rows["anomaly_origin"] == "none").to_numpy()
    fit, scored = clean & ~test, clean & test
    if min(fit.sum(), scored.sum()) < 4 * FEWEST:
        return None
    unseen = [signals[..., c] ** 2 - signals[..., y] ** 2 - signals[..., z] ** 2 for y, z, c in SENSORS]
    derived = np.column_stack([f for u in unseen for f in (u.mean(axis=1), u.std(axis=1), u[:, 0], u[:, -1])])
    voltage, errors = rows["voltage"].to_numpy(float), []
    for inputs in (derived, signals[..., :4].mean(axis=1)):
        scaled = (inputs - inputs[fit].mean(axis=0)) / (inputs[fit].std(axis=0) + 1e-30)
        design = np.column_stack([np.ones(len(scaled)), scaled, scaled**2])
        weights = np.linalg.lstsq(design[fit], voltage[fit], rcond=None)[0]
        errors.append(design[scored] @ weights - voltage[scored])
    return errors


def _voltage(rows: pandas.DataFrame, signals: np.ndarray, test: np.ndarray) -> Iterator[Finding]:
    errors = voltage_errors(rows, signals, test)
    if errors is None:
        return
    derived, level = (float(np.sqrt((error**2).mean())) for error in errors)
    error = float((errors[0] ** 2).std() / (2 * derived * np.sqrt(len(errors[0])))) if derived > 0 else 0.0
    if derived + STANDARD_ERRORS * error < level:
        found = (
            f"C5, C6, Y and Z give the voltage to {1000 * derived:.3g} mV, the signal's level to {1000 * level:.3g} mV"
        )
        yield Finding("no shortcut: derived channels", "data", found)
