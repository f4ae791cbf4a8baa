"""Checks of data of three or more classes: contradictions by classes, batch effects, how files are stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmark.data.checks.batch_effect import FEATURES, batch_effects
from benchmark.data.checks.describe import describe
from benchmark.data.dataset import Dataset, Image, Part
from benchmark.data.decoding.formats import formats
from benchmark.data.levels import Stored
from benchmark.data.positive_class import in_order, positive_warning, with_positive
from tests.support.images import Row, in_memory, refusal

CLASSES = ("a", "b", "c")


def of_three(rows: list[Row], **changes: object) -> Dataset:
    return replace(in_memory(rows), classes=CLASSES, **changes)  # type: ignore[arg-type]


def rows_of_three(part: Part, patients: dict[int, int]) -> list[Row]:
    return [
        (f"{part}/{label}-{number:02d}", part, label, f"{part}{label}-{number}", f"{label * 40 + number:02x}{part}")
        for label, count in patients.items()
        for number in range(count)
    ]


def test_identical_images_of_different_classes_are_counted_by_the_classes_that_they_mix() -> None:
    rows: list[Row] = [(f"{n}", "all", n % 3, f"p{n}", f"{n:02x}") for n in range(9)]
    same: list[Row] = [(f"x{n}", "all", label, f"q{n}", "ff") for n, label in enumerate((0, 2, 2))]
    more: list[Row] = [(f"y{n}", "all", label, f"r{n}", "fe") for n, label in enumerate((0, 1))]
    summary = describe(of_three([*rows, *same, *more]))
    assert summary.images_under_both_labels == 5
    assert any("5 identical images have different labels (a and c 3, a and b 2)" in line for line in summary.warnings)


def test_parts_are_compared_within_each_class_and_a_rare_class_is_left_out() -> None:
    rows = rows_of_three("train", {0: 30, 1: 30, 2: 2}) + rows_of_three("test", {0: 20, 1: 20, 2: 2})
    images = of_three(rows).images
    levels = np.random.default_rng(0).normal(100, 10, (len(images), len(FEATURES)))
    inside = np.array([image.part == "test" for image in images])
    labels = np.array([image.label for image in images])
    levels[:, 0] += 60 * inside + 500 * labels
    (effect,) = batch_effects(images, levels)
    assert effect.significant
    assert effect.strongest == FEATURES[0]
    # Pairs of one class only: the mean of the classes' AUC, weighted by their pairs.
    by_class = [roc_auc_score(inside[labels == label], levels[labels == label, 0]) for label in (0, 1)]
    assert effect.strongest_auc == pytest.approx(np.mean(by_class))


def test_a_comparison_without_a_class_of_enough_patients_has_no_figures() -> None:
    rows = rows_of_three("train", {0: 9, 1: 9, 2: 2}) + rows_of_three("test", {0: 3, 1: 4, 2: 9})
    images = of_three(rows).images
    (effect,) = batch_effects(images, np.zeros((len(images), len(FEATURES))))
    assert effect.auc is None
    assert effect.reason is not None
    assert "5 are needed" in effect.reason


def test_a_class_that_is_stored_in_another_way_is_named() -> None:
    rows: list[Row] = [(f"{n:02d}", "all", n % 3, f"p{n}", f"{n:02x}") for n in range(30)]
    plain_data = of_three(rows)

    def stored(image: Image, odd: int) -> Stored:
        kind = "PNG" if image.label == odd else "JPEG"
        return Stored(kind, "L", "8-bit", 0, 255, 8, 8, False, False, False)

    third = formats(replace(plain_data, stored={image.name: stored(image, 2) for image in plain_data.images}))
    nobody = formats(replace(plain_data, stored={image.name: stored(image, 3) for image in plain_data.images}))
    assert third is not None
    assert nobody is not None
    assert any("format differs between the classes (a JPEG; b JPEG; c PNG)" in line for line in third.warnings)
    assert not any("between the classes" in line for line in nobody.warnings)


def test_no_class_of_three_is_positive() -> None:
    dataset = of_three([(f"{n}", "all", n % 3, f"p{n}", f"{n:02x}") for n in range(9)])
    message = refusal(lambda: with_positive(dataset, "b"))
    assert message.startswith("--positive b: memory has 3 classes (a, b, c)")
    assert in_order(dataset, "b") is dataset
    assert positive_warning(("ill", "worse", "normal"), None) is None
