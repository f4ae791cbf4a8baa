"""Means over seeds, with intervals that account for images and seeds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, t
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.intervals.formulas import t_quantile, wilson
from benchmark.evidence.intervals.multiclass import multiclass_figures
from benchmark.evidence.intervals.seeds import (
    UNKNOWN_SPREAD,
    MulticlassPairedScores,
    PairedScores,
    check_same_images,
    seed_figure,
)
from benchmark.evidence.intervals.trainings import seed_variance
from benchmark.evidence.metrics.influence import ClassSizes, Clusters
from benchmark.evidence.metrics.multiclass import argmax
from benchmark.evidence.metrics.registry import measures, value_of
from benchmark.evidence.scores import MulticlassScores, Scores, TestScores, ValidationScores
from tests.support.multiclass_scores import drawn_scores
from tests.support.records import on_test, planted

METRICS = tuple(measures())

QUICK = settings(deadline=None, max_examples=30)
N = 120
LABELS = np.arange(N) % 2


def run(seed: int, shift: float = 1.5, patients: tuple[str, ...] | None = None) -> TestScores:
    """One seed's scores; what makes an image hard is the same for all seeds."""
    hard = np.random.default_rng(99).standard_normal(N)
    noise = np.random.default_rng(seed).standard_normal(N)
    hidden = shift * (LABELS - 0.5) + 0.8 * hard + 0.6 * noise
    return TestScores("test", LABELS, 1 / (1 + np.exp(-hidden)), patients)


def card(*seeds: int, patients: tuple[str, ...] | None = None) -> PairedScores:
    return PairedScores(tuple(run(seed, 1.2 + 0.3 * seed, patients) for seed in seeds), (0.5,) * len(seeds))


def test_the_variance_agrees_with_two_crossed_random_effects() -> None:
    """Accuracy is a mean over images x seeds; statsmodels' mean squares give the variance of its grand mean."""
    runs = [run(seed) for seed in range(4)]
    right = np.array([((r.y_score >= 0.5) == (r.y_true == 1)).astype(float) for r in runs])
    table = pd.DataFrame(
        {"right": right.ravel(), "seed": np.repeat(np.arange(4), N), "image": np.tile(np.arange(N), 4)}
    )
    squares = anova_lm(ols("right ~ C(seed) + C(image)", table).fit())["mean_sq"]
    expected = (squares["C(seed)"] + squares["C(image)"] - squares["Residual"]) / (4 * N)
    estimate, _ = seed_variance([right.mean(axis=1)], np.cov(right) / N, math.inf)
    assert estimate == pytest.approx(expected, rel=1e-9)


def test_degrees_of_freedom_follow_satterthwaite_at_the_upper_end_of_the_seeds_part() -> None:
    values, covariance = np.array([0.8, 0.9, 0.85]), np.full((3, 3), 4e-4) + np.eye(3) * 1e-4
    between = np.var(values, ddof=1) / 3
    total, df = seed_variance([values], covariance, 50.0)
    assert total == pytest.approx(between + 4e-4)
    upper = between * 2 / chi2.ppf(0.3, 2)
    assert df == pytest.approx((upper + 4e-4) ** 2 / (upper**2 / 2 + 4e-4**2 / 50))


@pytest.mark.parametrize("cards", [1, 2])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_intervals_of_few_seeds_contain_the_truth_however_much_of_the_variance_is_theirs(
    cards: int, share: float
) -> None:
    """Normal figures of three seeds a card: their values, and variances over images with 60 degrees of freedom."""
    generator, draws, seeds = np.random.default_rng(8), 4000, 3
    covered = 0
    for _ in range(draws):
        images = (1 - share) * generator.chisquare(60) / 60 / cards
        values = [math.sqrt(share * seeds / cards) * generator.standard_normal(seeds) for _ in range(cards)]
        covariance = np.kron(np.eye(cards), np.full((seeds, seeds), images))
        total, df = seed_variance(values, covariance, 60.0)
        gap = values[0].mean() - (values[1].mean() if cards == 2 else 0.0)
        gap += math.sqrt(1 - share) * generator.standard_normal()
        covered += abs(gap) <= t_quantile(0.95, df) * math.sqrt(total)
    assert 0.935 <= covered / draws <= 0.97


