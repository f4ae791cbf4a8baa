"""`zoo runs`: lists the runs of a store."""

from __future__ import annotations

from zoo.cli.options import JsonOption, StoreOption, out, print_json, say


def command(store: StoreOption = "runs", json: JsonOption = False) -> None:
    """List the runs of a store."""
    from zoo.api.inputs import readable_runs, resolve_store
    from zoo.api.messages import Messages

    runs = readable_runs(resolve_store(store), Messages(say))
    if json:
        print_json([run.model_dump(mode="json") for run in runs])
        return
    from reports.render.terminal.runs import runs_table

    out().print(runs_table(runs) if runs else f"no runs in {store}")
