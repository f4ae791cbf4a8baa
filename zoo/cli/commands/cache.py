"""`zoo cache`: shows or clears the cache folder."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Annotated

import typer

from zoo.cli.options import JsonOption, out, print_json


def command(
    clear: Annotated[
        bool,
        typer.Option("--clear", help="Remove everything except the stored choices of how this machine computes."),
    ] = False,
    forget_choices: Annotated[
        bool,
        typer.Option(
            "--forget-choices",
            help="Remove the stored choices of how this machine computes; the next run measures again, and the last "
            "digits of its results may differ.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show or clear the contents of the cache folder: scans of folders, decoded images, features of frozen layers."""
    from rich.table import Table

    from benchmark.data import cache

    folder = cache.cache_dir()
    if clear or forget_choices:
        removed = (cache.clear_cache() if clear else 0) + (cache.forget_choices() if forget_choices else 0)
        out().print(f"removed {removed / 1024**2:.0f} MiB from {folder}", markup=False, soft_wrap=True)
        return
    uses = cache.describe_cache()
    limit = cache.declared_gib()
    bounded = math.isfinite(limit)
    if json:
        kinds = [asdict(use) for use in uses]
        print_json({"folder": str(folder), "features_limit_gib": limit if bounded else None, "kinds": kinds})
        return

    table = Table("kind", "files", "MiB", "what it is", box=None, pad_edge=False)
    for use in uses:
        table.add_row(use.kind, str(use.files), f"{use.bytes / 1024**2:.1f}", use.what)
    out().print(table)
    most = f"at most {limit:g} GiB" if bounded else "any amount of space"
    out().print(
        f"in {folder} (ZOO_CACHE_DIR names another); features take {most} (ZOO_CACHE_GIB)", markup=False, soft_wrap=True
    )
