"""`python -m bridge upstream`: list upstream files, and download missing ones."""

from dataclasses import asdict
from pathlib import Path

import typer

from bridge.commands.options import LINES, UpstreamDirOption
from dataset_card.errors import MagBridgeError
from dataset_card.running.commands import JsonOption, ReplaceOption, show
from dataset_card.running.log import LOG
from dataset_card.storage.output import require_file


def upstream(
    upstream_dir: UpstreamDirOption = None,
    fetch: bool = False,
    compare: bool = False,
    out: Path | None = None,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """List upstream files as present, missing or damaged; exit with 1 unless all published ones are intact.

    Args:
        fetch: Download what is missing into the cache.
        compare: Compare the simulation with the published files instead.
        out: With --compare: a figure to write, anchors by channels.
    """
    from bridge.upstream import files

    if out is not None:
        if not compare:
            raise MagBridgeError("--out without --compare: expected --compare, whose figure --out names")
        require_file(out, replace)
    if compare:
        _compare(upstream_dir, fetch, out, as_json)
        return
    if fetch:
        state = {entry["file"]: entry["state"] for entry in files.status(upstream_dir)}
        for file in files.EVERY:
            if state[file.path] in ("missing", "damaged"):
                files.fetch(file)
    entries = files.status(upstream_dir)
    whole = all(entry["state"] == "ok" for entry in entries if entry["file"] != files.OSF_SCANS)
    show({"complete": whole, "files": entries}, LINES().files(entries, whole), as_json)
    if not whole:
        raise typer.Exit(1)


def _compare(upstream_dir: Path | None, fetch: bool, out: Path | None, as_json: bool) -> None:
    """Print how close the simulated upstream is to the published one, which must be available."""
    from bridge.upstream import resolve
    from bridge.validation import upstreams as comparison

    published, simulated = resolve("published", upstream_dir, fetch), resolve("simulated")
    found = comparison.compare_upstreams(published, simulated)
    show(asdict(found), comparison.report(found), as_json)
    if out is not None:
        comparison.plot(published, simulated, out)
        LOG.info(f"figure: {out}")
