"""Rates in groups of images of several classes against SciPy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact
from sklearn.metrics import recall_score
from statsmodels.stats.multitest import multipletests

from benchmark.evidence.diagnosis.multiclass_subgroups import by_attribute, multiclass_subgroups
from benchmark.evidence.metrics.multiclass import argmax
from tests.support.classes import NAMES, on_classes, planted_classes

SCORES = on_classes(*planted_classes((80, 60, 50), 1.0, 0))
IMAGES = [str(place) for place in range(190)]
SITES = {name: "AB"[int(name) % 2] for name in IMAGES}


def test_rates_are_those_of_scikit_learn() -> None:
    decided = argmax(SCORES)
    results = multiclass_subgroups(SCORES, decided, [by_attribute(SITES, IMAGES, "site")])
    assert [group.name for group in results.groups] == ["A", "B"]
    for place, group in enumerate(results.groups):
        inside = np.arange(190) % 2 == place
        accuracy, *recalls = group.rates
        assert accuracy.value == pytest.approx((decided == SCORES.y_true)[inside].mean())
        expected = recall_score(SCORES.y_true[inside], decided[inside], average=None)
        assert [rate.value for rate in recalls] == pytest.approx(expected.tolist())
        assert [rate.metric for rate in recalls] == [f"recall:class:{name}" for name in NAMES[:3]]


def test_tests_are_fisher_s_and_both_groups_share_them() -> None:
    decided = argmax(SCORES)
    first, second = multiclass_subgroups(SCORES, decided, [by_attribute(SITES, IMAGES, "site")]).groups
    p_values = []
    for label in range(3):
        of_class = SCORES.y_true == label
        table = [
            [int((decided == label)[of_class & (np.arange(190) % 2 == place)].sum()) for place in (0, 1)],
            [int((decided != label)[of_class & (np.arange(190) % 2 == place)].sum()) for place in (0, 1)],
        ]
        p_values.append(fisher_exact(table).pvalue)
    assert [rate.p_value for rate in first.rates[1:]] == pytest.approx(p_values)
    assert [rate.adjusted for rate in first.rates[1:]] == pytest.approx(multipletests(p_values, method="holm")[1])
    assert [rate.adjusted for rate in first.rates[1:]] == [rate.adjusted for rate in second.rates[1:]]
    assert first.rates[0].p_value is None


def test_a_site_that_fails_on_one_class_is_significant_for_that_class_alone() -> None:
    decided = SCORES.y_true.copy()
    decided[(SCORES.y_true == 1) & (np.arange(190) % 2 == 1)] = 0
    results = multiclass_subgroups(SCORES, decided, [by_attribute(SITES, IMAGES, "site")])
    adjusted = {rate.metric: rate.adjusted for rate in results.groups[1].rates}
    assert (adjusted["recall:class:bee"] or 1) < 0.001
    assert adjusted["recall:class:ant"] == 1
    assert results.groups[1].failures


def test_an_attribute_becomes_groups_thirds_or_a_reason() -> None:
    assert by_attribute({"0": "A"}, IMAGES[:2], "site").order == ("A", "unknown")
    ages = by_attribute({name: str(20 + int(name)) for name in IMAGES}, IMAGES, "age")
    assert len(ages.order) == 3
    assert "same for all images: A" in str(by_attribute(dict.fromkeys(IMAGES, "A"), IMAGES, "site").reason)
    assert "190 different values" in str(by_attribute({n: f"x{n}" for n in IMAGES}, IMAGES, "device").reason)
