"""`zoo runs`: the store as a table."""

from __future__ import annotations

from pathlib import Path

from zoo.cli.options import JsonOption, StoreOption, out, print_json, warn


def command(store: StoreOption = Path("runs"), json: JsonOption = False) -> None:
    """List the runs of a store."""
    from benchmark.runs.storage.store import Store

    runs, problems = Store(store).runs()
    for problem in problems:
        warn(problem)
    if json:
        print_json([run.model_dump(mode="json") for run in runs])
        return
    from reports.render.terminal.runs import runs_table

    out().print(runs_table(runs) if runs else f"no runs in {store}")
