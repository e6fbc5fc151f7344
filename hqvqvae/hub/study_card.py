"""The study of bottlenecks in words: verdict and table, made from its summary; no figure is typed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

PROTOCOLS = ("cell", "cohort")


def ahead(summary: dict[str, Any]) -> list[str]:
    """Circuits whose error is below their twin's beyond the interval, on unseen cells or on unseen cohorts."""
    return [name for name, pair in summary["pairs"].items() if any(pair[by]["high"] < 0 for by in PROTOCOLS)]


def verdict(summary: dict[str, Any]) -> str:
    """What the figures say: whether a circuit beats its twin, where they differ, what the controls reach.

    A circuit beats its twin if it was ahead and then, on fresh seeds against a twin of twice the search, is ahead on
    unseen cells and on unseen cohorts.
    """
    pairs, bottlenecks = summary["pairs"], summary["bottlenecks"]
    if not pairs:
        return "No circuit was measured."
    first = ahead(summary)
    proven = [name for name in first if all(pairs[name]["fresh_seeds"][by]["high"] < 0 for by in PROTOCOLS)]
    of_all = f"of {len(pairs)} circuits"
    if proven:
        answer = (
            f"{_listed(proven)} ({len(proven)} {of_all}) beat the classical twin of equal size, on fresh seeds too."
        )
    elif first:
        answer = (
            f"None {of_all} beats its classical twin of equal size: ahead on the first seeds, {_listed(first)} did not "
            "stay so on fresh ones, on unseen cells and cohorts, against a twin of twice the search."
        )
    else:
        answer = f"None {of_all} beats its classical twin of equal size."
    counts = [
        f"{sum(pair[by]['high'] < 0 for pair in pairs.values())} better and "
        f"{sum(pair[by]['low'] > 0 for pair in pairs.values())} worse on unseen {by}s"
        for by in PROTOCOLS
    ]
    best = min(pairs, key=lambda name: bottlenecks[name]["cell"]["mse"])
    compared = [name for name in ("paper", "product", "frozen", "none") if name in bottlenecks and name != best]
    figures = ", ".join(f"`{name}` {bottlenecks[name]['cell']['mse']:.3f}" for name in (best, *compared))
    return (
        f"{answer} Beyond the 95 % interval of the first comparison, {' and '.join(counts)}. "
        f"Error on unseen cells of the best circuit and the controls: {figures}."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def study_table(summary: dict[str, Any]) -> str:
    """The summary as a Markdown table: error and cost of each bottleneck, difference of each circuit to its twin."""
    lines = [
        "| bottleneck | parameters | unseen cell, MSE | unseen cohort, MSE | less its twin, cell [95 %] "
        "| less its twin, cohort [95 %] | CPU s a fold |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, figures in summary["bottlenecks"].items():
        pair = summary["pairs"].get(name)
        cells = [f"`{name}`: {figures['meaning']}", str(figures["parameters"])]
        cells += [_with_error(figures[by]) for by in ("cell", "cohort")]
        cells += [_with_interval(pair[by]) if pair else "" for by in ("cell", "cohort")]
        lines.append(f"| {' | '.join([*cells, format(figures['cpu_seconds_a_fold'], '.1f')])} |")
    return "\n".join(lines)


def _with_error(figures: dict[str, Any]) -> str:
    spread = "" if figures["standard_error"] is None else f" ± {figures['standard_error']:.3f}"
    return f"{figures['mse']:.3f}{spread}"


def _with_interval(difference: dict[str, float]) -> str:
    return f"{difference['mean']:+.3f} [{difference['low']:+.3f}, {difference['high']:+.3f}]"


def study_report(summary: dict[str, Any]) -> str:
    """The summary as Markdown: verdict, table, how it was measured."""
    seeds = len(summary["seeds"])
    rates = ", ".join(f"{rate:g}" for rate in summary["learning_rates"])
    method = (
        f"Mean squared error in z units on segments of {len(summary['cells_held_out'])} cells and "
        f"{len(summary['cohorts_held_out'])} cohorts left out of training one at a time, {seeds} "
        f"seed{'s' if seeds > 1 else ''} (± standard error over them), {summary['epochs']} epochs, no bypass, the "
        f"recommended recipe. The learning rate ({rates}) of each bottleneck is chosen on cells of other cohorts, by "
        "the same search for all; before it, the start of `iqp` alone had been picked of four by training error. Few "
        "seeds make wide intervals: no difference shown is not shown to be none. Twins are tanh bottlenecks with "
        "exactly as many parameters as take part in the output. Intervals are over held-out cells or cohorts and "
        "seeds; over five cohorts they are too narrow rather than too wide."
    )
    return f"{summary['verdict']}\n\n{study_table(summary)}\n\n{method}\n"
