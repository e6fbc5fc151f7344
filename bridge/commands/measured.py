"""`python -m bridge adopt | residuals | predict`: a laboratory's own cells, and what they say of the bridge."""

from __future__ import annotations

import csv
import dataclasses
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.commands.options import show
from dataset_card.contract.editions import V1
from dataset_card.contract.measured import ARCHIVE_FIELDS, CELL_FIELDS, LABEL_FIELDS, columns_in_words
from dataset_card.errors import MagBridgeError
from dataset_card.running.commands import JsonOption, ReplaceOption, list_findings, print_json
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
    """A user's own cells and scans, as options of the commands that take them in an upstream's place."""

    cells: Annotated[
        Path | None,
        typer.Option(help=f"Your cells in place of PulseBat's: CSV, Parquet or XLSX, {columns_in_words(CELL_FIELDS)}."),
    ] = None
    chemistry: Annotated[
        str | None, typer.Option(help="Only cells of these chemistries, with commas between them; v2 or --cells.")
    ] = None
    scans: Annotated[
        Path | None,
        typer.Option(help="Your scan archive for v2: Parquet, HDF5 or a folder of CSV; needs --scan-table."),
    ] = None
    scan_table: Annotated[
        Path | None, typer.Option(help=f"Its table, one row per scan: {columns_in_words(ARCHIVE_FIELDS)}.")
    ] = None
    channels: ChannelsOption = None
    columns: ColumnsOption = None


def with_own(inputs, own: OwnOptions):
    """An upstream with a user's own cells and scans where they are given, and what the manifest says of them."""
    from bridge.measured.cells import with_cells
    from bridge.measured.scans import with_scans
    from bridge.release.folder import OwnFiles
    from bridge.upstream.pulsebat import PulseTables
    from bridge.v2 import UpstreamV2
    from bridge.v3.release import InputsV3

    if isinstance(inputs, InputsV3):
        if any(value is not None for value in vars(own).values()):
            raise MagBridgeError("your own cells or scans for v3, which is computed: expected --bridge v1 or v2")
        return inputs, None
    chemistries = None if own.chemistry is None else [name.strip() for name in own.chemistry.split(",")]
    notes: tuple[str, ...] = ()
    if own.cells is not None:
        inputs, notes = with_cells(inputs, own.cells, chemistries, own.columns)
        LOG.info(f"cells: {len(set(inputs.pulses.cell))} of your own, in {len(inputs.pulses)} records")
        for note in notes:
            LOG.info(f"cells: {note}")
    elif own.columns is not None:
        raise MagBridgeError("--columns without --cells: expected the table that it maps")
    if (own.scans is None) != (own.scan_table is None) or (own.channels is not None and own.scans is None):
        raise MagBridgeError(
            "--scans, --scan-table and --channels: expected the first two together, the third beside them"
        )
    if own.scans is not None and own.scan_table is not None:
        if not isinstance(inputs, UpstreamV2):
            raise MagBridgeError("--scans with bridge v1: expected --bridge v2, which fits its map to any archive")
        inputs, of_scans = with_scans(inputs, own.scans, own.scan_table, own.channels)
        for note in of_scans:
            LOG.info(f"scans: {note}")
        notes += of_scans
    if chemistries is not None and own.cells is None:
        if not isinstance(inputs.pulses, PulseTables):
            raise MagBridgeError("--chemistry with v1's one table: expected --bridge v2 or --cells")
        inputs = dataclasses.replace(inputs, pulses=inputs.pulses.of(chemistries))
    if own.cells is None and isinstance(inputs.pulses, PulseTables):
        for what, count in inputs.pulses.overridden().items():
            if count:
                typer.echo(f"cells: {count} of {len(inputs.pulses)} records have their {what}", err=True)
    files = {"cells": own.cells, "scans": own.scans, "scan-table": own.scan_table, "channels": own.channels,
             "columns": own.columns}  # fmt: skip
    options = "".join(f" --{option} {shlex.quote(path.name)}" for option, path in files.items() if path is not None)
    options += f" --chemistry {shlex.quote(own.chemistry)}" if own.chemistry is not None else ""
    return inputs, OwnFiles(options, notes) if options else None


