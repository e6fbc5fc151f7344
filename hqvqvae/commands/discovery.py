"""Commands of precursor discovery: discover, plot, warn, interpret. Heavy imports wait until a command runs."""

import itertools
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from dataset_card.errors import MagBridgeError
from dataset_card.running.commands import AddressOption, JobsOption, ReplaceOption, takes
from dataset_card.running.parallel import Engine
from dataset_card.storage.output import MARKER, require_file, require_folder, require_place

from . import terminal

Run = Annotated[Path, Argument(help="Folder that `discover` wrote.")]


def _tables(data: Path | None, protocol: str):
    """Load segments for the proxies (never transformed), features for training, and curves if available."""
    from ..cells import nasa
    from ..cells.features import PROTOCOLS, RAW_FEATURES, apply_protocol, require_known

    require_known("protocol", protocol, PROTOCOLS)
    if data is None:
        return nasa.load_segments("C"), nasa.load_segments(protocol), nasa.load_curves()
    table = terminal.own_table(data)
    if set(RAW_FEATURES) <= set(table.columns):
        return apply_protocol(table, "C"), apply_protocol(table, protocol), None
    if protocol != "C":
        needed = f"protocol {protocol} needs a table written by `python -m hqvqvae features`; {data} is not one"
        raise MagBridgeError(f"{needed}; omit --protocol to use its features unchanged")
    kept = table[table["valid"].astype(bool)] if "valid" in table else table
    return table, kept.reset_index(drop=True), None


def discover(
    out: Annotated[Path, Option(help="New folder for report, tables and figures.")] = Path("discovery"),
    data: Path | None = None,
    codes: Annotated[Path | None, Option(help="Your own codes (cell_id, cycle, code) instead of a method's.")] = None,
    method: Annotated[str, Option(help="Method to test; all others are controls.")] = "recommended",
    protocol: Annotated[str, Option(help="Features: C (cleaned), P (raw) or D (less each cell's start).")] = "C",
    reference: terminal.Reference = None,
    proxy: Annotated[str, Option(help="Degradation proxy: fade, r_late or r_growth.")] = "fade",
    early: Annotated[float, Option(help="Early window, share of a cell's segments.")] = 0.3,
    min_cells: Annotated[int, Option(help="A code is eligible if at least this many cells have it.")] = 6,
    min_segments: Annotated[int, Option(help="Leave out cells with fewer valid segments.")] = 20,
    permutations: Annotated[int, Option(help="Draws per null.")] = 1999,
    seed: Annotated[int, Option(help="Seed of the nulls.")] = 0,
    seeds: Annotated[int, Option(help="Training seeds, from 0.", min=1)] = 3,
    replace: ReplaceOption = False,
    jobs: JobsOption = None,
    address: AddressOption = None,
    as_json: terminal.Json = False,
) -> None:
    """Find early codes, test whether they predict degradation, and write a report with figures.

    Args:
        data: Segments, Parquet or CSV: cell_id, cohort, cycle, capacity, features; default NASA's.
    """
    from ..cells.cycling import read_table
    from ..discovery import run as discovery_run
    from ..discovery.analysis import DiscoveryPlan

    window = terminal.window_of(reference)
    plan = DiscoveryPlan(proxy, early, min_cells, min_segments, window, n_permutations=permutations, seed=seed)
    require_folder(out, discovery_run.KIND, replace)
    if codes is None:
        terminal.quiet_libraries()
    segments, features, curves = _tables(data, protocol)
    given = None if codes is None else read_table(codes)
    engine = Engine(jobs=jobs, address=address)
    trained: dict[str, Any] = {"protocol": protocol, "method": method, "seeds": range(seeds), "engine": engine}
    found = discovery_run.discover(
        segments, plan, features=features, codes=given, curves=curves, say=terminal.note, **trained
    )
    if data is None and codes is None:
        found.notes.extend(_power_of(plan))
    report = discovery_run.write_run(found, out, replace)
    terminal.answer(discovery_run.record(found), as_json, f"{found.verdict[0]}\nreport: {report}")


def _power_of(plan) -> list[str]:
    """Describe what a search of the NASA cells can detect, if the packaged record was made under this plan."""
    from ..hub.model_card import POWER, read_record
    from ..hub.sentences import power_sentences
    from ..modeling_hqvqvae import PACKAGED

    power = read_record(PACKAGED / POWER)
    if power is None or power["plan"] != asdict(replace(plan, n_permutations=power["plan"]["n_permutations"])):
        return []
    return [power_sentences(power)]


