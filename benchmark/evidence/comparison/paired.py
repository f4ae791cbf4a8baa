"""Two cards on the same test images: difference of a metric, interval, test, and smallest detectable difference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.special import ndtr, stdtr

from benchmark.evidence.estimate import Estimate
from benchmark.evidence.intervals.bootstrap import replicates
from benchmark.evidence.intervals.formulas import mover, t_quantile
from benchmark.evidence.intervals.seeds import UNKNOWN_SPREAD, PairedScores, check_same_images, seed_variance
from benchmark.evidence.intervals.uncertainty import interval
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, Floats, cells
from benchmark.evidence.metrics.registry import UNDEFINED, Metric, MetricError, Ratio, get_metric, measures

__all__ = ["Difference", "PairedScores", "difference", "differences", "sign_flip", "with_t_test"]

POWER = 0.8
"""Probability with which the smallest detectable difference is significant at the 5% level."""
UNDEFINED_SHARE = 0.05
"""The share of undefined bootstrap replicates above which a metric has no interval."""

NO_DIFFERENCE = "no difference on any image or patient"
"""The test of a difference that is 0 without any spread, as of two cards with the same decisions."""

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
) -> Difference:
    """Return a metric of `a` minus `b`, paired by image, each card at its own thresholds.

    With one seed per card, the method depends on the metric:

    - AUC: DeLong et al. 1988, or Obuchowski 1997 if patients have several images.
    - Shares of the same images (accuracy, recall, specificity): McNemar's exact test (McNemar 1947), with signs flipped
      by patient, and the interval of Newcombe 1998.
    - All others: a t-test with the standard error of the bootstrap by patient, or the linearised one if it is larger.

    With several seeds of either card, a t-test accounts for images and seeds (`seeds.seed_variance`).

    Args:
        metric: Name of a metric that is not a count.
        a: Scores per seed of the first card.
        b: Scores per seed of the second card, on the same images.
        class_sizes: Whether the class sizes of the test set were drawn or fixed.
        level: Confidence level of the interval, in (0, 1).
        count: The number of bootstrap replicates.
        seed: Seed of the bootstrap.

    Returns:
        The difference with its interval and test, or the reason why one is missing.

    Raises:
        ValueError: If the scores cannot be paired or the metric has no test.
    """
    pairs = differences((metric,), {"a": a, "b": b}, class_sizes=class_sizes, level=level, count=count, seed=seed)
    return pairs[metric, "a", "b"]


def differences(
    metrics: Sequence[str],
    cards: Mapping[str, PairedScores],
    *,
    class_sizes: ClassSizes = "drawn",
    level: float = 0.95,
    count: int = 10_000,
    seed: int = 0,
) -> dict[tuple[str, str, str], Difference]:
    """Return the `difference` of every pair of cards, all from one bootstrap.

    Args:
        metrics: Names of metrics that are not counts.
        cards: Scores per seed of at least two cards, on the same images.
        class_sizes: Whether the class sizes of the test set were drawn or fixed.
        level: Confidence level of the intervals, in (0, 1).
        count: The number of bootstrap replicates.
        seed: Seed of the bootstrap.

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
    clusters = Clusters(first.y_true, first.patient)
    single = [name for name in names if cards[name].seeds == 1]
    resampled = [name for name in metrics if _share_of_images(known[name]) is None and not _by_delong(known[name])]
    by_card: dict[tuple[str, str], Floats] = {}
    if resampled and len(single) > 1:
        by_metric = replicates(
            first.y_true,
            np.stack([cards[name].runs[0].y_score for name in single]),
            [cards[name].thresholds[0] for name in single],
            first.patient,
            count=count,
            seed=seed,
            metrics=resampled,
            class_sizes=class_sizes,
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
) -> Difference:
    seeds = (a.seeds, b.seeds)
    values = [*a.values(metric), *b.values(metric)]
    defined = [value for value in values if value is not None]
    if len(defined) < len(values):
        reasons = [card.reason(metric) for card in (a, b)]
        return Difference(metric, None, reason=next((r for r in reasons if r != UNDEFINED), UNDEFINED), seeds=seeds)
    of_a, of_b = np.array(defined[: a.seeds]), np.array(defined[a.seeds :])
    try:
        influences = np.concatenate([a.influence_values(metric, class_sizes), b.influence_values(metric, class_sizes)])
    except MetricError as failure:
        return Difference(metric, float(of_a.mean() - of_b.mean()), reason=str(failure), seeds=seeds)
    influence = influences[: a.seeds].mean(axis=0) - influences[a.seeds :].mean(axis=0)
    image_df = math.inf if seeds == (1, 1) else clusters.degrees_of_freedom(influence)
    variance, df = seed_variance([of_a, of_b], clusters.covariance(influences), image_df)
    error = math.sqrt(variance) if variance > clusters.rounding(influences) else 0.0
    note = UNKNOWN_SPREAD if 1 in seeds else None
    plain = Difference(metric, float(of_a.mean() - of_b.mean()), seeds=seeds, note=note)
    by = ", by patient" if clusters.repeated else ""
    if seeds != (1, 1):
        return with_t_test(plain, error, df, level, f"images and seeds, t with {df:.1f} df{by}")
    record = get_metric(metric)
    if (share := _share_of_images(record)) is not None:
        reason = None if error else "no smallest detectable difference: nothing varies between images"
        plain = replace(plain, smallest_detectable=_smallest_detectable(error, df), reason=reason)
        return _with_mcnemar_test(plain, share, a, b, clusters, class_sizes, level, by)
    if _by_delong(record):
        return with_t_test(plain, error, df, level, f"DeLong{by}")
    if not error:
        return _nothing_varies(plain)
    df = clusters.degrees_of_freedom(influence)
    return _with_bootstrap_test(plain, resamples, error, df, level, f"paired bootstrap{by}")