def adopt(
    signals: ScansArgument,
    labels: Annotated[
        Path, typer.Option(help=f"CSV, Parquet or XLSX, one row per scan: {columns_in_words(LABEL_FIELDS)}.")
    ],
    out: Annotated[Path | None, typer.Option(help="The release folder to write; its name is the release's.")] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Report what was understood, or what is wrong (exit code 1); write nothing."),
    ] = False,
    channels: ChannelsOption = None,
    columns: ColumnsOption = None,
    split: Annotated[
        Path | None,
        typer.Option(help="Your split by cell: a JSON object with lists of cells under train, validation and test."),
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of your data, such as CC-BY-4.0.")] = None,
    citation: Annotated[str | None, typer.Option(help="How to cite your data.")] = None,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a release from your measured scans and labels, in the format of every other release."""
    from bridge.measured.adopt import adopt as write
    from bridge.measured.adopt import read_measured

    if check:
        try:
            found = read_measured(signals, labels, channels, split, columns)
        except FaultyInput as error:
            if as_json:
                print_json({"faults": [vars(fault) for fault in error.faults]})
            else:
                kinds = "kinds" if len(error.faults) > 1 else "kind"
                list_findings(signals, error.faults, f"{kinds} of mistake", "")
            raise typer.Exit(1) from None
        if as_json:
            print_json({"faults": [], "understood": found.understood(), "notes": list(found.notes)})
        else:
            for note in (found.understood(), *found.notes):
                typer.echo(note)
            typer.echo(f"{signals}: ready to be adopted")
        return
    if out is None:
        raise MagBridgeError("no --out: expected the folder to write, or --check to look for faults only")
    said: dict[str, Any] = {
        "licence": licence,
        "citation": citation,
        "channels": channels,
        "split": split,
        "columns": columns,
    }
    manifest, leaks = write(signals, labels, out, **said, replace=replace)
    if as_json:
        print_json({"out": str(out), "leaks": leaks.as_dict(), **manifest})
        return
    counts = manifest["counts"]
    typer.echo(
        f"{out}: {counts['rows']} measured scans of {counts['cells']} cells, digest {manifest['dataset_digest'][:12]}"
    )
    for note in manifest["notes"]:
        typer.echo(f"  {note}")
    typer.echo(f"by_cell_primary: {leaks.text(3)}")
    typer.echo(f'load it with: datasets.load_dataset("{out}", "by_cell_primary")')


def predict(
    model: Annotated[
        str, typer.Argument(help="A baseline's name, fitted on the release here, or the id of one on the Hub.")
    ],
    scans: ScansArgument,
    data: Annotated[
        str, typer.Option(help="The release it is fitted on: its held-out batteries calibrate the intervals.")
    ] = V1.name,
    task: Annotated[str, typer.Option(help="t1, t2, t3 or t4.")] = "t1",
    channels: ChannelsOption = None,
    level: Annotated[float, typer.Option(help="Share of new batteries' scans that intervals are to hold.")] = 0.9,
    as_json: JsonOption = False,
) -> None:
    """Predict your own scans: each with an interval, conformal by battery, and a warning where it is like no other."""
    from bridge.measured.prediction import predict_scans

    found = predict_scans(model, scans, data, task, channels, level)
    head: tuple[str, ...] = ("scan_id", "prediction", "low", "high", "unlikeness")
    if isinstance(found.predictions[0], str):
        head = ("scan_id", "prediction", "not_excluded", "unlikeness")
    rows = [
        (scan, prediction, *(limits if len(head) == 5 else [" ".join(limits)]), float(unlike))
        for scan, prediction, limits, unlike in zip(found.scan_ids, found.predictions, found.sets, found.unlikeness)
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
    measured: Annotated[
        Path,
        typer.Argument(
            help="A release of measured cells, which `adopt` wrote; or a field map as CSV, Parquet or XLSX."
        ),
    ],
    against: Annotated[
        Path, typer.Option(help="A v2 release, whose folder carries its bridge; or, for a field map, a design as YAML.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the report: Markdown, HTML, JSON and figures.")],
    columns: ColumnsOption = None,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare measured cells with the bridge, or a field map with v3's model of a design: show how wrong it is.

    Cells are compared at the same SOH, SOC and voltage. Of a map, a background and a small translation are fitted.
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
        raise MagBridgeError("--columns with a release: expected a field map and, as --against, a design (.yaml)")
    else:
        from bridge.measured.residuals import compare

        found = compare(measured, against)
        path = report.write_report(found, out, replace)
        said = [words.replace("**", "") for words in found.verdict()]
    show(found.as_dict(), "\n".join([*said, f"report: {path}"]), as_json)
