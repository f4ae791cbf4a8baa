"""Shortcuts of a data set and of a split: intervals, the choice without test images, and the record of a store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from benchmark.data.checks.describe import measure
from benchmark.data.checks.shortcuts import Shortcut
from benchmark.data.dataset import Dataset
from benchmark.data.sources import open_dataset
from benchmark.data.splits import Sampling, Split, make_split
from benchmark.runs.shortcuts import SplitShortcuts, shortcuts_of_dataset, shortcuts_of_split
from benchmark.runs.storage.beside.shortcuts import read_shortcuts, write_shortcuts
from benchmark.runs.storage.store import Store
from tests.support.images import save
from tests.support.pictures import picture


def deeper_in_one_class(root: Path) -> Dataset:
    """120 pictures in three parts; those of class B use 12 of 16 bits, those of class A use 10."""
    for number in range(120):
        part = "train" if number < 60 else "val" if number < 80 else "test"
        levels = np.asarray(picture(number, 48)).astype(np.uint16) * (4, 16)[number % 2]
        save(Pillow.fromarray(levels), root / part / "AB"[number % 2] / f"{number:03d}.png")
    return open_dataset(str(root))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("depths")
    deeper_in_one_class(root)
    return root


def of_parts(dataset: Dataset) -> Split:
    return make_split(dataset, Sampling(min_val=0), 0)


def depth_of(shortcuts: tuple[Shortcut, ...]) -> Shortcut:
    return next(each for each in shortcuts if each.facts == "bit depth")


def test_classes_that_differ_in_bit_depth_are_noted_with_an_interval(folder: Path) -> None:
    dataset = open_dataset(str(folder))
    depth = depth_of(shortcuts_of_dataset(dataset, measure(dataset)))
    assert depth.auc == 1.0
    assert depth.low is not None
    assert 0.9 < depth.low < 1.0
    assert depth.notable
    assert depth.images == 80  # the test part is left out


def test_classes_that_differ_in_size_alone_are_noted(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for label, side in enumerate((32, 48)):
        for number in range(30):
            path = tmp_path / "AB"[label] / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Pillow.fromarray(generator.normal(100, 20, (side, side)).clip(0, 255).astype(np.uint8)).save(path)
    dataset = open_dataset(str(tmp_path))
    notable = [each for each in shortcuts_of_dataset(dataset, measure(dataset)) if each.notable]
    assert [each.facts for each in notable] == ["image size"]
    assert notable[0].detail == "median width in pixels: 48 in B, 32 in A"


def test_facts_that_pixels_cannot_carry_are_no_baseline(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    for part, count in (("train", 12), ("val", 6), ("test", 6)):
        for name, suffix in (("A", "png"), ("B", "bmp")):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = generator.normal(100, 20, (32, 32)).clip(0, 255).astype(np.uint8)
                Pillow.fromarray(pixels).save(tmp_path / part / name / f"{number}.{suffix}")
    dataset = open_dataset(str(tmp_path))
    recorded = shortcuts_of_split(dataset, of_parts(dataset), 32, tmp_path / "cache")
    (of_format,) = [each for each in recorded.shortcuts if each.facts == "file format"]
    assert of_format.auc == 1.0
    assert recorded.test is not None
    assert recorded.test.facts != "file format"


def test_the_strongest_facts_are_chosen_without_test_labels(folder: Path, tmp_path: Path) -> None:
    dataset = open_dataset(str(folder))
    split = of_parts(dataset)
    recorded = shortcuts_of_split(dataset, split, 32, tmp_path)
    assert depth_of(recorded.shortcuts).notable
    assert recorded.test is not None
    assert recorded.test.names == tuple(image.name for image in split.test)
    flipped = replace(split, test=tuple(replace(image, label=1 - image.label) for image in split.test))
    other = shortcuts_of_split(dataset, flipped, 32, tmp_path / "other")
    assert other.test is not None
    assert (other.shortcuts, other.test.facts, other.test.scores) == (
        recorded.shortcuts,
        recorded.test.facts,
        recorded.test.scores,
    )


def test_a_store_returns_what_was_recorded_and_ignores_a_damaged_file(tmp_path: Path) -> None:
    store = Store(tmp_path)
    recorded = SplitShortcuts(shortcuts=(Shortcut("file size", 0.8, 0.7, 0.9, 0.55, 0.01, 100, "bytes"),))
    assert read_shortcuts(store, "d", "s", 64) is None
    write_shortcuts(store, "d", "s", 64, recorded)
    assert read_shortcuts(store, "d", "s", 64) == recorded
    assert read_shortcuts(store, "d", "s", 32) is None
    [path] = (tmp_path / ".shortcuts").iterdir()
    for text in ("{", recorded.model_copy(update={"version": 99}).model_dump_json(), '{"version": 1, "shortcuts": []}'):
        path.write_text(text)
        assert read_shortcuts(store, "d", "s", 64) is None
    assert store.runs() == ([], [])