def test_seeds_that_do_not_differ_leave_the_images_and_their_degrees_of_freedom() -> None:
    total, df = seed_variance([np.full(3, 0.8)], np.full((3, 3), 4e-4), 40.0)
    assert (total, df) == (pytest.approx(4e-4), pytest.approx(40.0))


def test_images_that_all_seeds_get_right_leave_the_seeds() -> None:
    total, df = seed_variance([np.array([0.8, 0.9, 0.85])], np.eye(3) * 1e-4, 40.0)
    assert total == pytest.approx(np.var([0.8, 0.9, 0.85], ddof=1) / 3)
    assert df == pytest.approx(2.0)


def test_one_seed_counts_its_images_alone() -> None:
    assert seed_variance([np.array([0.8])], np.array([[4e-4]]), 40.0) == (pytest.approx(4e-4), pytest.approx(40.0))
    assert seed_variance([np.array([0.8])], np.array([[4e-4]]), math.inf) == (pytest.approx(4e-4), math.inf)


def test_the_difference_of_two_cards_adds_both_cards_seeds_and_takes_off_what_images_share() -> None:
    a, b = np.array([0.8, 0.9, 0.85]), np.array([0.7, 0.74])
    covariance = np.full((5, 5), 2e-4)  # across cards
    covariance[:3, :3], covariance[3:, 3:] = 4e-4, 5e-4
    covariance += np.eye(5) * 1e-4
    total, _ = seed_variance([a, b], covariance, math.inf)
    seeds = np.var(a, ddof=1) / 3 + np.var(b, ddof=1) / 2
    assert total == pytest.approx(seeds + 4e-4 + 5e-4 - 2 * 2e-4)


