"""A run that is replaced can be found at every moment, and what a killed writer left is put back or swept."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.runs.storage import moves as places
from benchmark.runs.storage.store import Store
from tests.support.records import on_test, planted
from tests.support.stored import keep
from zoo.config.leftovers import PREFIX

DAY_S = 24 * 3600


class Killed(BaseException):
    """The process ends here: nothing after it is done."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def age(path: Path, seconds: float = DAY_S + 60) -> None:
    """Everything at and below `path` was last written `seconds` ago."""
    for each in [*path.rglob("*"), path]:
        os.utime(each, (time.time() - seconds, time.time() - seconds), follow_symlinks=False)


def replaced_and_killed(store: Store, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Replace the run of `attempt-1`; the writer is killed before the rename number `step`."""
    really, done = os.rename, 0

    def rename(source: str | Path, target: str | Path) -> None:
        nonlocal done
        if done == step:
            raise Killed
        done += 1
        really(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(places.os, "rename", rename)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # a killed process tidies nothing up
        with pytest.raises(Killed):
            keep(store, "attempt-1", on_test(*planted(50, 70, seed=9)))


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_killed_writer_leaves_the_old_run_or_the_new_one(
    store: Store, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    old = keep(store, "attempt-1")
    replaced_and_killed(store, monkeypatch, step)
    for _ in range(2):  # before the sweep of the next command, and after it
        (run,), problems = store.runs()
        assert problems == []
        assert (run.figures() == old.figures()) == (step < 2)
        assert store.get(old.run_id) == run
        assert len(store.scores(run, "test")) == (200 if step < 2 else 120)
        assert len(store.history(run)) > 0
        Store(store.root).sweep()
    assert (store.root / old.run_id).is_dir()
    assert not list(store.root.glob(f"{places.REPLACED}*"))


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_killed_writer_stands_in_the_way_of_no_other(
    store: Store, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    keep(store, "attempt-1")
    replaced_and_killed(store, monkeypatch, step)
    third = keep(store, "attempt-1", on_test(*planted(30, 30, seed=3)))
    (run,), problems = store.runs()
    assert (run.figures(), problems) == (third.figures(), [])
    assert not list(store.root.glob(f"{places.REPLACED}*"))


def test_a_deleted_run_does_not_come_back(store: Store) -> None:
    keep(store, "attempt-1")
    run = keep(store, "attempt-1", on_test(*planted(50, 70, seed=9)))
    shutil.rmtree(store.root / run.run_id)
    store.sweep()
    assert store.runs() == ([], [])


def test_a_run_that_was_moved_aside_without_its_name_is_put_back(store: Store) -> None:
    run = keep(store, "attempt-1")
    (store.root / run.run_id).rename(store.root / ".writing-abcd_123-old")
    store.sweep()
    assert [held.run_id for held in store.runs()[0]] == [run.run_id]


def test_a_run_that_was_moved_aside_is_not_put_over_its_successor(store: Store) -> None:
    run = keep(store, "attempt-1")
    aside = store.root / ".writing-abcd_123-old"
    shutil.copytree(store.root / run.run_id, aside)
    second = keep(store, "attempt-1", on_test(*planted(50, 70, seed=9)))
    store.sweep()
    assert [held.figures() for held in store.runs()[0]] == [second.figures()]
    assert aside.exists()
    age(aside)
    store.sweep()
    assert not aside.exists()


def test_a_writer_that_cannot_take_the_place_leaves_the_old_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    old = keep(store, "attempt-1")
    really = os.rename

    def rename(source: Path, target: Path) -> None:
        if source.name.startswith(PREFIX):
            raise OSError(28, "No space left on device", str(target))
        really(source, target)

    monkeypatch.setattr(places.os, "rename", rename)
    with pytest.raises(OSError, match="No space left"):
        keep(store, "attempt-1", on_test(*planted(50, 70, seed=9)))
    assert [run.figures() for run in store.runs()[0]] == [old.figures()]
    assert not list(store.root.glob(".[rw]*-*"))


def write_part(store: Store) -> list[Path]:
    part = store.root / ".writing-abc"
    part.write_text("half")
    return [part]


def write_folder(store: Store) -> list[Path]:
    folder = store.root / ".writing-search-abc"
    (folder / "search" / "trial_0").mkdir(parents=True)
    (folder / "search" / "oracle.json").write_text("{}")
    return [folder]


@pytest.mark.parametrize("write", [write_part, write_folder])
def test_leftovers_are_swept_when_nothing_in_them_was_written_for_a_day(
    store: Store, write: Callable[[Store], list[Path]]
) -> None:
    run = keep(store, "attempt-1")
    left = write(store)
    store.sweep()
    assert all(path.exists() for path in left)
    for path in (*left, store.root / run.run_id):
        age(path)
    deepest = max(left[0].rglob("*"), default=left[0], key=lambda path: len(path.parts))
    os.utime(deepest)
    store.sweep()
    assert left[0].exists()
    age(left[0])
    store.sweep()
    assert not any(path.exists() for path in left)
    assert [held.run_id for held in store.runs()[0]] == [run.run_id]


def test_scratch_lies_in_the_store_and_is_gone_afterwards(store: Store) -> None:
    with store.scratch("search") as folder:
        assert folder.is_dir()
        assert folder.parent == store.root
        assert store.runs() == ([], [])
    assert not folder.exists()
