"""Limits of a run: how they are written, and when they are reached."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.runs.execution import limits
from benchmark.runs.execution.limits import (
    Limits,
    exceeding_memory,
    has_room,
    in_words,
    is_scarce,
    kill_tree,
    memory_left,
    memory_of,
    seconds_of,
)
from zoo.config.errors import ConfigError

GIB = 1024**3


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("30m", 1800), ("30min", 1800), ("2h", 7200), ("1.5 H", 5400), ("1d", 86400)],
)
def test_a_time_is_a_number_with_a_unit(text: str, seconds: float) -> None:
    assert seconds_of(text, "--run-timeout") == seconds


def test_none_is_no_limit() -> None:
    assert seconds_of("none", "--run-timeout") is None


@pytest.mark.parametrize("text", ["", "0", "-1", "soon", "2 weeks", "1e9", "nan", "inf", "1h30m", "9" * 20_000])
def test_what_is_no_time_is_told_by_its_option(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--run-timeout .*such as 30m"):
        seconds_of(text, "--run-timeout")


@given(st.integers(1, 10**7))
def test_a_time_in_words_says_the_same_time(seconds: int) -> None:
    assert seconds_of(in_words(seconds), "--run-timeout") == seconds


@pytest.fixture
def _of_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process n holds n GiB."""
    monkeypatch.setattr(limits, "memory_of", lambda pid: pid * GIB)


@pytest.mark.usefixtures("_of_gib")
def test_each_run_beyond_a_limit_of_its_own_is_ended() -> None:
    found = exceeding_memory({"a": 3, "b": 1, "c": 2}, Limits(memory_gib=1.5))
    assert {run: excess.reason for run, excess in found.items()} == {
        "a": "ended at 3.0 GiB of memory (--run-memory 1.5)",
        "c": "ended at 2.0 GiB of memory (--run-memory 1.5)",
    }


@pytest.mark.parametrize(("left", "ended"), [(0, ["b"]), (0.3, ["b"]), (0.5, []), (8, [])])
@pytest.mark.usefixtures("_of_gib")
def test_without_one_the_largest_is_ended_when_the_machine_s_is_used_up(
    left: float, ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "memory_left", lambda: (int(left * GIB), 20 * GIB))
    found = exceeding_memory({"a": 3, "b": 14}, Limits())
    assert list(found) == ended
    assert all("14.0 GiB" in each.reason and "of 20.0 GiB were left" in each.reason for each in found.values())
    assert exceeding_memory({}, Limits()) == {}


@pytest.mark.parametrize(
    ("sizes", "remedy", "may_fit"),
    [
        ([2, 1, 1], None, True),
        ([4, 1, 1], "other programs use the memory; repeat the command when they use less", True),
        ([6, 5], "use fewer --jobs", True),
        ([18], "this run alone needs more", False),
    ],
)
@pytest.mark.usefixtures("_of_gib")
def test_only_runs_that_use_much_are_ended_and_the_reason_names_the_remedy(
    sizes: list[int], remedy: str | None, may_fit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "memory_left", lambda: (0, 20 * GIB))
    found = exceeding_memory({str(place): size for place, size in enumerate(sizes)}, Limits())
    if remedy is None:
        assert found == {}
        return
    [(run, excess)] = found.items()
    assert run == "0"
    assert excess.reason == f"ended at {sizes[0]}.0 GiB of memory: 0.0 of 20.0 GiB were left ({remedy})"
    assert excess.may_fit is may_fit


@pytest.mark.parametrize(("left", "scarce", "room"), [(0.3, True, False), (0.5, False, False), (1, False, True)])
def test_a_run_starts_with_more_memory_than_it_is_ended_at(
    left: float, scarce: bool, room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "memory_left", lambda: (int(left * GIB), 20 * GIB))
    assert (is_scarce(), has_room()) == (scarce, room)


def test_a_container_s_limit_counts(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("cgroup")
    for name, text in {
        "memory.max": str(64 * 1024**2),
        "memory.current": str(48 * 1024**2),
        "memory.stat": f"anon 5\ninactive_file {8 * 1024**2}\n",
    }.items():
        (folder / name).write_text(text, encoding="ascii")
    monkeypatch.setattr(limits, "_cgroups", lambda: [(folder, "memory.max", "memory.current")])
    assert memory_left() == (24 * 1024**2, 64 * 1024**2)
    (folder / "memory.max").write_text("max\n", encoding="ascii")
    left, total = memory_left()
    assert 0 < left <= total
    assert total >= psutil.virtual_memory().total


PARENT = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]]); exec(sys.argv[1])"
HOLD = "held = bytearray(b'x') * (64 * 1024**2); import time; time.sleep(600)"


def test_a_process_is_measured_and_ended_with_all_that_it_started() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, HOLD]) as process:
        until = time.monotonic() + 60
        while memory_of(process.pid) < 128 * 1024**2 and time.monotonic() < until:
            time.sleep(0.05)
        assert 128 * 1024**2 <= memory_of(process.pid) < 512 * 1024**2
        [child] = psutil.Process(process.pid).children()
        kill_tree(process.pid)
        assert process.wait() == -9
    until = time.monotonic() + 60
    while psutil.pid_exists(child.pid) and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
        time.sleep(0.05)
    assert not psutil.pid_exists(child.pid) or child.status() == psutil.STATUS_ZOMBIE
    assert memory_of(process.pid) == 0
    kill_tree(process.pid)  # of one that is gone nothing is left to end
