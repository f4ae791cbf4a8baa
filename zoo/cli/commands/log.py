"""`zoo log`: the store's runs in a tracker of experiments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.options import StoreOption, out, warn

if TYPE_CHECKING:
    from benchmark.runs.run import Run
    from benchmark.runs.storage.store import Store

app = typer.Typer()


@app.command("tensorboard")
def tensorboard(
    store: StoreOption = Path("runs"),
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the logs are written.")] = Path("logs"),
) -> None:
    """Write TensorBoard logs, one folder a run; `tensorboard --logdir DIR` shows them."""
    from reports.tracking.tensorboard import write_logs

    kept, runs = _runs(store)
    written = write_logs(runs, kept, out_dir)
    out().print(f"wrote {len(written)} runs to {out_dir}", markup=False, soft_wrap=True)


@app.command("mlflow")
def mlflow(
    store: StoreOption = Path("runs"),
    uri: Annotated[
        str | None,
        typer.Option("--uri", metavar="URI", help="Tracking URI, as sqlite:///mlflow.db; MLflow's own if left out."),
    ] = None,
    experiment: Annotated[str, typer.Option("--experiment", metavar="NAME", help="Made if it is not there.")] = "zoo",
    artifacts: Annotated[
        str | None,
        typer.Option("--artifacts", metavar="URI", help="Where a new experiment keeps files; MLflow's own place else."),
    ] = None,
) -> None:
    """Send runs to MLflow: settings, epochs, figures with intervals, files. Runs that are there are not sent again."""
    from reports.tracking.mlflow import send_runs

    kept, runs = _runs(store)
    sent = send_runs(runs, kept, experiment, uri=uri, artifacts=artifacts)
    told = f"{len(sent.added)} added, {len(sent.replaced)} replaced, {len(sent.held)} there already"
    out().print(f"experiment {experiment}: {told}", markup=False, soft_wrap=True)


def _runs(store: Path) -> tuple[Store, list[Run]]:
    from benchmark.runs.storage.store import Store
    from zoo.config.strict_yaml import ConfigError

    kept = Store(store)
    runs, problems = kept.runs()
    for problem in problems:
        warn(problem)
    if not runs:
        raise ConfigError(f"--store {store}: holds no runs; `zoo bench --all --store {store}` makes them")
    return kept, runs
