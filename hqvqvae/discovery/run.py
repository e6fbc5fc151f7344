"""One discovery run: the plan, the codes of every method, the analysis, and the folder that it writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import write_json
from dataset_card.storage.output import writing_folder

from ..cells.features import less_the_beginning, require_columns, require_known
from ..training.jobs import ALONE, Engine
from . import controls
from .analysis import Coding, DiscoveryPlan, MethodResult, Study, analyse, prepare
from .figure_data import figure_data
from .figures import save_figure
from .report import Discovery, html_report, markdown_report, record, verdict
from .warning_score import WarningEvaluation
from .warning_score import evaluate as evaluate_warning

if TYPE_CHECKING:
    from ..training.fit import TrainingConfig

KIND = "discovery run"
MAX_CODE = 4095  # a larger code is a mistake and would waste memory


def given_coding(study: Study, codes: pd.DataFrame) -> Coding:
    """Convert given codes to a coding of the study's segments.

    Args:
        study: The prepared cells.
        codes: `cell_id`, `cycle`, `code` (integers from 0), one row per segment; extra rows are allowed.

    Raises:
        MagBridgeError: If a column or a segment is missing, or a code is not an integer from 0 to `MAX_CODE`.
    """
    require_columns(codes, ("cell_id", "cycle", "code"), "a table of codes: cell_id, cycle, code")
    twice = codes[codes.duplicated(["cell_id", "cycle"])]
    joined = study.segments[["cell_id", "cycle"]].merge(codes, on=["cell_id", "cycle"], how="left")
    absent = joined[joined["code"].isna()]
    for wrong, what in ((twice, "twice"), (absent, f"without a code, one of {len(absent)} such valid segments")):
        if len(wrong):
            row = wrong.iloc[0]
            found = f"the table of codes has cell {row.cell_id} cycle {row.cycle} {what}"
            raise MagBridgeError(f"{found}; give one code per valid segment")
    values = joined["code"].to_numpy()
    if not np.issubdtype(values.dtype, np.number) or (values != np.floor(values)).any() or values.min() < 0:
        raise MagBridgeError("codes must be integers from 0; renumber them")
    if values.max() > MAX_CODE:
        raise MagBridgeError(f"code {values.max():.0f} is too large; number the codes from 0 (at most {MAX_CODE})")
    return Coding(int(values.max()) + 1, values.astype(int))


def discover(
    segments: pd.DataFrame,
    plan: DiscoveryPlan | None = None,
    *,
    features: pd.DataFrame | None = None,
    protocol: str = "C",
    method: str = controls.PRIMARY,
    codes: pd.DataFrame | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    training: TrainingConfig | None = None,
    engine: Engine = ALONE,
    curves: pd.DataFrame | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Discovery:
    """Run precursor discovery with all controls.

    Args:
        segments: One row per discharge segment with capacities, as returned by `nasa.load_segments`.
        plan: The choices fixed beforehand; the defaults of `DiscoveryPlan` if None.
        features: Features to train the methods on; `segments` by default.
        protocol: How the features were cleaned.
        method: The method under test, one of `methods.METHODS`; ignored if codes are given.
        codes: Given codes (`cell_id`, `cycle`, `code`) in place of a trained method.
        seeds: Training seeds.
        training: Training settings of the methods; the default ones if None.
        engine: Where the methods are trained.
        curves: Discharge curves for the figures, if there are any.
        say: Called with each line of progress.

    Returns:
        The results.

    Raises:
        MagBridgeError: If the tables are malformed or no cell can take part.
    """
    segments = _named(segments)
    study = prepare(segments, plan or DiscoveryPlan())
    features = segments if features is None else _named(features)
    columns = controls.feature_columns(features)
    notes, codings = [], {}
    name = method if codes is None else "given"
    if codes is None:
        from ..training.methods import METHODS

        require_known("method", method, METHODS)
    else:
        codings["given"] = [given_coding(study, _named(codes))]
    methods = [m for m in dict.fromkeys((method, *controls.TRAINED)) if codes is None or m in controls.TRAINED]
    window = study.plan.reference_window
    if window is not None and (codes is not None or protocol != "C"):
        other = f"protocol {protocol}" if codes is None else "given codes"
        meant = f"the reference {window} is for methods trained on protocol C"
        raise MagBridgeError(f"{meant}, not for {other}; omit it")
    options: dict[str, Any] = {"protocol": protocol, "training": training}
    unusable = _untrainable(features, columns)
    if unusable and codes is None:
        raise MagBridgeError(unusable)
    if window is not None:
        features = less_the_beginning(features, columns, window)
        less = f"Each cell's own mean over its segments {window[0]} to {window[1]} is subtracted from the features"
        notes.append(f"{less}; the segments up to there have no code and are used only for the proxies.")
    if unusable:
        notes.append(f"No trained controls: {unusable}")
        n_codes, n_segments = codings["given"][0].n_codes, len(study.segments)
        drawn = [np.random.default_rng(seed).integers(n_codes, size=n_segments) for seed in seeds]
        codings["random"] = [Coding(n_codes, codes) for codes in drawn]
    else:
        say(f"training {len(methods)} methods, {len(seeds)} seeds, {len(study.index.cell_ids)} held-out cells")
        codings |= controls.trained_codings(study, features, methods, seeds, engine=engine, **options)
    codings["age-bins"] = [controls.age_codes(study)]
    results = {}
    for key, coding in codings.items():
        say(f"analysing {controls.LABELS.get(key, key)}")
        results[key] = analyse(study, key, controls.LABELS.get(key, key), coding)
    primary = results.pop(name)
    results["cohort-mean"] = controls.cohort_control(study)
    if columns and not features[columns].isna().any(axis=None):
        results["raw-feature"] = controls.raw_feature_control(study, features)
    else:
        notes.append("No raw-feature control: the table has no complete numeric features.")
    warning = None
    if len(study.index.cell_ids) >= 3:
        say("evaluating the early-warning score")
        warning = _warning(study, primary, codings[name])
    else:
        notes.append("No early-warning score: calibrating it without the cell that it is tested on needs 3 cells.")
    if not np.isfinite(study.onsets).any():
        notes.append(
            "No cell reaches the onset of degradation (0.9 of its first capacity), so there are no lead times."
        )
    model = None
    if codes is None:
        say("keeping the model")
        answered = seeds[_answered(primary)]
        model = controls.reference_model(features, method, answered, reference_window=window, **options)
    said = verdict(study, primary, results, warning, trained_apart=bool(codings[name][0].folds))
    settings = {"method": name, "protocol": protocol, "seeds": list(seeds), "features": columns}
    figures = figure_data(study, primary, curves)
    return Discovery(study, primary, results, warning, model, said, figures, settings, notes)


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Convert cell names to text, because one file may have them as numbers and another as strings."""
    return table.assign(cell_id=table["cell_id"].astype(str)) if "cell_id" in table else table


