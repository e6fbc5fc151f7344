"""`python -m bridge validate | ablate | verify | leakage`: checks of bridges, releases and splits."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bridge.commands import options
from bridge.commands.measured import OwnOptions, with_own
from dataset_card.errors import MagBridgeError
from dataset_card.running.commands import JsonOption, ReplaceOption, list_findings, print_json, show, takes
from dataset_card.storage.output import require_file

SHOWN = 5
"""Examples of each kind of leak that the leakage report prints; --json lists all."""


@takes(own=OwnOptions)
def validate(
    bridge: options.DatasetOption = "v1",
    upstream: options.UpstreamOption = "auto",
    upstream_dir: options.UpstreamDirOption = None,
    full: bool = False,
    *,
    own,
    as_json: JsonOption = False,
) -> None:
    """Check invariants, likeness to scans and where SOH shows; exit with 1 if a blocking check fails.

    With --scans: check the invariants, and what the fit to these scans cannot carry. v3: solvers, theorem and nulls.

    Args:
        full: Compare v1 as thoroughly as v2; takes minutes.
    """
    if bridge == "v3":
        from bridge.validation.physics import validate_physics

        _require_no_upstream("validate", upstream, upstream_dir, full)
        _report(validate_physics(), as_json)
        return
    from bridge.generate import make_bridge, resolve
    from bridge.validation import report

    inputs, _ = with_own(resolve(bridge, upstream, upstream_dir), own)
    _report(report.validate(make_bridge(inputs), full), as_json)


def _report(found, as_json: bool) -> None:
    """Print a report of checks; exit with 1 unless it passed."""
    show(found.as_dict(), found.text(), as_json)
    if not found.passed:
        raise typer.Exit(1)


def _require_no_upstream(command: str, upstream: str, upstream_dir: Path | None, full: bool = False) -> None:
    """Refuse options that name an upstream: v3 has none."""
    if upstream != "auto" or upstream_dir is not None or full:
        raise MagBridgeError(f"{command} --bridge v3 takes no --upstream, --upstream-dir or --full: v3 has no upstream")


def ablate(
    bridge: options.DatasetOption = "v1",
    upstream: options.UpstreamOption = "auto",
    upstream_dir: options.UpstreamDirOption = None,
    out: options.FigureOption = None,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Grade ablations A0 to A3: within each, few-shot, and by readouts transferred from A0; v3: by mechanism."""
    if bridge == "v3":
        from bridge.validation import physics_ablation

        _require_no_upstream("ablate", upstream, upstream_dir)
        if out is not None:
            raise MagBridgeError("--out with ablate --bridge v3, which draws no figure: omit --out")
        made = physics_ablation.ablate_physics()
        show(physics_ablation.as_dict(made), physics_ablation.table(made), as_json)
        return
    from bridge.generate import make_bridge, resolve
    from bridge.validation import ablation

    if out is not None:
        require_file(out, replace)
    found = ablation.run_ablations(make_bridge(resolve(bridge, upstream, upstream_dir)), progress=True)
    if out is not None:
        ablation.plot(found, out)
    show(found.as_dict(), found.table(), as_json)


def verify(
    release: options.AnyReleaseArgument,
    against: Path | None = None,
    tolerance: Annotated[float, typer.Option(min=0)] = 0.0,
    regenerate: str | None = None,
    upstream_dir: options.UpstreamDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Audit a release and list all broken promises; exit with 1 if there are any.

    Args:
        against: Another release: ids, labels and splits must be equal, signals within --tolerance.
        tolerance: With --against: largest allowed difference of signals in nT.
        regenerate: Generate this many signals again from the upstream, or `all`: they must be equal.
    """
    from bridge.audit.comparison import compare_releases
    from bridge.audit.promises import audit_release

    count, made = _count(regenerate), 0
    findings = audit_release(release)
    if regenerate is not None and not findings:
        import numpy as np

        from bridge.audit import regeneration

        findings, made = regeneration.regenerate(release, count, np.random.default_rng(), upstream_dir)
    comparison = compare_releases(release, against) if against is not None and not findings else None
    if as_json:
        other = None if comparison is None else asdict(comparison)
        said = [vars(finding) for finding in findings]
        print_json({"release": str(release), "findings": said, "regenerated": made, "comparison": other})
    else:
        list_findings(release, findings, "broken promises", "every promise holds")
        typer.echo(options.LINES().verified(made, findings, comparison), nl=False)
    if findings or (comparison is not None and not comparison.same(tolerance)):
        raise typer.Exit(1)


def _count(text: str | None) -> int | None:
    """Return the number of signals to generate again; None for all."""
    if text is None or text == "all":
        return None
    if not text.isdecimal() or not int(text):
        raise MagBridgeError(f"--regenerate {text!r}: expected a number of signals, or all")
    return int(text)


def leakage(release: options.AnyReleaseArgument, split: Path | None = None, as_json: JsonOption = False) -> None:
    """Report what leaks between the subsets of a split: cells, families, duplicates, near-duplicates.

    Args:
        split: Your own split: JSON with the sample ids of each subset. By default the release's splits.
    """
    from bridge.audit.contents import read_contents
    from bridge.audit.leakage import leakage_report, read_split
    from dataset_card.storage.arrays import signals

    with read_contents(release) as contents:
        if not contents.table.num_rows:
            raise MagBridgeError(f"{release}: {contents.findings[0]}")
        own = {name: document["sample_ids"] for name, document in contents.splits.items() if "sample_ids" in document}
        splits = own if split is None else {split.stem: read_split(split)}
        x = signals(contents.table)
        found = {name: leakage_report(contents.rows, x, members) for name, members in splits.items()}
    text = "\n".join(f"{name}: {report.text(SHOWN)}" for name, report in found.items())
    show({name: report.as_dict() for name, report in found.items()}, text, as_json)
