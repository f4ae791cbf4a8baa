"""Before a bench trains, what leaks in its splits is said once a split, and nothing where nothing leaks."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmark.data import Dataset, open_dataset
from benchmark.data.splits import make_split
from benchmark.runs.execute import Event
from benchmark.runs.run import SplitFacts
from tests.images import save
from tests.pictures import picture, reencoded
from tests.tiny import protocol, spec
from zoo.commands.bench import warning_of_leaks


def folder(root: Path, copied: bool) -> Dataset:
    """48 pictures in train and test, and when `copied` one train picture again in test."""
    for number in range(48):
        part = "train" if number < 32 else "test"
        save(picture(number), root / part / "AB"[number % 2] / f"{number:02d}.png")
    if copied:
        save(reencoded(picture(4)), root / "test" / "A" / "copy.jpeg")
    return open_dataset(str(root))


def said(dataset: Dataset, *kinds: str, seeds: int = 1) -> tuple[list[str], list[str]]:
    """What is printed, and the events passed on, when so many runs on one split send events of these kinds."""
    sampling = {"train": 20, "val": 10, "test": 17}
    asked = spec(protocol=protocol(image_size=48, sampling=sampling | {"min_val": 0}))
    facts = SplitFacts.of(make_split(dataset, asked.protocol.sampling, asked.split_seed))
    text = io.StringIO()
    passed: list[str] = []
    handle = warning_of_leaks(Console(file=text, width=40), dataset, lambda event: passed.append(event.kind))
    for seed in range(seeds):
        for kind in kinds:
            handle(Event(kind, asked.model_copy(update={"seed": seed}), facts if kind == "started" else None))  # type: ignore[arg-type]
    return text.getvalue().splitlines(), passed


def test_a_leak_is_said_once_a_split(tmp_path: Path) -> None:
    lines, passed = said(folder(tmp_path, copied=True), "preparing", "started", "done", seeds=3)
    [line] = lines
    assert line.startswith("warning: leakage: 1 test image nearly the same as images of ")
    assert "test/A/copy.jpeg and train/A/04.png" in line
    assert passed == ["preparing", "started", "done"] * 3


@pytest.mark.parametrize("copied", [False, True])
def test_nothing_is_said_when_nothing_leaks_or_nothing_runs(tmp_path: Path, copied: bool) -> None:
    dataset = folder(tmp_path, copied)
    assert said(dataset, *(["reused"] if copied else ["preparing", "started", "done"]))[0] == []
