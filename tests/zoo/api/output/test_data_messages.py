"""Before a bench trains, it reports what is left out, how files differ, and what leaks in a split, once per split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from benchmark.data.dataset import Dataset
from benchmark.data.sources import open_dataset
from benchmark.data.splits import make_split
from benchmark.runs.execution.events import Finished, Preparing, Reused, Started
from benchmark.runs.run import SplitFacts
from tests.support.images import noise, save
from tests.support.pictures import picture, reencoded
from tests.support.tiny import finished, protocol, spec
from zoo.api.output.data_messages import LeakCheck, class_group_warnings, report_data
from zoo.api.output.messages import Messages


def folder(root: Path, copied: bool) -> Dataset:
    """48 pictures in train and test, and when `copied` one train picture again in test."""
    for number in range(48):
        part = "train" if number < 32 else "test"
        save(picture(number), root / part / "AB"[number % 2] / f"{number:02d}.png")
    if copied:
        save(reencoded(picture(4)), root / "test" / "A" / "copy.jpeg")
    return open_dataset(str(root))


def warnings(dataset: Dataset, reused: bool = False, seeds: int = 1) -> list[str]:
    """The messages of so many runs on one split, which are computed or reused."""
    sampling = {"train": 20, "val": 10, "test": 17}
    requested = spec(protocol=protocol(image_size=48, sampling=sampling | {"min_val": 0}))
    facts = SplitFacts.of(make_split(dataset, requested.protocol.sampling, requested.split_seed))
    lines: list[str] = []
    check = LeakCheck(dataset, Messages(lines.append))
    for seed in range(seeds):
        run = finished(requested.model_copy(update={"seed": seed}))
        computed = (Preparing(run.spec), Started(run.spec, facts), Finished(run.spec, run))
        for event in (Reused(run.spec, run),) if reused else computed:
            check.handle(event)
    return lines


def test_a_leak_is_reported_once_per_split(tmp_path: Path) -> None:
    [line] = warnings(folder(tmp_path, copied=True), seeds=3)
    assert line.startswith("warning: leakage: 1 test image nearly identical to images of ")
    assert "test/A/copy.jpeg and train/A/04.png" in line


@pytest.mark.parametrize("copied", [False, True])
def test_nothing_is_reported_when_nothing_leaks_or_nothing_runs(tmp_path: Path, copied: bool) -> None:
    assert warnings(folder(tmp_path, copied), reused=copied) == []


def test_a_split_that_intensity_distinguishes_is_a_warning(tmp_path: Path) -> None:
    for number in range(96):
        part = "train" if number < 64 else "test"
        level = 100 + number % 7 + (12 if part == "test" else 0)
        grey = np.clip(np.asarray(picture(number).convert("L").resize((48, 48))) * 0.3 + level, 0, 255)
        save(Pillow.fromarray(grey.astype(np.uint8)), tmp_path / part / "AB"[number % 2] / f"{number:02d}.png")
    [line] = warnings(open_dataset(str(tmp_path)), seeds=2)
    assert line.startswith("warning: intensity alone distinguishes test from train: AUC ")
    assert line.endswith("in test; a threshold may not transfer")


def test_files_that_are_left_out_or_stored_otherwise_are_said_before_anything_runs(tmp_path: Path) -> None:
    folder(tmp_path, copied=False)
    (tmp_path / "train" / "A" / "broken.png").write_bytes(b"no picture")
    for path in sorted((tmp_path / "train" / "B").glob("*.png"))[:4]:
        levels = np.asarray(Pillow.open(path).convert("L")).astype(np.uint16) * 16
        Pillow.fromarray(levels).save(path)
    lines: list[str] = []
    report_data(open_dataset(str(tmp_path)), Messages(lines.append))
    assert "warning: 1 file is left out; `zoo data` lists it" in lines
    assert any(line.startswith("note: stored as 16-bit, others as 8-bit: 4 of 48 files: ") for line in lines)


def table(root: Path, classes: Sequence[str], sites: str, parts: Sequence[str] = ("train",)) -> Dataset:
    """Twelve images per class, whose sites repeat, with the last class at site B alone."""
    rows = ["path,label,split,site,scanner"]
    for label, name in enumerate(classes):
        for number in range(12):
            save(noise(100 * label + number), root / f"{name}{number}.png")
            site = "B" if name == classes[-1] else sites[number % len(sites)]
            rows.append(f"{name}{number}.png,{name},{parts[number % len(parts)]},{site},{'XY'[number % 2]}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return open_dataset(str(root / "labels.csv"))


@pytest.mark.parametrize("classes", [("NORMAL", "VIRUS"), ("BACTERIA", "NORMAL", "VIRUS")])
def test_a_class_that_only_one_site_has_is_a_warning_before_anything_runs(
    tmp_path: Path, classes: tuple[str, ...]
) -> None:
    lines: list[str] = []
    report_data(table(tmp_path, classes, "AAC"), Messages(lines.append))
    assert [line for line in lines if "occurs only" in line] == [
        "warning: VIRUS occurs only where site is B: all 12 images of VIRUS have site B, as have 0 of "
        f"{12 * (len(classes) - 1)} images of other classes: site may be recognised instead of the class"
    ]


def test_sites_that_classes_share_are_no_warning_and_the_train_part_counts(tmp_path: Path) -> None:
    assert class_group_warnings(table(tmp_path, ("NORMAL", "VIRUS"), "B")) == []
    shared = table(tmp_path, ("NORMAL", "VIRUS"), "AC", ("train", "test"))  # in train, NORMAL is from A alone
    of_normal, of_virus = class_group_warnings(shared)
    assert of_normal.startswith("NORMAL occurs only where site is A: all 6 images of NORMAL")
    assert of_virus.startswith("VIRUS occurs only where site is B: all 6 images of VIRUS")
    assert class_group_warnings(folder(tmp_path / "pictures", copied=False)) == []
