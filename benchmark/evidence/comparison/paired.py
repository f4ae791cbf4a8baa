"""Two cards on the same test images: difference of a metric, interval, test, and smallest detectable difference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations

import numpy as np
from scipy.special import ndtr, stdtr

from benchmark.evidence.comparison.separated import of_separated
from benchmark.evidence.comparison.shares import difference_of_shares
from benchmark.evidence.estimate import Estimate
from benchmark.evidence.intervals.bootstrap import replicates
from benchmark.evidence.intervals.formulas import Scaled, t_quantile
from benchmark.evidence.intervals.seeds import (
    UNKNOWN_SPREAD,
    PairedScores,
    check_same_images,
)
from benchmark.evidence.intervals.trainings import seed_variance, seeds_agree
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, Floats
from benchmark.evidence.metrics.registry import UNDEFINED, Metric, MetricError, Ratio, get_metric, measures

__all__ = ["Difference", "PairedScores", "difference", "differences", "sign_flip", "with_t_test"]

POWER = 0.8
"""Probability with which the smallest detectable difference is significant at the 5% level."""
UNDEFINED_SHARE = 0.05
"""The share of undefined bootstrap replicates above which a metric has no interval."""

NO_DIFFERENCE = "no difference on any image or patient"
"""The test of a difference that is 0 without any spread, as of two cards with the same decisions."""

NOTHING_DETECTABLE = "no smallest detectable difference: nothing varies between images"
SAME_RUNS = "the same scores of the same runs"
"""The test of a figure of scores where only decisions changed: the difference is 0 by definition."""

_ROUNDING = 1e-12  # rounding alone gives equal numbers a standard error up to this


@dataclass(frozen=True)
class Difference(Estimate):
    """The metric of one card minus the metric of another on the same images.

    Attributes:
        metric: Name of the metric.
        method: How the interval was computed; None without an interval.
        p_value: Two-sided p-value of no difference.
        test: The test that gave the p-value.
        smallest_detectable: The difference that a test at the 5% level detects with probability 0.8 on such a test set.
        seeds: The number of seeds of each card.
        note: What the interval does not account for.
    """

    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    method: str | None = None
    p_value: float | None = None
    test: str | None = None
    smallest_detectable: float | None = None
    reason: str | None = None
    seeds: tuple[int, int] = (1, 1)
    note: str | None = None


def difference(
    metric: str,
    a: PairedScores,
    b: PairedScores,
    *,
    class_sizes: ClassSizes = "drawn",
    level: float = 0.95,
    count: int = 10_000,
    seed: int = 0,
    same_runs: bool = False,
) -> Difference:
    """Return a metric of `a` minus `b`, paired by image, each card at its own thresholds.

    With one seed per card, the method depends on the metric:

    - AUC: DeLong et al. 1988, or Obuchowski 1997 if patients have several images. Where it varies with no image, as
      that of a constant answer and of separated classes: `of_separated`.
    - Shares of the same images (accuracy, recall, specificity): the interval of Newcombe 1998, and the test that
      inverts it.
    - All others: a t-test with the standard error of the bootstrap by patient, or the linearised one if it is larger.

    With several seeds of either card, a t-test accounts for images and seeds (`trainings.seed_variance`).
    Seeds that agree on every image count as one. Interval and test agree: p is below 1 - `level` if and only if the
    interval excludes 0.

    Args:
        metric: Name of a metric that is not a count.
        a: Scores per seed of the first card.
        b: Scores per seed of the second card, on the same images.
        class_sizes: Whether the class sizes of the test set were drawn or fixed.
        level: Confidence level of the interval, in (0, 1).
        count: The number of bootstrap replicates.
        seed: Seed of the bootstrap.
        same_runs: Whether each seed of both cards is one training, as with another threshold or calibrated scores. Then
            the differences of the seeds vary, and not the seeds of each card (a paired design).

    Returns:
        The difference with its interval and test, or the reason why one is missing.

    Raises:
        ValueError: If the scores cannot be paired or the metric has no test.
    """
    cards = {"a": a, "b": b}
    pairs = differences(
        (metric,), cards, class_sizes=class_sizes, level=level, count=count, seed=seed, same_runs=same_runs
    )
    return pairs[metric, "a", "b"]


def differences(
    metrics: Sequence[str],
    cards: Mapping[str, PairedScores],
    *,
    class_sizes: ClassSizes = "drawn",
    level: float = 0.95,
    count: int = 10_000,
    seed: int = 0,
    same_runs: bool = False,
) -> dict[tuple[str, str, str], Difference]:
    """Return the `difference` of every pair of cards, all from one bootstrap.

    Args:
        metrics: Names of metrics that are not counts.
        cards: Scores per seed of at least two cards, on the same images.
        class_sizes: Whether the class sizes of the test set were drawn or fixed.
        level: Confidence level of the intervals, in (0, 1).
        count: The number of bootstrap replicates.
        seed: Seed of the bootstrap.
        same_runs: As in `difference`.

    Returns:
        Differences by metric and the two cards, whose names are in alphabetical order.

    Raises:
        ValueError: If there are fewer than two cards, scores cannot be paired, or a metric has no test.
    """
    known = measures()
    if unknown := sorted(set(metrics) - set(known)):
        raise ValueError(f"no test for {', '.join(unknown)}; known: {', '.join(known)}")
    names = sorted(cards)
    if len(names) < 2:
        raise ValueError("a comparison needs two cards")
    first = cards[names[0]].runs[0]
    for name in names[1:]:
        check_same_images(first, cards[name].runs[0])
    if same_runs and len({cards[name].seeds for name in names}) > 1:
        raise ValueError("the same runs have the same seeds")
    clusters = Clusters(first.y_true, first.patient)
    single = [name for name in names if cards[name].decisions_agree]
    resampled = [name for name in metrics if _share_of_images(known[name]) is None and not _by_delong(known[name])]
    by_card: dict[tuple[str, str], Floats] = {}
    if resampled and len(single) > 1:
        by_metric = replicates(
            first.y_true,
            np.stack([cards[name].runs[0].y_score for name in single]),
            np.stack([np.broadcast_to(cards[name].thresholds[0], len(first)) for name in single]),
            first.patient,
            count=count,
            seed=seed,
            metrics=resampled,
            class_sizes=class_sizes,
            folds=[cards[name].runs[0].fold for name in single],
        )
        by_card = {(metric, name): by_metric[metric][:, k] for metric in resampled for k, name in enumerate(single)}
    return {
        (metric, x, y): _difference(
            metric,
            cards[x],
            cards[y],
            clusters,
            class_sizes,
            level,
            (by_card.get((metric, x)), by_card.get((metric, y))),
            same_runs,
        )
        for metric in metrics
        for x, y in combinations(names, 2)
    }


def sign_flip(changes: Floats) -> float:
    """Return the two-sided p-value of the exact sign-flip permutation test.

    If every change is -1, 0 or 1, this is McNemar's exact test (McNemar 1947).

    Args:
        changes: Sum of changes per cluster (clusters,), integers.

    Returns:
        The probability that random signs give a sum at least as far from 0.
    """
    sizes = np.abs(np.rint(changes)).astype(np.int64)
    chances = np.ones(1)
    for size in sizes[sizes > 0]:
        step = np.zeros(size + 1)
        step[[0, -1]] = 0.5
        chances = np.convolve(chances, step)
    total = 2 * np.arange(len(chances)) - int(sizes.sum())
    return min(1.0, float(chances[np.abs(total) >= abs(round(float(changes.sum())))].sum()))


def _difference(
    metric: str,
    a: PairedScores,
    b: PairedScores,
    clusters: Clusters,
    class_sizes: ClassSizes,
    level: float,
    resamples: tuple[Floats | None, Floats | None],
    same_runs: bool,
) -> Difference:
    seeds, record = (a.seeds, b.seeds), get_metric(metric)
    values = [*a.values(metric), *b.values(metric)]
    defined = [value for value in values if value is not None]
    if len(defined) < len(values):
        reasons = [card.reason(metric) for card in (a, b)]
        return Difference(metric, None, reason=next((r for r in reasons if r != UNDEFINED), UNDEFINED), seeds=seeds)
    of_a, of_b = np.array(defined[: a.seeds]), np.array(defined[a.seeds :])
    note = UNKNOWN_SPREAD if 1 in seeds else None
    plain = Difference(metric, float(of_a.mean() - of_b.mean()), seeds=seeds, note=note)
    if same_runs and not record.uses_threshold and _same_scores(a, b):
        return zero_by_definition(plain)
    try:
        rows = [card.influence_values(metric, class_sizes) for card in (a, b)]
    except MetricError as failure:
        return replace(plain, reason=str(failure), note=None)
    if seeds_agree(of_a, rows[0]) and seeds_agree(of_b, rows[1]):
        a, b, of_a, of_b, rows = a.first(), b.first(), of_a[:1], of_b[:1], [rows[0][:1], rows[1][:1]]
    one_each = a.seeds == b.seeds == 1
    influence = rows[0].mean(axis=0) - rows[1].mean(axis=0)
    image_df = math.inf if one_each else clusters.degrees_of_freedom(influence)
    if same_runs:
        variance, df = seed_variance([of_a - of_b], clusters.covariance(rows[0] - rows[1]), image_df)
    else:
        variance, df = seed_variance([of_a, of_b], clusters.covariance(np.concatenate(rows)), image_df)
    error = math.sqrt(variance) if variance > clusters.rounding(np.concatenate(rows)) else 0.0
    by = ", by patient" if clusters.repeated else ""
    if error and not one_each:
        return with_t_test(plain, error, df, level, f"images and seeds, t with {df:.1f} df{by}", span=span(record))
    if (share := _share_of_images(record)) is not None:
        plain = replace(plain, smallest_detectable=_smallest_detectable(error, df))
        of_shares = difference_of_shares(metric, share, a, b, clusters, class_sizes, level)
        reason = of_shares.reason or (None if error else NOTHING_DETECTABLE)
        return replace(plain, **asdict(of_shares) | {"reason": reason})
    if _by_delong(record):
        if not error and abs(plain.value or 0.0) > _ROUNDING:
            exact = of_separated(metric, a, b, clusters, class_sizes, level)
            return _nothing_varies(plain) if exact is None else replace(plain, **asdict(exact))
        return with_t_test(plain, error, df, level, f"DeLong{by}", span=span(record))
    if not error:
        return _nothing_varies(plain)
    df = clusters.degrees_of_freedom(influence)
    if resamples[0] is None or resamples[1] is None:
        return with_t_test(plain, error, df, level, f"linearised{by}", span=span(record))
    return _with_bootstrap_test(plain, record, resamples[0] - resamples[1], error, df, level, f"paired bootstrap{by}")


def _same_scores(a: PairedScores, b: PairedScores) -> bool:
    """Return whether both have the same scores in every run, and only the thresholds may differ."""
    return all(np.array_equal(one.y_score, other.y_score) for one, other in zip(a.runs, b.runs, strict=True))


def zero_by_definition(difference: Difference) -> Difference:
    """Return a difference of a figure of scores between the same scores: exactly 0, whatever the images."""
    return replace(difference, value=0.0, low=0.0, high=0.0, method=SAME_RUNS, p_value=1.0, test=SAME_RUNS, note=None)


def span(metric: Scaled) -> float:
    """Return the greatest difference that two values of a metric can have; infinite for a loss without a greatest."""
    least, greatest = metric.range
    return greatest - least


def _share_of_images(metric: Metric) -> Ratio | None:
    """Return the ratio of a metric whose denominator is the same images for every card, as Newcombe's method needs."""
    return metric.ratio if metric.ratio is not None and metric.ratio.population is not None else None


