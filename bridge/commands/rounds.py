"""`python -m bridge round open | commit | reveal | verify`: hidden tests that need no trusted server."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from bridge.commands.options import UpstreamDirOption, UpstreamOption, upstream_line
from dataset_card.running.commands import CommandLine
from dataset_card.running.log import LOG

FolderArgument = Annotated[Path, typer.Argument(help="Folder of the round.")]
SecretOption = Annotated[
    Path,
    typer.Option(help="Master seed and salt, secret until the reveal; `open` draws them if the file does not exist."),
]

rounds = CommandLine("Run hidden rounds: commit, hand out signals without labels, reveal.")


@rounds.command("open")
def open_(
    *,
    out: Path,
    secret_file: SecretOption,
    upstream: UpstreamOption = "auto",
    upstream_dir: UpstreamDirOption = None,
) -> None:
    """Write a round's public folder: v2 signals of new cells without labels, and the commitment.

    Rounds exist only for v2: v1's rows have 31-bit seeds, which can be found by trying them all; v3's rows are not
    scans, and rounds do not have their tasks.

    Args:
        out: The folder to write; its name becomes the round's name.
    """
    from bridge.generate import resolve
    from bridge.rounds.folder import open_round, require_new
    from bridge.rounds.secret import draw_secret, read_secret
    from dataset_card.errors import MagBridgeError

    require_new(out)
    place, secret_place = (Path(os.path.realpath(path)) for path in (out, secret_file))  # even if links form a loop
    name = place.name
    if place in secret_place.parents:
        raise MagBridgeError(f"{secret_file} is inside {out}, which is public: expected another place for the secret")
    inputs = resolve("v2", upstream, upstream_dir)
    LOG.info(upstream_line(inputs.name))
    with contextlib.suppress(FileExistsError):
        draw_secret(secret_file, name)
        LOG.info(f"{secret_file}: new secret; keep it, and keep it private until {name} closes")
    found = open_round(out, read_secret(secret_file, name), inputs)
    rows = ", ".join(f"{task} {file['rows']}" for task, file in found.files.items())
    typer.echo(f"{out}: {rows}, digest {found.digest[:12]}")
    typer.echo(f"publish the commitment: {found.commitment}")


@rounds.command()
def commit(folder: FolderArgument, entries: list[Path]) -> None:
    """Put entries on the list of an open round: the SHA-256 of each predictions file. Then publish the list.

    Args:
        entries: Folders of the entries, as submitted.
    """
    from benchmark.leaderboard.submissions import check, read_submission
    from benchmark.results import read_results
    from benchmark.rounds import Answers
    from bridge.rounds import folder as round_folder

    answers, taken = Answers(folder), read_results()
    for path in entries:
        entry = read_submission(path)
        check(entry, answers, taken)
        earlier = round_folder.commit(folder, entry.submission.name, entry.digests)
        replaced = f", in place of {_listed(earlier)}" if earlier and earlier != entry.digests else ""
        typer.echo(f"{entry.submission.name}: {_listed(entry.digests)}{replaced}")


def _listed(digests: Mapping[str, str]) -> str:
    return ", ".join(f"{task} {digest[:12]}" for task, digest in digests.items())


@rounds.command()
def reveal(folder: FolderArgument, secret_file: SecretOption, upstream_dir: UpstreamDirOption = None) -> None:
    """Close a round: add seed, salt and labels to its folder."""
    from bridge.rounds import folder as round_folder
    from bridge.rounds.secret import read_secret
    from dataset_card.storage.rounds import read_round

    found = read_round(folder)
    secret = read_secret(secret_file, found.name)
    round_folder.reveal(folder, secret, round_folder.upstream_of(found, upstream_dir))
    typer.echo(f"{folder}: seed, salt and labels added; anyone can check them: python -m bridge round verify {folder}")


@rounds.command()
def verify(folder: FolderArgument, upstream_dir: UpstreamDirOption = None) -> None:
    """Generate a revealed round again and compare every byte; for an open one, check the files."""
    from bridge.rounds import folder as round_folder
    from dataset_card.storage.rounds import read_round

    found = read_round(folder)
    inputs = round_folder.upstream_of(found, upstream_dir) if found.is_revealed else None
    typer.echo(f"{folder}: {round_folder.verify(folder, inputs)}")
