"""Paired measurements (scans with labels) as a release in the common format."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from bridge.audit.leakage import LeakageReport, leakage_report
from bridge.config import config_hash
from bridge.errors import Mistakes, faulty, refusal
from bridge.identity import sample_seed
from bridge.measured.channels import RELEASE_NAMES, read_channel_map
from bridge.measured.plausibility import check_scans
from bridge.measured.sampling import evenly_sampled
from bridge.measured.signals import RawScan, read_scans
from bridge.measured.split import default_split, own_split, split_notes
from bridge.measured.tables import read_records
from bridge.plan import CLEAN, Plan, with_id
from bridge.release import folder as release
from bridge.release.splits import by_record_optimistic_baseline
from dataset_card.contract.configs import SPLITS
from dataset_card.contract.editions import MEASURED
from dataset_card.contract.measured import LABEL_FIELDS
from dataset_card.contract.schema import MEASURED_CHANNELS, metadata_of
from dataset_card.running.templates import macros
from dataset_card.storage.digests import sha256_of
from dataset_card.storage.faults import Fault, FaultyInput, require
from dataset_card.storage.output import RELEASE, require_folder

SCANS_FILE = "scans.csv"
"""In the release: the scan that each row comes from."""


@dataclass(frozen=True)
class Measured:
    """Checked measured scans with their labels, before they become a release.

    Attributes:
        rows: (n,) scalar fields of the contract.
        scan_ids: (n,) the laboratory's names of the scans.
        u_features: (n, 21) pulse voltages in V; NaN if there are none.
        signals: (n, 100, 6) in nT.
        primary: (n,) subset of each row in the split by cell.
        config: How the scans were read.
        notes: What was done to them, in sentences.
        sources: SHA-256 of each file read.
    """

    rows: pandas.DataFrame
    scan_ids: list[str]
    u_features: np.ndarray
    signals: np.ndarray
    primary: np.ndarray
    config: dict
    notes: tuple[str, ...]
    sources: dict[str, str]

    def understood(self) -> str:
        """Summarise in one sentence how the files were read: scans, cells, ranges, units and sampling rate."""
        greatest = np.abs(self.signals[..., :MEASURED_CHANNELS]).max(axis=(1, 2))
        units = sorted({entry["unit"] for entry in self.config["channels"].values()})
        soh = self.rows.groupby("cell_id")["soh"].mean()
        return macros("bridge.measured", "notes.txt").understood(self.rows, soh, units, greatest, self.config)

    def leaks(self) -> LeakageReport:
        """Report what leaks between the subsets of the split by cell."""
        ids = self.rows["sample_id"].to_numpy()
        return leakage_report(self.rows, self.signals, {s: ids[self.primary == s].tolist() for s in SPLITS})


def adopt(
    signals: Path,
    labels: Path,
    out: Path,
    *,
    licence: str | None,
    citation: str | None,
    channels: Path | None = None,
    split: Path | None = None,
    columns: Path | None = None,
    replace: bool = False,
) -> tuple[dict, LeakageReport]:
    """Write measured scans as a release.

    Args:
        signals: Parquet or HDF5 file, or a folder of CSV files (see `dataset_card.contract.measured`).
        labels: Table of labels, one row per scan.
        out: The release folder; its name becomes the release's name.
        licence: Licence of the data, stated by their owner.
        citation: How to cite the data, stated by their owner.
        channels: Channel map; by default columns are named as in a release, in nT.
        split: The laboratory's own split by cell; by default 60, 20 and 20 % of the cells of each chemistry.
        columns: Column map of the labels; by default columns are recognised by their names and units.
        replace: Whether an existing release may be replaced.

    Returns:
        The manifest, and what the split leaks.

    Raises:
        MagBridgeError: If licence or citation is missing, the files have faults, or `out` is something else; nothing is
            written then.
    """
    for name, text in (("licence", licence), ("citation", citation)):
        if not (text or "").strip():
            raise refusal("not_said", name=name)
    out = Path(out)
    require_folder(out, RELEASE, replace)
    found = read_measured(signals, labels, channels, split, columns)
    leaks = found.leaks()
    origin = {
        "name": out.resolve().name,
        "upstream": {"name": "measured", "sources": found.sources},
        "config": found.config,
        "licence": str(licence).strip(),
        "citation": str(citation).strip(),
        "notes": list(found.notes),
        "rebuild": _command(signals, labels, {"channels": channels, "columns": columns, "split": split}),
        "packages": release.package_versions(),
    }
    plan = Plan(found.rows, found.u_features, found.rows["soh"].to_numpy(float), np.full(len(found.rows), -1))
    pairs = pandas.DataFrame({"sample_id": found.rows["sample_id"], "scan_id": found.scan_ids})
    extra = {SCANS_FILE: lambda path: pairs.to_csv(path, index=False, lineterminator="\n")}
    return release.write(out, release.assemble(plan, found.signals), origin, extra, found.primary, replace), leaks


def _command(signals: Path, labels: Path, others: Mapping[str, Path | None]) -> str:
    name, table = (shlex.quote(Path(path).resolve().name) for path in (signals, labels))
    options = [f" --{name} {shlex.quote(Path(path).name)}" for name, path in others.items() if path is not None]
    return (
        f"python -m bridge adopt {name} --labels {table} --out MY-CELLS{''.join(options)} --licence ... --citation ..."
    )


def read_measured(
    signals: Path, labels: Path, channels: Path | None = None, split: Path | None = None, columns: Path | None = None
) -> Measured:
    """Read and check measurements; arguments as for `adopt`.

    Raises:
        FaultyInput: If a file has faults; `faults` lists those of every file that could be read.
    """
    faults: list[Fault] = []

    def read(function, *arguments):
        try:
            return function(*arguments)
        except FaultyInput as error:
            faults.extend(error.faults)
            return None

    mapping = RELEASE_NAMES if channels is None else read(read_channel_map, channels)
    records = read(read_records, labels, LABEL_FIELDS, columns)
    found = None if mapping is None else read(read_scans, signals, mapping)
    require(faults)
    assert mapping is not None and records is not None and found is not None  # otherwise there was a fault
    scans, sources = found
    table = records.rows
    scan_set = evenly_sampled(paired(scans, table, Path(signals), Path(labels)), mapping)
    check_scans(scan_set, table["voltage"].to_numpy())
    sampling = scan_set.sampling
    config = {**scan_set.mapping.as_dict(), "steps": sampling.steps, "resampling": sampling.method,
              "interval_s": sampling.interval_s}  # fmt: skip
    rows = _rows(table, config)
    primary = default_split(rows, Path(labels)) if split is None else own_split(Path(split), table)
    if len(rows) and set(by_record_optimistic_baseline(rows)) != set(SPLITS):
        raise faulty("few_scans", count=len(rows), file=labels)
    sources |= {Path(p).name: sha256_of(Path(p)) for p in (labels, channels, columns, split) if p is not None}
    notes = (*records.notes, *scan_set.notes(), *split_notes(rows, primary))
    named, x = table["scan_id"].tolist(), scan_set.released()
    return Measured(rows, named, records.pulses, x, primary, config, notes, sources)


def paired(
    scans: list[RawScan], table: pandas.DataFrame, signals: Path, labels: Path, row: str = "label"
) -> list[RawScan]:
    """Return the scans in the order of their rows in a table.

    Args:
        scans: The scans, in any order.
        table: Table with `scan_id` and `where`, the place of each row in words.
        signals: Where the scans were read from, for errors.
        labels: Where the table was read from, for errors.
        row: What errors call a row of the table: `label` or `row`.

    Raises:
        FaultyInput: If a scan has no row, a row has no scan, or two scans have the same name.
    """
    faults = Mistakes(labels)
    by_id: dict[str, RawScan] = {}
    for scan in scans:
        if scan.scan_id in by_id:
            faults.append(scan.fault("scan_id_twice", name=scan.scan_id))
        by_id[scan.scan_id] = scan
    listed = dict(zip(table["scan_id"], table["where"]))
    for name in [name for name in listed if name not in by_id]:
        faults.add(listed[name], "row_alone", row=row, name=name, file=signals.name)
    for name in [name for name in by_id if name not in listed]:
        faults.append(by_id[name].fault("scan_alone", row=row, file=labels.name))
    require(faults)
    return [by_id[scan_id] for scan_id in table["scan_id"]]


def _rows(table: pandas.DataFrame, config: dict) -> pandas.DataFrame:
    common = {"bridge_version": MEASURED.bridge, "bridge_config_hash": config_hash(config)}
    common["schema_version"] = MEASURED.schema_version
    rows = []
    names = ["scan_id", "cell_id", "battery_id", "age_cycles", "chemistry", "voltage", "soc", "soh"]
    for record in table[[name for name in names if name in table]].to_dict("records"):
        label = {str(name): value for name, value in record.items()}
        seed = sample_seed(0, "measured", label.pop("scan_id"), bits=63)
        rows.append(with_id({**CLEAN, **common, "battery_id": label["cell_id"], **label, "generation_seed": seed}))
    return pandas.DataFrame(rows, columns=list(metadata_of(MEASURED.fields)))
