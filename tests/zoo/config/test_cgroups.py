"""What a container leaves of the machine: cores by affinity and quota, in both versions of control groups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmark.runs.execution.limits import kills_for_memory
from zoo.config import cgroups
from zoo.config.cgroups import usable_cores


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """64 cores, of which the process may use all; the folder of its groups is empty."""
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    monkeypatch.setattr(cgroups, "_GROUPS", tmp_path / "self")
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


def test_without_a_limit_all_cores_are_usable(machine: Path) -> None:
    assert usable_cores() == 64
    write(machine / "self", "0::/job\n")
    write(machine / "job/cpu.max", "max 100000\n")
    assert usable_cores() == 64


def test_the_affinity_of_the_process_counts(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {5, 7, 9}, raising=False)
    assert usable_cores() == 3


@pytest.mark.parametrize(("quota", "cores"), [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1)])
def test_a_quota_counts_in_the_group_of_the_process_or_above_it(machine: Path, quota: str, cores: int) -> None:
    write(machine / "self", "0::/slice/job\n")
    write(machine / "slice/job/cpu.max", "max 100000\n")
    write(machine / "slice/cpu.max", f"{quota}\n")
    assert usable_cores() == cores


def test_a_quota_of_the_first_version_counts(machine: Path) -> None:
    write(machine / "self", "3:cpu,cpuacct:/docker/x\n2:memory:/docker/x\n0::/\n")
    write(machine / "cpu/cpu.cfs_quota_us", "-1\n")
    write(machine / "cpu/docker/x/cpu.cfs_quota_us", "400000\n")
    write(machine / "cpu/docker/x/cpu.cfs_period_us", "100000\n")
    assert usable_cores() == 4


def test_processes_that_were_ended_at_the_memory_limit_are_counted(machine: Path) -> None:
    assert kills_for_memory() == 0
    write(machine / "self", "2:memory:/docker/x\n0::/job\n")
    write(machine / "memory/docker/x/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert kills_for_memory() == 2
    write(machine / "job/memory.events", "low 0\nhigh 0\nmax 9\noom 3\noom_kill 3\n")
    assert kills_for_memory() == 3
