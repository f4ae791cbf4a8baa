"""Differences of two cards on the same images, their intervals and tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, permutation_test, t, ttest_1samp
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.power import NormalIndPower

from benchmark.evidence.comparison.paired import Difference, difference, differences, sign_flip
from benchmark.evidence.intervals.formulas import mover, newcombe, wilson
from benchmark.evidence.intervals.seeds import UNKNOWN_SPREAD, PairedScores
from benchmark.evidence.intervals.trainings import seed_variance
from benchmark.evidence.metrics.influence import ClassSizes, Clusters
from benchmark.evidence.metrics.registry import measures
from benchmark.evidence.scores import TestScores
from tests.support.records import on_test

METRICS = tuple(measures())

QUICK = settings(deadline=None, max_examples=25)
N = 120
LABELS = np.arange(N) % 2
PATIENTS = tuple(f"p{k // 3}" for k in range(N))


def one(
    y_true: np.ndarray, y_score: np.ndarray, patients: tuple[str, ...] | None = None, cut: float = 0.5
) -> PairedScores:
    return PairedScores((TestScores("test", y_true, y_score, patients),), (cut,))


def scored(seed: int, shift: float = 1.2, patients: tuple[str, ...] | None = None, seeds: int = 1) -> PairedScores:
    """A card whose images are as hard as they are for every other card."""
    hard = np.random.default_rng(99).standard_normal(N)
    noise = np.random.default_rng(seed).standard_normal((seeds, N))
    hidden = shift * (LABELS - 0.5) + 0.7 * hard + 0.7 * noise
    runs = tuple(TestScores("test", LABELS, 1 / (1 + np.exp(-row)), patients) for row in hidden)
    return PairedScores(runs, (0.5,) * seeds)


def from_table(both: int, first: int, second: int, neither: int) -> tuple[PairedScores, PairedScores]:
    """Two cards with these numbers of right decisions on positives: by both, by one alone, by neither."""
    a = [1] * both + [1] * first + [0] * second + [0] * neither
    b = [1] * both + [0] * first + [1] * second + [0] * neither
    labels = np.ones(len(a), dtype=np.int64)
    return one(labels, np.where(np.array(a) == 1, 0.9, 0.1)), one(labels, np.where(np.array(b) == 1, 0.9, 0.1))


def slow_delong(a: PairedScores, b: PairedScores) -> tuple[float, float]:
    """Difference of the AUCs and its variance, from all pairs (DeLong et al. 1988)."""
    y_true = a.runs[0].y_true
    placed = []
    for card in (a, b):
        s = card.runs[0].y_score
        pairs = np.subtract.outer(s[y_true == 1], s[y_true == 0])
        psi = (pairs > 0) + 0.5 * (pairs == 0)
        placed.append((psi.mean(axis=1), psi.mean(axis=0)))
    change = [x - y for x, y in zip(*placed, strict=True)]
    variance = sum(part.var(ddof=1) / len(part) for part in change)
    return float(placed[0][0].mean() - placed[1][0].mean()), float(variance)


TABLE = st.tuples(*(st.integers(0, 30) for _ in range(4))).filter(lambda table: sum(table) > 1)


@QUICK
@given(table=TABLE, level=st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_interval_and_test_of_a_share_agree_at_every_level(table: tuple[int, int, int, int], level: float) -> None:
    result = difference("recall", *from_table(*table), level=level)
    assert result.low is not None
    assert result.high is not None
    assert result.p_value is not None
    assert result.test == "Newcombe"
    if abs(result.p_value - (1 - level)) > 1e-6:
        assert (result.p_value < 1 - level) == (result.low > 0 or result.high < 0)


@pytest.mark.parametrize("table", [(100, 30, 10, 100), (59, 6, 16, 80), (200, 14, 25, 60), (10, 40, 40, 10)])
def test_the_test_of_a_share_is_near_mcnemar_s_without_correction(table: tuple[int, int, int, int]) -> None:
    both, first, second, neither = table
    expected = mcnemar([[both, first], [second, neither]], exact=False, correction=False).pvalue
    assert difference("recall", *from_table(*table)).p_value == pytest.approx(expected, abs=0.02)


def test_the_interval_of_paired_proportions_agrees_with_a_printed_example() -> None:
    """Complete response before and after consolidation therapy (Cavo et al. 2012), as Newcombe's square-and-add
    interval is printed for it with Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables."""
    result = difference("recall", *from_table(59, 6, 16, 80))
    assert result.value == pytest.approx(-0.0621, abs=5e-5)
    assert (result.low, result.high) == pytest.approx((-0.1186, -0.0046), abs=5e-5)
    assert result.method == "Newcombe"


def test_squares_add_up_to_newcombe_s_interval_when_nothing_is_correlated() -> None:
    a, b = wilson(56, 70), wilson(48, 80)
    assert mover((56 / 70, 48 / 80), a, b, 0.0) == pytest.approx(newcombe(56, 70, 48, 80), abs=1e-12)


@QUICK
@given(table=TABLE)
def test_the_interval_of_paired_proportions_contains_its_difference_and_turns_around(
    table: tuple[int, int, int, int],
) -> None:
    a, b = from_table(*table)
    one_way, other_way = difference("recall", a, b), difference("recall", b, a)
    assert one_way.value is not None
    assert one_way.low is not None
    assert one_way.high is not None
    assert -1 <= one_way.low <= one_way.value + 1e-12
    assert one_way.value - 1e-12 <= one_way.high <= 1
    assert (other_way.low, other_way.high) == pytest.approx((-one_way.high, -one_way.low), abs=1e-12)


@QUICK
@given(changes=st.lists(st.integers(-4, 4), max_size=10))
def test_flipped_signs_give_the_p_value_of_all_their_sums(changes: list[int]) -> None:
    sums = [
        sum(s * abs(c) for s, c in zip(signs, changes, strict=True)) for signs in product((-1, 1), repeat=len(changes))
    ]
    expected = np.mean([abs(total) >= abs(sum(changes)) for total in sums])
    assert sign_flip(np.array(changes, dtype=float)) == pytest.approx(expected, abs=1e-12)


def test_flipped_signs_give_the_p_value_of_scipy_s_permutation_test() -> None:
    changes = np.array([3.0, -1, 2, 0, 1, 1, -2, 4, 1])
    expected = permutation_test(
        (changes, np.zeros(9)), lambda x, y: np.sum(x - y), permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert sign_flip(changes) == pytest.approx(expected, abs=1e-12)


def test_the_test_of_a_share_by_patient_counts_patients() -> None:
    """Ten images of two patients, all better with the first card, are certain by image and less so by patient."""
    labels, patients = np.ones(10, dtype=np.int64), ("p",) * 5 + ("q",) * 5
    right, wrong = np.full(10, 0.9), np.full(10, 0.1)
    by_image = difference("recall", one(labels, right), one(labels, wrong))
    by_patient = difference("recall", one(labels, right, patients), one(labels, wrong, patients))
    assert by_image.p_value is not None
    assert by_patient.p_value is not None
    assert by_image.p_value < 1e-4 < 1e-2 < by_patient.p_value
    assert by_patient.test == "Newcombe, by patient"


@QUICK
@given(seed=st.integers(0, 10**6), ties=st.booleans())
def test_the_difference_of_two_aucs_is_delong_s(seed: int, ties: bool) -> None:
    a, b = scored(seed), scored(seed + 1)
    if ties:
        a, b = (one(LABELS, np.round(card.runs[0].y_score, 1)) for card in (a, b))
    value, variance = slow_delong(a, b)
    result = difference("auc", a, b)
    half = 1.959963984540054 * math.sqrt(variance)
    assert result.value == pytest.approx(value, abs=1e-12)
    assert (result.low, result.high) == pytest.approx((value - half, value + half), abs=1e-9)
    assert result.p_value == pytest.approx(2 * norm.sf(abs(value) / math.sqrt(variance)), rel=1e-6)
    assert (result.method, result.test) == ("DeLong", "DeLong")


def test_the_bootstrap_of_a_mean_is_near_the_paired_t_test() -> None:
    a, b = scored(1), scored(2, shift=2.0)
    changes = (a.runs[0].y_score - LABELS) ** 2 - (b.runs[0].y_score - LABELS) ** 2
    expected, result = ttest_1samp(changes, 0), difference("brier", a, b)
    bounds = expected.confidence_interval()
    assert result.value == pytest.approx(changes.mean())
    assert (result.low, result.high) == pytest.approx((bounds.low, bounds.high), abs=0.003)
    assert result.p_value == pytest.approx(expected.pvalue, abs=0.02)
    assert result.method == "paired bootstrap"


@pytest.mark.parametrize("metric", METRICS)
def test_second_copies_of_images_add_no_information_where_patients_are_known(metric: str) -> None:
    a, b = scored(1), scored(2)
    twice = tuple(f"p{k % N}" for k in range(2 * N))
    doubled = [one(np.tile(LABELS, 2), np.tile(card.runs[0].y_score, 2), twice) for card in (a, b)]
    blind = [one(np.tile(LABELS, 2), np.tile(card.runs[0].y_score, 2)) for card in (a, b)]
    once, known, unknown = difference(metric, a, b), difference(metric, *doubled), difference(metric, *blind)
    assert width(known) == pytest.approx(width(once), rel=0.05)  # by patient the quantile is a t's
    assert width(unknown) == pytest.approx(width(once) / math.sqrt(2), rel=0.05)
    assert known.p_value == pytest.approx(once.p_value, abs=0.02)


def width(result: Difference) -> float:
    assert result.low is not None, result.reason
    assert result.high is not None
    return result.high - result.low


@pytest.mark.parametrize("patients", [None, PATIENTS])
@pytest.mark.parametrize("seeds", [(1, 1), (3, 2), (1, 3)])
@pytest.mark.parametrize("metric", METRICS)
def test_the_difference_is_reversed_with_the_cards(
    metric: str, seeds: tuple[int, int], patients: tuple[str, ...] | None
) -> None:
    a, b = scored(1, patients=patients, seeds=seeds[0]), scored(20, 1.6, patients=patients, seeds=seeds[1])
    there, back = difference(metric, a, b, count=400), difference(metric, b, a, count=400)
    assert there.value is not None
    assert there.low is not None
    assert there.high is not None
    assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low), abs=1e-12)
    assert (back.p_value, back.smallest_detectable) == pytest.approx((there.p_value, there.smallest_detectable))
    assert (back.method, back.seeds) == (there.method, seeds[::-1])


@pytest.mark.parametrize("metric", METRICS)
def test_a_card_does_not_differ_from_itself(metric: str) -> None:
    result = difference(metric, scored(1), scored(1))
    assert (result.value, result.p_value) == (0, 1)
    assert result.smallest_detectable is None
    assert result.reason


def test_a_perfect_and_a_constant_card_differ_without_a_test() -> None:
    perfect, constant = one(LABELS, LABELS * 0.8 + 0.1), one(LABELS, np.full(N, 0.5))
    result = difference("auc", perfect, constant)
    assert (result.value, result.low, result.p_value) == (0.5, None, None)
    assert result.reason == "nothing varies between images"


def test_an_undefined_metric_has_no_difference_and_has_a_reason() -> None:
    result = difference("precision", scored(1), one(LABELS, np.full(N, 0.1)))
    assert (result.value, result.p_value) == (None, None)
    assert result.reason == "undefined for these decisions or classes"


def test_a_metric_that_replicates_often_lack_has_a_difference_without_an_interval() -> None:
    rare = np.full(N, 0.1)
    rare[0] = 0.9  # one call, which a third of the replicates leave out
    result = difference("precision", one(LABELS, rare), scored(1), count=500)
    assert result.value is not None
    assert (result.low, result.p_value, result.smallest_detectable) == (None, None, None)
    assert result.reason
    assert "of the bootstrap replicates" in result.reason


def test_the_smallest_detectable_difference_is_shown_four_times_in_five() -> None:
    a, b = scored(1), scored(2)
    error = math.sqrt(slow_delong(a, b)[1])
    per_error = NormalIndPower(ddof=0).solve_power(nobs1=1, alpha=0.05, power=0.8, ratio=0)
    assert difference("auc", a, b).smallest_detectable == pytest.approx(per_error * error, rel=1e-4)


def test_four_times_as_many_images_detect_half_the_difference() -> None:
    generator = np.random.default_rng(3)
    labels = np.arange(4000) % 2
    cards = [np.clip(0.5 + 0.2 * (labels - 0.5) + 0.2 * generator.standard_normal(4000), 0, 1) for _ in range(2)]
    small = difference("accuracy", *(one(labels[:1000], s[:1000]) for s in cards)).smallest_detectable
    large = difference("accuracy", *(one(labels, s) for s in cards)).smallest_detectable
    assert small is not None
    assert large == pytest.approx(small / 2, rel=0.1)


def test_one_seed_says_that_their_spread_is_unknown_and_several_count_it() -> None:
    single, both = difference("auc", scored(1), scored(2)), difference("auc", scored(1, seeds=3), scored(20, seeds=3))
    mixed = difference("auc", scored(1, seeds=3), scored(20))
    assert (single.seeds, single.note) == ((1, 1), UNKNOWN_SPREAD)
    assert (both.seeds, both.note) == ((3, 3), None)
    assert (mixed.seeds, mixed.note) == ((3, 1), UNKNOWN_SPREAD)
    assert both.method
    assert both.method.startswith("images and seeds, t with ")


def copies(card: PairedScores, count: int = 3) -> PairedScores:
    return PairedScores(card.runs * count, card.thresholds * count)


@pytest.mark.parametrize("patients", [None, PATIENTS])
@pytest.mark.parametrize("metric", METRICS)
def test_copies_of_the_runs_change_no_difference(metric: str, patients: tuple[str, ...] | None) -> None:
    a, b = scored(1, patients=patients), scored(2, 2.0, patients=patients)
    single, several = difference(metric, a, b, count=300), difference(metric, copies(a), copies(b), count=300)
    expected = (single.low, single.high, single.p_value, single.smallest_detectable)
    assert (several.low, several.high, several.p_value, several.smallest_detectable) == pytest.approx(expected)
    assert (several.seeds, several.note, several.method) == ((3, 3), None, single.method)


def test_three_cards_that_call_one_class_differ_as_one_of_them_does() -> None:
    every = [TestScores("test", LABELS, 0.8 + np.random.default_rng(k).random(N) / 10) for k in range(3)]
    alone, three = PairedScores((every[0],), (0.5,)), PairedScores(tuple(every), (0.5,) * 3)
    for metric in ("accuracy", "recall", "specificity"):
        single, several = difference(metric, scored(1), alone), difference(metric, copies(scored(1)), three)
        assert (several.low, several.high, several.p_value) == (single.low, single.high, single.p_value)


@pytest.mark.parametrize("metric", METRICS)
def test_no_difference_leaves_the_range_it_can_have(metric: str) -> None:
    """Two seeds far apart have a t quantile of 12.7."""
    a = PairedScores((*scored(1, 4.0).runs, *scored(2, 0.1).runs), (0.5, 0.5))
    b = PairedScores((*scored(3, 0.2).runs, *scored(4, 4.5).runs), (0.5, 0.5))
    result, (least, greatest) = difference(metric, a, b), measures()[metric].range
    assert result.low is not None
    assert result.high is not None
    assert least - greatest <= result.low <= result.high <= greatest - least


@pytest.mark.parametrize("class_sizes", ["drawn", "fixed"])
@pytest.mark.parametrize("patients", [None, PATIENTS])
@pytest.mark.parametrize("seeds", [1, 2])
def test_an_interval_without_0_and_a_p_value_below_5_percent_are_the_same(
    class_sizes: ClassSizes, patients: tuple[str, ...] | None, seeds: int
) -> None:
    """Of cards that are more and more apart, so that some are on either side of the border."""
    agreed = set()
    for shift in (1.2, 1.5, 1.8, 2.2, 3.0):
        cards = {"a": scored(1, patients=patients, seeds=seeds), "b": scored(20, shift, patients, seeds)}
        for one_by_metric in differences(METRICS, cards, class_sizes=class_sizes, count=200).values():
            assert one_by_metric.low is not None, one_by_metric
            assert one_by_metric.high is not None
            assert one_by_metric.p_value is not None
            excluded = one_by_metric.low > 0 or one_by_metric.high < 0
            assert (one_by_metric.p_value < 0.05) == excluded, one_by_metric
            agreed.add(excluded)
    assert False in agreed


def at_another_threshold(card: PairedScores, *cuts: float) -> PairedScores:
    return PairedScores(card.runs, cuts)


@pytest.mark.parametrize("metric", ["auc", "average_precision", "brier", "log_loss"])
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_threshold_changes_no_figure_of_the_scores(metric: str, seeds: int) -> None:
    card = scored(1, seeds=seeds)
    result = difference(metric, at_another_threshold(card, *[0.3] * seeds), card, same_runs=True)
    assert (result.value, result.low, result.high, result.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_the_same_runs_are_paired_by_seed() -> None:
    """The t-test of the differences of seeds, where all images of a class have one score (scipy's `ttest_1samp`)."""
    generator = np.random.default_rng(5)
    runs = tuple(TestScores("test", LABELS, generator.random(N)) for _ in range(5))
    before, after = PairedScores(runs, (0.5,) * 5), PairedScores(runs, tuple(np.linspace(0.4, 0.6, 5)))
    gains = np.array(after.values("accuracy"), float) - np.array(before.values("accuracy"), float)
    moved = after.influence_values("accuracy", "drawn") - before.influence_values("accuracy", "drawn")
    clusters = Clusters(LABELS)
    variance, df = seed_variance([gains], clusters.covariance(moved), clusters.degrees_of_freedom(moved.mean(axis=0)))
    result = difference("accuracy", after, before, same_runs=True)
    half = t.ppf(0.975, df) * math.sqrt(variance)
    assert (result.low, result.high) == pytest.approx((gains.mean() - half, gains.mean() + half))
    assert width(result) < width(difference("accuracy", after, before))
    with pytest.raises(ValueError, match="same seeds"):
        difference("accuracy", after, scored(1), same_runs=True)


def test_seeds_far_apart_hide_a_difference_that_one_of_each_would_show() -> None:
    near = PairedScores((*scored(1, 3.0).runs, *scored(2, 0.8).runs), (0.5, 0.5))
    far = PairedScores((*scored(3, 1.0).runs, *scored(4, 0.3).runs), (0.5, 0.5))
    alone = difference("auc", scored(1, 3.0), scored(3, 1.0)).p_value
    together = difference("auc", near, far).p_value
    assert alone is not None
    assert together is not None
    assert alone < 0.01 < 0.2 < together


def test_fixed_class_sizes_narrow_the_difference_of_precisions() -> None:
    a, b = scored(1, 0.5), scored(2, 2.5)
    drawn, fixed = (difference("precision", a, b, class_sizes=sizes) for sizes in ("drawn", "fixed"))  # type: ignore[arg-type]
    assert width(fixed) < width(drawn)


@pytest.mark.parametrize("metric", ["auc", "recall", "f1"])
def test_neither_the_order_of_cards_nor_their_company_changes_a_comparison(metric: str) -> None:
    cards = {name: scored(number, 1 + number / 5) for number, name in enumerate("dbca")}
    result = differences((metric,), cards, count=300)
    assert list(result) == [(metric, x, y) for x, y in combinations("abcd", 2)]
    assert differences((metric,), dict(reversed(cards.items())), count=300) == result
    for x, y in combinations("abcd", 2):
        assert difference(metric, cards[x], cards[y], count=300) == result[metric, x, y]


def test_the_order_of_images_changes_nothing_but_the_draws_of_the_bootstrap() -> None:
    order = np.random.default_rng(0).permutation(N)
    a, b = scored(1, patients=PATIENTS), scored(2, patients=PATIENTS)
    turned = [one(LABELS[order], c.runs[0].y_score[order], tuple(PATIENTS[k] for k in order)) for c in (a, b)]
    for metric in METRICS:
        before, after = difference(metric, a, b), difference(metric, *turned)
        tolerance = 0.03 if before.method == "paired bootstrap, by patient" else 1e-9
        assert after.p_value == pytest.approx(before.p_value, abs=tolerance)
        assert width(after) == pytest.approx(width(before), rel=max(tolerance, 1e-9))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (one(1 - LABELS, np.full(N, 0.5)), "different labels"),
        (one(LABELS, np.full(N, 0.5), PATIENTS), "different patients"),
    ],
)
def test_scores_of_other_images_are_refused(other: PairedScores, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        difference("auc", scored(1), other)


@pytest.mark.parametrize("metrics", [("true_positives",), ("auc", "loss")])
def test_a_metric_without_a_test_is_refused(metrics: Sequence[str]) -> None:
    with pytest.raises(ValueError, match="no test for"):
        differences(metrics, {"a": scored(1), "b": scored(2)})


def test_one_card_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="two cards"):
        differences(("auc",), {"a": scored(1)})


def test_replicates_that_are_all_equal_but_for_rounding_give_no_interval() -> None:
    """One card calls everything positive, the other is never wrong on what it calls: under fixed class sizes neither
    precision varies."""
    labels = [0] * 40 + [1] * 40
    every, careful = on_test(labels, [0.9] * 80), on_test(labels, [0.1] * 40 + [0.9] * 30 + [0.1] * 10)
    cards = [PairedScores((scores,), (0.5,)) for scores in (every, careful)]
    result = difference("precision", *cards, class_sizes="fixed")
    assert result.value == pytest.approx(-0.5)
    assert (result.low, result.high, result.p_value) == (None, None, None)
    assert result.reason
