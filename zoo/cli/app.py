"""The command line: registers the commands and turns errors into one line and an exit code."""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from zoo.cli.commands import (
    audit,
    bench,
    cache,
    cards,
    compare,
    curve,
    data,
    evaluate,
    export,
    labels,
    plan,
    predict,
    protocols,
    report,
    runs,
    schema,
    search,
    serve,
    show,
    track,
    verify,
)
from zoo.cli.encoding import allow_plain_output
from zoo.cli.interrupt import INTERRUPTED, interrupted, was_interrupted
from zoo.cli.lazy_group import Source, lazy_group
from zoo.cli.renames import renamed

COMMANDS: dict[str, Source] = {
    "cards": cards.command,
    "data": data.command,
    "labels": labels.command,
    "protocols": protocols.command,
    "bench": bench.command,
    "search": search.command,
    "curve": curve.command,
    "runs": runs.app,
    "report": report.command,
    "compare": compare.command,
    "show": show.command,
    "predict": predict.command,
    "evaluate": evaluate.command,
    "export": export.command,
    "serve": serve.command,
    "audit": audit.command,
    "plan": plan.command,
    "verify": verify.command,
    "schema": schema.command,
    "track": track.app,
    "cache": cache.command,
}

_OBJECTS_PER_COLLECTION = 20_000
"""New objects after which cyclic garbage is searched for.

Loading libraries makes many objects and hardly any garbage. Python's default, 700 or 2,000, searches them too often.
"""

app = typer.Typer(
    name="zoo",
    help="Benchmark a zoo of image-classification models on a small labelled folder.",
    cls=lazy_group(COMMANDS),
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text needs a third of the time to load
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _version(requested: bool) -> None:
    if requested:
        from zoo import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line and exit: code 0 done, 1 done with failures, 2 wrong request, 128 and the number of
    the signal that interrupted it (130: Ctrl-C)."""
    allow_plain_output()
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    try:
        sys.argv[1:] = renamed(sys.argv[1:])
        code = app(standalone_mode=False, prog_name="zoo")  # also for python -m zoo
    except Exception as error:
        if not was_interrupted():
            sys.exit(_explain(error))
        code = INTERRUPTED
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        interrupted()
    gc.freeze()  # the interpreter need not search everything for garbage before it ends
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception) -> int:
    from benchmark.data.dataset import DataError
    from zoo.config.errors import ConfigError

    if isinstance(error, ConfigError):
        for line in error.lines:
            print(f"zoo: {line}", file=sys.stderr)
        return 2
    if isinstance(error, DataError):
        print(f"zoo: {error}", file=sys.stderr)
        return 2
    if hasattr(error, "format_message"):  # a usage error of Typer; without a command its message is the help
        text = error.format_message()
        context = getattr(error, "ctx", None)
        hint = f" (`{context.command_path} --help` explains it)" if context is not None else ""
        print(text if "\n" in text else f"zoo: {text.rstrip('.')}{hint}", file=sys.stderr)
        return 2
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        print(f"zoo: {where}{error.strerror or error}; finished runs remain in the store", file=sys.stderr)
        return 2
    raise error


if __name__ == "__main__":
    main()
