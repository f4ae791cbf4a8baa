"""`zoo report`: a store as a markdown report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo.commands.options import StoreOption, err, out


def command(
    store: StoreOption = Path("runs"),
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where report.md is written.")] = Path("."),
) -> None:
    """Write report.md from the runs of a store: figures, published figures, data, protocol, environment."""
    from benchmark.runs.store import Store, write_whole
    from reports.markdown import render
    from reports.report import build_report
    from zoo.strict_yaml import ConfigError

    kept = Store(store)
    runs, problems = kept.runs("bench")
    for problem in problems:
        err().print(f"warning: {problem}", markup=False)
    if not runs:
        raise ConfigError(f"--store {store}: holds no runs; `zoo bench --all --store {store}` makes them")
    out_dir.mkdir(parents=True, exist_ok=True)
    path = out_dir / "report.md"
    write_whole(path, render(build_report(runs, kept.history)))
    out().print(f"wrote {path}", markup=False)
