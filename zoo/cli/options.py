"""Options that several commands share, and output to stdout and stderr."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.data.sources import source_descriptions
from zoo.cli import completion
from zoo.cli.encoding import takes_all_letters

if TYPE_CHECKING:
    from rich.console import Console

CardsOption = Annotated[
    list[Path] | None,
    typer.Option("--cards", metavar="DIR", help="A folder with more cards; may be repeated."),
]
CollectionOption = Annotated[
    str | None,
    typer.Option(
        "--collection",
        metavar="NAME",
        help="The cards of one collection: pneumonia-report, starter, best-effort, or a folder of cards of your own.",
        autocompletion=completion.collection_names,
    ),
]
DataOption = Annotated[str, typer.Option("--data", metavar="SOURCE", help=f"{source_descriptions()}.")]
PatientsOption = Annotated[
    str | None,
    typer.Option(
        "--patients",
        metavar="REGEX",
        help="Regular expression for file names; its named groups form the patient's key.",
    ),
]
PositiveOption = Annotated[
    str | None,
    typer.Option(
        "--positive",
        metavar="NAME",
        help="The positive class of two. Default: the second in alphabetical order; in a .npz file, the higher label.",
    ),
]
HoldOutOption = Annotated[
    str | None,
    typer.Option(
        "--hold-out",
        metavar="COLUMN=VALUE",
        help="Test on the images with this value in a column of the table of images, such as site=B, and train on all "
        "others.",
    ),
]
DataIsOption = Annotated[
    str | None,
    typer.Option(
        "--data-is",
        metavar="NAME",
        help="The published data set that the images belong to, by its name in claims and cards: kaggle:OWNER/NAME.",
    ),
]
ProtocolOption = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        metavar="NAME_OR_FILE",
        help="auto, quick, published, full, or a YAML file. Default: quick for the phantom, auto for other data.",
        autocompletion=completion.protocol_names,
    ),
]
RunDataOption = Annotated[
    str | None,
    typer.Option("--data", metavar="SOURCE", help="Only runs on these data. Default: those of the latest bench."),
]
RunProtocolOption = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        metavar="NAME",
        help="Only runs under this protocol. Default: that of the latest bench.",
        autocompletion=completion.protocol_names,
    ),
]
ThresholdRuleOption = Annotated[
    str | None,
    typer.Option(
        "--threshold-rule",
        metavar="RULE[=VALUE]",
        help="Choose thresholds again on the stored validation scores: youden, f1, cost=5, sensitivity=0.95, "
        "sensitivity=0.95@0.95 (guaranteed with 95% confidence), ...",
    ),
]
DecisionOption = Annotated[
    str | None,
    typer.Option(
        "--decision",
        metavar="RULE[=VALUE]",
        help="For three or more classes: choose decisions again on the stored validation scores: abstain=0.7, "
        "class_at=NAME:sensitivity:0.95 or 0.95@0.95, cost=TRUE:PREDICTED:10, argmax.",
    ),
]
ClaimsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--claims",
        metavar="NAME_OR_FILE",
        help="Claims, built-in or a file; may be repeated. Those about its cards and data are always included.",
        autocompletion=completion.claims_names,
    ),
]
StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="DIR_OR_URI",
        help="The store: the folder that contains the runs, or a URI such as s3://BUCKET/FOLDER.",
    ),
]
RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run id or the start of one; or CARD or CARD:SEED, of the latest bench if several match.",
        autocompletion=completion.run_names,
    ),
]
RunTimeoutOption = Annotated[
    str,
    typer.Option("--run-timeout", metavar="TIME", help="Time limit for each run: 90s, 30m, 2h, 1d, or none."),
]
RunMemoryOption = Annotated[
    float | None,
    typer.Option(
        "--run-memory",
        metavar="GIB",
        help="Memory limit for each run. Default: the largest run is ended when less than 2% of the machine's memory "
        "is left.",
    ),
]
EngineOption = Annotated[
    str,
    typer.Option("--engine", metavar="NAME", help="Where to compute: local (this machine), slurm or ray."),
]
SlurmOption = Annotated[
    list[str] | None,
    typer.Option(
        "--slurm",
        metavar="NAME=VALUE,...",
        help="Options of sbatch for --engine slurm: partition=main,time=30,cpus_per_task=4,mem=8GB; may be repeated.",
    ),
]
RayOption = Annotated[
    list[str] | None,
    typer.Option(
        "--ray",
        metavar="NAME=VALUE,...",
        help="For --engine ray: address=HOST:PORT (default: a cluster on this machine), num_gpus, memory in bytes.",
    ),
]
CoresOption = Annotated[
    int | None,
    typer.Option(
        "--cores",
        min=1,
        max=1024,
        metavar="N",
        help="Cores, and threads, of each run or evaluation. Default: all that this process may use; 1 with --engine "
        "slurm or ray.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, and nothing else.")]


def say(message: str) -> None:
    """Print a line on stderr."""
    err().print(message, markup=False, soft_wrap=True)


def registered_line(head: str) -> str:
    """The line with the digest of the last entry of a store's chain of registrations."""
    return f"registered: {head} (a digest to publish; `zoo verify --expect` compares it)"


def out() -> Console:
    """A console on stdout, as wide as the terminal; 160 columns wide in files and pipes."""
    return _console(stderr=False)


def err() -> Console:
    """A console on stderr, for progress and warnings."""
    return _console(stderr=True)


def print_json(document: Any) -> None:
    """Print `document` on stdout, indented; in ASCII if the encoding of stdout lacks characters."""
    text = json.dumps(document, indent=2, ensure_ascii=not takes_all_letters(sys.stdout), default=str)
    try:
        text.encode()
    except UnicodeEncodeError:  # from a file name that is not UTF-8
        text = json.dumps(document, indent=2, default=str)
    print(text)


def _console(stderr: bool) -> Console:
    import os

    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(stderr=stderr, highlight=False, emoji=False, width=160)
    return console
