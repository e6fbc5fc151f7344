"""`field`, `detect`, `calibrate`: what a magnetometer sees of a cell of your design."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bridge.commands.options import FigureOption, UpstreamDirOption, show
from dataset_card.errors import MagBridgeError
from dataset_card.running.commands import JsonOption, ReplaceOption, print_json
from dataset_card.running.templates import macros
from dataset_card.storage.output import require_file

DesignArgument = Annotated[
    Path, typer.Argument(help="A design file in YAML, such as `preset: nmc`; see bridge/v3/experiment.py.")
]
UNITS = {"fT": 1e-6, "pT": 1e-3, "nT": 1.0, "uT": 1e3, "mm": 1.0, "cm": 10.0, "um": 1e-3}
"""Of a quantity on the command line, in nT or mm."""


def quantity(text: str, units: tuple[str, ...]) -> float:
    """The number of a text such as `50pT`, in nT or mm.

    Raises:
        MagBridgeError: It is no positive number with one of the units.
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:[eE][-+]?\d+)?)\s*([a-zA-Z]+)\s*", text)
    if match is None or match[2] not in units or not 0 < float(match[1]) < 1e9:
        raise MagBridgeError(f"{text!r}: expected a positive number with a unit, one of {', '.join(units)}")
    return float(match[1]) * UNITS[match[2]]


def field(
    design: DesignArgument,
    out: FigureOption = None,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what sensors see of a cell under load, at rest and in a scan, and what each change does to it."""
    from bridge.v3.effects import effects, table
    from bridge.v3.experiment import read_experiment
    from bridge.v3.simulation import simulate

    plan = read_experiment(design)
    if out is not None:
        require_file(out, replace)
    found = simulate(
        plan.cell, plan.state, sensors=plan.sensors, noise=None, protocol=plan.protocol, defect=plan.defect
    )
    changes = effects(plan.cell, plan.sensors, plan.protocol)
    if out is not None:
        from bridge.v3.figures import field_figure

        field_figure(plan, out)
    if as_json:
        fields = {f"{name}_nT": (1e9 * getattr(found, f"{name}_T")).tolist() for name in ("load", "rest", "scan")}
        document = {
            "soh": found.soh,
            "position_mm": plan.sensors.position_mm.tolist(),
            "time_s": found.time_s.tolist(),
            "voltage_V": found.voltage_V.tolist(),
            "load_nT": fields["load_nT"],
            "rest_s": found.rest_s.tolist(),
            **fields,
            "effects": [asdict(effect) for effect in changes],
        }
        print_json(document)
        return
    typer.echo(macros("bridge.v3", "tables.txt").readings(found, plan.sensors.position_mm), nl=False)
    typer.echo(table(changes))
    if out is not None:
        typer.echo(str(out))


def detect(
    design: DesignArgument,
    noise: Annotated[str, typer.Option(help="White noise of a field reading, such as 50pT.")] = "50pT",
    distance: Annotated[str, typer.Option(help="Of the sensors from the cell's surface, such as 10mm.")] = "10mm",
    out: FigureOption = None,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find the smallest share of each defect that a 6 x 4 array finds with 95 % power at 5 % false alarms."""
    from bridge.v3 import detect as detection
    from bridge.v3.experiment import read_experiment

    plan = read_experiment(design)
    noise_nT, distance_mm = quantity(noise, ("fT", "pT", "nT", "uT")), quantity(distance, ("mm", "cm", "um"))
    if out is not None:
        require_file(out, replace)
    distances = sorted({distance_mm, *((5.0, 10.0, 20.0) if out is not None else ())})
    noises = sorted({noise_nT, *((0.001, 0.01, 0.1, 1.0) if out is not None else ())})
    found = detection.detect(plan, distances, noises)
    if out is not None:
        from bridge.v3.figures import detect_figure

        detect_figure(found, distance_mm, out)
    if as_json:
        print_json({"detections": [asdict(one) for one in found]})
        return
    typer.echo(detection.table(found, distance_mm, noise_nT))
    typer.echo("a bound: the test knows what the defect does and where; it knows neither ageing nor the cell's scatter")
    if out is not None:
        typer.echo(str(out))


def calibrate(upstream_dir: UpstreamDirOption = None, as_json: JsonOption = False) -> None:
    """Fit the simulated cells' resistances to PulseBat's pulses and say what such pulses cannot tell."""
    from bridge.upstream.files import find
    from bridge.upstream.published import read_pulse_table
    from bridge.upstream.pulsebat import SHEETS
    from bridge.v3 import calibrate as calibration

    tables = {}
    for sheet in SHEETS:
        if sheet.chemistry in ("NMC", "LFP"):
            path = find(sheet.file, upstream_dir)
            if path is None:
                raise MagBridgeError(f"no {sheet.file.path}: see `upstream`, or name its folder with --upstream-dir")
            tables[sheet.name] = read_pulse_table(path)
    found = calibration.calibrate_all(tables)
    shown = [{**asdict(one), "unidentified": one.unidentified} for one in found]
    show({"tables": shown}, calibration.text(found), as_json)
