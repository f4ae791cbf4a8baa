"""References: distances from training images, and a limit that holds its promise on images like those of validation."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.evidence.diagnosis.out_of_distribution import LEVEL, fit_reference
from benchmark.evidence.diagnosis.reference import OODReference


def drawn(count: int, seed: int, d: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Descriptions of two classes whose features correlate, and their labels."""
    generator = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(d, d))
    labels = np.arange(count) % 2
    return generator.normal(size=(count, d)) @ mixing + 3 * labels[:, None], labels


def test_the_distance_is_mahalanobis_to_the_nearest_class_mean() -> None:
    reference = OODReference(np.array([[0.0, 0.0], [10.0, 0.0]]), np.diag([1.0, 4.0]), 1.0, LEVEL, 10)
    assert reference.distances(np.array([[3.0, 0.0], [10.0, 2.0], [9.0, 0.0]])) == pytest.approx([3.0, 4.0, 1.0])


def test_new_images_alike_are_beyond_the_limit_about_as_often_as_declared() -> None:
    shares = []
    for seed in range(20):
        train, labels = drawn(200, 3 * seed)
        reference = fit_reference(train, labels, drawn(300, 3 * seed + 1)[0])
        shares.append(float(np.mean(reference.distances(drawn(500, 3 * seed + 2)[0]) > reference.limit)))
    assert 0.003 < np.mean(shares) < 0.015
    assert reference.share == LEVEL


def test_few_validation_images_set_the_largest_distance_and_say_what_that_holds() -> None:
    train, labels = drawn(100, 0)
    val = drawn(20, 1)[0]
    reference = fit_reference(train, labels, val)
    assert reference.limit == pytest.approx(reference.distances(val).max())
    assert reference.share == pytest.approx(1 / 21)
    assert reference.images == 20


def test_more_features_than_images_are_no_obstacle() -> None:
    generator = np.random.default_rng(0)
    train, val = generator.normal(size=(30, 100)), generator.normal(size=(60, 100))
    reference = fit_reference(train, np.arange(30) % 2, val)
    assert np.isfinite(reference.limit)
    assert reference.distances(np.full((1, 100), 8.0))[0] > reference.limit


def test_a_feature_that_never_varied_makes_another_value_strange() -> None:
    train, labels = drawn(100, 0)
    train[:, 0] = 5.0
    val = drawn(60, 1)[0]
    val[:, 0] = 5.0
    reference = fit_reference(train, labels, val)
    odd = val[:1].copy()
    assert reference.distances(odd)[0] <= reference.limit
    odd[0, 0] = 60.0
    assert reference.distances(odd)[0] > reference.limit


def test_constant_training_images_leave_a_finite_distance() -> None:
    reference = fit_reference(np.ones((10, 3)), np.arange(10) % 2, np.ones((5, 3)))
    assert reference.limit == pytest.approx(0.0)
    assert reference.distances(np.array([[1.0, 1.0, 2.0]]))[0] > reference.limit


@pytest.mark.parametrize("broken", [np.zeros((0, 3)), np.full((4, 3), np.nan)])
def test_nothing_to_compare_with_is_refused(broken: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"reference needs|not finite"):
        fit_reference(np.ones((4, 3)), np.array([0, 1, 0, 1]), broken)
