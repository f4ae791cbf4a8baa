"""Splits of three or more classes: every part has every class, in its share, and no patient twice."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.dataset import Dataset
from benchmark.data.quotas import count_classes, fraction_of_each, requested_of_each, share_out
from benchmark.data.splits import Sampling, Split, make_fold, make_split
from tests.support.images import Row, in_memory, refusal

many = settings(max_examples=100, deadline=None)


def of_classes(counts: dict[str, int], shots: int = 1) -> Dataset:
    """A source without parts with so many patients of each class, each with `shots` images."""
    rows: list[Row] = [
        (f"{name}/{number:03d}_{shot}", "all", label, f"{name}-{number}", f"{name}-{number}-{shot}")
        for label, (name, count) in enumerate(counts.items())
        for number in range(count)
        for shot in range(shots)
    ]
    return replace(in_memory(rows), classes=tuple(counts))


def sizes(split: Split) -> dict[str, tuple[int, ...]]:
    return split.by_class


@many
@given(st.lists(st.integers(1, 300), min_size=2, max_size=12), st.integers(1, 400))
def test_a_request_is_met_and_each_share_is_about_one_image_off(present: list[int], count: int) -> None:
    requested = requested_of_each(tuple(present), count, balanced=False)
    assert sum(requested) == min(count, sum(present))
    assert all(0 <= number <= most for number, most in zip(requested, present, strict=True))
    if count >= len(present):
        assert all(requested)
        exact = [count * number / sum(present) for number in present]
        rare = sum(share < 1 for share in exact)
        if count < sum(present):
            assert all(abs(a - b) <= 1.5 + rare for a, b in zip(requested, exact, strict=True))


@many
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 600))
def test_two_classes_are_rounded_as_the_share_of_the_positive_one(negative: int, positive: int, count: int) -> None:
    requested = requested_of_each((negative, positive), count, balanced=False)
    if count < negative + positive:
        share = round(count * positive / (negative + positive))
        assert requested[1] == min(positive, max(1, min(count - 1, share)))
        assert requested[0] == min(negative, count - requested[1])


@many
@given(st.lists(st.tuples(*[st.integers(2, 99)] * 3), min_size=3, max_size=8))
def test_each_class_is_shared_out_by_itself(rows: list[tuple[int, int, int]]) -> None:
    present, val, test = (tuple(column) for column in zip(*rows, strict=True))
    together = share_out(present, None, val, test)
    for c in range(len(rows)):
        alone = share_out(present[c : c + 1], None, val[c : c + 1], test[c : c + 1])
        assert (together.train[c], together.val[c], together.test[c]) == (alone.train[0], alone.val[0], alone.test[0])
        assert (c in together.scaled) == (0 in alone.scaled)


def test_parts_keep_the_shares_of_the_classes() -> None:
    dataset = of_classes({"a": 300, "b": 100, "c": 50, "d": 20}, shots=2)
    split = make_split(dataset, Sampling(), 0)
    assert sizes(split)["test"] == fraction_of_each((600, 200, 100, 40), 0.2)
    assert sizes(split)["val"] == fraction_of_each((480, 160, 80, 32), 0.2)


def test_balanced_parts_have_as_many_of_each_class() -> None:
    dataset = of_classes(dict(zip("abcdefghij", range(60, 160, 10), strict=True)))
    split = make_split(dataset, Sampling(train=200, val=50, test=103, balanced=True), 0)
    assert sizes(split) == {"train": (20,) * 10, "val": (5,) * 10, "test": (10,) * 10}


@pytest.mark.parametrize("patients", [0, 1, 2])
def test_a_class_with_too_few_patients_is_named_with_how_many_are_needed(patients: int) -> None:
    dataset = of_classes({"common": 30, "rare": patients, "other": 20}, shots=5)
    message = refusal(lambda: make_split(dataset, Sampling(), 0))
    assert "train, val and test need 3 patients of every class" in message
    assert f"{patients} patient{'' if patients == 1 else 's'} of rare; add some, or leave the class out" in message
    assert "common" not in message


def test_three_patients_of_each_class_are_enough() -> None:
    split = make_split(of_classes(dict.fromkeys("abcde", 3), shots=4), Sampling(), 0)
    assert sizes(split) == dict.fromkeys(("train", "val", "test"), (4,) * 5)


def test_fewer_requested_images_than_classes_are_refused() -> None:
    message = refusal(lambda: make_split(of_classes(dict.fromkeys("abcde", 30)), Sampling(test=4, balanced=True), 0))
    assert "the test split would contain no images of a, b, c, d and e, and needs every class" in message
    assert "the protocol's sampling asks for test 4" in message


def test_identical_images_of_different_classes_are_left_out_of_train_and_val() -> None:
    dataset = of_classes(dict.fromkeys("abc", 30))
    same = {"a/000_0", "b/000_0", "c/000_0", "a/001_0", "c/001_0"}
    images = tuple(replace(image, digest=image.name[2:5]) if image.name in same else image for image in dataset.images)
    split = make_split(replace(dataset, images=images), Sampling(), 0)
    assert not same & {image.name for part in (split.train, split.val, split.test) for image in part}
    assert "5 images left out: identical images have different labels" in split.notes


@st.composite
def sources(draw: st.DrawFn) -> Dataset:
    """Sources of one or two parts with three to six classes and patients, some of whom have images of two classes."""
    layout = draw(st.sampled_from([("all",), ("train", "test")]))
    chance = random.Random(draw(st.integers(0, 2**32)))
    largest, classes = draw(st.sampled_from([1, 4])), draw(st.integers(3, 6))
    mixed = draw(st.sampled_from([0.0, 0.2]))
    rows: list[Row] = []
    for part in layout:
        for label in range(classes):
            for number in range(draw(st.integers(12, 30))):
                for shot in range(chance.randint(1, largest)):
                    name = f"{part}/{label}-{number:02d}-{shot}"
                    shown = chance.randrange(classes) if shot and chance.random() < mixed else label
                    rows.append((name, part, shown, f"{part}-{label}-{number}", name))
    return replace(in_memory(rows), classes=tuple("abcdef"[:classes]))


@many
@given(sources(), st.booleans(), st.none() | st.integers(12, 90), st.integers(0, 1000))
def test_every_part_has_every_class_and_no_patient_is_in_two(
    dataset: Dataset, balanced: bool, size: int | None, seed: int
) -> None:
    sampling = Sampling(train=size, val=size, test=size, balanced=balanced)
    split = make_split(dataset, sampling, seed)
    assert make_split(dataset, sampling, seed) == split
    for counts in sizes(split).values():
        assert len(counts) == len(dataset.classes)
        assert min(counts) > 0
        assert not balanced or len(set(counts)) == 1
        assert size is None or sum(counts) <= size
    parts = (split.train, split.val, split.test)
    homes = Counter(patient for part in parts for patient in {image.patient for image in part})
    assert set(homes.values()) == {1}


def test_folds_keep_the_shares_of_the_classes() -> None:
    split = make_split(of_classes({"a": 80, "b": 40, "c": 20}), Sampling(), 0)
    present = np.add(count_classes(split.train, 3), count_classes(split.val, 3))
    folds = [make_fold(split, 4, index, 0) for index in range(4)]
    assert {image.name for fold in folds for image in fold.val} == {i.name for i in (*split.train, *split.val)}
    for fold in folds:
        assert np.abs(np.array(count_classes(fold.val, 3)) - present / 4).max() <= 1


def test_a_fold_that_would_lack_a_class_is_refused() -> None:
    split = make_split(of_classes({"a": 40, "b": 40, "c": 3}), Sampling(), 0)
    assert "would lack a class" in refusal(lambda: [make_fold(split, 4, index, 0) for index in range(4)])
