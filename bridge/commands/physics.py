"""`field`, `detect`, `calibrate`: what a magnetometer measures of a cell of your design."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bridge.commands.options import LINES, FigureOption, UpstreamDirOption
from dataset_card.errors import MagBridgeError
from dataset_card.running.commands import JsonOption, ReplaceOption, show
from dataset_card.running.templates import macros
from dataset_card.storage.output import require_file

DesignArgument = Annotated[
    Path, typer.Argument(help="A design file in YAML, such as `preset: nmc`; see bridge/v3/experiment.py.")
]
UNITS = {"fT": 1e-6, "pT": 1e-3, "nT": 1.0, "uT": 1e3, "mm": 1.0, "cm": 10.0, "um": 1e-3}
"""Units of quantities on the command line, in nT or mm."""


def quantity(text: str, units: tuple[str, ...]) -> float:
    """Parse a text such as `50pT`; return its number in nT or mm.

    Raises:
        MagBridgeError: If `text` is not a positive number with one of the units.
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:[eE][-+]?\d+)?)\s*([a-zA-Z]+)\s*", text)
    if match is None or match[2] not in units or not 0 < float(match[1]) < 1e9:
        raise MagBridgeError(f"{text!r}: expected a positive number with a unit, one of {', '.join(units)}")
    return float(match[1]) * UNITS[match[2]]


def field(
    design: DesignArgument, out: FigureOption = None, replace: ReplaceOption = False, as_json: JsonOption = False
) -> None:
    """Show what sensors measure of a cell under load, at rest and in a scan, and the effect of each change."""
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
    text = macros("bridge.v3", "tables.txt").readings(found, plan.sensors.position_mm) + table(changes)
    if out is not None:
        from bridge.v3.figures import field_figure

        field_figure(plan, out)
        text += f"\n{out}"
    fields = {f"{name}_nT": (1e9 * getattr(found, f"{name}_T")).tolist() for name in ("load", "rest", "scan")}
    document = {
        "soh": found.soh,
        "position_mm": plan.sensors.position_mm.tolist(),
        **{name: getattr(found, name).tolist() for name in ("time_s", "voltage_V", "rest_s")},
        **fields,
        "effects": [asdict(effect) for effect in changes],
    }
    show(document, text, as_json)


def detect(
    design: DesignArgument,
    noise: str = "50pT",
    distance: str = "10mm",
    out: FigureOption = None,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find the smallest share of each defect that a 6 x 4 array detects with 95 % power at 5 % false alarms.

    Args:
        noise: White noise of a field reading, such as 50pT.
        distance: Distance of the sensors from the cell's surface, such as 10mm.
    """
    from bridge.v3 import detect as detection
    from bridge.v3.experiment import read_experiment

    plan = read_experiment(design)
    noise_nT, distance_mm = quantity(noise, ("fT", "pT", "nT", "uT")), quantity(distance, ("mm", "cm", "um"))
    if out is not None:
        require_file(out, replace)
    distances = sorted({distance_mm, *((5.0, 10.0, 20.0) if out is not None else ())})
    noises = sorted({noise_nT, *((0.001, 0.01, 0.1, 1.0) if out is not None else ())})
    found = detection.detect(plan, distances, noises)
    text = f"{detection.table(found, distance_mm, noise_nT)}\n{LINES().bound()}"
    if out is not None:
        from bridge.v3.figures import detect_figure

        detect_figure(found, distance_mm, out)
        text += f"\n{out}"
    show({"detections": [asdict(one) for one in found]}, text, as_json)


def calibrate(upstream_dir: UpstreamDirOption = None, as_json: JsonOption = False) -> None:
    """Fit the simulated cells' resistances to PulseBat's pulses, and tell what such pulses cannot identify."""
    from bridge.upstream.files import find
    from bridge.upstream.published import read_pulse_table
    from bridge.upstream.pulsebat import SHEETS
    from bridge.v3 import calibrate as calibration

    tables = {}
    for sheet in SHEETS:
        if sheet.chemistry in ("NMC", "LFP"):
            path = find(sheet.file, upstream_dir)
            if path is None:
                raise MagBridgeError(
                    f"no {sheet.file.path}: get it with `upstream --fetch`, or name its folder with --upstream-dir"
                )
            tables[sheet.name] = read_pulse_table(path)
    found = calibration.calibrate_all(tables)
    shown = [{**asdict(one), "unidentified": one.unidentified} for one in found]
    show({"tables": shown}, calibration.text(found), as_json)
