"""The chain of registrations: append-only, and no edit, removal or insertion stays unnoticed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.runs.registration import ENTRY_VERSION, Outcome
from benchmark.runs.storage.beside import chain as chain_module
from benchmark.runs.storage.beside.chain import FOLDER, append, read_chain
from benchmark.runs.storage.files import Unreadable
from benchmark.runs.storage.store import Store
from tests.support.registered import entry, spec_of
from tests.support.tiny import ON_ANOTHER_MACHINE, run_python
from zoo.config.leftovers import STALE_S

ENTRIES = 3


@pytest.fixture(scope="module")
def chained(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("chain") / "runs")
    for seed in range(ENTRIES):
        entry(store, [spec_of(seed=seed)])
    return store


def _killed(*_: object, **__: object) -> NoReturn:
    raise KeyboardInterrupt


def files(store: Store) -> list[Path]:
    return sorted((store.root / FOLDER).glob("*.json"))


def copied(store: Store, folder: Path) -> Store:
    target = folder / "runs"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(store.root, target)
    for path in files(Store(target)):
        path.chmod(0o644)
    return Store(target)


def test_an_entry_is_named_by_the_digest_of_its_bytes_and_contains_that_of_the_one_before(chained: Store) -> None:
    chain = read_chain(chained)
    assert (chain.problems, chain.count) == ((), ENTRIES)
    previous = None
    for link, path in zip(chain.links, files(chained), strict=True):
        assert path.name == f"{link.position:06d}-{hashlib.sha256(path.read_bytes()).hexdigest()}.json"
        assert link.entry.previous == previous
        previous = link.digest
    assert chain.head == previous
    assert chain.find(str(previous)[:12]) == chain.links[-1]


@given(place=st.integers(0, ENTRIES - 1), at=st.integers(0, 10**6), by=st.integers(1, 255))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_edit_of_any_byte_is_noticed(chained: Store, tmp_path: Path, place: int, at: int, by: int) -> None:
    store = copied(chained, tmp_path)
    path = files(store)[place]
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= by
    path.write_bytes(data)
    chain = read_chain(store)
    assert [path.name in problem for problem in chain.problems] == [True]
    assert len(chain.links) == ENTRIES - 1


@given(place=st.integers(0, ENTRIES - 1), cut=st.integers(1, 10**6))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cut_entry_is_noticed(chained: Store, tmp_path: Path, place: int, cut: int) -> None:
    store = copied(chained, tmp_path)
    path = files(store)[place]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 1 - cut % len(data)])
    assert read_chain(store).problems


@pytest.mark.parametrize("place", range(ENTRIES - 1))
def test_a_removed_entry_is_noticed_by_its_successor(chained: Store, tmp_path: Path, place: int) -> None:
    store = copied(chained, tmp_path)
    files(store)[place].unlink()
    assert f"entry {place + 1} before it is missing" in read_chain(store).problems[0]


@pytest.mark.parametrize("place", range(ENTRIES - 1))
def test_an_edit_that_renames_its_file_is_noticed_by_the_successor(chained: Store, tmp_path: Path, place: int) -> None:
    store = copied(chained, tmp_path)
    path = files(store)[place]
    data = re.sub(rb'"time":"20', b'"time":"19', path.read_bytes())
    path.unlink()
    path.with_name(f"{place + 1:06d}-{hashlib.sha256(data).hexdigest()}.json").write_bytes(data)
    (problem,) = read_chain(store).problems
    assert files(store)[place + 1].name in problem
    assert "does not follow" in problem


def test_an_inserted_or_foreign_file_is_noticed(chained: Store, tmp_path: Path) -> None:
    store = copied(chained, tmp_path)
    shutil.copy(files(store)[0], store.root / FOLDER / f"000002-{'0' * 64}.json")
    (store.root / FOLDER / "notes.txt").write_text("mine", encoding="utf-8")
    problems = " ".join(read_chain(store).problems)
    assert "SHA-256 is not the one in its name" in problems
    assert "entry 2 exists twice" in problems
    assert "notes.txt: is not an entry" in problems


def test_many_commands_append_one_after_the_other(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    with ThreadPoolExecutor(8) as pool:
        links = list(pool.map(lambda seed: entry(store, [spec_of(seed=seed)]), range(16)))
    chain = read_chain(store)
    assert chain.problems == ()
    assert sorted(link.position for link in links) == [link.position for link in chain.links] == list(range(1, 17))


def test_nothing_is_written_if_nothing_is_to_be_appended(tmp_path: Path) -> None:
    assert append(Store(tmp_path / "runs"), lambda _: None) is None
    assert not (tmp_path / "runs").exists()
    assert read_chain(Store(tmp_path / "runs")).head is None


def test_a_full_store_is_an_error_that_names_the_file_and_leaves_nothing(
    chained: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = copied(chained, tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("zoo.config.atomic.os.replace", full)
    with pytest.raises(OSError, match=r"No space left on device: .*000004-"):
        append(store, lambda _: Outcome(program="1", records={}))
    assert [path.name for path in files(store)] == [path.name for path in files(chained)]
    assert read_chain(store).problems == ()


def test_a_chain_that_cannot_be_listed_is_one_line(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    store.root.mkdir()
    (store.root / FOLDER).write_text("", encoding="utf-8")
    with pytest.raises(Unreadable, match="cannot be read: Not a directory"):
        read_chain(store)


def test_leftovers_of_a_killed_command_are_ignored_and_removed(chained: Store, tmp_path: Path) -> None:
    store = copied(chained, tmp_path)
    leftover = store.root / FOLDER / ".writing-abc.json"
    leftover.write_bytes(b"{")
    past = time.time() - STALE_S - 60
    os.utime(leftover, (past, past))
    assert read_chain(store).problems == ()
    entry(store)
    assert not leftover.exists()


def test_an_entry_whose_command_was_killed_is_completed_by_the_next_one(
    chained: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = copied(chained, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(chain_module, "atomic_file", _killed)
        with pytest.raises(KeyboardInterrupt):
            append(store, lambda _: Outcome(program="killed", records={}))
    assert read_chain(store).count == ENTRIES
    link = entry(store)
    chain = read_chain(store)
    assert (chain.problems, chain.count, link.position) == ((), ENTRIES + 2, ENTRIES + 2)
    assert [each.program for _, each in chain.outcomes] == ["killed"]
    assert [path.name for path in (store.root / FOLDER).glob(".entry-*")] == []


def test_what_a_slow_command_leaves_under_a_number_in_use_is_discarded(chained: Store, tmp_path: Path) -> None:
    store = copied(chained, tmp_path)
    late = store.root / FOLDER / f".entry-{ENTRIES:06d}"
    late.mkdir()
    (late / "entry.json").write_bytes(b"{}")
    empty = store.root / FOLDER / f".entry-{ENTRIES + 1:06d}"
    empty.mkdir()
    assert entry(store).position == ENTRIES + 1
    assert read_chain(store).problems == ()
    assert not late.exists()
    assert not empty.exists()


APPEND_ALL = (
    "from benchmark.runs.registration import Outcome\n"
    "from benchmark.runs.storage.beside.chain import append\n"
    "from benchmark.runs.storage.store import Store\n"
    "store = Store(Path(sys.argv[1]))\n"
    "for number in range(12):\n"
    "    append(store, lambda chain: Outcome(program=f'{sys.argv[2]} {number}', records={}))\n"
)


def test_machines_whose_locks_exclude_nobody_lose_no_entry_and_break_no_chain(tmp_path: Path) -> None:
    hosts = ("n1", "n2", "n3")
    processes = [run_python(ON_ANOTHER_MACHINE + APPEND_ALL, str(tmp_path / "runs"), host) for host in hosts]
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0, 0]
    chain = read_chain(Store(tmp_path / "runs"))
    assert chain.problems == ()
    expected = [f"{host} {number}" for host in hosts for number in range(12)]
    assert sorted(entry.program for _, entry in chain.outcomes) == sorted(expected)
    assert [path.name for path in (tmp_path / "runs" / FOLDER).glob(".entry-*")] == []


@pytest.mark.parametrize("field", [b"runs", b"plans"])
def test_an_entry_of_a_newer_version_is_no_damage(chained: Store, tmp_path: Path, field: bytes) -> None:
    store = copied(chained, tmp_path)
    data = files(store)[-1].read_bytes().replace(f'"version":{ENTRY_VERSION}'.encode(), b'"version":99')
    data = data.replace(b"runs", field)
    (store.root / FOLDER / f"000004-{hashlib.sha256(data).hexdigest()}.json").write_bytes(data)
    with pytest.raises(Unreadable, match="newer version of zoo; update zoo"):
        read_chain(store)


def test_an_entry_of_the_first_version_is_read(chained: Store, tmp_path: Path) -> None:
    store = copied(chained, tmp_path)
    content = json.loads(files(store)[0].read_bytes()) | {"version": 1}
    for run in content["runs"].values():
        del run["images"]
    for file in files(store):
        file.unlink()
    data = json.dumps(content, sort_keys=True, separators=(",", ":")).encode("ascii")
    (store.root / FOLDER / f"000001-{hashlib.sha256(data).hexdigest()}.json").write_bytes(data)
    chain = read_chain(store)
    assert chain.problems == ()
    assert [each.images for each in chain.registrations[0][1].runs.values()] == [None] * len(content["runs"])
