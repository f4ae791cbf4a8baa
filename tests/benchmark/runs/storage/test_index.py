"""The index of a store: it saves the check of what has not changed, and no change stays unnoticed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.runs.run import Run
from benchmark.runs.storage import index, store
from benchmark.runs.storage.beside.remembered import records
from benchmark.runs.storage.index import INDEX, program_digest
from benchmark.runs.storage.store import PREDICTIONS, Store
from tests.support.stored import keep
from zoo.config.cache_dir import cache_dir

CARDS = ("attempt-1", "attempt-2", "attempt-5")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("indexed") / "runs"
    for card in CARDS:
        keep(Store(root), card)
    return root


@pytest.fixture
def root(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store whose runs are indexed as soon as they are listed."""
    monkeypatch.setattr(store, "LEAST_RUNS", 1)
    monkeypatch.setattr(index, "SETTLED_S", 0.0)
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    shutil.copytree(original, tmp_path / "runs")
    return tmp_path / "runs"


def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the runs that are checked from here on."""
    checked: list[str] = []
    check = Store._check

    def record(self: Store, run: Run) -> None:
        checked.append(run.run_id)
        check(self, run)

    monkeypatch.setattr(Store, "_check", record)
    return checked


def first_folder(root: Path) -> Path:
    return root / Store(root).runs()[0][0].run_id


def overwrite(path: Path, data: bytes) -> None:
    """Other bytes of the same number in the same file, with the same date."""
    facts = path.stat()
    assert len(data) == facts.st_size
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (facts.st_mtime_ns, facts.st_ino)


def test_a_run_that_has_not_changed_is_checked_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = checks(monkeypatch)
    runs = Store(root).runs()
    assert len(checked) == len(CARDS)
    assert Store(root).runs() == Store(root).runs("bench") == runs
    assert Store(root).runs("search") == ([], [])
    assert len(checked) == len(CARDS)
    assert Store(root).survey(indexed=False)[0] == runs[0]
    assert len(checked) == 2 * len(CARDS)


def test_heads_are_those_of_the_records(root: Path) -> None:
    without = Store(root).heads()
    runs = Store(root).runs()[0]
    assert Store(root).heads() == without
    assert {head.run_id: (head.spec, head.status, head.finished) for head in records(Store(root))} == {
        run.run_id: (run.spec, run.status, run.finished) for run in runs
    }


def test_an_edited_record_of_the_same_size_and_date_is_noticed(root: Path) -> None:
    path = first_folder(root) / "run.json"
    content = json.loads(path.read_bytes())
    value = json.dumps(content["at_half"]["test"]["auc"]["value"])
    text = path.read_text(encoding="utf-8")
    at = text.index(value, text.index('"auc"', text.index('"test"', text.index('"at_half"'))))
    other = ("0.1" if value[:3] != "0.1" else "0.2") + value[3:]
    overwrite(path, (text[:at] + other + text[at + len(value) :]).encode())
    runs, problems = Store(root).runs()
    assert len(runs) == len(CARDS) - 1
    assert str(path.parent) in problems[0]


def test_scores_that_were_relabelled_under_the_same_size_and_date_are_noticed(root: Path) -> None:
    path = first_folder(root) / PREDICTIONS
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    overwrite(path, bytes(data))
    runs, problems = Store(root).runs()
    assert len(runs) == len(CARDS) - 1
    assert "its SHA-256 differs" in problems[0]


def test_a_missing_file_a_removed_run_and_a_new_one_are_noticed(root: Path) -> None:
    runs = Store(root).runs()[0]
    shutil.rmtree(root / runs[0].run_id)
    (root / runs[1].run_id / "history.csv").unlink()
    new = keep(Store(root), "attempt-6a")
    left, problems = Store(root).runs()
    assert [run.run_id for run in left] == [runs[2].run_id, new.run_id]
    assert "history.csv: is missing" in problems[0]
    assert set(json.loads((root / INDEX).read_bytes())["rows"]) >= {run.run_id for run in left}


def with_row(change: Callable[[list[object]], object]) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        content = json.loads(data)
        content["rows"] = {name: change(row) for name, row in content["rows"].items()}
        return json.dumps(content).encode()

    return changed


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"[1, 2]",
        lambda data: b'{"version": 1, "program": null, "rows": {}}',
        lambda data: data.replace(str(program_digest()).encode(), b"0" * 64),
        lambda data: data.replace(b'"version":1', b'"version":99'),
        with_row(lambda row: row[:1]),
        with_row(lambda row: None),
        with_row(lambda row: [row[0], row[1], "holiday"]),
    ],
)
def test_a_broken_foreign_or_old_index_is_made_again(
    root: Path, damage: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Store(root).runs()
    whole = (root / INDEX).read_bytes()
    (root / INDEX).write_bytes(damage(whole))
    checked = checks(monkeypatch)
    assert Store(root).runs() == runs
    assert len(checked) == len(CARDS)
    assert (root / INDEX).read_bytes() == whole


def test_the_index_of_a_store_that_cannot_be_written_is_in_the_cache_folder(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / INDEX).mkdir()
    checked = checks(monkeypatch)
    runs = Store(root).runs()
    assert Store(root).runs() == runs
    assert len(checked) == len(CARDS)
    (cached,) = (cache_dir() / "indexes").iterdir()
    (root / INDEX).rmdir()
    keep(Store(root), "attempt-6a")
    Store(root).runs()
    assert (root / INDEX).is_file()
    assert not cached.exists()


def test_a_run_that_was_written_a_moment_ago_is_not_indexed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "SETTLED_S", 3600.0)
    Store(root).runs()
    assert not (root / INDEX).exists()


def test_a_small_store_has_no_index(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LEAST_RUNS", len(CARDS) + 2)
    Store(root).runs()
    assert not (root / INDEX).exists()
