"""`python -m bridge adopt | residuals | predict`: a laboratory's own cells, and comparison with the bridge."""

import csv
import dataclasses
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.commands.options import LINES
from bridge.errors import refusal
from dataset_card.contract.editions import V1
from dataset_card.contract.measured import ARCHIVE_FIELDS, CELL_FIELDS, LABEL_FIELDS, columns_in_words
from dataset_card.errors import MagBridgeError
from dataset_card.running.commands import JsonOption, ReplaceOption, list_findings, print_json, show
from dataset_card.running.log import LOG
from dataset_card.storage.faults import FaultyInput
from dataset_card.storage.output import require_folder

ScansArgument = Annotated[
    Path,
    typer.Argument(
        help="Parquet (one row per scan), HDF5 (one group per scan), a folder of CSV, or one CSV of all steps."
    ),
]
ChannelsOption = Annotated[
    Path | None, typer.Option(help="YAML that maps your columns, axes and units (T to fT, G, mG) to channels.")
]
ColumnsOption = Annotated[
    Path | None, typer.Option(help="YAML that maps the columns, units, sheet and header row of your table to fields.")
]


@dataclass(frozen=True)
class OwnOptions:
    """A user's own cells and scans, as options of the commands that accept them in place of an upstream's.

    Attributes:
        scans: Your scan archive for v2: Parquet, HDF5 or a folder of CSV; needs --scan-table.
        chemistry: Use only cells of these chemistries, separated by commas; v2 or --cells.
    """

    cells: Annotated[
        Path | None,
        typer.Option(help=f"Your cells in place of PulseBat's: CSV, Parquet or XLSX, {columns_in_words(CELL_FIELDS)}."),
    ] = None
    scans: Path | None = None
    scan_table: Annotated[
        Path | None, typer.Option(help=f"Table of --scans, one row per scan: {columns_in_words(ARCHIVE_FIELDS)}.")
    ] = None
    channels: ChannelsOption = None
    columns: ColumnsOption = None
    chemistry: str | None = None


def with_own(inputs, own: OwnOptions):
    """Return the upstream with a user's own cells and scans, if given, and what the manifest states about them."""
    from bridge.measured.own import with_cells, with_scans
    from bridge.release.folder import OwnFiles
    from bridge.upstream.pulsebat import PulseTables
    from bridge.v2 import UpstreamV2
    from bridge.v3.release import InputsV3

    given = {name: value for name, value in vars(own).items() if value is not None}
    if isinstance(inputs, InputsV3):
        if given:
            raise MagBridgeError("own cells or scans with v3, which is computed: expected --bridge v1 or v2")
        return inputs, None
    chemistries = None if own.chemistry is None else [name.strip() for name in own.chemistry.split(",")]
    notes: tuple[str, ...] = ()
    if own.cells is not None:
        inputs, notes = with_cells(inputs, own.cells, chemistries, own.columns)
        count = f"{len(set(inputs.pulses.cell))} own cells in {len(inputs.pulses)} records"
        for note in (count, *notes):
            LOG.info(f"cells: {note}")
    elif own.columns is not None:
        raise MagBridgeError("--columns without --cells: expected --cells with the table that --columns maps")
    if (own.scans is None) != (own.scan_table is None) or (own.channels is not None and own.scans is None):
        raise refusal("own_scans")
    if own.scans is not None and own.scan_table is not None:
        if not isinstance(inputs, UpstreamV2):
            raise MagBridgeError("--scans with bridge v1: expected --bridge v2, which fits its map to any archive")
        inputs, of_scans = with_scans(inputs, own.scans, own.scan_table, own.channels)
        for note in of_scans:
            LOG.info(f"scans: {note}")
        notes += of_scans
    if own.cells is None and not isinstance(inputs.pulses, PulseTables):
        if chemistries is not None:
            raise MagBridgeError("--chemistry with v1, which has only one table: expected --bridge v2 or --cells")
    elif own.cells is None:
        if chemistries is not None:
            inputs = dataclasses.replace(inputs, pulses=inputs.pulses.of(chemistries))
        for what, count in inputs.pulses.overridden().items():
            if count:
                typer.echo(f"cells: {count} of {len(inputs.pulses)} records have their {what}", err=True)
    options = [f" --{name.replace('_', '-')} {shlex.quote(getattr(it, 'name', it))}" for name, it in given.items()]
    return inputs, OwnFiles("".join(options), notes) if options else None


