"""`python -m benchmark score | submit | rescore | leaderboard | export`: from predictions to scores and boards."""

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands import options
from benchmark.commands.options import Data, Json, Results, Task
from benchmark.data import DEFAULT_RELEASE
from benchmark.tasks import PRIMARY_SPLIT
from dataset_card.errors import MagBridgeError
from dataset_card.running.commands import ReplaceOption, show
from dataset_card.running.log import LOG


def score(
    predictions: Path,
    *,
    task: str,
    data: Data = DEFAULT_RELEASE,
    split: options.Split = PRIMARY_SPLIT,
    as_json: Json = False,
) -> None:
    """Score a predictions file against a release.

    Args:
        predictions: Parquet, CSV or JSON lines: sample_id, prediction, and optionally seed and score.
        task: Task that was predicted, t1 to t9.
    """
    from benchmark.predictions import score_predictions

    outcome = score_predictions(predictions, task, data, split)
    seeds = f"{len(outcome['seeds'])} seed{'' if len(outcome['seeds']) == 1 else 's'}"
    lines = [
        f"{outcome['task']} ({outcome['split']}), {seeds}, dataset {outcome['dataset'][:12]}",
        *(f"  {metric:<40} {mean:8.4f}" for metric, mean in outcome["mean"].items()),
        "  {metric} over test batteries, 95 %: [{low:.4f}, {high:.4f}]".format(**outcome["interval"]),
    ]
    show(outcome, "\n".join(lines), as_json)
    for remark in [] if as_json else outcome["remarks"]:
        LOG.info(f"note: {remark}")


def submit(
    folder: Path, data: Data = DEFAULT_RELEASE, results: Results = None, check: bool = False, as_json: Json = False
) -> None:
    """Check and score an entry, print its rank, and file its scores in its folder.

    Args:
        folder: Folder with submission.yaml and one predictions file per task.
        check: Write nothing.
    """
    from benchmark.leaderboard import submissions
    from benchmark.leaderboard.copies import filed_errors
    from benchmark.leaderboard.entries import LATE, recompute
    from benchmark.leaderboard.texts import placed
    from benchmark.results import add_results, read_files, results_of, to_json
    from benchmark.rounds import Answers

    entry = submissions.read_submission(folder)
    if submissions.results_files(entry):
        submissions.filed(entry)
    answers, filed = Answers(data), read_files(results)
    taken = results_of(filed)
    shipped = [] if results else submissions.entry_folders(submissions.SUBMISSIONS)
    for path in shipped:
        itself = path.samefile(entry.folder)
        try:
            other = submissions.read_among(shipped, path)
            if not itself:
                taken += recompute([other], [answers], taken).ranked
        except MagBridgeError as error:
            if itself:
                raise
            LOG.info(f"note: the shipped entry {path.name} is broken and is left out: {error}")
    checked = submissions.check(entry, answers, taken, filed_errors({} if results else filed, [answers]))
    for remark in checked.remarks:
        LOG.info(f"note: {remark}")
    if not checked.results:
        said = f"{entry.folder} is valid; {data} is open until its labels are revealed: nothing was scored or written"
        show([], said, as_json)
        return
    if not check:
        add_results(checked.results, entry.folder, predictions=False)
    lines = [
        f"{r.task}: {r.headline} {r.mean():.4f}, not ranked: {LATE}" if checked.is_late else placed(r, taken)
        for r in checked.results
    ]
    lines.append(f"{entry.folder} is valid" + ("; nothing was written" if check else ", scores filed in it"))
    show([to_json(result) for result in checked.results], "\n".join(lines), as_json)


def rescore(
    folder: Annotated[Path | None, typer.Argument()] = None, data: list[str] | None = None, results: Results = None
) -> None:
    """Recompute every entry from its predictions; fail if one differs from its filed scores.

    Args:
        folder: Folder of submissions; the shipped ones by default.
        data: Release or round that the entries name; may be repeated.
    """
    from benchmark.leaderboard import submissions
    from benchmark.results import read_results
    from benchmark.rounds import Answers

    entries, answers = submissions.read_submissions(folder), map(Answers, data or [DEFAULT_RELEASE])
    checked = submissions.rescore(entries, answers, read_results(results))
    for found in checked:
        print(f"{found[0].model}: {', '.join(result.task for result in found)} as filed")
    print(f"valid entries: {len(checked)}")


def leaderboard(
    results: Results = None,
    task: Task = None,
    split: options.AnySplit = None,
    format: str = "table",
    data: list[str] | None = None,
    out: options.Out = None,
    replace: ReplaceOption = False,
) -> None:
    """Rank results within each task and split; entries are ranked only if their release is available.

    Args:
        format: table, markdown, html, or added (what v3's magnetics add).
        data: Release or round that entries name, to recompute their scores; may be repeated.
    """
    from benchmark.leaderboard import added, boards, copies, entries, page, submissions, texts
    from benchmark.results import read_files, results_of
    from benchmark.rounds import Answers
    from benchmark.tasks import check_split, get_task

    entered = [] if results and format != "html" else submissions.read_submissions()

    def html(ranked: list) -> str:
        return page.to_html(ranked, [entry.submission for entry in entered])

    renderers = {"markdown": texts.to_markdown, "html": html, "table": _table_text}
    if format not in (*renderers, "added"):
        raise MagBridgeError(f"unknown format {format!r}: expected table, markdown, html or added")
    task = None if task is None else get_task(task).id
    split = None if split is None else check_split(split)
    filed, remarks = read_files(results), None
    read = results_of(filed)
    if not results:
        given = data or [DEFAULT_RELEASE] * Path(DEFAULT_RELEASE).is_dir()
        answers = [Answers(release) for release in given]
        found = entries.recompute(entered, answers, read, copies.filed_errors(filed, answers))
        read, remarks = read + found.ranked, found.remarks
    if format == "added":
        text = added.to_markdown(added.added(r for r in read if task in (None, r.task)))
    else:
        text = renderers[format](boards.leaderboard(read, task, split, remarks or ()))
    options.print_text(text, out, replace)
    LOG.info(f"read {len(read)} results from {results or 'the package; --results DIR reads your own'}")


def _table_text(boards: list) -> str:
    from rich.console import Console

    from benchmark.leaderboard.texts import print_table

    text, on_terminal = io.StringIO(), sys.stdout.isatty()
    print_table(boards, Console(file=text, width=Console().width if on_terminal else 190, force_terminal=on_terminal))
    return text.getvalue()


def export(
    results: options.ResultsArgument = None,
    *,
    dataset_id: str,
    model: options.Model = None,
    protocol: options.Protocol = None,
    out: options.Out = None,
    replace: ReplaceOption = False,
) -> None:
    """Write a model's results as an .eval_results file for its repository on the Hub.

    Args:
        dataset_id: Id of the dataset on the Hub, user/name.
    """
    from benchmark.leaderboard.export import headline_results, to_eval_results

    found = headline_results([result for _, result in options.chosen(results, model=model, protocol=protocol)])
    options.print_text(to_eval_results(found, dataset_id), out, replace)


COMMANDS = (score, submit, rescore, leaderboard, export)
