"""`zoo show`: everything about one run."""

from __future__ import annotations

from pathlib import Path

from zoo.cli.options import JsonOption, RunArgument, StoreOption, out, print_json, warn


def command(name: RunArgument, store: StoreOption = Path("runs"), json: JsonOption = False) -> None:
    """Show one run: what was asked for, figures with intervals, threshold, diagnosis, costs, a learning curve."""
    from benchmark.runs.storage.lookup import resolve_run
    from benchmark.runs.storage.store import Store
    from reports.render.terminal.show import run_document, run_view

    kept = Store(store)
    run = resolve_run(kept, name, warn)
    if json:
        print_json(run_document(run, kept))
        return
    out().print(run_view(run, kept, out().width))
