"""`python -m bridge corpus plan | build | finish | verify`: any number of rows, on any number of machines."""

from typing import Annotated, Literal

import typer

from bridge.commands import options
from dataset_card.contract.schema import MASTER_SEED
from dataset_card.running.commands import (
    AddressOption,
    CommandLine,
    JobsOption,
    JsonOption,
    list_findings,
    print_json,
    show,
    takes,
)
from dataset_card.running.log import LOG

OutArgument = Annotated[
    str, typer.Argument(metavar="OUT", help="A folder, or a URL that fsspec opens: s3://bucket/corpus.")
]
corpus = CommandLine("Make any number of rows on any number of machines.")


@takes(composition=options.composition)
def _recipe(
    out: OutArgument,
    rows: Annotated[int, typer.Option()],
    bridge: options.DatasetOption = "v1",
    upstream: options.UpstreamOption = "auto",
    upstream_dir: options.UpstreamDirOption = None,
    seed: int = MASTER_SEED,
    dtype: Literal["float64", "float32"] = "float64",
    *,
    composition,
):
    """Make the recipe of a corpus from options.

    Args:
        rows: Number of rows, rounded up to whole releases.
        seed: Master seed of the first release; the others follow consecutively.
        dtype: Type of signals, time and pulse voltages; labels stay float64.
    """
    from bridge.corpus import run
    from bridge.generate import inputs_of

    inputs = inputs_of(bridge, upstream, upstream_dir)
    LOG.info(options.upstream_line(inputs.name))
    return run.plan(out, inputs, rows, first_seed=seed, dtype=dtype, **composition)


def _engine(jobs: JobsOption = None, engine: Literal["joblib", "dask"] | None = None, address: AddressOption = None):
    """Make the engine that runs the jobs from options.

    Args:
        engine: What runs the jobs: joblib by default, or Dask with --address.
    """
    from dataset_card.running.parallel import Engine

    return Engine(jobs, engine, address)


@corpus.command()
@takes(recipe=_recipe)
def plan(recipe, as_json: JsonOption = False) -> None:
    """Write the specification of a corpus and print its size; run `build` with the same options to generate it."""
    found = recipe.specification
    document = {"out": recipe.out.url, "rows": found.rows, "shards": found.shards, **vars(found)}
    show(document, options.LINES().planned(recipe.out.url, found), as_json)


@corpus.command()
@takes(engine=_engine, recipe=_recipe)
def build(recipe, engine, as_json: JsonOption = False) -> None:
    """Generate a corpus on all cores; run it again to generate what is missing. Complete shards are left unchanged."""
    from bridge.corpus import run

    _report(recipe.out.url, run.build(recipe, engine), as_json)


@corpus.command()
@takes(engine=_engine)
def finish(out: OutArgument, engine, as_json: JsonOption = False) -> None:
    """Write manifest, card and checksums of a corpus whose shards are all complete."""
    from bridge.corpus import run

    _report(out, run.finish(out, engine), as_json)


@corpus.command()
@takes(engine=_engine)
def verify(out: OutArgument, engine, as_json: JsonOption = False) -> None:
    """Audit a corpus and list all broken promises; exit with 1 if there are any."""
    from bridge.corpus import run

    findings = run.verify(out, engine)
    if as_json:
        print_json({"corpus": out, "findings": [vars(finding) for finding in findings]})
    else:
        list_findings(out, findings, "broken promises", "every promise holds")
    if findings:
        raise typer.Exit(1)


def _report(out: str, manifest: dict, as_json: bool) -> None:
    what = f"{manifest['name']} ({manifest['bridge_version']}), {manifest['counts']['rows']} rows"
    options.report_written(out, manifest, f"{what} of {manifest['seeds']['count']} seeds", "streaming=True", as_json)
