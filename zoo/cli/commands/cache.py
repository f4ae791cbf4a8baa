"""`zoo cache`: the contents of the user's cache folder, and clearing it."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Annotated

import typer

from zoo.cli.options import JsonOption, out, print_json


def command(
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove everything except the choice of how to compute frozen layers.")
    ] = False,
    forget_choices: Annotated[
        bool,
        typer.Option(
            "--forget-choices",
            help="Forget the fastest way to compute frozen layers; the next run measures again and may give other "
            "last digits.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show or clear the contents of the cache folder: scans of folders, decoded images, features of frozen layers."""
    from benchmark.data import cache
    from benchmark.data.cache import cache_dir, clear_cache, declared_gib, describe_cache

    if clear or forget_choices:
        removed = (clear_cache() if clear else 0) + (cache.forget_choices() if forget_choices else 0)
        out().print(f"removed {removed / 1024**2:.0f} MiB from {cache_dir()}", markup=False, soft_wrap=True)
        return
    uses = describe_cache()
    limit = declared_gib()
    bounded = math.isfinite(limit)
    most = f"at most {limit:g} GiB" if bounded else "any amount of space"
    if json:
        kinds = [asdict(use) for use in uses]
        print_json({"folder": str(cache_dir()), "features_limit_gib": limit if bounded else None, "kinds": kinds})
        return
    from rich.table import Table

    table = Table("kind", "files", "MiB", "what it is", box=None, pad_edge=False)
    for use in uses:
        table.add_row(use.kind, str(use.files), f"{use.bytes / 1024**2:.1f}", use.what)
    out().print(table)
    out().print(
        f"in {cache_dir()} (ZOO_CACHE_DIR sets another); features take {most} (ZOO_CACHE_GIB)",
        markup=False,
        soft_wrap=True,
    )
