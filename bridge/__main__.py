"""`python -m bridge`: build, exchange and inspect releases."""

from dataset_card.running.door import answer_signals, require_own, run
from dataset_card.running.log import LOG

if __name__ == "__main__":
    answer_signals()  # before the imports, which take a second

# isort: split
from pathlib import Path
from typing import Annotated

import typer

from bridge.commands import options
from bridge.commands.corpus import corpus
from bridge.commands.hub import push
from bridge.commands.measured import OwnOptions, adopt, predict, residuals, with_own
from bridge.commands.physics import calibrate, detect, field
from bridge.commands.rounds import rounds
from bridge.commands.upstream import upstream
from bridge.commands.validation import ablate, leakage, validate, verify
from dataset_card.contract.editions import EDITIONS
from dataset_card.contract.schema import MASTER_SEED
from dataset_card.errors import MagBridgeError
from dataset_card.running.commands import CommandLine, JsonOption, ReplaceOption, takes
from dataset_card.storage.output import RELEASE, require_file, require_folder

app = CommandLine("Build, check and publish releases.")


@app.command()
@takes(composition=options.composition, own=OwnOptions)
def build(
    out: Path | None = None,
    bridge: options.DatasetOption = "v1",
    upstream: options.UpstreamOption = "auto",
    upstream_dir: options.UpstreamDirOption = None,
    seed: int = MASTER_SEED,
    *,
    composition,
    own,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Generate a release and write its folder.

    Args:
        out: The release folder to write; named after its dataset by default.
        seed: Master seed; the published releases use the default.
    """
    from bridge.generate import inputs_of
    from bridge.release import folder as release

    out = out or Path(EDITIONS[bridge].name)
    require_folder(out, RELEASE, replace=True)  # checked early; `release.build` decides whether to replace
    inputs = inputs_of(bridge, upstream, upstream_dir)
    LOG.info(options.upstream_line(inputs.name))
    inputs, own_files = with_own(inputs, own)
    manifest = release.build(out, inputs, master_seed=seed, own=own_files, replace=replace, **composition)
    _report(out, manifest, as_json)


def _report(out: Path, manifest: dict, as_json: bool) -> None:
    what = f"{manifest['name']} {manifest['version']} ({manifest['bridge_version']}), {manifest['counts']['rows']} rows"
    options.report_written(out, manifest, what, '"by_cell_primary"', as_json)


@app.command()
def bundle(release: Path, out: Path | None = None, replace: ReplaceOption = False) -> None:
    """Write a release folder as a Zenodo-style bundle.

    Args:
        release: A release folder.
        out: The zip file to write; named after the release by default.
    """
    from bridge.release.bundle import bundle_name, write_bundle
    from bridge.release.folder import read_manifest

    out = out or Path(f"{bundle_name(read_manifest(release))}.zip")
    typer.echo(f"{write_bundle(release, out, replace)}: {out.stat().st_size / 1e6:.1f} MB")


@app.command("import")
def import_(bundle: Path, *, out: Path, replace: ReplaceOption = False, as_json: JsonOption = False) -> None:
    """Turn a bundle into a release folder.

    Args:
        bundle: A bundle: zip file or folder.
        out: The release folder to write.
    """
    from bridge.release.bundle import import_bundle

    _report(out, import_bundle(bundle, out, replace), as_json)


@app.command()
def plot(
    out: Annotated[Path, typer.Option()],
    release: Annotated[Path | None, typer.Argument(show_default=False)] = None,
    sample: str | None = None,
    compare: bool = False,
    replace: ReplaceOption = False,
) -> None:
    """Plot one sample over its anchor's mean and std, an overview of a release, or the bridges side by side.

    Args:
        out: The figure to write; its suffix picks the format.
        release: A release folder.
        sample: A sample id; without it, an overview of the release is plotted.
        compare: Plot held-out scans, v1 and v2 side by side; takes no release.
    """
    from bridge.release import figures
    from bridge.validation.portrait import portrait
    from dataset_card.storage.reading import one_release, read_manifest, read_table

    if compare == (release is not None) or (compare and sample is not None):
        raise MagBridgeError("plot: expected either a release folder, with or without --sample, or only --compare")
    require_file(out, replace)
    if release is None:
        portrait(out)
    elif sample is None:
        with one_release(release) as folder:
            table, manifest = read_table(folder), read_manifest(folder)
        figures.overview(table, manifest, out)
    else:
        figures.sample(read_table(release), sample, out)
    typer.echo(str(out))


app.add_typer(corpus, name="corpus")
app.add_typer(rounds, name="round")
for command in (
    push, adopt, residuals, predict, field, detect, calibrate, upstream, validate, ablate, verify, leakage,
):  # fmt: skip
    app.command()(command)


def _checked() -> None:
    require_own("benchmark")
    app()


if __name__ == "__main__":
    run(_checked)
