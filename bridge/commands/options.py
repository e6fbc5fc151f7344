"""Options that several commands of the bridge take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

ReleaseArgument = Annotated[Path, typer.Argument(help="A release folder.")]
AnyReleaseArgument = Annotated[Path, typer.Argument(help="A release folder, or a bundle (folder or zip).")]
OutFolderOption = Annotated[Path, typer.Option(help="The release folder to write.")]
UpstreamOption = Annotated[
    Literal["auto", "published", "osf", "simulated"],
    typer.Option(help="auto: the published files where they can be had, else the simulation."),
]
UpstreamDirOption = Annotated[
    Path | None, typer.Option(help="Folder of published files (magbridge/, pulsebat/), before $MAGBRIDGE_UPSTREAM.")
]
FigureOption = Annotated[Path | None, typer.Option(help="A figure to write; its suffix picks the format.")]
