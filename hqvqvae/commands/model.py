"""Commands for the model: features, train, evaluate, score, export, push. Heavy imports wait until a command runs."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from dataset_card.errors import MagBridgeError
from dataset_card.running.commands import AddressOption, JobsOption, ReplaceOption, takes
from dataset_card.running.parallel import Engine
from dataset_card.storage.output import require_file

from . import terminal

Protocol = Annotated[str, Option(help="C (cleaned), P (raw, as in the paper) or D (less each cell's start).")]
Data = Annotated[Path | None, Option(help="Parquet file from `features`; the embedded NASA segments by default.")]


def _load(data: Path | None, protocol: str):
    """Load the feature table of one protocol, embedded or from a file written by `features`."""
    from ..cells.features import FEATURES, RAW_FEATURES, apply_protocol, require_columns
    from ..cells.nasa import load_segments

    if data is None:
        return load_segments(protocol)
    table = terminal.own_table(data)
    needed = ("cycle", "valid", *FEATURES, *RAW_FEATURES)
    require_columns(table, needed, "one written by `python -m hqvqvae features`")
    return apply_protocol(table, protocol)


@takes(told=terminal.told)
def features(
    out: Annotated[Path, Option(help="Parquet file to write.")] = Path("segments.parquet"),
    nasa: Annotated[Path | None, Option(help="A NASA .mat file, a folder of them, or the whole zip.")] = None,
    fetch: Annotated[Path | None, Option(help="Download the NASA zip to this folder and read it.")] = None,
    matr: Annotated[Path | None, Option(help="Tables of the 124 MATR cells, zip or folder.")] = None,
    fetch_matr: Annotated[Path | None, Option(help="Download the MATR zip to this folder and read it.")] = None,
    table: Annotated[Path | None, Option(help="Your own data: a table, BDF, or a cycler's export.")] = None,
    *,
    told: tuple,
    curves: Annotated[Path | None, Option(help="Also write the resampled voltage curves here.")] = None,
    replace: ReplaceOption = False,
    as_json: terminal.Json = False,
) -> None:
    """Write a feature table of discharge segments: NASA's (embedded, if no source is given), MATR's or your own.

    Your own table has one row per sample, of whole tests or discharges only: time_s, voltage_V, current_A (negative in
    discharge) and, if known, cell_id, cycle, temperature_C, capacity_Ah; other names and units can be mapped.
    """
    from dataset_card.storage.files import replacing

    from ..cells import matr as matr_module
    from ..cells import nasa as nasa_module
    from ..cells.cycling import summary
    from ..cells.features import feature_table

    written = [path for path in (out, curves) if path is not None]
    for path in written:
        require_file(path, replace)
    if curves is not None and curves.resolve() == out.resolve():
        raise MagBridgeError(f"--out and --curves are both {out}: expected two files")
    if sum(source is not None for source in (nasa, fetch, matr, fetch_matr, table)) > 1:
        raise MagBridgeError("--nasa, --fetch, --matr, --fetch-matr and --table are alternatives; give only one")
    if table is None and told != (None,) * 4:
        raise MagBridgeError("--columns, --current-sign, --ambient and --nominal describe a --table; give one")
    if curves is not None and (matr, fetch_matr) != (None, None):
        raise MagBridgeError("--curves: the MATR tables are already curves over charge; omit it")
    matr = matr if fetch_matr is None else matr_module.fetch(fetch_matr)
    archive = nasa if fetch is None else nasa_module.fetch(fetch)
    segments = None if table is None else terminal.own_segments(table, *told)
    if archive is not None:
        segments = nasa_module.read_archive(archive)
    if matr is not None:
        frames = [matr_module.read_archive(matr)]
    elif segments is None:
        frames = [nasa_module.embedded_table(), nasa_module.load_curves()]
    else:
        frames = [feature_table(segments)]
        frames[0].insert(1, "cohort", frames[0]["cell_id"].map(nasa_module.cohort_of))
        frames.append(nasa_module.curve_table(segments, frames[0]))
    for path, frame in zip(written, frames, strict=False):
        with replacing(path) as temporary:
            frame.to_parquet(temporary, index=False, compression="zstd")
    result, lines = frames[0], summary(frames[0])
    counts = {"segments": len(result), "valid": int(result["valid"].sum()), "cells": int(result["cell_id"].nunique())}
    terminal.answer(counts | {"out": str(out), "summary": lines}, as_json, "\n".join([*lines, f"-> {out}"]))


def train(
    config: Annotated[str, Option(help="Named configuration.")] = "recommended",
    out: Annotated[Path, Option(help="Folder of the run.")] = Path("run"),
    data: Data = None,
    protocol: Protocol = "C",
    validation: Annotated[list[str] | None, Option(help="Cell to hold out; may be repeated.")] = None,
    features: Annotated[str | None, Option(help="Features to train on, comma-separated; all ten by default.")] = None,
    reference: terminal.Reference = None,
    n_qubits: Annotated[int | None, Option(help="Qubits of the circuit; the configuration's by default.")] = None,
    n_layers: Annotated[int | None, Option(help="Layers of the circuit; the configuration's by default.")] = None,
    epochs: int = 50,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    seed: int = 0,
    resume: Annotated[bool, Option(help="Continue the run in the folder, if there is one.")] = False,
    export: Annotated[Path | None, Option(help="Also write the last model here as packaged weights.")] = None,
    replace: terminal.ReplaceExport = False,
    device: Annotated[str, Option(help="torch device.")] = "cpu",
    as_json: terminal.Json = False,
) -> None:
    """Train a model and write best/, last/, metrics.json, training_curve.png and the state to resume from."""
    from ..training.fit import TrainingConfig
    from ..training.run_folder import train_run

    terminal.quiet_libraries()
    table = _load(data, protocol)
    names = None if features is None else [name.strip() for name in features.split(",")]
    window = terminal.window_of(reference)
    given = {"feature_names": names, "n_qubits": n_qubits, "n_layers": n_layers, "reference_window": window}
    changes = {name: value for name, value in given.items() if value is not None}
    training = TrainingConfig(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed)
    record = train_run(
        table, out, training, config_name=config, changes=changes, protocol=protocol,
        validation_cells=validation or [], resume=resume, export=export, replace=replace, device=device,
    )  # fmt: skip
    metrics = record["metrics"]
    line = f"train MSE {metrics['train_mse']:.4f}, {metrics['codes_used']} codes in use"
    if "validation_mse" in metrics:
        line += f", validation MSE {metrics['validation_mse']:.4f}"
    terminal.answer(record, as_json, f"{line} -> {out}")


def evaluate(
    method: Annotated[list[str] | None, Option(help="Method; may be repeated. All by default.")] = None,
    by: Annotated[list[str] | None, Option(help="Unit to leave out, cell or cohort; may be repeated.")] = None,
    seeds: Annotated[int, Option(min=1, help="Number of seeds, from 0 on.")] = 3,
    protocol: Protocol = "C",
    data: Data = None,
    jobs: JobsOption = None,
    address: AddressOption = None,
    out: Annotated[Path | None, Option(help="JSON file to write.")] = None,
    replace: ReplaceOption = False,
    as_json: terminal.Json = False,
) -> None:
    """Compare methods by leaving one cell (or cohort) out: error, codes in use, agreement across seeds."""
    from dataset_card.storage.documents import write_json

    from ..hub.sentences import evaluation_table
    from ..training.evaluation import evaluate as run
    from ..training.methods import METHODS

    if out is not None:
        require_file(out, replace)
    table, engine = _load(data, protocol), Engine(jobs=jobs, address=address)
    methods, numbers = tuple(method or METHODS), tuple(range(seeds))
    records = [run(table, methods, by=what, seeds=numbers, protocol=protocol, engine=engine) for what in by or ["cell"]]
    result = {"evaluations": records}
    if out is not None:
        write_json(out, result)
    text = "\n\n".join(f"Leave one {record['leave_out']} out:\n\n{evaluation_table(record)}" for record in records)
    terminal.answer(result, as_json, text)


@takes(told=terminal.told)
def score(
    table: Annotated[Path, Argument(metavar="CELL.csv", help="Samples of a cell: a table, BDF, or a cycler's export.")],
    model: Annotated[str, Option(help="Packaged name, folder, run or Hub id.")] = "recommended",
    out: Annotated[Path | None, Option(help="CSV file to write; stdout by default.")] = None,
    skip_invalid: terminal.SkipInvalid = False,
    *,
    told: tuple,
    replace: ReplaceOption = False,
    as_json: terminal.Json = False,
) -> None:
    """Print the code and reconstruction error of each discharge of your own cell."""
    from dataset_card.storage.files import replacing

    from ..modeling_hqvqvae import HQVQVAEModel
    from ..training.scoring import score_cells

    if out is not None:
        require_file(out, replace)
    terminal.quiet_libraries()
    segments = terminal.own_segments(table, *told)
    scored = score_cells(HQVQVAEModel.from_pretrained(model), segments, skip_invalid)
    text = scored.to_csv(index=False).rstrip()
    if out is not None:
        with replacing(out) as temporary:
            scored.to_csv(temporary, index=False)
        text = f"{len(scored)} of {len(segments)} segments, {scored['code'].nunique()} codes -> {out}"
    terminal.answer(scored.to_dict("records"), as_json, text)


def export(
    model: Annotated[str, Argument(help="Packaged name, folder, run or Hub id.")] = "recommended",
    onnx: Annotated[Path, Option(help="ONNX file to write.")] = Path("encoder.onnx"),
    replace: ReplaceOption = False,
) -> None:
    """Write the encoder as ONNX, for runtimes without torch: features (n, F) to codes (n,) and latents (n, D)."""
    from ..hub.export import export_onnx
    from ..modeling_hqvqvae import HQVQVAEModel

    require_file(onnx, replace)
    terminal.quiet_libraries()
    export_onnx(HQVQVAEModel.from_pretrained(model), onnx)
    print(f"encoder of {model} -> {onnx}")


def push(
    model: Annotated[str, Argument(help="Packaged name, or a folder that `train` wrote.")],
    repo: Annotated[str, Option(help="USER/NAME on the Hub.")],
    private: Annotated[bool, Option(help="Make the repository private.")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="List the files to upload without contacting the Hub.")] = False,
    as_json: terminal.Json = False,
) -> None:
    """Publish a model, its code and its card on the Hugging Face Hub (log in with `hf auth login`)."""
    from ..hub.publishing import listing
    from ..hub.publishing import push as publish

    terminal.quiet_libraries()
    if dry_run:
        sizes = listing(model, repo)
        total = sum(sizes.values())
        lines = [f"{size:>12,}  {name}" for name, size in sizes.items()]
        lines.append(f"{total:>12,}  bytes in {len(sizes)} files would go to {repo}")
        terminal.answer({"repo": repo, "files": sizes, "bytes": total}, as_json, "\n".join(lines))
        return
    url = publish(model, repo, private=private)
    terminal.answer({"repo": repo, "commit": url}, as_json, f"pushed to {url}")


COMMANDS = (features, train, evaluate, score, export, push)
