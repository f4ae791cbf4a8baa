"""Options that several commands share, and the consoles they print to."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.commands import completion
from zoo.commands.letters import takes_all_letters

if TYPE_CHECKING:
    from rich.console import Console

CardsOption = Annotated[
    list[Path] | None,
    typer.Option("--cards", metavar="DIR", help="A folder with more cards; may be repeated."),
]
DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="SOURCE",
        help="phantom, a folder (train/val/test/CLASS/* or CLASS/*), a .npz file, or kaggle:OWNER/NAME.",
    ),
]
PatientsOption = Annotated[
    str | None,
    typer.Option(
        "--patients", metavar="REGEX", help="Pattern of file names whose named groups make the patient's key."
    ),
]
PositiveOption = Annotated[
    str | None,
    typer.Option(
        "--positive", metavar="NAME", help="The class that is the finding. Left out: the one that the source has last."
    ),
]
DataIsOption = Annotated[
    str | None,
    typer.Option(
        "--data-is",
        metavar="NAME",
        help="The published data set that the images are, as claims and cards name it, such as kaggle:OWNER/NAME.",
    ),
]
ProtocolOption = Annotated[
    str,
    typer.Option(
        "--protocol",
        metavar="NAME_OR_FILE",
        help="quick, published, full, or a YAML file.",
        autocompletion=completion.protocol_names,
    ),
]
StoreOption = Annotated[Path, typer.Option("--store", metavar="DIR", help="The folder that holds the runs.")]
RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's id or its beginning, or CARD or CARD:SEED where that names one run.",
        autocompletion=completion.run_names,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]


def out() -> Console:
    """The console on stdout, as wide as the terminal, or 160 columns when it is not one."""
    return _console(stderr=False)


def err() -> Console:
    """The console on stderr, for progress and warnings."""
    return _console(stderr=True)


def warn(line: str) -> None:
    """`line` as a warning on stderr, whole."""
    err().print(f"warning: {line}", markup=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """`document` on stdout, indented; in ASCII where stdout takes no other letters."""
    text = json.dumps(document, indent=2, ensure_ascii=not takes_all_letters(sys.stdout), default=str)
    try:
        text.encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8
        text = json.dumps(document, indent=2, default=str)
    print(text)


def _console(stderr: bool) -> Console:
    import os

    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(stderr=stderr, highlight=False, width=160)
    return console
