"""Frames hold what the store holds, in pandas and Arrow alike."""

from __future__ import annotations

import math
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import zoo
from benchmark.runs.history import History
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.frames.load import load_figures, load_history, load_runs, load_scores, load_settings
from tests.support.records import make_card, make_run, make_spec, on_test, on_val, planted
from tests.support.stored import keep
from tests.support.tiny import finished
from zoo.config.errors import ConfigError

LOADERS = (load_runs, load_figures, load_scores, load_history, load_settings)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two seeds of one card, another card, a failed run, and a trial of a search."""
    kept = Store(tmp_path_factory.mktemp("store"))
    for seed in (0, 1):
        keep(kept, "attempt-1", seed=seed)
    labels, scores = planted(60, 60)
    keep(kept, "attempt-7", val=on_val(labels, [score / 2 for score in scores]))  # a threshold far from 0.5
    kept.save(make_run("attempt-2", error="out of memory"))
    trial = make_run("attempt-3")
    val_only = {"at_half": {"val": trial.at_half["val"]}, "at_chosen": {"val": trial.at_chosen["val"]}}
    kept.save(
        trial.model_copy(update={"spec": make_spec("attempt-3").model_copy(update={"stage": "search"}), **val_only})
    )
    return kept


@pytest.fixture(scope="module")
def run(store: Store) -> Run:
    return next(run for run in store.runs()[0] if run.spec.card.name == "attempt-7")


def one(frame: Any, **where: object) -> Any:
    """The one row of a pandas frame with these values."""
    for name, value in where.items():
        frame = frame[frame[name] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_every_benchmark_run_is_a_row_and_a_trial_only_when_asked_for(store: Store) -> None:
    assert sorted(load_runs(store.root)["card"]) == ["attempt-1", "attempt-1", "attempt-2", "attempt-7"]
    assert list(load_runs(store.root, stage="search")["card"]) == ["attempt-3"]
    assert len(load_runs(store.root, stage=None)) == 5


def test_a_row_holds_the_run_s_figures_bounds_costs_and_classes(store: Store, run: Run) -> None:
    row = one(load_runs(store.root), run_id=run.run_id)
    figure = run.figures()["auc"]
    assert (row["test_auc"], row["test_auc_low"], row["test_auc_high"]) == (figure.value, figure.low, figure.high)
    assert row["val_auc"] == run.figures("val")["auc"].value
    assert row["test_chosen_recall"] == run.figures(chosen=True)["recall"].value != row["test_recall"]
    assert run.threshold is not None
    assert run.costs is not None
    assert row["threshold"] == run.threshold.value
    assert (row["seconds"], row["parameters"]) == (run.costs.seconds, run.costs.parameters)
    assert (row["negative_class"], row["positive_class"], row["synthetic"]) == ("NORMAL", "PNEUMONIA", False)
    assert (row["train_images"], row["val_images"], row["test_images"]) == (480, 120, 200)
    assert row["finished"].isoformat() == run.finished


def test_a_failed_run_says_why_and_its_figures_are_missing_and_not_zero(store: Store) -> None:
    row = one(load_runs(store.root), card="attempt-2")
    assert (row["status"], row["error"]) == ("failed", "out of memory")
    assert all(math.isnan(row[name]) for name in ("test_auc", "test_accuracy", "threshold", "seconds"))


def test_columns_are_the_same_whatever_the_store_holds(tmp_path: Path, store: Store) -> None:
    for load in (load_runs, load_figures, load_scores):
        empty, full = load(tmp_path, frame="arrow"), load(store.root, frame="arrow")
        assert empty.num_rows == 0
        assert empty.schema == full.schema


def test_every_column_of_runs_and_scores_is_told_in_the_documentation(store: Store) -> None:
    for load in (load_figures, load_scores):
        for column in load(store.root, frame="arrow").column_names:
            assert f"`{column}`" in str(load.__doc__)
    told = str(load_runs.__doc__)
    plain = [
        name for name in load_runs(store.root, frame="arrow").column_names if not name.startswith(("test_", "val_"))
    ]
    assert [name for name in plain if f"`{name}`" not in told] == []


def test_figures_in_rows_are_those_of_the_record(store: Store, run: Run) -> None:
    figures = load_figures(store.root)
    for at, held in (("half", run.at_half), ("chosen", run.at_chosen)):
        for split, metric in (("test", "accuracy"), ("val", "auc"), ("test", "true_positives")):
            row, figure = one(figures, run_id=run.run_id, at=at, split=split, metric=metric), held[split][metric]
            assert row["value"] == figure.value
            assert (row["low"] == figure.low) or (math.isnan(row["low"]) and figure.low is None)
    assert len(figures[figures["run_id"] == run.run_id]) == sum(
        len(by_metric) for held in (run.at_half, run.at_chosen) for by_metric in held.values()
    )


def test_an_undefined_figure_says_why(tmp_path: Path) -> None:
    keep(Store(tmp_path), "attempt-1", test=on_test([1] * 10, [0.9] * 10))
    row = one(load_figures(tmp_path), split="test", at="half", metric="auc")
    assert math.isnan(row["value"])
    assert row["reason"]


def test_scores_are_those_of_the_store_with_their_images(store: Store, run: Run) -> None:
    frame = load_scores(store.root, [run.run_id])
    for split in ("val", "test"):
        part, kept = frame[frame["split"] == split], store.scores(run, split)
        assert list(part["image"]) == list(store.images(run, split))
        assert list(part["y_true"]) == kept.y_true.tolist()
        assert list(part["y_score"]) == kept.y_score.tolist()
    assert run.threshold is not None
    assert set(frame["threshold"]) == {run.threshold.value}
    assert set(frame["card"]) == {"attempt-7"}


def test_figures_can_be_computed_again_from_the_scores(store: Store, run: Run) -> None:
    test = load_scores(store.root, [run.run_id], split="test")
    assert ((test["y_score"] >= 0.5) == (test["y_true"] == 1)).mean() == run.figures()["accuracy"].value


def test_scores_of_one_split_and_of_named_runs_only(store: Store, run: Run) -> None:
    assert len(load_scores(store.root)) == 3 * 320
    assert set(load_scores(store.root, split="val")["split"]) == {"val"}
    both = load_scores(store.root, load_runs(store.root).query("card == 'attempt-1'")["run_id"], split="test")
    assert set(both["seed"]) == {0, 1}
    assert len(load_scores(store.root, [])) == 0


def test_epochs_are_rows_with_a_step_that_runs_through_all_phases(tmp_path: Path) -> None:
    rows = [
        {"phase": "head", "epoch": 1, "loss": 0.5, "val_loss": ""},
        {"phase": "finetune", "epoch": 1, "loss": 0.25, "val_loss": 0.75},
    ]
    Store(tmp_path).save(make_run(), history=History.of(rows))
    frame = load_history(tmp_path)
    assert frame[["phase", "epoch", "step"]].to_numpy().tolist() == [["head", 1, 1], ["finetune", 1, 2]]
    assert frame["loss"].tolist() == [0.5, 0.25]
    assert frame["val_loss"].isna().tolist() == [True, False]


def test_settings_are_columns_by_path_that_join_by_run(store: Store) -> None:
    settings, runs = load_settings(store.root), load_runs(store.root)
    row = one(settings, card="attempt-7")
    card = make_card("attempt-7")
    assert row["recipe.optimizer.learning_rate"] == card.recipe.optimizer.learning_rate
    assert row["model.builder"] == "vgg16"
    assert len(runs.merge(settings, on=["run_id", "card", "seed"])) == len(runs)
    order = [name.partition(".")[0] for name in settings.columns[3:]]
    assert order == sorted(order, key=["model", "recipe", "protocol"].index)


@pytest.mark.parametrize("load", LOADERS)
def test_arrow_holds_what_pandas_holds(load: Any, store: Store) -> None:
    assert load(store.root).equals(load(store.root, frame="arrow").to_pandas())


def test_a_pandas_that_is_not_installed_is_one_line_with_the_extra(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match=r"pandas is not installed.*zoo-bench\[frames\]") as caught:
        load_runs(store.root)
    assert len(caught.value.lines) == 1


def test_what_cannot_be_read_is_left_out_with_a_warning_that_names_it(tmp_path: Path) -> None:
    kept = Store(tmp_path)
    keep(kept, "attempt-1")
    (tmp_path / "0123456789ab").mkdir()
    (tmp_path / "0123456789ab" / "run.json").write_text("{", encoding="utf-8")
    with pytest.warns(RuntimeWarning, match="0123456789ab"):
        assert len(load_runs(tmp_path)) == 1


def test_wrong_requests_are_one_line_each_with_the_nearest_name(tmp_path: Path, store: Store, run: Run) -> None:
    for call, told in (
        (lambda: load_runs(tmp_path / "nowhere"), "no such store"),
        (lambda: load_runs(store.root, frame="polars"), r"polars.from_arrow\(table\)"),  # type: ignore[arg-type]
        (lambda: load_runs(store.root, stage="serch"), "Did you mean search"),  # type: ignore[arg-type]
        (lambda: load_scores(store.root, split="tset"), "Did you mean test"),  # type: ignore[arg-type]
        (lambda: load_scores(store.root, [run.run_id[:-1] + "x"]), run.run_id),
    ):
        with pytest.raises(ConfigError, match=told) as caught:
            call()
        assert len(caught.value.lines) == 1


@pytest.mark.parametrize("load", LOADERS)
def test_the_doors_stand_in_zoo(load: Any) -> None:
    assert getattr(zoo, load.__name__) is load
    assert load.__name__ in zoo.__all__


def test_a_store_that_is_whole_gives_no_warning(tmp_path: Path) -> None:
    Store(tmp_path).save(finished(make_spec()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load_runs(tmp_path)) == 1
