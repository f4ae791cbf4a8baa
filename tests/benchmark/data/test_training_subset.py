"""Draws of training images: nested, by patient, with the classes in their shares."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.dataset import DataError, Image
from benchmark.data.training_subset import draw_training_subset, subset_counts


def images(classes: int = 2, patients: int = 30, each: int = 4) -> list[Image]:
    """`each` images of every patient; patients have one class, in turn."""
    return [
        Image(f"p{patient}-{number}", "train", patient % classes, f"p{patient}", f"d{patient}-{number}")
        for patient in range(patients)
        for number in range(each)
    ]


@settings(max_examples=60)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=4))
def test_counts_add_up_and_grow_with_the_size(present: list[int]) -> None:
    sizes = range(len(present), sum(present) + 1)
    counts = [subset_counts(tuple(present), size) for size in sizes]
    assert [sum(each) for each in counts] == list(sizes)
    for smaller, larger in pairwise(counts):
        assert all(a <= b for a, b in zip(smaller, larger, strict=True))
    assert counts[-1] == tuple(present)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_sizes_of_a_draw_are_nested_and_draws_differ(classes: int) -> None:
    train = images(classes)
    small, large = (draw_training_subset(train, size, 0, 7, classes) for size in (30, 60))
    assert set(small) < set(large)
    assert Counter(image.label for image in large) == dict.fromkeys(range(classes), 60 // classes)
    assert draw_training_subset(train, 30, 1, 7, classes) != small
    assert draw_training_subset(train[::-1], 30, 0, 7, classes) == small


def test_a_patient_is_cut_at_most_once_per_class() -> None:
    drawn = draw_training_subset(images(), 50, 0, 7, 2)
    counts = Counter(image.patient for image in drawn)
    assert sum(count < 4 for count in counts.values()) <= 2


def test_all_images_are_one_draw_and_more_are_refused() -> None:
    train = images()
    assert set(draw_training_subset(train, 120, 3, 7, 2)) == set(train)
    with pytest.raises(DataError, match="121 training images were asked for, and the split has 120"):
        draw_training_subset(train, 121, 0, 7, 2)
