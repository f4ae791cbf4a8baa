"""Loaders answer mutated files with data or with an error of a user; the fuzzer notices when one does not."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from tests.faults.fuzz import fuzzer, mutations
from tests.faults.fuzz.fuzzer import fuzz
from tests.faults.fuzz.targets import TARGETS, Target
from zoo.config.errors import ConfigError

COUNTS = {"card": 1500, "protocol": 1500, "space": 1500, "claims": 500, "image": 1000, "npz": 1200, "table": 1500}
FEWER = 60  # of those that read a store each time
SEED = 20


@pytest.mark.slow
@pytest.mark.parametrize("name", list(TARGETS))
def test_a_loader_has_no_finding(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    done = fuzz(name, SEED, tmp_path, count=COUNTS.get(name, FEWER))
    assert done.inputs == COUNTS.get(name, FEWER)
    assert [(finding.error, finding.where, finding.content[:500]) for finding in done.findings.values()] == []


def faulty(path: Path) -> None:
    """A loader that refuses some files in one line, others in two, and fails or takes long for further ones."""
    data = json.loads(path.read_bytes())
    if not isinstance(data, dict):
        raise ConfigError("must contain a mapping")
    if "lines" not in data:
        raise ValueErrorOfTwoLines
    if data.get("slow") == 1:
        until = time.process_time() + 60
        while time.process_time() < until:
            pass
    _ = data["key"]


class ValueErrorOfTwoLines(ConfigError):
    """An error of a user with a line break in a line."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = ("one\ntwo",)


SEED_DATA = {"key": {"inside": [1, 2, 3]}, "lines": 1, "slow": 0, "other": list(range(20))}


def test_the_fuzzer_finds_each_kind_of_error_once_with_a_small_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mutate(seed: object, chance: random.Random, _: list[object]) -> bytes:
        return mutations.as_text(mutations.mutate_tree(seed, chance)).encode()

    monkeypatch.setitem(TARGETS, "faulty", Target(lambda: [SEED_DATA], ".json", faulty, mutate))
    monkeypatch.setattr(fuzzer, "MOST_SECONDS", 0.1)
    done = fuzz("faulty", 0, tmp_path, count=400)
    findings = {finding.error.split(":")[0]: finding for finding in done.findings.values()}
    assert sorted(findings) == ["KeyError", "an error that is not one line", "more than 0.1 s"]
    assert json.loads(findings["KeyError"].content) == {"lines": 1}
    assert json.loads(findings["an error that is not one line"].content) == {}
    path = findings["KeyError"].save(tmp_path / "findings")
    assert path.read_bytes() == findings["KeyError"].content
    assert "test_fuzz.py" in path.with_suffix(".txt").read_text(encoding="utf-8")


def test_mutations_follow_from_the_seed_and_leave_the_input() -> None:
    def changed(seed: int) -> tuple[object, bytes]:
        chance = random.Random(seed)
        return mutations.mutate_tree(SEED_DATA, chance), mutations.mutate_bytes(bytes(range(64)), chance, [b"other"])

    before = json.dumps(SEED_DATA)
    assert changed(1) == changed(1)
    assert len({repr(changed(seed)) for seed in range(20)}) > 15
    assert json.dumps(SEED_DATA) == before
