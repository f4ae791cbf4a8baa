"""Folds test every image once, keep patients together, and are refused where they cannot be made."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.cross_validation import folds_problem, make_test_fold
from benchmark.data.dataset import Dataset
from benchmark.data.splits import Sampling, Split
from tests.support.images import Row, in_memory, refusal, rows_of

SAMPLING = Sampling(val_fraction=0.25, min_val=0)


def patients_with_copies(seed: int) -> Dataset:
    """40 patients of a class each with one to three images; some images are copies of another image of their class."""
    chance = random.Random(seed)
    rows: list[Row] = []
    for number in range(40):
        for shot in range(chance.randint(1, 3)):
            copies = [row[4] for row in rows if row[2] == number % 2]
            digest = chance.choice(copies) if copies and chance.random() < 0.05 else f"d{len(rows)}"
            rows.append((f"{number:02d}_{shot}", "all", number % 2, f"p{number}", digest))
    return in_memory(rows)


def folds_of(dataset: Dataset, count: int, seed: int = 0, sampling: Sampling = SAMPLING) -> list[Split]:
    return [make_test_fold(dataset, sampling, count, index, seed) for index in range(count)]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(0, 50))
def test_the_folds_partition_the_images_by_patient(world: int, count: int, seed: int) -> None:
    dataset = patients_with_copies(world)
    splits = folds_of(dataset, count, seed)
    tested = Counter(image.name for split in splits for image in split.test)
    assert tested == Counter(image.name for image in dataset.images)
    fold_of: dict[str, set[int]] = {}
    for index, split in enumerate(splits):
        for image in split.test:
            fold_of.setdefault(image.patient, set()).add(index)
            fold_of.setdefault(image.digest, set()).add(index)
    assert all(len(folds) == 1 for folds in fold_of.values())


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_no_patient_and_no_content_is_in_two_parts_of_a_fold(world: int, count: int) -> None:
    for split in folds_of(patients_with_copies(world), count):
        parts = [split.train, split.val, split.test]
        assert all({image.label for image in part} == {0, 1} for part in parts)
        for key in ("name", "patient", "digest"):
            sets = [{getattr(image, key) for image in part} for part in parts]
            assert sum(map(len, sets)) == len(set.union(*sets))


def test_classes_keep_their_shares() -> None:
    rows: list[Row] = [(f"{i:03d}", "all", int(i % 5 == 0), f"p{i}", f"d{i}") for i in range(100)]
    for split in folds_of(in_memory(rows), 5):
        assert Counter(image.label for image in split.test) == {0: 16, 1: 4}


def test_parts_of_the_source_without_a_test_part_are_divided_together() -> None:
    dataset = in_memory([*rows_of("train", 20), *rows_of("val", 20)])
    splits = folds_of(dataset, 4)
    assert {image.name for split in splits for image in split.test} == {image.name for image in dataset.images}
    assert {image.part for split in splits for image in split.test} == {"test"}


def test_the_draw_depends_on_the_seed_and_on_nothing_else() -> None:
    dataset = in_memory(rows_of("all", 60))
    shuffled = replace(dataset, images=tuple(reversed(dataset.images)))
    first = [split.fingerprint for split in folds_of(dataset, 3, seed=1)]
    assert first == [split.fingerprint for split in folds_of(shuffled, 3, seed=1)]
    assert first != [split.fingerprint for split in folds_of(dataset, 3, seed=2)]


def test_a_cap_on_training_images_leaves_the_tested_images_as_they_are() -> None:
    dataset = in_memory(rows_of("all", 60))
    capped = folds_of(dataset, 3, sampling=Sampling(train=10, min_val=0))
    assert [len(split.train) for split in capped] == [10, 10, 10]
    assert [split.test for split in capped] == [split.test for split in folds_of(dataset, 3)]


def test_identical_images_with_different_labels_are_in_no_fold() -> None:
    rows = [*rows_of("all", 40), ("x", "all", 0, "px", "same"), ("y", "all", 1, "py", "same")]
    splits = folds_of(in_memory(rows), 2)
    assert not {"x", "y"} & {image.name for split in splits for image in (*split.train, *split.val, *split.test)}
    assert any("2 images left out: identical images have both labels" in note for note in splits[0].notes)


def test_a_fold_says_which_it_is() -> None:
    assert folds_of(in_memory(rows_of("all", 40)), 2)[1].notes[0] == (
        "fold 2 of 2 of a cross-validation by patient: it tests 20 images"
    )


@pytest.mark.parametrize(
    ("dataset", "line"),
    [
        (
            in_memory([*rows_of("train", 20), *rows_of("test", 10)]),
            "memory: test_folds: 3: the source has its own test part of 10 images; leave test_folds out",
        ),
        (
            replace(in_memory(rows_of("all", 20)), hold_out="site=B"),
            "memory: test_folds: 3: --hold-out site=B already names the test images; drop one of the two",
        ),
        (
            in_memory([*rows_of("all", 5), *[(f"n{i}", "all", 0, f"n{i}", f"n{i}") for i in range(9)]]),
            "memory: test_folds: 3: needs 3 patients of every class, and PNEUMONIA has 2; use fewer folds",
        ),
    ],
)
def test_what_cannot_be_divided_is_refused_in_one_line(dataset: Dataset, line: str) -> None:
    assert refusal(lambda: make_test_fold(dataset, SAMPLING, 3, 0, 0)) == line
    assert folds_problem(dataset, 3) == line