@QUICK
@given(seed=st.integers(0, 10**6), sizes=st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_swapping_the_two_cards_changes_no_variance(seed: int, sizes: tuple[int, int]) -> None:
    generator = np.random.default_rng(seed)
    values = [generator.random(size) for size in sizes]
    root = generator.standard_normal((sum(sizes), 8)) / 50
    covariance = root @ root.T
    order = [*range(sizes[0], sum(sizes)), *range(sizes[0])]
    turned = seed_variance(values[::-1], covariance[np.ix_(order, order)], 30.0)
    assert turned == pytest.approx(seed_variance(values, covariance, 30.0), rel=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_with_one_seed_the_figure_is_the_run_s_and_says_that_seeds_are_not_counted(metric: str) -> None:
    estimate, alone = seed_figure(metric, card(1)), figures(card(1).runs[0], 0.5)[metric]
    assert (estimate.value, estimate.low, estimate.high, estimate.method) == (
        alone.value,
        alone.low,
        alone.high,
        alone.method,
    )
    assert (estimate.seeds, estimate.spread, estimate.note) == (1, None, UNKNOWN_SPREAD)


@pytest.mark.parametrize("metric", METRICS)
def test_with_several_seeds_the_figure_is_their_mean_and_the_interval_holds_it(metric: str) -> None:
    estimate = seed_figure(metric, card(0, 1, 2))
    each = [value_of(metric, one, 0.5) for one in card(0, 1, 2).runs]
    assert estimate.value == pytest.approx(np.mean([value for value in each if value is not None]))
    assert estimate.spread == pytest.approx(np.std([value for value in each if value is not None], ddof=1))
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.value is not None
    assert estimate.low < estimate.value < estimate.high
    assert (estimate.seeds, estimate.note) == (3, None)


def test_the_interval_of_the_mean_brier_score_is_built_from_its_parts() -> None:
    """On the log scale, with Obuchowski and Rockette's variance worked out by hand."""
    rows = np.array([(one.y_score - one.y_true) ** 2 for one in card(0, 1, 2).runs])
    means, covariance = rows.mean(axis=1), np.cov(rows) / N
    shared = covariance[~np.eye(3, dtype=bool)].mean()
    between = means.var(ddof=1) / 3
    deviations = rows.mean(axis=0) - rows.mean()
    image_df = 2 / ((deviations**4).sum() / (deviations**2).sum() ** 2 - 1 / N)
    upper = between * 2 / chi2.ppf(0.3, 2)
    df = (upper + shared) ** 2 / (upper**2 / 2 + shared**2 / image_df)
    half = t.ppf(0.975, df) * math.sqrt(between + shared) / means.mean()
    estimate = seed_figure("brier", card(0, 1, 2))
    assert (estimate.low, estimate.high) == pytest.approx(
        (means.mean() * math.exp(-half), means.mean() * math.exp(half)), rel=0.01
    )


def test_more_seeds_narrow_the_interval() -> None:
    few, many = (seed_figure("auc", card(*range(k))) for k in (2, 8))
    assert few.low is not None
    assert few.high is not None
    assert many.low is not None
    assert many.high is not None
    assert many.high - many.low < few.high - few.low


def test_an_interval_over_patients_says_so() -> None:
    estimate = seed_figure("auc", card(0, 1, 2, patients=tuple(f"p{k // 3}" for k in range(N))))
    assert estimate.method
    assert estimate.method.endswith(", by patient")


def test_a_metric_that_one_seed_lacks_has_no_mean_and_says_how_many_lack_it() -> None:
    silent = TestScores("test", LABELS, np.full(N, 0.1))
    estimate = seed_figure("precision", PairedScores((run(0), silent), (0.5, 0.5)))
    assert (estimate.value, estimate.low) == (None, None)
    assert estimate.reason == "undefined for these decisions or classes of 1 of 2 seeds"


def separated(seed: int) -> TestScores:
    """Scores without an error, other ones for every seed."""
    noise = np.random.default_rng(seed).random(N) / 10
    return TestScores("test", LABELS, np.where(LABELS == 1, 0.9, 0.1) + noise)


def all_positive(seed: int) -> TestScores:
    """Scores that call everything positive, other ones for every seed."""
    return TestScores("test", LABELS, 0.9 + np.random.default_rng(seed).random(N) / 10)


@pytest.mark.parametrize("class_sizes", ["drawn", "fixed"])
@pytest.mark.parametrize("patients", [None, tuple(f"p{k // 2}" for k in range(N))])
def test_seeds_that_decide_alike_have_the_interval_of_one(
    class_sizes: ClassSizes, patients: tuple[str, ...] | None
) -> None:
    """Three trainings that call everything positive, or that make no error, are as sure as one of them."""
    of_decisions = ("accuracy", "recall", "specificity", "precision", "f1", "balanced_accuracy")
    for make, metrics in ((all_positive, of_decisions), (separated, (*of_decisions, "auc"))):
        runs = [replace(make(seed), patient=patients) for seed in range(3)]
        for metric in metrics:
            alone = seed_figure(metric, PairedScores((runs[0],), (0.5,)), class_sizes=class_sizes)
            three = seed_figure(metric, PairedScores(tuple(runs), (0.5,) * 3), class_sizes=class_sizes)
            assert alone.low is not None, metric
            assert (three.value, three.low, three.high) == (alone.value, alone.low, alone.high), metric
            assert (three.seeds, three.spread, three.note) == (3, 0.0, None)


@pytest.mark.parametrize("metric", METRICS)
def test_copies_of_one_run_change_no_interval(metric: str) -> None:
    alone, copies = seed_figure(metric, card(1)), seed_figure(metric, card(1, 1, 1))
    assert (copies.low, copies.high) == (alone.low, alone.high)


def test_seeds_with_one_value_that_err_on_different_images_have_an_interval() -> None:
    """Their covariance over images is below 0, and so is the variance; each run alone has Wilson's interval."""
    scores = [np.where(LABELS == 1, 0.9, 0.1) for _ in range(2)]
    scores[0][1], scores[1][3] = 0.1, 0.1
    runs = tuple(TestScores("test", LABELS, row) for row in scores)
    estimate = seed_figure("accuracy", PairedScores(runs, (0.5, 0.5)))
    assert (estimate.low, estimate.high) == pytest.approx(wilson(N - 1, N), abs=1e-12)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (TestScores("test", 1 - LABELS, np.full(N, 0.5)), "different labels"),
        (TestScores("test", LABELS[:50], np.full(50, 0.5)), "120 and 50 scores"),
        (TestScores("test", LABELS, np.full(N, 0.5), ("p",) * N), "different patients"),
        (ValidationScores("val", LABELS, np.full(N, 0.5)), "scores of test and of val"),
    ],
)
def test_scores_of_other_images_are_refused(other: Scores, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_same_images(run(0), other)
    with pytest.raises(ValueError, match=message):
        PairedScores((run(0), other), (0.5, 0.5))


@pytest.mark.parametrize("thresholds", [(), (0.5, 0.5)])
def test_a_card_needs_a_run_and_a_threshold_for_each(thresholds: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="1 runs with"):
        PairedScores((run(0),), thresholds)
    with pytest.raises(ValueError, match="0 runs"):
        PairedScores((), ())


def test_influences_of_a_metric_that_a_seed_lacks_are_refused() -> None:
    silent = TestScores("test", LABELS, np.full(N, 0.1))
    with pytest.raises(ValueError, match="precision is undefined for 1 of 2 seeds"):
        PairedScores((run(0), silent), (0.5, 0.5)).influence_values("precision", "drawn")


def test_one_seed_s_influences_are_the_rows_of_the_card_s() -> None:
    rows = card(0, 1).influence_values("auc", "drawn")
    assert rows.shape == (2, N)
    assert (rows[1] == card(1).influence_values("auc", "drawn")[0]).all()
    assert Clusters(LABELS).variance(rows[0]) > 0


def several_classes(*seeds: int, images_per_patient: int = 1) -> MulticlassPairedScores:
    """Seeds of a card whose scores differ by noise, on the same images of three classes."""
    first = drawn_scores(0, n=N, images_per_patient=images_per_patient)
    runs = []
    for seed in seeds:
        noise = np.random.default_rng(seed).standard_normal(first.y_score.shape)
        raised = first.y_score * np.exp(0.4 * noise)
        y_score = raised / raised.sum(axis=1, keepdims=True)
        runs.append(MulticlassScores("test", first.y_true, y_score, first.classes, True, first.patient))
    return MulticlassPairedScores(tuple(runs), tuple(argmax(run) for run in runs))


@pytest.mark.parametrize("images_per_patient", [1, 3])
def test_one_seed_of_several_classes_has_the_figures_of_its_run(images_per_patient: int) -> None:
    paired = several_classes(1, images_per_patient=images_per_patient)
    for key, figure in multiclass_figures(paired.runs[0], paired.decided[0]).items():
        mean = seed_figure(key, paired)
        assert (mean.value, mean.low, mean.high, mean.method) == (figure.value, figure.low, figure.high, figure.method)
        assert mean.note == UNKNOWN_SPREAD


@pytest.mark.parametrize("images_per_patient", [1, 3])
def test_seeds_of_one_class_are_those_of_the_binary_metric(images_per_patient: int) -> None:
    paired = several_classes(1, 2, 3, images_per_patient=images_per_patient)
    assert paired.seeds == 3
    y_true = (paired.runs[0].y_true == 1).astype(np.int64)
    called = [(decided == 1).astype(float) for decided in paired.decided]
    binary = PairedScores(tuple(Scores("test", y_true, row, paired.runs[0].patient) for row in called), (0.5,) * 3)
    name = paired.runs[0].classes[1]
    ours, theirs = seed_figure(f"recall:class:{name}", paired), seed_figure("recall", binary)
    assert (ours.value, ours.spread, ours.method) == (theirs.value, theirs.spread, theirs.method)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_seeds_of_several_classes_widen_every_interval_around_their_mean() -> None:
    paired = several_classes(1, 2, 3)
    for key in paired.metrics:
        figure = seed_figure(key, paired)
        assert figure.value == pytest.approx(np.mean(paired.values(key)))  # type: ignore[arg-type]
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low < figure.value < figure.high, key


@pytest.mark.parametrize("metric", ["average_precision:class:VIRUS", "precision:weighted"])
def test_a_class_of_nine_images_has_no_interval_over_seeds_for_what_needs_ten(metric: str) -> None:
    paired = several_classes(1, 2, 3)
    rare = np.flatnonzero(paired.runs[0].y_true == 2)[:9]
    rows = np.sort(np.append(np.flatnonzero(paired.runs[0].y_true != 2), rare))
    runs = tuple(replace(run, y_true=run.y_true[rows], y_score=run.y_score[rows]) for run in paired.runs)
    few = MulticlassPairedScores(runs, tuple(argmax(run) for run in runs))
    figure = seed_figure(metric, few)
    assert figure.value is not None
    assert (figure.low, figure.high) == (None, None)
    assert (figure.reason or "").endswith("needs 10 images of each class for an interval; VIRUS has 9")
    assert seed_figure("auc:macro", few).low is not None
    of_class = seed_figure("auc:class:VIRUS", few)  # the widest interval of a run, with the spread of the seeds
    alone = [seed_figure("auc:class:VIRUS", MulticlassPairedScores((run,), (argmax(run),))) for run in runs]
    assert (of_class.high or 0) - (of_class.low or 0) >= max((one.high or 0) - (one.low or 0) for one in alone) - 1e-9


def test_a_metric_that_a_seed_of_several_classes_lacks_says_why() -> None:
    paired = several_classes(1, 2, 3)
    without = paired.decided[1].copy()
    without[without == 2] = 0
    paired = MulticlassPairedScores(paired.runs, (paired.decided[0], without, paired.decided[2]))
    name = paired.runs[0].classes[2]
    figure = seed_figure("precision:macro", paired)
    assert (figure.value, figure.reason) == (None, f"undefined: no image is predicted as {name}, for 1 of 3 seeds")
    assert seed_figure("recall:macro", paired).value is not None
    with pytest.raises(KeyError):
        seed_figure("recall", paired)


def test_runs_of_several_classes_must_fit() -> None:
    paired = several_classes(1, 2)
    first, second = paired.runs
    renamed = MulticlassScores("test", second.y_true, second.y_score, ("x", "y", "z"), True)
    with pytest.raises(ValueError, match="different classes"):
        MulticlassPairedScores((first, renamed), paired.decided)
    unordered = MulticlassScores("test", second.y_true, second.y_score, second.classes)
    with pytest.raises(ValueError, match="different classes"):
        MulticlassPairedScores((first, unordered), paired.decided)
    with pytest.raises(ValueError, match="1 arrays of decisions"):
        MulticlassPairedScores((first, second), paired.decided[:1])
    with pytest.raises(ValueError, match="class indices up to 2"):
        MulticlassPairedScores((first,), (paired.decided[0] + 1,))
    with pytest.raises(ValueError, match="different labels"):
        MulticlassPairedScores((first, drawn_scores(5, n=N)), paired.decided)


@pytest.mark.parametrize("patients", [7, 55])
def test_seeds_and_patients_that_are_all_alike_leave_an_interval_without_width_out(patients: int) -> None:
    owners = tuple(f"p{number}" for number in range(patients) for _ in range(4))
    labels, scores = np.tile([1, 1, 0, 0], patients), np.tile([0.9, 0.4, 0.2, 0.1], patients)
    runs = tuple(TestScores("test", labels, scores**power, owners) for power in (1.0, 1.01))
    figure = seed_figure("mcc", PairedScores(runs, (0.5, 0.5)))
    assert figure.value == pytest.approx(2 / math.sqrt(12))
    assert (figure.low, figure.high) == (None, None)
    assert "nothing varies" in (figure.reason or "")


def test_a_mean_of_seeds_at_chance_and_of_others_is_marked() -> None:
    """Their mean describes neither kind, and its interval covered down to 57% in simulations."""
    good = on_test(*planted(60, 60, 2.0, 1))
    chance = on_test(good.y_true.tolist(), np.random.default_rng(0).random(120).tolist())
    both, alike = PairedScores((good, chance, good), (0.5,) * 3), PairedScores((good,) * 3, (0.5,) * 3)
    assert seed_figure("auc", both).caution == "seeds differ in kind"
    assert seed_figure("recall", both).caution == "seeds differ in kind"
    assert seed_figure("auc", alike).caution is None
    assert seed_figure("auc", PairedScores((chance,) * 2, (0.5,) * 2)).caution is None