def _by_delong(metric: Metric) -> bool:
    return metric.variance == "DeLong"


def with_t_test(
    difference: Difference, error: float, df: float, level: float, method: str, *, span: float = math.inf
) -> Difference:
    """Return a difference with its t interval, two-sided t-test and smallest detectable difference.

    Args:
        difference: A difference with its value.
        error: Standard error of the difference, at least 0.
        df: Degrees of freedom; infinite for a normal test.
        level: Confidence level of the interval, in (0, 1).
        method: The name of interval and test.
        span: The greatest difference that is possible, at which the interval ends; at least the absolute difference.

    Returns:
        The complete difference; without an interval, with the reason, if the standard error is 0.
    """
    if error <= _ROUNDING or difference.value is None:
        return _nothing_varies(difference)
    half = t_quantile(level, df) * error
    return replace(
        difference,
        low=max(-span, difference.value - half),
        high=min(span, difference.value + half),
        method=method,
        p_value=2 * _below(-abs(difference.value) / error, df),
        test=method,
        smallest_detectable=_smallest_detectable(error, df),
    )


def _smallest_detectable(error: float, df: float) -> float | None:
    """Return the difference that a two-sided test at the 5% level detects with probability 0.8; None for no error."""
    return error * (t_quantile(0.95, df) + t_quantile(2 * POWER - 1, df)) if error else None


