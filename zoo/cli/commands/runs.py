"""`zoo runs`: lists, merges, prunes and verifies the runs of a store."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.commands import verify
from zoo.cli.lazy_group import lazy_group
from zoo.cli.options import JsonOption, StoreOption, out, print_json, say

_OPTIONS = ("store", "json")


def _list(context: typer.Context, store: StoreOption = "runs", json: JsonOption = False) -> None:
    """List the runs of a store."""
    if context.invoked_subcommand is not None:
        if any((source := context.get_parameter_source(name)) and source.name == "COMMANDLINE" for name in _OPTIONS):
            from zoo.config.errors import ConfigError

            raise ConfigError(f"zoo runs {context.invoked_subcommand}: give its options after its name")
        return
    from benchmark.runs.storage.index import without_collection

    with without_collection():
        _print_runs(store, json)


def _print_runs(store: str, json: bool) -> None:
    from zoo.api.arguments.inputs import readable_runs, resolve_existing_store
    from zoo.api.output.messages import Messages

    runs = readable_runs(resolve_existing_store(store), Messages(say))
    if json:
        print_json([run.model_dump(mode="json") for run in runs])
        return
    from reports.render.terminal.runs import runs_table

    out().print(runs_table(runs) if runs else f"no runs in {store}")


def _merge(
    others: Annotated[list[str], typer.Argument(metavar="OTHER", help="The stores whose runs are copied.")],
    store: StoreOption = "runs",
    json: JsonOption = False,
) -> None:
    """Copy the runs of other stores into one: all of them, or none."""
    from reports.text import plural
    from zoo.api.merge import merge

    results = merge(others, store, on_message=say)
    if json:
        print_json(results.to_dict())
        return
    present = f"; {plural(len(results.present), 'run')} already there" if results.present else ""
    evaluations = f" and {plural(len(results.evaluations), 'evaluation')}" if results.evaluations else ""
    line = f"copied {plural(len(results.copied), 'run')}{evaluations} into {store}{present}"
    out().print(line, markup=False, soft_wrap=True)


def _prune(
    store: StoreOption = "runs",
    yes: Annotated[bool, typer.Option("--yes", help="Remove what is listed. Default: only list it.")] = False,
    models: Annotated[
        bool, typer.Option("--models", help="Include stored models: figures remain, but no model can be applied.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List or remove what no result needs: failed runs with a later finished one, and leftovers of killed processes."""
    from zoo.api.prune import prune

    results = prune(store, models=models, apply=yes, on_message=say)
    if json:
        print_json(results.to_dict())
        return
    lines = [f"{each.kind}  {each.path}  {each.bytes / 1024**2:.1f} MiB  {each.about}" for each in results.entries]
    done = "removed" if yes else "can be removed; --yes removes it"
    lines.append(f"{results.mib:.1f} MiB {done}" if results.entries else f"nothing to remove in {store}")
    if results.models and not models:
        lines.append(f"stored models take {results.models_mib:.1f} MiB; --models includes them")
    for line in lines:
        out().print(line, markup=False, soft_wrap=True)


app = typer.Typer(
    cls=lazy_group({"merge": _merge, "prune": _prune, "verify": verify.command}),
    help="List the runs of a store; merge, prune and verify stores.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.callback()(_list)