def _untrainable(features: pd.DataFrame, columns: list[str]) -> str:
    """Explain why no method can be trained on a table; return an empty string if one can."""
    if len(columns) < 2:
        return f"the table of features has {len(columns)} numeric features; expected at least 2"
    bad = [name for name in columns if not np.isfinite(features[name].to_numpy(dtype=float)).all()]
    if bad:
        return f"the features {', '.join(bad)} have missing or infinite values"
    constant = [name for name in columns if features[name].nunique() < 2]
    if constant:
        return f"the features {', '.join(constant)} are constant; leave these columns out of the table"
    # The number of training segments left when the longest cell is held out.
    sizes = features["cell_id"].value_counts()
    left = len(features) - (int(sizes.max()) if len(sizes) > 1 else 0)
    from ..training.methods import CODEBOOK_SIZE  # imports torch, which a run on given codes may not need

    if left < CODEBOOK_SIZE:
        return f"{left} training segments are fewer than the {CODEBOOK_SIZE} codes"
    return ""


def _answered(primary: MethodResult) -> int:
    """Return the position of the first training seed with a candidate, or 0 if none has one."""
    return 0 if primary.nested is None else int(np.flatnonzero(np.isfinite(primary.nested.rho_seeds))[0])


def _warning(study: Study, primary: MethodResult, codings: Sequence[Coding]) -> WarningEvaluation:
    """Evaluate the score with the codes of the first seed that has a candidate."""
    final = primary.candidate
    if primary.nested is None:
        return evaluate_warning(study, codings[0], np.full(len(study.proxy), -1), final)
    seed = _answered(primary)
    # The candidate's number belongs to the first seed's reference model.
    return evaluate_warning(study, codings[seed], primary.nested.chosen[seed], final if seed == 0 else None)


def write_run(discovery: Discovery, folder: str | Path, replace: bool = False) -> Path:
    """Write tables, figures, the warning score and its model, `discovery.json` and the report into a folder.

    The folder appears complete or not at all.

    Returns:
        Path of the HTML report.

    Raises:
        MagBridgeError: If the folder contains something else, or a run that may not be replaced.
    """
    with writing_folder(folder, KIND, replace) as temporary:
        _write_files(discovery, temporary)
    return Path(folder) / "report.html"


def _write_files(discovery: Discovery, folder: Path) -> None:
    (folder / "tables").mkdir()
    study, warning = discovery.study, discovery.warning
    results = (discovery.primary, *discovery.controls.values())
    written = {f"tables/codes_{result.name}": result.table for result in results if len(result.table)}
    written |= {"segments": study.segments.assign(code=discovery.primary.codes), "cells": study.cells}
    if warning is not None:
        written |= {"tables/warning_cells": warning.cells, "tables/warning_curve": warning.curve}
        if warning.fitted is not None:
            warning.fitted.save(folder / "warning_score.json")
    for name, table in written.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    if discovery.model is not None:
        discovery.model.save_pretrained(folder / "model")
    for name, frame in discovery.figures.items():
        save_figure(name, frame, folder / "figures")
    write_json(folder / "discovery.json", record(discovery))
    (folder / "report.md").write_text(markdown_report(discovery), encoding="utf-8")
    (folder / "report.html").write_text(html_report(discovery, folder / "figures"), encoding="utf-8")