def _below(statistic: float, df: float) -> float:
    """Return the probability that a t variable, or a normal one if `df` is infinite, is below `statistic`."""
    return float(ndtr(statistic) if math.isinf(df) else stdtr(df, statistic))


def _nothing_varies(difference: Difference) -> Difference:
    """Return `difference` without an interval, because the standard error is 0."""
    if difference.value is not None and abs(difference.value) > _ROUNDING:
        return replace(difference, reason="nothing varies between images")
    reason = f"{NO_DIFFERENCE}, so the uncertainty of the difference is unknown"
    return replace(difference, p_value=1.0, test=NO_DIFFERENCE, reason=reason)


def _with_bootstrap_test(
    difference: Difference, metric: Metric, replicated: Floats, linearised: float, df: float, level: float, method: str
) -> Difference:
    """Return `difference` with the t-test of the bootstrap's standard error (Efron 1981) or the `linearised` one.

    The larger of the two is used, because in simulations either alone was sometimes too small for average precision.
    The percentile interval and the normal quantile missed too often when patients have several images.
    """
    defined = replicated[~np.isnan(replicated)]
    if len(defined) < (1 - UNDEFINED_SHARE) * len(replicated):
        share = 1 - len(defined) / len(replicated)
        return replace(difference, reason=f"undefined in {share:.0%} of the bootstrap replicates")
    error = max(float(defined.std(ddof=1)), linearised)
    return with_t_test(difference, error, df, level, method, span=span(metric))