def plot(
    run: Run,
    figure: Annotated[str, Option(help="One figure by name, or all.")] = "all",
    cell: Annotated[str | None, Option(help="Cell in the timeline; the longest by default.")] = None,
    out: Annotated[Path | None, Option(help="Folder for the files; the run's figures folder by default.")] = None,
    replace: ReplaceOption = False,
) -> None:
    """Redraw a run's figures from their CSV files, each as PNG, SVG and CSV."""
    from ..cells.features import require_known
    from ..discovery.figures import FIGURES, read_frame, save_figure

    require_known("figure", figure, ["all", *FIGURES])
    made = run / "figures"
    there = [name for name in FIGURES if figure in ("all", name) and (made / f"{name}.csv").is_file()]
    if not there:
        raise MagBridgeError(f"{run} has no data for {figure}; expected a folder that `discover` wrote")
    if out is None and not (run / MARKER).is_file():
        raise MagBridgeError(f"{run} is not a folder that `discover` wrote; give one, or pass --out")
    for name, suffix in itertools.product(there, ("png", "svg", "csv")):
        require_file(require_place(out or made) / f"{name}.{suffix}", replace or out is None)
    for name in there:
        options = {"cell": cell} if name == "timeline" else {}
        print(save_figure(name, read_frame(made / f"{name}.csv"), out or made, **options)[0])


@takes(told=terminal.told)
def warn(
    run: Annotated[Path, Argument(help="Folder that `discover` or `precursors` wrote, or the packaged precursor.")],
    codes: Annotated[Path, Argument(help="New cells: samples as for `score`, or codes (cell_id, cycle, code).")],
    *,
    told: tuple,
    skip_invalid: terminal.SkipInvalid = False,
    as_json: terminal.Json = False,
) -> None:
    """Apply a run's early-warning score to new cells: print the score at the last discharge and the first alarm."""
    from ..cells.cycling import read_table
    from ..discovery.warning_score import WarningScore, warn_cells
    from ..modeling_hqvqvae import PACKAGED, HQVQVAEModel
    from ..training.scoring import score_cells

    if not run.is_dir() and (PACKAGED / run / "warning_score.json").is_file():
        run = PACKAGED / run
    path = run / "warning_score.json"
    if not path.is_file():
        raise MagBridgeError(
            f"{run} has no warning_score.json: no score could be fitted, or {run} is not a run; give another"
        )
    table = read_table(codes)
    if "code" in table and told != (None,) * 4:
        raise MagBridgeError(f"--columns, --current-sign, --ambient and --nominal describe samples; {codes} has codes")
    if "code" not in table and ((run / "model").is_dir() or (run / "config.json").is_file()):
        terminal.quiet_libraries()
        segments = terminal.own_segments(codes, *told)
        table = score_cells(HQVQVAEModel.from_pretrained(run), segments, skip_invalid)
    found = warn_cells(WarningScore.load(path), table)
    lines = []
    for cell in found:
        alarm = "no alarm" if cell["alarm_cycle"] is None else f"alarm since cycle {cell['alarm_cycle']}"
        lines.append(f"{cell['cell_id']}: score {cell['last_score']:.2f} after {cell['segments']} discharges, {alarm}")
    terminal.answer(found, as_json, "\n".join(lines))


def interpret(
    run: Run,
    model: Annotated[str | None, Option(help="Instruct model for transformers: a local path or a Hub name.")] = None,
    url: str | None = None,
    code: Annotated[list[int] | None, Option(help="Only these codes; may be repeated.")] = None,
    out: Annotated[Path | None, Option(help="Folder for the output; RUN/interpretation by default.")] = None,
    replace: ReplaceOption = False,
    attempts: Annotated[int, Option(help="Attempts per code until the output parses.", min=1)] = 3,
    dry_run: Annotated[bool, Option("--dry-run", help="Write the prompts only; load no model.")] = False,
    as_json: terminal.Json = False,
) -> None:
    """Ask a language model what each code might mean. The answers are unverified hypotheses.

    Args:
        url: OpenAI-compatible server (key: $OPENAI_API_KEY); else the model is loaded here.
    """
    from ..discovery.interpretation import DEFAULT_MODEL, interpret_run

    out = out or run / "interpretation"
    for name in ("prompts.json",) if dry_run else ("interpretation.json", "log.jsonl"):
        require_file(require_place(out) / name, replace)
    if not dry_run and url is None:
        terminal.quiet_libraries()
    asked: dict[str, Any] = {"model": model or DEFAULT_MODEL, "url": url, "attempts": attempts, "dry_run": dry_run}
    result = interpret_run(run, **asked, codes=code, out=out, say=terminal.note)
    if dry_run:
        line = f"{len(result['prompts'])} prompts: {out}"
    else:
        parsed = sum(item["interpretation"] is not None for item in result["codes"])
        line = f"{parsed} of {len(result['codes'])} codes interpreted, {result['retries']} retries"
        line += " (unverified hypotheses)"
    terminal.answer(result, as_json, line)


COMMANDS = (discover, plot, warn, interpret)
