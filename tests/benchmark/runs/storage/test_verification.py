"""What a check of a store against its chain notices: edited records, scores, models, and runs that are missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmark.runs.storage.chain import FOLDER, read_chain
from benchmark.runs.storage.store import PREDICTIONS, Store
from benchmark.runs.storage.verification import Check, chain_checks, run_checks
from tests.support.records import KAGGLE, make_run
from tests.support.registered import CARD, OTHER, entry, registered_store, spec_of
from tests.support.stored import keep
from zoo.api.registrations import record_outcome

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
