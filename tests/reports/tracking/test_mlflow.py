"""MLflow holds what the store holds, once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.tracking.mlflow import SendResult, send_runs
from tests.support.records import HEALTHY, make_run
from tests.support.stored import keep
from zoo.config.errors import ConfigError


def test_without_mlflow_the_extra_is_named_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ConfigError, match=r"zoo-bench\[mlflow\]") as caught:
        send_runs([], Store(tmp_path), "zoo")
    assert len(caught.value.lines) == 1


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store, an MLflow database, and what was sent: a finished run with a model, a failed one."""
    pytest.importorskip("mlflow")
    place = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.chdir(place)
        store = Store(place / "store")
        run = keep(store, "attempt-7", seed=3)
        (store.root / run.run_id / "model.keras").write_bytes(b"a model")
        failed = make_run("attempt-2", error="out of memory")
        store.save(failed)
        yield _Tracking(place, store, run, failed)


class _Tracking:
    def __init__(self, place: Path, store: Store, run: Run, failed: Run) -> None:
        from mlflow import MlflowClient

        self.uri = f"sqlite:///{place / 'mlflow.db'}"
        self.store, self.run, self.failed = store, run, failed
        self.artifacts = place / "artifacts"
        self.first = self.send([run, failed])
        self.client = MlflowClient(tracking_uri=self.uri)

    def send(self, runs: list[Run]) -> SendResult:
        return send_runs(runs, self.store, "chests", uri=self.uri, artifacts=self.artifacts.as_uri())

    def found(self, run: Run) -> list[Any]:
        experiment = self.client.get_experiment_by_name("chests")
        return list(
            self.client.search_runs([experiment.experiment_id], filter_string=f"tags.`zoo.run_id` = '{run.run_id}'")
        )


@pytest.mark.slow
def test_mlflow_holds_settings_figures_epochs_tags_and_files(tracking: Any) -> None:
    run = tracking.run
    assert tracking.first.added == (run.run_id, tracking.failed.run_id)
    (one,) = tracking.found(run)
    assert one.info.run_name == "attempt-7 seed 3"
    assert one.info.status == "FINISHED"
    assert one.info.end_time - one.info.start_time == 1000 * run.costs.seconds
    assert one.data.params["recipe.optimizer.learning_rate"] == str(run.spec.card.recipe.optimizer.learning_rate)
    assert one.data.params["protocol.image_size"] == str(run.spec.protocol.image_size)
    auc = run.figures()["auc"]
    for name, value in (("test/auc", auc.value), ("test/auc_low", auc.low), ("test/auc_high", auc.high)):
        assert one.data.metrics[name] == value
    assert one.data.metrics["test_chosen/recall"] == run.figures(chosen=True)["recall"].value
    assert one.data.metrics["threshold"] == run.threshold.value
    history = tracking.client.get_metric_history(one.info.run_id, "val_loss")
    assert [(metric.step, metric.value) for metric in history] == list(enumerate(HEALTHY["val_loss"], start=1))
    assert one.data.tags["zoo.card"] == "attempt-7"
    assert one.data.tags["zoo.dataset_fingerprint"] == run.spec.dataset.fingerprint
    names = {file.path for file in tracking.client.list_artifacts(one.info.run_id)}
    assert names == {"run.json", "history.csv", "predictions.parquet", "model.keras"}


@pytest.mark.slow
def test_a_failed_run_is_failed_in_mlflow_and_says_why(tracking: Any) -> None:
    (one,) = tracking.found(tracking.failed)
    assert one.info.status == "FAILED"
    assert one.data.tags["zoo.error"] == "out of memory"
    assert "test/auc" not in one.data.metrics


@pytest.mark.slow
def test_a_second_call_sends_nothing_again(tracking: Any) -> None:
    ids = (tracking.run.run_id, tracking.failed.run_id)
    assert tracking.send([tracking.run, tracking.failed]) == SendResult(added=(), unchanged=ids, replaced=())
    assert len(tracking.found(tracking.run)) == 1


@pytest.mark.slow
def test_a_run_that_was_not_sent_whole_or_was_computed_again_is_replaced(tracking: Any) -> None:
    (before,) = tracking.found(tracking.run)
    tracking.client.update_run(before.info.run_id, status="RUNNING")
    assert tracking.send([tracking.run]).replaced == (tracking.run.run_id,)
    (half,) = tracking.found(tracking.run)
    again = tracking.run.model_copy(update={"finished": "2026-02-03T04:05:06+00:00"})
    assert tracking.send([again]).replaced == (again.run_id,)
    (after,) = tracking.found(again)
    assert len({before.info.run_id, half.info.run_id, after.info.run_id}) == 3
    assert after.info.status == "FINISHED"
    tracking.send([tracking.run])


@pytest.mark.slow
def test_what_mlflow_refuses_is_one_line(tracking: Any) -> None:
    with pytest.raises(ConfigError, match="zoo track mlflow: ") as caught:
        send_runs([tracking.run], tracking.store, "zoo", uri=(tracking.artifacts.parent / "files").as_uri())
    assert len(caught.value.lines) == 1
    assert "\n" not in caught.value.lines[0]
    assert "sqlite:///" in caught.value.lines[0]
