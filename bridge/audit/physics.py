"""Promises of v3's rows: labels that are consistent, and signals that reveal their labels only through physics.

Readers that use no physics (order, names, low bits, counts, repeated samples, exact relations) must score at chance:
each of them has broken a dataset of this kind before.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pandas
from scipy.stats import chi2_contingency

from bridge.audit.rows import Finding, each_row, sound_signals, unique, valid_fields
from bridge.plan import VISITS
from dataset_card.contract.editions import V3
from dataset_card.contract.physics import DEFECTS, LABELS, PLACED, SOC_KNOWLEDGE
from dataset_card.storage.arrays import place_of, spans

SAMPLE, CELL = re.compile("s[0-9a-f]{16}"), re.compile("cell-[0-9a-f]{16}")
OF_VISIT = ("soc", "soh", "lli", "lam_pe", "lam_ne", "r_ohm", "r_ct")
"""Labels that change from visit to visit; all others belong to the cell."""
SOC_RANGES = {"as_received": (20.0, 80.0), "known_soc": (46.0, 54.0)}
"""In percent; the second extends eight standard deviations to either side."""

SHARED_SAMPLES = 5
"""Two rows may agree in fewer samples than this, by rounding to float32: among pairs whose voltages agree within noise,
more than four equal samples occur in less than one of a thousand releases."""

EXACT = 0.1
"""Share of the variance that noise by itself leaves in the direction in which the signals vary least (Marchenko and
Pastur 1967): an exact relation between samples leaves none."""

NOISE = {"voltage": 1e-4, "load": 0.05, "rest": 0.05, "scan": 0.05}
"""Least standard deviation of each sample's own noise, in V and nT."""

SIGMAS = 4.5
"""Limit of a reader's score above chance; with some 300 readers, 3 would be exceeded by chance."""


def check_physics(rows: pandas.DataFrame, signals: np.ndarray, where: Sequence[str]) -> list[Finding]:
    """Check names, labels, cells and signals of a v3 release.

    Args:
        rows: (n,) scalar fields of the contract, None for null.
        signals: (n, 681), one channel after another.
        where: (n,) file and row of each, for the findings.

    Returns:
        All broken promises, in the order of the checks.
    """
    records = rows.to_dict("records")
    findings = list(unique(rows["sample_id"], where, "unique ids", "sample_id {} is also at {}"))
    findings += each_row((valid_fields, _names, _labels), records, where)
    findings += _cells(rows, where)
    findings += sound_signals(V3, signals, where)
    return findings or [*_shared(signals, where), *_relations(signals), *_readers(rows, signals)]


def _names(row: dict) -> Iterator[tuple[str, str]]:
    for name, form in (("sample_id", SAMPLE), ("cell_id", CELL)):
        if not form.fullmatch(str(row[name])):
            yield "opaque names", f"{name} is {row[name]!r}, expected {form.pattern}"


def _labels(row: dict) -> Iterator[tuple[str, str]]:
    defect, knowledge = row["defect"], row["soc_knowledge"]
    if defect not in DEFECTS or knowledge not in SOC_KNOWLEDGE or row["soc"] is None or row["soh"] is None:
        return  # reported by the check of fields
    placed = defect in PLACED
    for name, has in {"share": defect != "none", "x_mm": placed, "y_mm": placed, "depth": defect == "layer"}.items():
        if (row[name] is not None) != has:
            expected = "a number" if has else "null"
            yield "labels of defects", f"{name} is {row[name]!r} with defect {defect!r}, expected {expected}"
    low, high = SOC_RANGES[knowledge]
    if not low <= row["soc"] <= high:
        yield "health labels", f"soc is {row['soc']} % in {knowledge}, expected {low:g} to {high:g}"
    if not 0 < row["soh"] <= 1.1:
        yield "health labels", f"soh is {row['soh']}, expected a fraction in (0, 1.1]"
    if row["share"] is not None and not 0 < row["share"] <= 1:
        yield "labels of defects", f"share is {row['share']}, expected more than 0, at most 1"


