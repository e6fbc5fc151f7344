"""Options take their help from docstrings; what says nothing of its own is an argument or an option by its place."""

from pathlib import Path
from typing import Annotated

import typer
from typer.testing import CliRunner

from dataset_card.running.commands import CommandLine, described

app = CommandLine("A command line.")


@app.command()
def first(place: Path, count: Annotated[int, typer.Option(min=0)] = 1, *, name: str, quiet: bool = False) -> None:
    """Do one thing.

    Args:
        place: Where it
            happens.
        count: How often.
        name: Whose it is.
        quiet: Say nothing.

    Raises:
        ValueError: Never.
    """
    typer.echo(f"{place} {count} {name} {quiet}")


@app.command()
def second() -> None:
    """Do another."""


def test_help_comes_from_the_docstring():
    command = typer.main.get_command(app).commands["first"]
    assert command.help == "Do one thing."
    place, count, name, quiet = command.params
    assert [one.help for one in command.params] == ["Where it happens.", "How often.", "Whose it is.", "Say nothing."]
    assert isinstance(place, typer.core.TyperArgument) and name.required and not count.required
    assert quiet.opts == ["--quiet"] and not quiet.secondary_opts


def test_options_are_read_as_they_are_described():
    result = CliRunner().invoke(app, ["first", "here", "--name", "x", "--quiet", "--count", "3"])
    assert result.output == "here 3 x True\n"
    assert CliRunner().invoke(app, ["first", "here"]).exit_code == 2
    assert CliRunner().invoke(app, ["first", "here", "--name", "x", "--count", "-1"]).exit_code == 2


def test_a_class_is_described_by_its_attributes():
    class Own:
        """Options.

        Attributes:
            colour: Of it.
        """

        def __init__(self, colour: str = "red"):
            self.colour = colour

    option = described(Own)["colour"].annotation.__metadata__[0]
    assert option.help == "Of it."
