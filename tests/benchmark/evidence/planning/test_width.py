"""The number of images for a wished width, against published formulas and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint, samplesize_confint_proportion

from benchmark.evidence.intervals.formulas import hanley_mcneil
from benchmark.evidence.planning.classes import ClassWorld
from benchmark.evidence.planning.width import images_for_width
from benchmark.evidence.planning.worlds import BinaryWorld


@pytest.mark.parametrize(("expected", "width", "prevalence"), [(0.9, 0.1, 0.5), (0.8, 0.1, 0.2), (0.95, 0.06, 0.5)])
def test_recall_needs_the_positives_of_wilsons_interval(expected: float, width: float, prevalence: float) -> None:
    """Buderer 1996: as many images as contain the positives that a proportion of this precision takes."""
    plan = images_for_width(
        BinaryWorld("recall", round(1e5 * (1 - prevalence)), round(1e5 * prevalence)), expected, width
    )
    assert plan.images is not None
    positives = plan.sizes[1]
    low, high = proportion_confint(round(expected * positives), positives, method="wilson")
    assert (plan.low, plan.high) == (pytest.approx(low), pytest.approx(high))
    assert high - low <= width
    assert positives == pytest.approx(samplesize_confint_proportion(expected, width / 2), rel=0.08)
    assert plan.images == pytest.approx(positives / prevalence, abs=5)


@pytest.mark.parametrize(("expected", "width", "prevalence"), [(0.96, 0.05, 0.625), (0.998, 0.02, 0.5)])
def test_the_number_is_the_first_from_which_on_every_test_set_is_large_enough(
    expected: float, width: float, prevalence: float
) -> None:
    """By trying every number of images with statsmodels' interval of the nearest count."""
    negatives, positives = round(1e5 * (1 - prevalence)), round(1e5 * prevalence)
    plan = images_for_width(BinaryWorld("recall", negatives, positives), expected, width)
    sizes = np.arange(10, 3000)
    n = np.round(sizes * prevalence)
    low, high = proportion_confint(np.round(expected * n), n, method="wilson")
    assert plan.images == sizes[high - low > width].max() + 1
    assert plan.count == (round(expected * plan.sizes[1]), plan.sizes[1])


def test_the_width_of_an_auc_is_about_that_of_hanley_and_mcneil() -> None:
    plan = images_for_width(BinaryWorld("auc", 50_000, 50_000), 0.9, 0.1)
    assert plan.images is not None
    assert not plan.exact
    assert 2 * 1.96 * hanley_mcneil(0.9, *plan.sizes) == pytest.approx(0.1, rel=0.1)


def test_three_classes_are_planned_too() -> None:
    plan = images_for_width(ClassWorld("accuracy", (("a", 500), ("b", 300), ("c", 200)), "drawn"), 0.9, 0.12)
    assert plan.images == pytest.approx(samplesize_confint_proportion(0.9, 0.06), rel=0.12)


def test_a_width_that_no_test_set_gives_has_no_number() -> None:
    assert images_for_width(BinaryWorld("accuracy", 1, 1), 0.5, 0.001).images is None
