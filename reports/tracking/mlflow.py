"""Sends runs to an MLflow tracking store: one MLflow run each, however often they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.results.conditions.settings import flat_settings
from reports.tracking.records import about, bounds, costs, final_figures, times, values
from zoo.config.errors import ConfigError

if TYPE_CHECKING:
    from benchmark.runs.run import Run
    from benchmark.runs.storage.store import Store

TAG = "zoo."
_FILES = ("run.json", "history.csv", "predictions.parquet", "model.keras")
_PARAMS_AT_ONCE, _METRICS_AT_ONCE = 100, 1000  # what MLflow takes in one call
_LONGEST_PARAM, _LONGEST_TAG = 500, 5000  # the shortest limits of MLflow's stores
_STATUS = {"ok": "FINISHED", "failed": "FAILED"}


@dataclass(frozen=True)
class SendResult:
    """Ids of the runs that were added, that MLflow already had, and that replaced an older or incomplete record."""

    added: tuple[str, ...]
    unchanged: tuple[str, ...]
    replaced: tuple[str, ...]


def send_runs(
    runs: Iterable[Run], store: Store, experiment: str, *, uri: str | None = None, artifacts: str | None = None
) -> SendResult:
    """Send `runs` with their files to an experiment of MLflow.

    Parameters are `reports.results.conditions.settings.flat_settings`. Metrics are the values of each epoch, by
    step, then the final figures with the bounds of their intervals, and costs. Tags such as `zoo.run_id` and
    `zoo.card` identify the run; a run with the same `zoo.run_id` and `zoo.finished` is not sent again.

    Args:
        runs: The runs, finished or failed.
        store: The store that contains them.
        experiment: Name of the experiment; it is created if it does not exist.
        uri: MLflow's tracking URI, such as `sqlite:///mlflow.db`; None for MLflow's own setting.
        artifacts: The URI for the files of a new experiment; None for MLflow's own setting.

    Returns:
        Which runs were added, unchanged and replaced.

    Raises:
        ConfigError: MLflow is not installed or refuses.
    """
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ModuleNotFoundError as error:
        raise ConfigError("zoo track mlflow: MLflow is not installed; `pip install 'zoo-bench[mlflow]'`") from error
    added: list[str] = []
    unchanged: list[str] = []
    replaced: list[str] = []
    try:
        client = MlflowClient(tracking_uri=uri)
        experiment_id = _experiment(client, experiment, artifacts)
        present = _present_runs(client, experiment_id)
        for run in runs:
            old = present.get(run.run_id, [])
            if any(_same(each, run) for each in old):
                unchanged.append(run.run_id)
                continue
            _send(client, experiment_id, run, store)
            for each in old:
                client.delete_run(each.info.run_id)
            (replaced if old else added).append(run.run_id)
    except MlflowException as error:
        raise ConfigError(f"zoo track mlflow: {_first_sentences(str(error))}") from error
    return SendResult(tuple(added), tuple(unchanged), tuple(replaced))


def _experiment(client: Any, name: str, artifacts: str | None) -> str:
    known = client.get_experiment_by_name(name)
    if known is None:
        return str(client.create_experiment(name, artifact_location=artifacts))
    if known.lifecycle_stage != "active":
        raise ConfigError(
            f"zoo track mlflow: the experiment '{name}' was deleted in MLflow; restore it or name another"
        )
    return str(known.experiment_id)


def _present_runs(client: Any, experiment: str) -> dict[str, list[Any]]:
    """The MLflow runs of the experiment by their tag `zoo.run_id`."""
    present: dict[str, list[Any]] = {}
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        for each in page:
            if (run_id := each.data.tags.get(f"{TAG}run_id")) is not None:
                present.setdefault(run_id, []).append(each)
        token = page.token
        if not token:
            return present


def _same(mlflow_run: Any, run: Run) -> bool:
    """Whether an MLflow run is a complete record of `run`."""
    complete = mlflow_run.info.status == _STATUS[run.status]
    return bool(complete and mlflow_run.data.tags.get(f"{TAG}finished") == run.finished)


def _send(client: Any, experiment: str, run: Run, store: Store) -> None:
    from mlflow.entities import Param

    start, end = (int(1000 * moment) for moment in times(run))
    facts = about(run)
    tags = {f"{TAG}{name}": text[:_LONGEST_TAG] for name, text in facts.items()}
    name = f"{facts['card']} seed {facts['seed']}"
    run_id = client.create_run(experiment, start_time=start, tags=tags, run_name=name).info.run_id
    params = [Param(name, str(value)[:_LONGEST_PARAM]) for name, value in flat_settings(run.spec).items()]
    for batch in _batches(params, _PARAMS_AT_ONCE):
        client.log_batch(run_id, params=batch)
    for batch in _batches(list(_metrics(run, store, start, end)), _METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=batch)
    for name in _FILES:
        if (path := store.folder(run.run_id) / name).is_file():
            client.log_artifact(run_id, str(path))
    client.set_terminated(run_id, status=_STATUS[run.status], end_time=end)  # last: it marks the record as complete


def _metrics(run: Run, store: Store, start: int, end: int) -> Iterator[Any]:
    from mlflow.entities import Metric

    clock, step = start, 0
    for epoch in store.history(run).epochs:
        clock = min(end, clock + int(1000 * epoch.values.get("seconds", 0.0)))
        step = epoch.step
        yield from (Metric(name, value, clock, step) for name, value in epoch.values.items())
    figures = final_figures(run)
    last: Mapping[str, float] = {**values(figures), **bounds(figures), **costs(run)}
    yield from (Metric(name, value, end, step) for name, value in last.items())


def _batches(entries: list[Any], size: int) -> Iterator[list[Any]]:
    for first in range(0, len(entries), size):
        yield entries[first : first + size]


def _first_sentences(text: str) -> str:
    """The first two sentences of MLflow's message, on one line."""
    return ". ".join(" ".join(text.split()).split(". ")[:2]).rstrip(".")
