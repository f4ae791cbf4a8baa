"""A patient's key is read from the file name by a declared pattern."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from benchmark.data.dataset import Dataset
from benchmark.data.patients import compile_pattern, patient_key
from benchmark.data.sources import open_dataset
from tests.support.images import image_folder, noise, refusal, save

BARE = r"person(?P<person>\d+)_"


def key(name: str, pattern: str | None = None) -> str | None:
    return patient_key(name, compile_pattern(pattern))


def by_part(dataset: Dataset) -> dict[str, set[str]]:
    patients: dict[str, set[str]] = defaultdict(set)
    for image in dataset.images:
        patients[image.part].add(image.patient)
    return patients


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("person1_bacteria_2.jpeg", "person1_bacteria_1.jpeg"),
        ("person1_virus_6.jpeg", "person1_virus_13.jpeg"),
        ("IM-0115-0001.jpeg", "IM-0115-0001-0002.jpeg"),
        ("IM-0115-0001.jpeg", "IM-0115-0002.jpeg"),
        ("NORMAL2-IM-0115-0001.jpeg", "NORMAL2-IM-0115-0001-0003.jpeg"),
    ],
)
def test_two_images_of_one_patient_share_a_key(one: str, other: str) -> None:
    assert key(one) is not None
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("person1_bacteria_2.jpeg", "person1_virus_6.jpeg"),
        ("person1_bacteria_2.jpeg", "person11_bacteria_2.jpeg"),
        ("IM-0115-0001.jpeg", "NORMAL2-IM-0115-0001.jpeg"),
        ("IM-0115-0001.jpeg", "IM-0116-0001.jpeg"),
        ("person115_virus_1.jpeg", "IM-115-0001.jpeg"),
    ],
)
def test_two_patients_have_two_keys(one: str, other: str) -> None:
    assert key(one) is not None
    assert key(other) is not None
    assert key(one) != key(other)


@pytest.mark.parametrize("name", ["scan.jpeg", "person_bacteria_2.jpeg", "person1_fungus_2.jpeg", "a_IM-0115-0001.png"])
def test_a_name_that_does_not_match_from_its_start_has_no_key(name: str) -> None:
    assert key(name) is None


def test_the_key_is_made_of_all_named_groups() -> None:
    pattern = r"(?P<site>[a-z]+)-(?P<patient>\d+)-(\d+)"
    assert key("paris-7-1.png", pattern) == key("paris-7-2.png", pattern)
    assert len({key(name, pattern) for name in ("paris-7-1.png", "paris-8-1.png", "rome-7-1.png")}) == 3


def test_values_in_other_groups_are_other_patients() -> None:
    pattern = r"a(?P<first>\d+)|b(?P<second>\d+)"
    assert key("a1.png", pattern) != key("b1.png", pattern)


def test_a_broken_pattern_is_refused() -> None:
    message = refusal(lambda: compile_pattern("(?P<patient>["))
    assert "--patients '(?P<patient>['" in message
    assert "not a regular expression" in message


@pytest.mark.parametrize("pattern", ["", r"person\d+", r"person(\d+)"])
def test_a_pattern_without_a_named_group_is_refused_with_an_example(pattern: str) -> None:
    message = refusal(lambda: compile_pattern(pattern))
    assert f"--patients '{pattern}'" in message
    example = re.search(r"\(\?P<patient>.*\)", message)
    assert example is not None
    assert compile_pattern(example.group()).groupindex


def test_a_folder_is_refused_with_a_broken_pattern(tmp_path: Path) -> None:
    image_folder(tmp_path, {"A": 2, "B": 2})
    assert "--patients" in refusal(lambda: open_dataset(str(tmp_path), patient_pattern="("))


def test_a_declared_pattern_groups_the_images_of_a_folder(tmp_path: Path) -> None:
    for index, name in enumerate(["A/s1-a.png", "A/s1-b.png", "A/s2-a.png", "B/s1-c.png", "B/s3-a.png"]):
        save(noise(index), tmp_path / name)
    dataset = open_dataset(str(tmp_path), patient_pattern=r"s(?P<subject>\d+)-")
    patients = {image.name: image.patient for image in dataset.images}
    assert patients["A/s1-a.png"] == patients["A/s1-b.png"] == patients["B/s1-c.png"]
    assert len(set(patients.values())) == 3


def test_an_image_without_a_key_is_a_patient_of_its_own(tmp_path: Path) -> None:
    image_folder(tmp_path, {"train/A": 3, "train/B": 3, "test/A": 3, "test/B": 3})
    dataset = open_dataset(str(tmp_path))
    assert len({image.patient for image in dataset.images}) == 12


@pytest.mark.real_data
def test_no_patient_stands_in_two_parts_of_the_radiographs(real_data: Path) -> None:
    patients = by_part(open_dataset(str(real_data)))
    assert all(len(patients[part]) > 10 for part in ("train", "val", "test"))
    assert not patients["train"] & patients["val"]
    assert not patients["train"] & patients["test"]
    assert not patients["val"] & patients["test"]


@pytest.mark.real_data
def test_a_bare_person_number_joins_different_children_of_the_radiographs(real_data: Path) -> None:
    patients = by_part(open_dataset(str(real_data), patient_pattern=BARE))
    assert patients["train"] & patients["test"]
