"""`zoo track`: sends the runs of a store to an experiment tracker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.lazy_group import lazy_group
from zoo.cli.options import StoreOption, out, say

if TYPE_CHECKING:
    from benchmark.runs.run import Run
    from benchmark.runs.storage.store import Store


def _tensorboard(
    store: StoreOption = "runs",
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder for the logs.")] = Path("logs"),
) -> None:
    """Write TensorBoard logs, one folder per run; `tensorboard --logdir DIR` shows them."""
    from reports.text import plural
    from reports.tracking.tensorboard import write_logs

    source, runs = _runs(store)
    written = write_logs(runs, source, out_dir)
    out().print(f"wrote {plural(len(written), 'run')} to {out_dir}", markup=False, soft_wrap=True)


def _mlflow(
    store: StoreOption = "runs",
    uri: Annotated[
        str | None,
        typer.Option("--uri", metavar="URI", help="Tracking URI, such as sqlite:///mlflow.db. Default: set by MLflow."),
    ] = None,
    experiment: Annotated[
        str, typer.Option("--experiment", metavar="NAME", help="The experiment; it is created if it does not exist.")
    ] = "zoo",
    artifacts: Annotated[
        str | None,
        typer.Option(
            "--artifacts", metavar="URI", help="The folder for a new experiment's files. Default: set by MLflow."
        ),
    ] = None,
) -> None:
    """Send runs to MLflow: settings, epochs, figures with intervals, files. Runs already sent are skipped."""
    from reports.tracking.mlflow import send_runs

    source, runs = _runs(store)
    sent = send_runs(runs, source, experiment, uri=uri, artifacts=artifacts)
    counts = f"{len(sent.added)} added, {len(sent.replaced)} replaced, {len(sent.unchanged)} already sent"
    out().print(f"experiment {experiment}: {counts}", markup=False, soft_wrap=True)


def _runs(store: str) -> tuple[Store, list[Run]]:
    from zoo.api.arguments.inputs import resolve_existing_store, stored_runs
    from zoo.api.output.messages import Messages

    source = resolve_existing_store(store)
    return source, stored_runs(source, Messages(say))


app = typer.Typer(
    cls=lazy_group({"tensorboard": _tensorboard, "mlflow": _mlflow}),
    help="Send the store's runs to TensorBoard or MLflow.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    pass
