"""The summary of a data set counts what it holds and warns of what misleads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.data.checks.describe import Cell, describe
from benchmark.data.dataset import Dataset, Image, Pixels
from benchmark.data.sources import open_dataset
from reports.render.terminal.data import data_tables
from reports.text import MISSING
from tests.support.images import Row, image_folder, in_memory, rows_of, save
from tests.support.pictures import picture, reencoded
from tests.support.terminal import shown


def clean() -> list[Row]:
    return rows_of("train", 120) + rows_of("val", 100) + rows_of("test", 60)


def warned(dataset: Dataset, *words: str) -> bool:
    return any(all(word in warning for word in words) for warning in describe(dataset).warnings)


def test_cells_count_images_and_patients_by_part_and_class() -> None:
    rows = rows_of("test", 6) + rows_of("train", 10)
    rows += [("train/twin", "train", 1, "train-patient-1", "content-of-its-own")]
    cells = describe(in_memory(rows)).cells
    assert [(cell.part, cell.label, cell.images, cell.patients) for cell in cells] == [
        ("train", "NORMAL", 5, 5),
        ("train", "PNEUMONIA", 6, 5),
        ("test", "NORMAL", 3, 3),
        ("test", "PNEUMONIA", 3, 3),
    ]


def test_a_source_without_parts_has_a_cell_for_each_class() -> None:
    summary = describe(in_memory(rows_of("all", 10)))
    assert [(cell.part, cell.images) for cell in summary.cells] == [("all", 5), ("all", 5)]
    assert summary.shared_patients == {}


def test_classes_are_counted_by_each_value_of_a_fact_with_few_values() -> None:
    rows: list[Row] = [
        ("a", "train", 0, "p1", "64"),
        ("b", "train", 1, "p1", "c8"),
        ("c", "train", 1, "p2", "32"),
        ("d", "train", 1, "p3", "32"),
    ]
    attributes = {"site": {"a": "A", "b": "A", "c": "B", "d": ""}, "device": {"a": "x"}}
    summary = describe(replace(in_memory(rows), attributes=attributes))
    found = {(group.attribute, group.value): (group.images, group.patients) for group in summary.groups}
    assert found == {
        ("site", ""): ((0, 1), 1),
        ("site", "A"): ((1, 1), 1),
        ("site", "B"): ((0, 1), 1),
        ("device", ""): ((0, 3), 3),
        ("device", "x"): ((1, 0), 1),
    }
    assert [group.mean_grey for group in summary.groups if group.value == "A"] == [150]
    text = shown(data_tables(summary))
    assert "Classes by column" in text
    assert ["site", MISSING, "0", "1", "100%", "1", "50"] in [line.split() for line in text.splitlines()]
    many = {"age": {name: str(place) for place, (name, *_) in enumerate(rows_of("train", 20))}}
    assert describe(replace(in_memory(rows_of("train", 20)), attributes=many)).groups == ()


def test_grey_levels_are_those_of_the_images() -> None:
    rows: list[Row] = [("a", "train", 0, "p1", "64"), ("b", "train", 0, "p2", "c8"), ("c", "train", 1, "p3", "32")]
    normal, ill = describe(in_memory(rows)).cells
    assert (normal.mean_grey, normal.sd_grey) == (150, 50)
    assert (ill.mean_grey, ill.sd_grey) == (50, 0)


def test_every_image_is_read_once_a_few_hundred_at_a_time() -> None:
    asked: list[Sequence[Image]] = []
    dataset = in_memory(rows_of("train", 1300))

    def read(wanted: Sequence[Image], size: int) -> Pixels:
        asked.append(wanted)
        return dataset.read(wanted, size)

    describe(replace(dataset, read=read))
    assert [image for wanted in asked for image in wanted] == list(dataset.images)
    assert max(len(wanted) for wanted in asked) < 1000


def test_grey_levels_are_those_of_all_images_of_a_cell() -> None:
    rows: list[Row] = [(f"{i:04d}", "train", 0, f"p{i}", "00" if i < 250 else "c8") for i in range(1000)]
    dark_and_bright = describe(in_memory([*rows, ("x", "train", 1, "px", "00")])).cells[0]
    assert dark_and_bright.mean_grey == pytest.approx(150)
    assert dark_and_bright.sd_grey == pytest.approx(np.std([0] * 250 + [200] * 750))


def test_the_source_is_named() -> None:
    dataset = in_memory(rows_of("train", 4), source="somewhere")
    summary = describe(dataset)
    assert (summary.source, summary.title, summary.channels) == ("somewhere", "flat images", 1)
    assert summary.classes == ("NORMAL", "PNEUMONIA")
    assert summary.fingerprint == dataset.fingerprint


def test_a_clean_source_gives_no_warning() -> None:
    summary = describe(in_memory(clean()))
    assert summary.warnings == ()
    assert summary.shared_patients == {}
    assert summary.shared_images == {}
    assert summary.duplicate_groups == 0
    assert summary.images_under_both_labels == 0


def test_patients_in_two_parts_are_counted_and_warned_of() -> None:
    rows = clean()
    rows += [(f"test/s{i}", "test", 0, f"train-patient-{i}", f"s{i}") for i in range(3)]
    rows += [("val/s", "val", 1, "train-patient-0", "s")]
    dataset = in_memory(rows)
    assert describe(dataset).shared_patients == {"train and val": 1, "train and test": 3, "val and test": 1}
    assert warned(dataset, "3 patients", "train and test")


def test_images_in_two_parts_are_counted_and_warned_of() -> None:
    rows = clean()
    rows += [(f"test/s{i}", "test", i % 2, f"other-{i}", f"train-content-{i}") for i in range(2)]
    dataset = in_memory(rows)
    summary = describe(dataset)
    assert summary.shared_images == {"train and test": 2}
    assert summary.shared_patients == {}
    assert summary.duplicate_groups == 2
    assert warned(dataset, "2 identical images", "train and test")


def test_copies_inside_a_part_are_counted_by_group() -> None:
    rows = clean()
    rows += [(f"train/copy{i}", "train", 0, f"other-{i}", "train-content-0") for i in range(3)]
    rows += [("train/copy9", "train", 1, "other-9", "train-content-1")]
    dataset = in_memory(rows)
    summary = describe(dataset)
    assert summary.duplicate_groups == 2
    assert summary.shared_images == {}
    assert summary.images_under_both_labels == 0
    assert warned(dataset, "2 groups")


def test_an_image_under_both_labels_is_warned_of() -> None:
    dataset = in_memory([*clean(), ("train/other", "train", 1, "other", "train-content-0")])
    assert describe(dataset).images_under_both_labels > 0
    assert warned(dataset, "both labels")


@pytest.mark.parametrize(("count", "small"), [(16, True), (99, True), (100, False), (0, False)])
def test_a_small_val_part_is_warned_of(count: int, small: bool) -> None:
    dataset = in_memory(rows_of("train", 40) + rows_of("val", count) + rows_of("test", 40))
    assert warned(dataset, f"val has {count} images") == small


def test_a_synthetic_source_is_called_so() -> None:
    dataset = in_memory(clean(), synthetic=True)
    assert describe(dataset).synthetic
    assert warned(dataset, "SYNTHETIC")
    assert not warned(in_memory(clean()), "SYNTHETIC")


def test_unreadable_files_are_passed_on_and_warned_of(tmp_path: Path) -> None:
    image_folder(tmp_path, {"A": 20, "B": 20})
    (tmp_path / "A" / "bad.png").write_bytes(b"bad")
    dataset = open_dataset(str(tmp_path))
    (problem,) = describe(dataset).problems
    assert problem.name == "A/bad.png"
    assert warned(dataset, "left out 1 file that could not be read")


def pictures(root: Path, brighter: int = 0) -> Path:
    """80 pictures in train and 40 in test, all of different patients, those of test brighter by so many levels."""
    for number in range(120):
        part = "train" if number < 80 else "test"
        shift = brighter if part == "test" else 0
        image = picture(number).point([min(255, level + shift) for level in range(256)])
        save(
            image,
            root / part / "AB"[number % 2] / f"person{number % 80}_{'virus' if number < 80 else 'bacteria'}_1.png",
        )
    return root


def test_near_duplicates_across_parts_and_labels_are_warned_of(tmp_path: Path) -> None:
    root = pictures(tmp_path)
    save(reencoded(picture(4)), root / "test" / "A" / "copy.png")
    save(reencoded(picture(5)), root / "test" / "A" / "other.png")
    dataset = open_dataset(str(root))
    summary = describe(dataset)
    assert summary.leakage is not None
    assert {leak.name for leak in summary.leakage.leaks} == {"test/A/copy.png", "test/A/other.png"}
    assert warned(dataset, "2 images of test with a near duplicate in train")
    assert warned(dataset, "1 pair of near duplicates with different labels")
    assert (summary.shared_images, summary.duplicate_groups) == ({}, 0)


def test_parts_alike_are_not_warned_of(tmp_path: Path) -> None:
    summary = describe(open_dataset(str(pictures(tmp_path))))
    assert [effect.significant for effect in summary.batch_effects] == [False]
    assert summary.warnings == ()


def test_a_part_of_another_brightness_is_warned_of(tmp_path: Path) -> None:
    assert warned(open_dataset(str(pictures(tmp_path, brighter=6))), "intensity alone distinguishes test from train")


def test_a_summary_can_be_written_as_json(tmp_path: Path) -> None:
    summary = describe(open_dataset(str(pictures(tmp_path))))
    again = json.loads(json.dumps(asdict(summary)))
    assert [Cell(**cell) for cell in again["cells"]] == list(summary.cells)
    assert len(again["leakage"]["overlaps"]) == 3
    assert again["batch_effects"][0]["part"] == "test"


@pytest.mark.slow
def test_the_phantom_is_described_as_it_is_drawn() -> None:
    summary = describe(open_dataset("phantom"))
    assert summary.synthetic
    assert sum(cell.patients for cell in summary.cells) == 566
    assert summary.shared_patients == {}
    assert summary.duplicate_groups == 0
    exposure = {part: np.mean([c.mean_grey for c in summary.cells if c.part == part]) for part in ("train", "test")}
    assert exposure["test"] > exposure["train"] + 5
    assert {effect.part for effect in summary.batch_effects if effect.significant} == {"test"}
    assert summary.leakage is not None
    assert summary.leakage.leaks == ()


@pytest.mark.real_data
def test_the_radiographs_are_warned_of(real_data: Path) -> None:
    summary = describe(open_dataset(str(real_data)))
    assert summary.shared_patients == {}
    assert summary.shared_images == {}
    assert summary.duplicate_groups > 0
    assert summary.images_under_both_labels == 0
    assert summary.leakage is not None
    assert summary.leakage.cutoff.distance is not None
    assert summary.leakage.leaks == ()
    assert any("val has 16 images" in warning for warning in summary.warnings)
    assert all(50 < cell.mean_grey < 200 and cell.sd_grey > 20 for cell in summary.cells)
