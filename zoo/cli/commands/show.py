"""`zoo show`: shows everything about one run."""

from __future__ import annotations

from zoo.cli.options import JsonOption, RunArgument, RunDataOption, RunProtocolOption, StoreOption, out, print_json, say


def command(
    name: RunArgument,
    store: StoreOption = "runs",
    data: RunDataOption = None,
    protocol: RunProtocolOption = None,
    json: JsonOption = False,
) -> None:
    """Show one run: settings, figures with intervals, threshold, diagnosis, costs and a learning curve."""
    from reports.render.terminal.show import run_document, run_view
    from reports.results.folds import pool_folds
    from zoo.api.arguments.inputs import resolve_existing_store, resolve_run
    from zoo.api.output.messages import Messages

    source = resolve_existing_store(store)
    run = resolve_run(name, source, Messages(say), data, protocol, pool_folds)
    if json:
        print_json(run_document(run, source))
        return
    out().print(run_view(run, source, out().width))
