"""Planted label errors of train are listed; labels of the test part are neither used nor listed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmark.data.dataset import DataError, Dataset, Image, Pixels
from benchmark.data.sources import open_dataset
from benchmark.data.splits import Sampling, Split, make_split
from benchmark.runs.label_errors import SuspectedLabel, suspected_labels

pytest.importorskip("cleanlab")


def other(image: Image) -> Image:
    return replace(image, label=(image.label + 1) % 3)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    whole = open_dataset("digits")
    images = tuple(image for image in whole.images if image.label < 3)
    return replace(whole, classes=whole.classes[:3], images=images)


@pytest.fixture(scope="module")
def planted(digits: Dataset) -> tuple[Split, set[str]]:
    """The split with the labels of every twentieth image of train replaced."""
    split = make_split(digits, Sampling(), 0)
    errors = {image.name for image in split.train[::20]}
    train = tuple(other(image) if image.name in errors else image for image in split.train)
    return replace(split, train=train), errors


@pytest.fixture(scope="module")
def suspects(digits: Dataset, planted: tuple[Split, set[str]]) -> tuple[SuspectedLabel, ...]:
    check = suspected_labels(digits, planted[0])
    assert 0.9 < check.agreement < 0.96  # 18 of 430 labels are wrong
    return check.suspects


def test_planted_errors_are_listed(
    digits: Dataset, planted: tuple[Split, set[str]], suspects: tuple[SuspectedLabel, ...]
) -> None:
    split, errors = planted
    names = [each.name for each in suspects]
    assert len(errors & {*names}) >= 0.6 * len(errors)  # measured: 12 of 18
    assert len(errors & {*names}) >= 0.8 * len(names)
    truth = {image.name: image for image in digits.images}
    assert all(each.suggested == digits.classes[truth[each.name].label] for each in suspects if each.name in errors)
    assert {each.part for each in suspects} <= {"train", "val"}
    assert not {*names} & {image.name for image in split.test}


def test_test_labels_change_nothing(
    digits: Dataset, planted: tuple[Split, set[str]], suspects: tuple[SuspectedLabel, ...]
) -> None:
    split = planted[0]
    wrong = replace(split, test=tuple(map(other, split.test)))
    known = {image.name for part in (split.train, split.val) for image in part}

    def read(images: object, size: int) -> Pixels:
        assert {image.name for image in images} <= known  # type: ignore[attr-defined]
        return digits.read(images, size)  # type: ignore[arg-type]

    assert suspected_labels(replace(digits, read=read), wrong).suspects == suspects


def test_a_class_of_few_patients_is_refused(digits: Dataset, planted: tuple[Split, set[str]]) -> None:
    split = planted[0]
    few = [image for image in split.train if image.label == 2][:4]
    train = (*(image for image in split.train if image.label != 2), *few)
    val = tuple(image for image in split.val if image.label != 2)
    with pytest.raises(DataError, match="2: 4 patients outside the test part; labels are judged with at least 5"):
        suspected_labels(digits, replace(split, train=train, val=val))