def _cells(rows: pandas.DataFrame, where: Sequence[str]) -> Iterator[Finding]:
    """Check that every cell has each visit once, and one design, defect and gradient throughout."""
    own = [name for name in ("chemistry", "stack", "soc_knowledge", *LABELS) if name not in OF_VISIT]
    at = dict(zip(rows["cell_id"], where))
    for cell, part in rows.groupby("cell_id", sort=False):
        if sorted(part["visit"]) != list(range(VISITS)):
            yield Finding("visits", at[cell], f"{cell} has the visits {sorted(part['visit'])}, expected {VISITS}")
        for name in own:
            if part[name].nunique(dropna=False) > 1:
                yield Finding("visits", at[cell], f"{cell} has several values of {name}: expected one at all visits")


def _shared(signals: np.ndarray, where: Sequence[str]) -> Iterator[Finding]:
    """Check that no two rows share more samples than rounding explains."""
    count: dict[tuple[int, int], list[int]] = {}
    for sample, column in enumerate(signals.T):
        order = np.argsort(column, kind="stable")
        for k in np.flatnonzero(np.diff(column[order]) == 0):
            pair = tuple(sorted(order[k : k + 2].tolist()))
            count.setdefault(pair, []).append(sample)
    for (i, j), samples in count.items():
        if len(samples) >= SHARED_SAMPLES:
            channel, step = place_of(V3, (samples[0],))
            found = f"{len(samples)} samples equal those of {where[j]}, {channel}[{step}] first"
            yield Finding("shared samples", where[i], found)


def _relations(signals: np.ndarray) -> Iterator[Finding]:
    """Check that no sample follows exactly from the others: each must have its own noise."""
    noise_of = np.concatenate([np.full(len(signals[0, span]), NOISE[name]) for name, span in spans(V3).items()])
    for name, span in {**spans(V3), "all channels": slice(None)}.items():
        columns, noise = signals[:, span], noise_of[span]
        n, p = columns.shape
        if n < 3 * p:
            continue
        least = np.linalg.svd((columns - columns.mean(axis=0)) / noise, compute_uv=False)[-1] ** 2 / n
        if least < EXACT * (1 - np.sqrt(p / n)) ** 2:
            found = f"{name}: one sample follows from others to {least:.1e} of the noise"
            yield Finding("exact relations", "all rows", found)


def _readers(rows: pandas.DataFrame, signals: np.ndarray) -> Iterator[Finding]:
    """Check that order, names, low bits and design reveal nothing about class or health."""
    n = len(rows)
    cells = rows.drop_duplicates("cell_id")
    classes = {name: (rows["defect"] == name).to_numpy(float) for name in DEFECTS}
    targets = classes | {name: rows[name].to_numpy(float) for name in ("soh", "gradient_r", "soc")}
    bits = np.ascontiguousarray(signals, dtype=np.float32).view(np.uint32)
    codes = {
        "order": np.arange(n, dtype=float),
        **{id_: np.array([int(text[-16:], 16) for text in rows[id_]], float) for id_ in ("sample_id", "cell_id")},
        **{f"low bits of {name}": (bits[:, span] & 1).mean(axis=1) for name, span in spans(V3).items()},
        **{f"zeros of {name}": (signals[:, span] == 0).mean(axis=1) for name, span in spans(V3).items()},
    }
    effective = len(cells)  # visits to a cell share class and gradient
    for reader, code in codes.items():
        for target, values in targets.items():
            constant = np.ptp(code) == 0 or np.ptp(values) == 0
            r = 0.0 if constant else float(np.corrcoef(code, values)[0, 1])
            if abs(r) > SIGMAS / np.sqrt(effective):
                found = f"{reader} reveals {target}: correlation {r:.3f} in {effective} cells"
                yield Finding("readers", "all rows", found)
    for name in ("chemistry", "stack", "soc_knowledge"):
        table = pandas.crosstab(cells[name], cells["defect"]).to_numpy(float)
        chi2, _, freedom, _ = chi2_contingency(table, correction=False)
        if freedom and chi2 > freedom + SIGMAS * np.sqrt(2 * freedom):
            yield Finding("readers", "all rows", f"{name} reveals the defect: chi-square {chi2:.0f}, {freedom} dof")
