"""`python -m benchmark push | serve`: publish to the Hub, or serve the leaderboard locally."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

from benchmark.commands.options import Data, Json, Model, Results, Task
from benchmark.data import DEFAULT_RELEASE
from benchmark.refusals import refused
from dataset_card.errors import MagBridgeError
from dataset_card.running.commands import show


def push(
    what: Literal["metric", "leaderboard", "baseline"],
    *,
    repo: str,
    data: str | None = None,
    model: Model = None,
    task: Task = None,
    results: Results = None,
    submissions: str | None = None,
    private: bool = False,
    dry_run: bool = False,
    as_json: Json = False,
) -> None:
    """Publish the metric or the leaderboard as a Space, or a fitted baseline as a model, in one commit.

    Args:
        what: metric, leaderboard or baseline.
        repo: USER/magbridge_metric or USER/NAME; created if it does not exist.
        data: Leaderboard: the dataset on the Hub. Baseline: the release to fit on; a Hub id also publishes its scores.
        submissions: Leaderboard: dataset on the Hub to which the Space proposes submissions.
        private: Make it visible only to you.
        dry_run: List what would be uploaded, without contacting the Hub.
    """
    from benchmark.leaderboard.push import leaderboard_files, metric_files, push_leaderboard, push_metric
    from dataset_card.running.hub import require_repo_id

    require_repo_id(repo)
    if (what == "metric") == (data is not None):
        raise refused("push_what")
    if what == "baseline" and (model is None or task is None):
        raise MagBridgeError("push baseline without --model or --task: expected --model NAME and --task TASK")
    plan: Callable[[], Mapping]
    publish: Callable[..., str]
    if what == "baseline":
        from benchmark.baselines.hub import baseline_files, fit_baseline, push_baseline

        fitted = fit_baseline(str(task), str(model), str(data))
        plan, publish = partial(baseline_files, fitted, repo), partial(push_baseline, repo, fitted)
    elif what == "metric":
        plan, publish = partial(metric_files, repo), partial(push_metric, repo)
    else:
        plan = partial(leaderboard_files, str(data), results, submissions)
        publish = partial(push_leaderboard, repo, str(data), results=results, submissions=submissions)
    if dry_run:
        _print_plan(repo, plan(), as_json)
        return
    url = publish(private=private)
    show({"url": url}, url, as_json)


def _print_plan(repo: str, files: Mapping, as_json: bool) -> None:
    from dataset_card.running.hub import size_of

    sizes = {name: size_of(content) for name, content in files.items()}
    lines = [f"{size:>12,}  {name}" for name, size in sizes.items()]
    lines.append(f"{sum(sizes.values()):>12,}  bytes in {len(sizes)} files would go to {repo}")
    show({"repo": repo, "files": sizes, "bytes": sum(sizes.values())}, "\n".join(lines), as_json)


def serve(data: Data = DEFAULT_RELEASE, results: Results = None, port: int | None = None) -> None:
    """Serve the leaderboard on this machine, with a form that scores predictions files.

    Args:
        port: Port; the first free one from 7860 by default.
    """
    from benchmark.leaderboard.space.app import serve as serve_page

    serve_page(results, data, port)


COMMANDS = (push, serve)
