"""Groups of test images: how they are named, what is tested in them, and when a group says that it is too small."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from benchmark.evidence.diagnosis.subgroups import Grouping, Rate, Subgroup, by_name, by_thirds, certainty, subgroups
from benchmark.evidence.intervals.formulas import wilson
from benchmark.evidence.scores import TestScores

AB = Grouping("kind", ("a",) * 40 + ("b",) * 60, ("a", "b"))


def of(y_true: list[int], right: list[bool], patient: list[str] | None = None) -> TestScores:
    """Scores that decide at 0.5 as `right` says."""
    labels = np.array(y_true)
    score = np.where(np.array(right), labels, 1 - labels) * 0.8 + 0.1
    return TestScores("test", labels, score, None if patient is None else tuple(patient))


def rate(group: Subgroup, metric: str) -> Rate:
    return next(each for each in group.rates if each.metric == metric)


def two_groups(wrong_in_a: int, wrong_in_b: int) -> TestScores:
    right = [i >= wrong_in_a for i in range(40)] + [i >= wrong_in_b for i in range(60)]
    return of([1] * 100, right)


def test_a_series_is_the_name_without_its_running_numbers() -> None:
    names = [
        "test/NORMAL/IM-0001-0001.jpeg",
        "test/NORMAL/IM-0003-0001-0002.jpeg",
        "test/NORMAL/NORMAL2-IM-0030-0001.jpeg",
        "test/NORMAL/NORMAL2-IM-0031-0001.jpeg",
        "test/PNEUMONIA/person10_virus_35.jpeg",
        "test/PNEUMONIA/person11_virus_38.jpeg",
        "test/PNEUMONIA/person78_bacteria_378.jpeg",
    ]
    found = by_name(names)
    assert found.labels == (
        *["IM-#"] * 2,
        *["NORMAL2-IM-#"] * 2,
        *["person#_virus_#"] * 2,
        "person#_bacteria_#",
    )
    assert found.order == ("IM-#", "NORMAL2-IM-#", "person#_virus_#", "person#_bacteria_#")


def test_a_number_that_differs_is_no_part_of_the_title() -> None:
    found = by_name(["scan1-a7.png", "scan2-a7.png", "other3.png", "other4.png"])
    assert set(found.order) == {"scan#-a7", "other#"}


def test_one_series_is_no_grouping() -> None:
    found = by_name(["0001.png", "0002.png"])
    assert (found.labels, found.reason) == (None, "all file names are in one series, #")


def test_names_that_all_differ_are_no_series() -> None:
    found = by_name([f"{'x' * n}.png" for n in range(1, 30)])
    assert found.labels is None
    assert found.reason == "the file names follow 29 patterns, too many to be series"


@pytest.mark.parametrize("name", ["#1.png", "a|b*.png", "<script>7.png", "ü 1 2 3.png", "..", "", "1" * 300, "a(b[c{1"])
def test_hostile_names_are_grouped_like_others(name: str) -> None:
    found = by_name([name, name, "plain1.png", "plain2.png"])
    assert found.labels is not None
    assert len(found.labels) == 4
    assert found.labels[0] == found.labels[1] != found.labels[2]


def test_thirds_hold_a_third_each_and_name_their_range() -> None:
    found = by_thirds(list(range(9)), "size", ("small", "middle", "large"), "px")
    assert found.order == ("small (0 to 2 px)", "middle (3 to 5 px)", "large (6 to 8 px)")
    assert found.labels == tuple(title for title in found.order for _ in range(3))


def test_equal_values_stay_in_one_third() -> None:
    found = by_thirds([1.0] * 8 + [2.0], "size")
    assert found.labels is not None
    assert set(found.labels[:8]) == {"low (1 to 1)"}
    assert found.order == ("low (1 to 1)", "high (2 to 2)")


def test_one_value_is_no_grouping() -> None:
    found = by_thirds([50176.0] * 4, "image size", unit="pixels")
    assert found.reason == "image size is the same for all images: 50,176 pixels"


def test_rates_are_counted_with_wilsons_interval() -> None:
    found = subgroups(two_groups(4, 6), 0.5, [AB])
    a = rate(found.groups[0], "recall")
    assert (a.right, a.images, a.value) == (36, 40, 0.9)
    assert (a.low, a.high) == pytest.approx(wilson(36, 40))
    assert rate(found.groups[0], "accuracy").value == 0.9
    assert rate(found.groups[0], "accuracy").p_value is None


def test_a_class_that_a_group_lacks_has_no_rate() -> None:
    missing = rate(subgroups(two_groups(4, 6), 0.5, [AB]).groups[0], "specificity")
    assert (missing.value, missing.p_value, missing.reason) == (None, None, "no image of this class")


def test_single_images_are_tested_by_fisher() -> None:
    found = rate(subgroups(two_groups(12, 3), 0.5, [AB]).groups[0], "recall")
    assert found.p_value == pytest.approx(fisher_exact([[28, 12], [57, 3]]).pvalue)
    assert found.difference == pytest.approx(0.7 - 0.95)
    assert found.test == "Fisher's exact test"


def test_two_groups_of_a_class_are_one_test() -> None:
    found = subgroups(two_groups(12, 3), 0.5, [AB])
    assert found.tests == 1
    a, b = (rate(group, "recall") for group in found.groups)
    assert a.p_value == pytest.approx(b.p_value)
    assert a.adjusted == pytest.approx(a.p_value)


def test_three_groups_are_three_tests_adjusted_by_holm() -> None:
    three = Grouping("kind", ("a",) * 30 + ("b",) * 30 + ("c",) * 40, ("a", "b", "c"))
    found = subgroups(two_groups(12, 3), 0.5, [three])
    assert found.tests == 3
    rates = [rate(group, "recall") for group in found.groups]
    smallest = min(rates, key=lambda each: each.p_value or 1)
    assert smallest.adjusted == pytest.approx(min(1, 3 * (smallest.p_value or 1)))


def test_groupings_form_one_family() -> None:
    other = Grouping("other", ("x",) * 50 + ("y",) * 50, ("x", "y"))
    assert subgroups(two_groups(12, 3), 0.5, [AB, other]).tests == 2


def test_the_same_division_under_two_kinds_counts_once() -> None:
    assert AB.labels is not None
    sites = Grouping("site", tuple(f"site {label}" for label in AB.labels), ("site a", "site b"))
    result = subgroups(two_groups(12, 3), 0.5, [AB, sites])
    assert result.tests == 1
    assert [group.name for group in result.groups] == ["site a", "site b"]
    assert result.left_out == ("grouping by kind divides the images as by site",)


def test_images_of_a_patient_are_not_independent() -> None:
    """Ten patients whose five images are all wrong or all right say less than fifty images."""
    right = [patient % 2 == 0 for patient in range(10) for _ in range(5)] + [True] * 50
    people = [f"p{patient}" for patient in range(20) for _ in range(5)]
    group = Grouping("kind", ("a",) * 50 + ("b",) * 50, ("a", "b"))
    alone = rate(subgroups(of([1] * 100, right), 0.5, [group]).groups[0], "recall")
    related = rate(subgroups(of([1] * 100, right, people), 0.5, [group]).groups[0], "recall")
    assert related.test == "score test by patient"
    assert (alone.p_value or 1) < 1e-6 < (related.p_value or 0) < 0.2
    assert related.low is not None
    assert alone.low is not None
    assert related.low < alone.low


def test_the_test_by_patient_keeps_its_level() -> None:
    """Nothing differs between the groups: at most about one in twenty tests says it does."""
    generator = np.random.default_rng(3)
    found = []
    for _ in range(200):
        people = np.repeat(np.arange(60), generator.integers(1, 5, 60))
        right = generator.random(len(people)) < generator.beta(3.2, 0.8, 60)[people]
        labels = np.where(generator.random(60)[people] < 0.4, "a", "b")
        grouping = Grouping("kind", tuple(labels.tolist()), ("a", "b"))
        scores = of([1] * len(people), right.tolist(), [f"p{p}" for p in people])
        found.append(rate(subgroups(scores, 0.5, [grouping]).groups[0], "recall").p_value)
    assert None not in found
    assert np.mean([p <= 0.05 for p in found if p is not None]) < 0.09


def test_a_planted_difference_is_found_by_patient() -> None:
    people = [f"p{n // 2}" for n in range(200)]
    right = [n % 10 != 0 for n in range(100)] + [n % 2 == 0 for n in range(100)]
    group = Grouping("kind", ("a",) * 100 + ("b",) * 100, ("a", "b"))
    found = rate(subgroups(of([0] * 200, right, people), 0.5, [group]).groups[1], "specificity")
    assert found.adjusted is not None
    assert found.adjusted < 0.001
    assert found.difference == pytest.approx(-0.4)


@pytest.mark.parametrize(("count", "said"), [(9, "too few images of this class in this group (9,"), (10, None)])
def test_a_small_group_says_so(count: int, said: str | None) -> None:
    group = Grouping("kind", ("a",) * count + ("b",) * (100 - count), ("a", "b"))
    found = rate(subgroups(two_groups(4, 6), 0.5, [group]).groups[0], "recall")
    assert found.value is not None
    assert (found.reason is None) == (said is None)
    assert said is None or said in str(found.reason)
    assert (found.p_value is None) == (said is not None)


def test_a_group_of_few_patients_says_so() -> None:
    people = ["p0"] * 20 + ["p1"] * 20 + [f"q{n}" for n in range(60)]
    found = rate(subgroups(of([1] * 100, [True] * 100, people), 0.5, [AB]).groups[0], "recall")
    assert found.reason == "no test: too few patients of this class in this group (2, at least 5 needed)"


def test_nothing_wrong_anywhere_is_no_difference() -> None:
    people = [f"p{n // 2}" for n in range(100)]
    found = rate(subgroups(of([1] * 100, [True] * 100, people), 0.5, [AB]).groups[0], "recall")
    assert found.p_value == 1.0


def test_a_class_within_one_group_is_not_compared() -> None:
    labels = [1] * 40 + [0] * 60
    found = subgroups(of(labels, [True] * 100), 0.5, [AB])
    assert rate(found.groups[0], "recall").reason == "every image of this class is in this group"
    assert found.tests == 0


def test_failures_are_the_most_certain_first() -> None:
    scores = TestScores("test", np.array([1, 1, 1, 0, 0]), np.array([0.1, 0.6, 0.4, 0.95, 0.2]))
    group = Grouping("kind", ("a",) * 5, ("a",))
    assert subgroups(scores, 0.5, [group]).groups[0].failures == (3, 0, 2)


def test_certainty_is_the_share_of_the_way_to_the_end_of_the_scale() -> None:
    scores = TestScores("test", np.array([1, 1, 0, 0]), np.array([0.2, 0.6, 1.0, 0.1]))
    assert certainty(scores, 0.2) == pytest.approx([0, 0.5, 1, 0.5])
    assert certainty(scores, 1.0) == pytest.approx([0.8, 0.4, 0, 0.9])


def test_groupings_that_are_not_there_are_told() -> None:
    found = subgroups(two_groups(4, 6), 0.5, [Grouping("size", None, reason="no sizes"), AB])
    assert found.left_out == ("no sizes",)
    assert len(found.groups) == 2


def test_labels_of_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="2 labels of kind for 100 scores"):
        subgroups(two_groups(4, 6), 0.5, [Grouping("kind", ("a", "b"), ("a", "b"))])
