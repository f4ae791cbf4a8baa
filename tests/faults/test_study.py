"""What a tally counts: each kind of loss is planted in a store, and counted once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.study import Study, Tally
from tests.support.records import on_test, planted
from tests.support.stored import keep


@pytest.fixture
def study(tmp_path: Path) -> Study:
    study = Study.create(tmp_path)
    for name in ("attempt-1", "attempt-2"):
        keep(study.store, name)
    return study


def test_a_study_that_nothing_disturbed_is_sound(study: Study) -> None:
    tally = Tally("none")
    tally.compare(study, 0, "done", study.results(), study.dates())
    assert (tally.finished, tally.is_sound, tally.notes) == (2, True, [])


def test_a_run_that_is_missing_or_computed_again_is_lost(study: Study) -> None:
    before = study.dates()
    first, second = before
    shutil.rmtree(study.folder / "runs" / first)
    tally = Tally("lost")
    tally.look(study, before)
    assert (tally.finished, tally.lost, tally.damaged) == (2, 1, 0)
    tally.look(study, {second: "another date"})
    assert (tally.finished, tally.lost, tally.is_sound) == (3, 2, False)


def test_a_folder_that_cannot_be_used_is_damaged_and_its_run_lost(study: Study) -> None:
    before = study.dates()
    (study.folder / "runs" / next(iter(before)) / "predictions.parquet").write_bytes(b"cut")
    tally = Tally("damaged")
    tally.look(study, before)
    assert (tally.lost, tally.damaged, len(tally.notes)) == (1, 1, 1)


def test_other_scores_another_code_and_a_traceback_are_counted(study: Study) -> None:
    results = study.results()
    keep(study.store, "attempt-1", on_test(*planted(100, 100, seed=9)))
    tally = Tally("different")
    tally.compare(study, 0, "", results, {})
    assert (tally.different, tally.unfinished, tally.tracebacks) == (1, 0, 0)
    tally.compare(study, 3, "Traceback (most recent call last):\n  here\nKeyError: 'a'", results, {})
    assert (tally.different, tally.unfinished, tally.tracebacks) == (1, 1, 1)
    assert "KeyError: 'a'" in tally.notes
