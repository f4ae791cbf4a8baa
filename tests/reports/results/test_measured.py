"""What was measured of a card is its runs by seed, on one set of test images, with a diagnosis of today."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmark.evidence import diagnose
from benchmark.runs.storage.store import Store
from reports.results.measured import collect_results, conditions
from tests.support.records import HEALTHY, PHANTOM, make_card, make_run, make_spec, on_test, on_val, planted
from tests.support.stored import keep
from zoo.config.errors import ConfigError

COLLAPSED_VAL = on_val([0, 1] * 40, [0.97] * 80)
COLLAPSED_TEST = on_test([0, 1] * 60, [0.97] * 120)
COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.mark.parametrize("shuffled", range(3))
def test_seeds_of_a_card_stand_together_by_seed_whatever_the_order_of_runs(store: Store, shuffled: int) -> None:
    tests = {seed: on_test(*planted(100, 100, seed=20 + seed)) for seed in (0, 1, 2, 10)}
    vals = {seed: on_val(*planted(60, 60, seed=40 + seed)) for seed in tests}
    runs = {seed: keep(store, "attempt-1", tests[seed], vals[seed], seed=seed) for seed in tests}
    order = list(runs.values())
    random.Random(shuffled).shuffle(order)
    found = collect_results(order, store)["attempt-1"]
    assert [run.run_id for run in found.runs] == [runs[seed].run_id for seed in (0, 1, 2, 10)]
    for place, seed in enumerate((0, 1, 2, 10)):
        assert found.test[place].y_score.tolist() == tests[seed].y_score.tolist()
        assert found.val[place].y_score.tolist() == vals[seed].y_score.tolist()
        threshold = runs[seed].threshold
        assert threshold is not None
        assert found.thresholds[place] == threshold.value
    assert len(found.findings) == 4
    assert found.left_out == ()


def test_seeds_scored_on_other_test_images_are_left_out_and_named(store: Store) -> None:
    for seed in (0, 1):
        keep(store, "attempt-1", seed=seed)
    for seed in (2, 3):
        keep(store, "attempt-1", seed=seed, images=f"others-{seed}")
    found = collect_results(store.runs()[0], store)["attempt-1"]
    assert [run.spec.seed for run in found.runs] == [0, 1]
    assert found.left_out == (2, 3)


def test_the_same_names_with_other_labels_are_other_images(store: Store) -> None:
    keep(store, "attempt-1", on_test([0, 1, 0, 1], [0.1, 0.9, 0.2, 0.8]))
    keep(store, "attempt-2", on_test([1, 0, 0, 1], [0.9, 0.1, 0.2, 0.8]))
    found = collect_results(store.runs()[0], store)
    assert not found["attempt-1"].same_images(found["attempt-2"])


def test_the_same_images_in_another_order_are_not_paired(store: Store) -> None:
    keep(store, "attempt-1", images="a")
    first = collect_results(store.runs()[0], store)["attempt-1"]
    test = first.test[0]
    turned = make_run("attempt-2", test=test)
    store.save(turned, [(first.val[0], [f"v{i}" for i in range(len(first.val[0]))]), (test, first.images[::-1])])
    assert not first.same_images(collect_results([turned], store)["attempt-2"])


def test_images_are_named_in_the_order_of_their_scores(store: Store) -> None:
    test = on_test([0, 1, 1], [0.25, 0.5, 0.75])
    val = on_val([0, 1], [0.25, 0.5])
    run = make_run("attempt-1", test=test, val=val)
    store.save(run, [(test, ["c", "a", "b"]), (val, ["z", "y"])])
    assert store.images(run, "test") == ("c", "a", "b")
    assert store.images(run, "val") == ("z", "y")
    assert collect_results([run], store)["attempt-1"].images == ("c", "a", "b")


def test_failed_runs_and_trials_of_a_search_do_not_count(store: Store) -> None:
    store.save(make_run("attempt-1", error="boom"))
    keep(store, "attempt-2", spec=make_spec("attempt-2").model_copy(update={"stage": "search"}))
    assert collect_results(store.runs()[0], store) == {}


@pytest.mark.parametrize("newer", [False, True])
def test_of_a_changed_card_only_the_version_that_ran_last_counts(store: Store, newer: bool) -> None:
    """Two networks under one name are not two seeds of one."""
    changed = make_card("attempt-1", model={**make_card("attempt-1").model.model_dump(), "dense_units": 64})
    finished = ["2026-01-02T03:04:05+00:00", "2026-03-02T03:04:05+00:00"]
    old = keep(store, "attempt-1", seed=0, finished=finished[newer])
    new = keep(store, changed, seed=1, finished=finished[not newer])
    found = collect_results([new, old], store)["attempt-1"]
    assert [run.run_id for run in found.runs] == [(old if newer else new).run_id]


def test_findings_are_those_that_the_stored_scores_give_today(store: Store) -> None:
    run = keep(store, "attempt-1", COLLAPSED_TEST, COLLAPSED_VAL, diagnosis=())
    assert run.diagnosis == ()
    (found,) = collect_results([run], store)["attempt-1"].findings
    losses = {split: run.figures(split)["loss"].value for split in ("val", "test")}
    columns = {name: HEALTHY[name] for name in COLUMNS}
    known = {split: value for split, value in losses.items() if value is not None}
    assert found == diagnose(COLLAPSED_VAL, COLLAPSED_TEST, columns, classes=run.spec.dataset.classes, losses=known)
    assert "single-class-collapse" in {finding.code for finding in found}


def test_without_a_history_the_findings_of_the_run_stand(store: Store) -> None:
    run = make_run("attempt-1", test=COLLAPSED_TEST, val=COLLAPSED_VAL)
    names = [[str(i) for i in range(len(scores))] for scores in (COLLAPSED_VAL, COLLAPSED_TEST)]
    store.save(run, [(COLLAPSED_VAL, names[0]), (COLLAPSED_TEST, names[1])])
    assert collect_results([run], store)["attempt-1"].findings == (run.diagnosis,)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("history.csv", "phase,epoch,loss\ntrain,1,0.5\n"),
        ("history.csv", "loss,accuracy,val_loss,val_accuracy\n0.5,much,0.5,0.5\n"),
        ("history.csv", "loss,accuracy,val_loss,val_accuracy\n0.5\n"),
        ("predictions.parquet", "not parquet"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line_that_names_it(store: Store, name: str, text: str) -> None:
    run = keep(store, "attempt-1")
    (store.root / run.run_id / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        collect_results([run], store)
    (line,) = refused.value.lines
    for part in (name, run.run_id, "run the card again"):
        assert part in line
    assert "\n" not in line


def test_missing_scores_are_refused(store: Store) -> None:
    run = keep(store, "attempt-1")
    (store.root / run.run_id / "predictions.parquet").unlink()
    with pytest.raises(ConfigError, match=r"predictions\.parquet"):
        store.images(run, "test")
    with pytest.raises(ConfigError, match=r"predictions\.parquet"):
        collect_results([run], store)


def test_conditions_name_data_and_protocol_and_mark_synthetic_images(store: Store) -> None:
    keep(store, "attempt-1", dataset=PHANTOM)
    real = keep(store, "attempt-2")
    runs = store.runs()[0]
    text = {name: conditions(found.runs[0].spec) for name, found in collect_results(runs, store).items()}
    assert "SYNTHETIC" in text["attempt-1"]
    assert "SYNTHETIC" not in text["attempt-2"]
    assert real.spec.dataset.source in text["attempt-2"]
    assert "protocol quick" in text["attempt-2"]
