"""Names of figures of several classes are ones that every tracker takes, and stay apart."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmark.runs.run import DatasetFacts, Run
from benchmark.runs.storage.store import Store
from reports.tracking.mlflow import send_runs
from reports.tracking.records import about, bounds, final_figures
from reports.tracking.tensorboard import write_logs
from tests.support.multiclass_stores import (
    RADIOGRAPHS,
    keep_multiclass,
    make_multiclass_run,
    on_test,
    on_val,
    simulated,
)
from tests.support.records import make_run

HOSTILE = RADIOGRAPHS.model_copy(update={"classes": ("..", "a b:c/é", "a_b_c_ä", "a" * 300 + "1", "a" * 300 + "2")})


def run_on(facts: DatasetFacts = RADIOGRAPHS) -> Run:
    labels = [place % len(facts.classes) for place in range(60)]
    scores = simulated(labels, len(facts.classes))
    return make_multiclass_run("attempt-7", on_val(facts, labels, scores), on_test(facts, labels, scores), facts)


def test_averages_and_classes_are_parts_of_a_path() -> None:
    run = run_on()
    figures = final_figures(run)
    assert figures["test/recall/macro"] == run.figures()["recall:macro"]
    assert figures["val/recall/class/VIRUS"] == run.figures("val")["recall:class:VIRUS"]
    assert figures["test_chosen/f1/class/NORMAL"] == run.figures(chosen=True)["f1:class:NORMAL"]
    assert figures["test/accuracy"] == run.figures()["accuracy"]
    assert not any(name.startswith("test_chosen/auc") for name in figures)


def test_names_of_classes_are_reduced_to_safe_characters_and_stay_different() -> None:
    names = list(final_figures(run_on(HOSTILE)))
    assert all(re.fullmatch(r"[A-Za-z0-9_./-]+", name) and "//" not in name and len(name) < 200 for name in names)
    assert not any(part in ("", ".", "..") for name in names for part in name.split("/"))
    assert len([name for name in names if name.startswith("test/recall/class/")]) == len(HOSTILE.classes)


def test_facts_name_the_classes_and_the_decision_and_no_positive_class() -> None:
    facts = about(run_on())
    assert (facts["classes"], facts["decision"]) == ("NORMAL, BACTERIA, VIRUS", "highest score")
    assert "positive_class" not in facts
    binary = about(make_run())
    assert binary["positive_class"] == "PNEUMONIA"
    assert not {"classes", "decision"} & set(binary)


def stored(folder: Path) -> tuple[Store, Run]:
    store, labels = Store(folder), [place % 3 for place in range(60)]
    scores = simulated(labels, 3)
    facts = RADIOGRAPHS.model_copy(update={"classes": ("NORMAL", "a b:c/é", "VIRUS")})
    return store, keep_multiclass(
        store, "attempt-7", on_val(facts, labels, scores), on_test(facts, labels, scores), facts
    )


def test_tensorboard_gets_the_names_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.notf", ModuleType("notf"))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    store, run = stored(tmp_path / "store")
    (folder,) = write_logs([run], store, tmp_path / "logs")
    events: Any = EventAccumulator(str(folder))
    events.Reload()
    assert set(final_figures(run)) <= set(events.Tags()["scalars"])
    (scalar,) = events.Scalars("test/recall/class/a_b_c__")
    assert scalar.value == pytest.approx(run.figures()["recall:class:a b:c/é"].value)
    text = events.Tensors("figures/text_summary")[0].tensor_proto.string_val[0].decode("utf-8")
    assert "| test | highest score | chosen decision |" in text


@pytest.mark.slow
def test_mlflow_takes_the_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)
    store, run = stored(tmp_path / "store")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert send_runs([run], store, "chests", uri=uri, artifacts=(tmp_path / "files").as_uri()).added == (run.run_id,)
    client = MlflowClient(tracking_uri=uri)
    (one,) = client.search_runs([client.get_experiment_by_name("chests").experiment_id])
    figures = final_figures(run)
    assert {name: figure.value for name, figure in figures.items()}.items() <= one.data.metrics.items()
    assert bounds(figures).items() <= one.data.metrics.items()
