"""What a patient's number alone would call a leak is known to be none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.data import Dataset, Image, open_dataset
from benchmark.data.checks.weaker_key import FalseAlarm, weaker_key
from benchmark.data.dataset import Part
from benchmark.data.patients import PUBLIC_CHEST_XRAY, compile_pattern, patient_key
from tests.support.images import in_memory, rows_of

SITES = r"(?P<site>[a-z]+)(?P<number>\d+)_"


def named(files: Iterable[tuple[Part, str]], pattern: str = PUBLIC_CHEST_XRAY) -> Dataset:
    """A data set of files whose patients are read from their names."""
    compiled = compile_pattern(pattern)
    images = []
    for part, filename in files:
        name = f"{part}/{filename}"
        images.append(Image(name, part, 0, patient_key(filename, compiled) or name, name))
    return replace(in_memory([]), images=tuple(images))


def test_equal_numbers_of_two_series_are_a_false_alarm() -> None:
    found = weaker_key(
        named(
            [
                ("train", "person1_bacteria_1.jpeg"),
                ("train", "person2_bacteria_3.jpeg"),
                ("train", "IM-0115-0001.jpeg"),
                ("test", "person1_virus_6.jpeg"),
                ("test", "person1_virus_7.jpeg"),
                ("test", "person9_virus_9.jpeg"),
                ("test", "NORMAL2-IM-0115-0001.jpeg"),
            ]
        )
    )
    assert found is not None
    assert (found.kept, found.dropped) == (("number", "person"), ("kind", "series"))
    assert (found.patients, found.joined) == (6, 4)
    assert found.false_alarms == (FalseAlarm("test", "train", 4, 3),)
    assert "flag 3 of 4 test images as in train: false alarms" in found.line()


def test_a_true_leak_is_no_false_alarm() -> None:
    """The patient is in both parts by the declared key as well."""
    files: list[tuple[Part, str]] = [
        ("train", "person1_bacteria_1.jpeg"),
        ("train", "person5_virus_1.jpeg"),
        ("test", "person1_bacteria_2.jpeg"),
        ("test", "person5_bacteria_8.jpeg"),
    ]
    found = weaker_key(named(files))
    assert found is not None
    assert found.false_alarms == (FalseAlarm("test", "train", 2, 1),)


def test_equal_numbers_in_other_groups_stay_apart() -> None:
    files: list[tuple[Part, str]] = [("train", "person115_bacteria_1.jpeg"), ("test", "IM-0115-0001.jpeg")]
    found = weaker_key(named(files))
    assert found is not None
    assert [alarm.flagged for alarm in found.false_alarms] == [0]


def test_any_declared_pattern_is_weakened_by_what_its_groups_hold() -> None:
    files: list[tuple[Part, str]] = [("train", "paris7_1.png"), ("val", "rome7_1.png"), ("test", "rome8_1.png")]
    found = weaker_key(named(files, SITES), SITES)
    assert found is not None
    assert (found.kept, found.dropped) == (("number",), ("site",))
    assert [(a.part, a.other, a.flagged) for a in found.false_alarms] == [
        ("val", "train", 1),
        ("test", "train", 0),
        ("test", "val", 0),
    ]


def test_a_group_that_is_not_always_a_number_is_dropped() -> None:
    pattern = r"(?P<ward>\w+)-(?P<number>\d+)"
    files: list[tuple[Part, str]] = [("train", "12-7.png"), ("test", "a-7.png")]
    found = weaker_key(named(files, pattern), pattern)
    assert found is not None
    assert (found.kept, found.dropped) == (("number",), ("ward",))


@pytest.mark.parametrize(
    ("pattern", "filename"),
    [(r"(?P<number>\d+)_", "7_1.png"), (r"(?P<site>[a-z]+)_", "rome_1.png"), (SITES, "7_1.png")],
    ids=["numbers alone", "no number", "fits no name"],
)
def test_there_is_no_weaker_key_where_nothing_is_dropped_or_nothing_left(pattern: str, filename: str) -> None:
    assert weaker_key(named([("train", filename), ("test", filename)], pattern), pattern) is None


def test_there_is_none_where_patients_do_not_come_from_names() -> None:
    assert weaker_key(in_memory(rows_of("train", 4) + rows_of("test", 4))) is None
    other = named([("train", "person1_bacteria_1.jpeg"), ("test", "person1_virus_6.jpeg")])
    renamed = tuple(replace(image, patient=f"known otherwise {image.name}") for image in other.images)
    assert weaker_key(replace(other, images=renamed)) is None


def test_a_source_without_parts_has_joined_patients_alone() -> None:
    files: list[tuple[Part, str]] = [("all", "person1_bacteria_1.jpeg"), ("all", "person1_virus_6.jpeg")]
    found = weaker_key(named(files))
    assert found is not None
    assert (found.patients, found.joined, found.false_alarms) == (2, 1, ())
    assert "join 2 patients into 1" in found.line()


@pytest.mark.real_data
def test_numbers_alone_flag_radiographs_of_other_children(real_data: Path) -> None:
    """By the declared key no patient is in two parts."""
    dataset = open_dataset(str(real_data))
    found = weaker_key(dataset)
    assert found is not None
    assert found.joined < found.patients
    [alarm] = [a for a in found.false_alarms if (a.part, a.other) == ("test", "train")]
    train = {image.patient for image in dataset.images if image.part == "train"}
    assert not train & {image.patient for image in dataset.images if image.part == "test"}
    assert alarm.flagged > 0.1 * alarm.images
