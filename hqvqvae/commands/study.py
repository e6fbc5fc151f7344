"""Commands on several models: study, power, precursors, reproduce. Heavy imports wait until a command runs."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dataset_card.running.commands import AddressOption, JobsOption, ReplaceOption
from dataset_card.running.parallel import Engine
from dataset_card.storage.output import require_begun, require_file, require_folder, require_place

from .terminal import Json, ReplaceExport, answer, note, quiet_libraries


def study(
    out: Annotated[Path, Option(help="Folder for the results; an interrupted run continues from it.")] = Path("study"),
    seeds: Annotated[int, Option(min=1, help="Number of seeds; a larger number adds to existing results.")] = 5,
    first_seed: Annotated[int, Option(help="First seed; seeds other than ours extend the study.")] = 1,
    short: Annotated[bool, Option("--short", help="One seed and one unseen cell per cohort; takes minutes.")] = False,
    jobs: JobsOption = None,
    address: AddressOption = None,
    as_json: Json = False,
) -> None:
    """Measure whether the circuit helps: compare each circuit of the grid with a classical twin of equal size.

    Writes records.jsonl (one line per fit), summary.json, study.md and study.png.
    """
    from dataset_card.storage.documents import write_json
    from dataset_card.storage.files import replacing

    from ..cells.nasa import load_segments
    from ..hub.sentences import study_report
    from ..training.plotting import save_figure_of
    from ..training.study import Study, draw_study, run_study

    require_begun(out, "study", "records.jsonl")
    engine = Engine(jobs=jobs, address=address)
    fits = Study(load_segments(), out, engine=engine, seeds=seeds, first_seed=first_seed, short=short)
    summary = run_study(fits)
    fits.sort_records()
    write_json(out / "summary.json", summary)
    with replacing(out / "study.md") as temporary:
        temporary.write_text(study_report(summary), encoding="utf-8")
    save_figure_of(out / "study.png", draw_study, summary)
    answer(summary, as_json, study_report(summary))


def power(
    out: Annotated[Path, Option(help="Folder for power.json and power.png.")] = Path("power"),
    trials: Annotated[int, Option(min=1, help="Precursors to plant per effect and number of cells.")] = 300,
    replace: ReplaceOption = False,
    jobs: JobsOption = None,
    address: AddressOption = None,
    as_json: Json = False,
) -> None:
    """Plant precursors in the NASA cells to measure how strong one must be to be found, by number of cells."""
    from dataset_card.storage.documents import write_json

    from ..cells.nasa import load_segments
    from ..discovery.analysis import DiscoveryPlan, prepare
    from ..discovery.power import draw_power, measure_power
    from ..hub.sentences import power_sentences
    from ..modeling_hqvqvae import HQVQVAEModel
    from ..training.evaluation import table_sha256
    from ..training.methods import NeuralCoder
    from ..training.plotting import save_figure_of

    for name in ("power.json", "power.png"):
        require_file(require_place(out) / name, replace)
    quiet_libraries()
    segments = load_segments()
    prepared = prepare(segments, DiscoveryPlan())
    model = HQVQVAEModel.from_pretrained("recommended")
    codes = NeuralCoder(model).encode(prepared.segments[model.config.feature_names].to_numpy())
    engine = Engine(jobs=jobs, address=address)
    record = measure_power(prepared, codes, model.config.codebook_size, trials=trials, engine=engine)
    record |= {"codes": "recommended", "data_sha256": table_sha256(segments)}
    write_json(out / "power.json", record)
    save_figure_of(out / "power.png", draw_power, record)
    answer(record, as_json, power_sentences(record))


def precursors(
    out: Annotated[Path, Option(help="Folder for the results; further runs add to it.")] = Path("precursors"),
    method: list[str] | None = None,
    part: list[str] | None = None,
    seeds: Annotated[int, Option(min=1, help="Seeds of folds and models, from 0.")] = 10,
    draws: Annotated[int, Option(min=1, help="Draws of fewer cells, per number of cells.")] = 6,
    matr: Path | None = None,
    export: Annotated[Path | None, Option(help="Also write the model here as packaged weights.")] = None,
    replace: ReplaceExport = False,
    jobs: JobsOption = None,
    address: AddressOption = None,
    as_json: Json = False,
) -> None:
    """Find early codes that predict the lives of the 124 MATR cells; test transfer, fewer cells, and warning time.

    k-means takes minutes; a seed of HQ-VQVAE or the variational autoencoder about one CPU-minute, its twin half that;
    all methods with all seeds and draws take hours. An interrupted run continues from its folder.

    Args:
        method: kmeans, precursor ...; may be repeated. Default: the card's.
        part: search, absolute, transfer, numbers or warning; may be repeated; all by default.
        matr: MATR's tables, zip or folder: search on the curves instead of the parts.
    """
    from ..cells.matr import read_curves
    from ..discovery.lives.report import KIND, PARTS, run
    from ..hub.model_card import PRECURSORS
    from ..hub.publishing import PACKAGED_MODEL
    from ..hub.sentences import precursor_report
    from ..training.methods import LIFE_METHODS

    require_begun(out, KIND, PRECURSORS)
    if export is not None:
        require_folder(export, PACKAGED_MODEL, replace)
    quiet_libraries()
    found = run(
        out, methods=tuple(method or LIFE_METHODS), parts=tuple(part or PARTS), seeds=seeds, draws=draws,
        curves=None if matr is None else read_curves(matr), export=export, replace_export=replace,
        engine=Engine(jobs=jobs, address=address),
    )  # fmt: skip
    answer(found, as_json, f"{precursor_report(found)}\nreport: {out / 'report.md'}")


def reproduce(
    out: Annotated[Path, Option(help="New folder for report.md, report.json and figures/.")] = Path("report"),
    seeds: Annotated[int, Option(min=1, help="Training seeds, from 0.")] = 3,
    short: Annotated[
        bool, Option("--short", help="Four cells, six epochs; takes seconds; the figures mean nothing.")
    ] = False,
    evaluation: Path | None = None,
    replace: ReplaceOption = False,
    jobs: JobsOption = None,
    address: AddressOption = None,
    as_json: Json = False,
) -> None:
    """Reproduce the paper's tables and figures next to its own values, or explain why one cannot be made.

    Args:
        evaluation: JSON from `evaluate` with errors, instead of measuring them.
    """
    from ..discovery.reproduction.reproduce import KIND
    from ..discovery.reproduction.reproduce import reproduce as run

    require_folder(out, KIND, replace)
    quiet_libraries()
    engine = Engine(jobs=jobs, address=address)
    result = run(out, seeds=range(seeds), short=short, replace=replace, evaluated=evaluation, engine=engine, say=note)
    lines = [f"{artefact['name']}: {artefact['title']}" for artefact in result["artefacts"]]
    answer(result, as_json, "\n".join([*lines, f"report: {out / 'report.md'}"]))


COMMANDS = (study, power, precursors, reproduce)