def adopt(
    signals: ScansArgument,
    labels: Annotated[
        Path, typer.Option(help=f"CSV, Parquet or XLSX, one row per scan: {columns_in_words(LABEL_FIELDS)}.")
    ],
    out: Path | None = None,
    check: bool = False,
    channels: ChannelsOption = None,
    columns: ColumnsOption = None,
    split: Path | None = None,
    licence: str | None = None,
    citation: str | None = None,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a release from your measured scans and labels, in the same format as all releases.

    Args:
        out: The release folder to write; its name becomes the release's name.
        check: Report what was understood, or what is wrong (exit code 1); write nothing.
        split: Your split by cell: a JSON object with lists of cells under train, validation and test.
        licence: Licence of your data, such as CC-BY-4.0.
        citation: How to cite your data.
    """
    from bridge.measured.adopt import adopt as write
    from bridge.measured.adopt import read_measured

    files = {"channels": channels, "split": split, "columns": columns}
    if check:
        try:
            found = read_measured(signals, labels, **files)
        except FaultyInput as error:
            if as_json:
                print_json({"faults": [vars(fault) for fault in error.faults]})
            else:
                kinds = "kinds" if len(error.faults) > 1 else "kind"
                list_findings(signals, error.faults, f"{kinds} of mistake", "")
            raise typer.Exit(1) from None
        document = {"faults": [], "understood": found.understood(), "notes": list(found.notes)}
        lines = (found.understood(), *found.notes, f"{signals}: ready to adopt")
        show(document, "\n".join(lines), as_json)
        return
    if out is None:
        raise MagBridgeError("no --out: expected the folder to write, or --check to only look for faults")
    manifest, leaks = write(signals, labels, out, licence=licence, citation=citation, **files, replace=replace)
    written = {"out": str(out), "leaks": leaks.as_dict(), **manifest}
    show(written, LINES().adopted(out, manifest, leaks), as_json)


def predict(
    model: str,
    scans: ScansArgument,
    data: str = V1.name,
    task: str = "t1",
    channels: ChannelsOption = None,
    level: float = 0.9,
    as_json: JsonOption = False,
) -> None:
    """Predict your own scans, each with an interval conformal by battery; warn of scans unlike the training data.

    Args:
        model: Name of a baseline, which is fitted on the release here, or Hub id of a fitted one.
        data: The release that the model is fitted on; its held-out batteries calibrate the intervals.
        task: t1, t2, t3 or t4.
        level: Share of new batteries' scans that the intervals should cover.
    """
    from bridge.measured.prediction import predict_scans

    found = predict_scans(model, scans, data, task, channels, level)
    labels = isinstance(found.predictions[0], str)
    head = ("scan_id", "prediction", *(("not_excluded",) if labels else ("low", "high")), "unlikeness")
    limits = [[" ".join(each)] if labels else each for each in found.sets]
    rows = [
        (scan, prediction, *limit, float(unlike))
        for scan, prediction, limit, unlike in zip(found.scan_ids, found.predictions, limits, found.unlikeness)
    ]
    if as_json:
        print_json({"scans": [dict(zip(head, row)) for row in rows], "notes": found.notes})
        return
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(head)
    table.writerows([f"{value:.4g}" if isinstance(value, float) else value for value in row] for row in rows)
    for note in found.notes:
        LOG.info(f"note: {note}")


def residuals(
    measured: Path,
    *,
    against: Path,
    out: Path,
    columns: ColumnsOption = None,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare measured cells with the bridge, or a field map with v3's model of a design, and report residuals.

    Cells are compared at the same SOH, SOC and voltage. For a map, a background and a small translation are fitted.

    Args:
        measured: A release of measured cells, written by `adopt`; or a field map as CSV, Parquet or XLSX.
        against: A v2 release, whose folder contains its bridge; or, for a field map, a design as YAML.
        out: Folder of the report: Markdown, HTML, JSON and figures.
    """
    from bridge.measured import report

    require_folder(out, report.KIND, replace)
    found: Any
    if against.suffix.lower() in (".yaml", ".yml"):
        from bridge.measured import field_map

        found = field_map.compare_map(measured, against, columns)
        pages = field_map.markdown(found, measured.name), {"map.png": found.figure()}
        path = report.write_pages(out, *pages, found.as_dict(), replace)
        said = [found.understood, *found.map.notes, found.text(), *found.verdict()]
    elif columns is not None:
        raise MagBridgeError("--columns with a release: expected a field map, and a design (.yaml) as --against")
    else:
        from bridge.measured.residuals import compare

        found = compare(measured, against)
        path = report.write_report(found, out, replace)
        said = [words.replace("**", "") for words in found.verdict()]
    show(found.as_dict(), "\n".join([*said, f"report: {path}"]), as_json)
