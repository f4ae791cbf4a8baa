"""Runs in an MLflow tracking store: one MLflow run each, however often they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.results.settings import flat_settings
from reports.tracking.records import about, bounds, costs, final_figures, times, values
from zoo.config.strict_yaml import ConfigError

if TYPE_CHECKING:
    from benchmark.runs.run import Run
    from benchmark.runs.storage.store import Store

TAG = "zoo."
_FILES = ("run.json", "history.csv", "predictions.parquet", "model.keras")
_PARAMS_AT_ONCE, _METRICS_AT_ONCE = 100, 1000  # what MLflow takes in one call
_LONGEST_PARAM, _LONGEST_TAG = 500, 5000  # the shortest limits of MLflow's stores
_ENDED = {"ok": "FINISHED", "failed": "FAILED"}


@dataclass(frozen=True)
class Sent:
    """Ids of the runs that were added, that stood there already, and that took the place of an older record of theirs
    or of one that was not sent whole."""

    added: tuple[str, ...]
    held: tuple[str, ...]
    replaced: tuple[str, ...]


def send_runs(
    runs: Iterable[Run], store: Store, experiment: str, *, uri: str | None = None, artifacts: str | None = None
) -> Sent:
    """Send `runs` with the files of their folders to `experiment`, which is made when it is not there.

    `uri` is MLflow's tracking URI (`sqlite:///mlflow.db`, `http://...`), None what MLflow itself is set to; `artifacts`
    the URI below which a new experiment keeps files. Parameters are `reports.results.settings.flat_settings`;
    metrics are what each epoch recorded, by step, then final figures with the bounds of their intervals, and costs;
    tags `zoo.run_id`, `zoo.card`, `zoo.dataset_fingerprint` and so on identify the run. A run that was sent before is
    recognised by `zoo.run_id` and `zoo.finished`. Raises ConfigError when MLflow is not installed or refuses.
    """
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ModuleNotFoundError as error:
        raise ConfigError("zoo track mlflow: MLflow is not installed; `pip install 'zoo-bench[mlflow]'`") from error
    added: list[str] = []
    held: list[str] = []
    replaced: list[str] = []
    try:
        client = MlflowClient(tracking_uri=uri)
        place = _experiment(client, experiment, artifacts)
        there = _there(client, place)
        for run in runs:
            old = there.get(run.run_id, [])
            if any(_same(one, run) for one in old):
                held.append(run.run_id)
                continue
            _send(client, place, run, store)
            for one in old:
                client.delete_run(one.info.run_id)
            (replaced if old else added).append(run.run_id)
    except MlflowException as error:
        raise ConfigError(f"zoo track mlflow: {_first_sentences(str(error))}") from error
    return Sent(tuple(added), tuple(held), tuple(replaced))


def _experiment(client: Any, name: str, artifacts: str | None) -> str:
    known = client.get_experiment_by_name(name)
    if known is None:
        return str(client.create_experiment(name, artifact_location=artifacts))
    if known.lifecycle_stage != "active":
        raise ConfigError(
            f"zoo track mlflow: the experiment '{name}' was deleted in MLflow; restore it or give another"
        )
    return str(known.experiment_id)


def _there(client: Any, experiment: str) -> dict[str, list[Any]]:
    """The MLflow runs of the experiment by the id of the run they tell of."""
    found: dict[str, list[Any]] = {}
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        for one in page:
            if (run_id := one.data.tags.get(f"{TAG}run_id")) is not None:
                found.setdefault(run_id, []).append(one)
        token = page.token
        if not token:
            return found


def _same(one: Any, run: Run) -> bool:
    """Whether an MLflow run is `run`, sent whole."""
    return bool(one.info.status == _ENDED[run.status] and one.data.tags.get(f"{TAG}finished") == run.finished)


def _send(client: Any, experiment: str, run: Run, store: Store) -> None:
    from mlflow.entities import Param

    start, end = (int(1000 * moment) for moment in times(run))
    told = about(run)
    tags = {f"{TAG}{name}": text[:_LONGEST_TAG] for name, text in told.items()}
    made = client.create_run(
        experiment, start_time=start, tags=tags, run_name=f"{told['card']} seed {told['seed']}"
    ).info.run_id
    params = [Param(name, str(value)[:_LONGEST_PARAM]) for name, value in flat_settings(run.spec).items()]
    for some in _batches(params, _PARAMS_AT_ONCE):
        client.log_batch(made, params=some)
    for some in _batches(list(_metrics(run, store, start, end)), _METRICS_AT_ONCE):
        client.log_batch(made, metrics=some)
    for name in _FILES:
        if (path := store.folder(run.run_id) / name).is_file():
            client.log_artifact(made, str(path))
    client.set_terminated(made, status=_ENDED[run.status], end_time=end)  # last: without it the run is not whole


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
    """MLflow's message on one line, its first two sentences."""
    return ". ".join(" ".join(text.split()).split(". ")[:2]).rstrip(".")