def _share_of_images(metric: Metric) -> Ratio | None:
    """Return the ratio of a metric whose denominator is the same images for every card, as McNemar's test needs."""
    return metric.ratio if metric.ratio is not None and metric.ratio.population is not None else None


def _by_delong(metric: Metric) -> bool:
    return metric.variance == "DeLong"


def with_t_test(difference: Difference, error: float, df: float, level: float, method: str) -> Difference:
    """Return a difference with its t interval, two-sided t-test and smallest detectable difference.

    Args:
        difference: A difference with its value.
        error: Standard error of the difference, at least 0.
        df: Degrees of freedom; infinite for a normal test.
        level: Confidence level of the interval, in (0, 1).
        method: The name of interval and test.

    Returns:
        The complete difference; without an interval, with the reason, if the standard error is 0.
    """
    if error <= _ROUNDING or difference.value is None:
        return _nothing_varies(difference)
    half = t_quantile(level, df) * error
    return replace(
        difference,
        low=difference.value - half,
        high=difference.value + half,
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
    difference: Difference,
    resamples: tuple[Floats | None, Floats | None],
    linearised: float,
    df: float,
    level: float,
    method: str,
) -> Difference:
    """Return `difference` with the t-test of the bootstrap's standard error (Efron 1981) or the `linearised` one.

    The larger of the two is used, because in simulations either alone was sometimes too small for average precision.
    The percentile interval and the normal quantile missed too often when patients have several images.
    """
    assert resamples[0] is not None  # both cards have one seed, so both are in the bootstrap
    assert resamples[1] is not None
    differences = resamples[0] - resamples[1]
    defined = differences[~np.isnan(differences)]
    if len(defined) < (1 - UNDEFINED_SHARE) * len(differences):
        share = 1 - len(defined) / len(differences)
        return replace(difference, reason=f"undefined in {share:.0%} of the bootstrap replicates")
    return with_t_test(difference, max(float(defined.std(ddof=1)), linearised), df, level, method)


def _with_mcnemar_test(
    difference: Difference,
    share: Ratio,
    a: PairedScores,
    b: PairedScores,
    clusters: Clusters,
    class_sizes: ClassSizes,
    level: float,
    by: str,
) -> Difference:
    """Return `difference` with McNemar's exact test and the paired interval of Newcombe 1998 (method 10)."""
    y_true, metric = clusters.y_true, difference.metric
    success, trial = (np.array(part, dtype=np.float64) for part in (share.numerator, share.denominator))
    trials = trial[cells(y_true, a.runs[0].y_score, a.thresholds[0])]  # the same for both cards
    successes, rates, bounds = [], [], []
    for card in (a, b):
        run, cut = card.runs[0], card.thresholds[0]
        hits = success[cells(y_true, run.y_score, cut)]
        rate = float(hits.sum() / trials.sum())
        single = interval(metric, rate, run.y_score, cut, clusters, class_sizes=class_sizes, level=level)
        if single.low is None or single.high is None:
            return replace(difference, reason=single.reason)
        successes.append(hits)
        rates.append(rate)
        bounds.append((single.low, single.high))
    changes = clusters.sums((successes[0] - successes[1])[None])[0]
    influence_a, influence_b = (card.influence_values(metric, class_sizes)[0] for card in (a, b))
    correlation = clusters.correlation(influence_a, influence_b)
    size = int(np.count_nonzero(clusters.sums(trials[None])))
    low, high = mover((rates[0], rates[1]), bounds[0], bounds[1], _continuity_corrected(correlation, rates, size))
    return replace(
        difference,
        low=max(-1.0, low),
        high=min(1.0, high),
        method=f"Newcombe{by}",
        p_value=sign_flip(changes),
        test=f"McNemar exact{by}",
    )


def _continuity_corrected(correlation: float, rates: list[float], clusters: int) -> float:
    """Return the correlation of two proportions with Newcombe's continuity correction if it is positive."""
    spread = math.sqrt(math.prod(rate * (1 - rate) for rate in rates))
    return max(0.0, correlation - 0.5 / (clusters * spread)) if correlation > 0 and spread else min(0.0, correlation)
