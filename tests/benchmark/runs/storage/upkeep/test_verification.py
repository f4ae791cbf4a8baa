"""What a check of a store against its chain notices: edited records, scores, models, and runs that are missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmark.runs.run import now
from benchmark.runs.storage.beside.chain import FOLDER, read_chain
from benchmark.runs.storage.beside.evaluations import PREDICTIONS as EVALUATED
from benchmark.runs.storage.beside.evaluations import RECORD, Evaluation, evaluation_digest, evaluation_folder
from benchmark.runs.storage.store import PREDICTIONS, Store
from benchmark.runs.storage.upkeep.verification import Check, chain_checks, evaluation_checks, run_checks
from tests.support.evaluated import keep_evaluation
from tests.support.records import KAGGLE, make_run, on_test, planted
from tests.support.registered import CARD, OTHER, entry, registered_store, spec_of
from tests.support.stored import keep
from tests.support.training_sizes import keep_curve
from zoo.api.registration.registrations import record_evaluation, record_outcome

RUN = spec_of(CARD).run_id


def checks(store: Store) -> list[Check]:
    runs, problems = store.survey("bench")
    return list(run_checks(store, runs, problems, read_chain(store)))


def states(store: Store) -> dict[str, str]:
    return {check.about: check.state for check in checks(store)}


def edited(store: Store, **changes: Any) -> None:
    path = store.folder(RUN) / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return registered_store(tmp_path)


def test_a_store_as_it_was_recorded_is_the_same(store: Store) -> None:
    (check,) = checks(store)
    assert (check.state, check.text) == (
        "same",
        "2 runs have the recorded files, and figures that follow from their scores",
    )


def test_an_edited_record_is_not_the_recorded_one(store: Store) -> None:
    edited(store, finished="2199-01-01T00:00:00+00:00")
    assert states(store) == {f"run {RUN}": "tampered", "runs": "same"}


def test_a_figure_that_does_not_follow_from_the_scores_is_tampered(store: Store) -> None:
    record = json.loads((store.folder(RUN) / "run.json").read_text(encoding="utf-8"))
    record["at_half"]["test"]["auc"]["value"] = 0.99
    edited(store, at_half=record["at_half"])
    (check, _) = checks(store)
    assert check.state == "tampered"
    assert "auc is 0.99 in run.json" in check.text


def test_other_scores_are_tampered(store: Store) -> None:
    shutil.copy(store.folder(spec_of(OTHER).run_id) / PREDICTIONS, store.folder(RUN) / PREDICTIONS)
    with (store.folder(RUN) / PREDICTIONS).open("ab") as file:
        file.write(b" ")
    assert states(store)[f"run {RUN}"] == "tampered"


def test_a_recorded_run_that_is_missing_is_tampered_and_a_planned_one_is_not(store: Store) -> None:
    entry(store, [spec_of(seed=1)])
    shutil.rmtree(store.folder(RUN))
    assert states(store) == {f"run {RUN}": "tampered", f"run {spec_of(seed=1).run_id}": "other", "runs": "same"}


def test_a_removed_registration_is_noticed_by_its_runs(store: Store) -> None:
    shutil.rmtree(store.root / FOLDER)
    entry(store, [spec_of(seed=1)])
    assert [check.state for check in checks(store)][:2] == ["tampered", "tampered"]
    assert "is not in the chain" in checks(store)[0].text


def test_a_registration_of_other_runs_or_after_the_scores_does_not_count(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    other = entry(store, [spec_of(seed=1)])
    keep(store, CARD, registration=other.digest)
    assert "does not contain it" in checks(store)[0].text
    right = entry(store, [spec_of()])
    keep(store, CARD, registration=right.digest, finished="2026-01-01T00:00:00+00:00")
    assert "before its registration" in checks(store)[0].text
    assert checks(store)[0].state == "tampered"


def test_a_run_from_before_the_registrations_is_other_and_not_tampered(store: Store) -> None:
    keep(store, CARD, seed=5)
    assert [(check.state, check.about) for check in checks(store)] == [("same", "runs"), ("other", "runs")]
    assert f"no registration precedes the scores of {CARD} (1 run)" in checks(store)[1].text


def test_a_run_that_is_computed_again_may_have_another_record(store: Store) -> None:
    link = entry(store, [spec_of()])
    keep(store, CARD, registration=link.digest, finished="2199-01-01T00:00:00+00:00")
    assert [(check.state, check.about) for check in checks(store)] == [("same", "runs"), ("other", "runs")]
    record_outcome(store, [RUN])
    assert states(store) == {"runs": "same"}
    edited(store, finished="2198-01-01T00:00:00+00:00")
    assert states(store)[f"run {RUN}"] == "tampered"
    assert record_outcome(store, [RUN], reused={RUN}) is None
    assert states(store)[f"run {RUN}"] == "tampered", "a benchmark that reuses the run hides the edit"


def test_a_registered_run_that_failed_is_named(store: Store) -> None:
    entry(store, [spec_of(seed=1)])
    store.save(make_run(CARD, seed=1, dataset=KAGGLE, error="no memory"))
    assert states(store)[f"run {spec_of(seed=1).run_id}"] == "other"


def test_an_expected_digest_is_in_the_chain_or_the_chain_was_rewritten(store: Store) -> None:
    chain = read_chain(store)
    first = chain.links[0].digest
    by_about = {check.about: check for check in chain_checks(chain, first[:12], "runs")}
    assert by_about["expected digest"].state == "same"
    assert "1 more follows" in by_about["expected digest"].text
    assert [check.state for check in chain_checks(chain, "0" * 64, "runs")] == ["same", "tampered"]
    assert [check.state for check in chain_checks(read_chain(Store(store.root / "none")), None, "runs")] == ["other"]


def test_the_removal_of_the_last_outcome_is_said_and_only_an_expected_digest_shows_the_edit(store: Store) -> None:
    head = read_chain(store).links[-1]
    edited(store, finished="2199-01-01T00:00:00+00:00")
    (store.root / FOLDER / f"{head.position:06d}-{head.digest}.json").unlink()
    assert [(check.state, check.about) for check in checks(store)] == [("same", "runs"), ("other", "runs")]
    assert [check.state for check in chain_checks(read_chain(store), head.digest, "runs")] == ["same", "tampered"]


def test_runs_of_a_curve_are_registered_and_recorded_as_those_of_a_benchmark_are(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    planned = [run.spec for run in keep_curve(Store(tmp_path / "plan"), sizes=(50, 100), draws=2)]
    link = entry(store, planned)
    entry(store, [spec_of()])
    keep_curve(store, sizes=(50,), draws=2, registration=link.digest, finished=now())
    record_outcome(store, [spec.run_id for spec in planned])
    runs = store.survey("curve")[0]
    by_about = {each.about: each for each in run_checks(store, runs, (), read_chain(store))}
    assert by_about["runs"].text.startswith("2 runs have the recorded files")
    missing = by_about[f"run {planned[1].run_id}"]
    assert (missing.state, missing.text) == (
        "other",
        "attempt-1, seed 0, 100 training images of a curve: was registered and has no record",
    )
    assert missing.right == "the same `zoo curve` command computes it"
    keep_curve(store, sizes=(200,), draws=1)
    old = [each.text for each in run_checks(store, store.survey("curve")[0], (), read_chain(store))]
    assert "no registration precedes the scores of attempt-1 (1 run, 1 of a curve)" in old


@pytest.fixture
def evaluation(store: Store) -> Evaluation:
    run = store.get(RUN)
    assert run is not None
    return keep_evaluation(store, run, on_test(*planted(8, 8, seed=4)))


def evaluated(store: Store) -> list[tuple[str, str]]:
    runs = store.survey()[0]
    return [(each.state, each.text) for each in evaluation_checks(store, runs, read_chain(store))]


def test_an_evaluation_is_compared_with_its_entry(store: Store, evaluation: Evaluation) -> None:
    key = evaluation.evaluation_id
    unrecorded = ("other", f"no entry contains the record of 1 ({key})")
    assert evaluated(store) == [("same", "1 has the saved scores"), unrecorded]
    record_evaluation(store, key, evaluation_digest(store, key), reused=True)
    assert evaluated(store) == [("same", "1 has the saved scores")]
    path = evaluation_folder(store, key) / RECORD
    path.write_text(path.read_text(encoding="utf-8").replace("2026-02-03", "2025-02-03"), encoding="utf-8")
    assert record_evaluation(store, key, evaluation_digest(store, key), reused=True) is None
    assert evaluated(store) == [("tampered", "its evaluation.json is not the one that was recorded")]
    shutil.rmtree(evaluation_folder(store, key))
    assert evaluated(store) == [("tampered", "was recorded and is missing")]


def test_other_scores_of_an_evaluation_are_tampered(store: Store, evaluation: Evaluation) -> None:
    with (evaluation_folder(store, evaluation.evaluation_id) / EVALUATED).open("ab") as file:
        file.write(b" ")
    ((state, text),) = evaluated(store)
    assert state == "tampered"
    assert "is not the file that was saved with the evaluation" in text


def test_an_evaluation_of_a_model_that_is_gone_is_not_compared(store: Store, evaluation: Evaluation) -> None:
    shutil.rmtree(store.folder(RUN))
    assert evaluated(store) == [
        ("unchecked", f"is of a model of run {RUN}, which is not in the store or cannot be read"),
    ]
