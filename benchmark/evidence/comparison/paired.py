"""Two cards on the same test images: how far a metric differs, by which test, and what difference could have shown."""

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
from benchmark.evidence.metrics.definitions import UNDEFINED, Metric, Ratio, get_metric, measures
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, Floats, cells

__all__ = ["Difference", "PairedScores", "difference", "differences", "judged", "sign_flip"]

POWER = 0.8
_ROUNDING = 1e-12  # a standard error no larger comes from adding up equal numbers
UNDEFINED_SHARE = 0.05
"""A metric that is undefined in more of the bootstrap replicates has no interval."""


@dataclass(frozen=True)
class Difference(Estimate):
    """`metric` of one card minus that of another on the same images.

    `low` and `high` bound it by `method`, `p_value` is that of `test` of no difference, two-sided.
    `smallest_detectable` is the smallest difference that such a test set shows four times in five at the 5% level.
    `reason` says why something is missing, `note` what the interval leaves out; `seeds` are those of the two cards.
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
    """`metric` of `a` minus `b`, image by image, each at its own thresholds.

    One seed each: DeLong et al. 1988 for the AUC (Obuchowski 1997 where patients have several images); for shares of
    the same images, such as accuracy, recall and specificity, McNemar's exact test, its signs flipped by patient, with
    the interval of Newcombe 1998; for all other metrics a t-test of the standard error over `count` bootstrap
    replicates, by patient, or of the linearised one where that is larger. Several seeds on either side: a t-test that
    counts images and seeds (`seeds.seed_variance`). Raises ValueError for scores that cannot be paired or a metric
    without a test.
    """
    found = differences((metric,), {"a": a, "b": b}, class_sizes=class_sizes, level=level, count=count, seed=seed)
    return found[metric, "a", "b"]


def differences(
    metrics: Sequence[str],
    cards: Mapping[str, PairedScores],
    *,
    class_sizes: ClassSizes = "drawn",
    level: float = 0.95,
    count: int = 10_000,
    seed: int = 0,
) -> dict[tuple[str, str, str], Difference]:
    """`difference` of every two `cards`, by metric and their names in alphabetical order; all from one bootstrap.

    Raises ValueError as `difference` does, and for fewer than two cards.
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
    units = Clusters(first.y_true, first.patient)
    single = [name for name in names if cards[name].seeds == 1]
    resampled = [name for name in metrics if _share_of_images(known[name]) is None and not _by_delong(known[name])]
    drawn: dict[tuple[str, str], Floats] = {}
    if resampled and len(single) > 1:
        found = replicates(
            first.y_true,
            np.stack([cards[name].runs[0].y_score for name in single]),
            [cards[name].thresholds[0] for name in single],
            first.patient,
            count=count,
            seed=seed,
            metrics=resampled,
            class_sizes=class_sizes,
        )
        drawn = {(metric, name): found[metric][:, k] for metric in resampled for k, name in enumerate(single)}
    return {
        (metric, x, y): _difference(
            metric, cards[x], cards[y], units, class_sizes, level, (drawn.get((metric, x)), drawn.get((metric, y)))
        )
        for metric in metrics
        for x, y in combinations(names, 2)
    }


def sign_flip(changes: Floats) -> float:
    """Two-sided p-value that the sum of `changes` (units,), whole numbers, is only one of the sums that flipping
    their signs gives: the exact permutation test, and McNemar's exact test where each is -1, 0 or 1."""
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
    units: Clusters,
    class_sizes: ClassSizes,
    level: float,
    drawn: tuple[Floats | None, Floats | None],
) -> Difference:
    seeds = (a.seeds, b.seeds)
    values = [*a.values(metric), *b.values(metric)]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return Difference(metric, None, reason=UNDEFINED, seeds=seeds)
    of_a, of_b = np.array(known[: a.seeds]), np.array(known[a.seeds :])
    moved = np.concatenate([a.influences(metric, class_sizes), b.influences(metric, class_sizes)])
    change = moved[: a.seeds].mean(axis=0) - moved[a.seeds :].mean(axis=0)
    image_df = math.inf if seeds == (1, 1) else units.degrees_of_freedom(change)
    variance, df = seed_variance([of_a, of_b], units.covariance(moved), image_df)
    error = math.sqrt(variance)
    note = UNKNOWN_SPREAD if 1 in seeds else None
    found = Difference(metric, float(of_a.mean() - of_b.mean()), seeds=seeds, note=note)
    by = ", by patient" if units.repeated else ""
    if seeds != (1, 1):
        return judged(found, error, df, level, f"images and seeds, t with {df:.1f} df{by}")
    record = get_metric(metric)
    if (share := _share_of_images(record)) is not None:
        reason = None if error else "no smallest detectable difference: nothing varies between images"
        found = replace(found, smallest_detectable=_smallest_detectable(error, df), reason=reason)
        return _of_rates(found, share, a, b, units, class_sizes, level, by)
    if _by_delong(record):
        return judged(found, error, df, level, f"DeLong{by}")
    if not change.any():
        return _nothing_varies(found)
    return _of_replicates(found, drawn, error, units.degrees_of_freedom(change), level, f"paired bootstrap{by}")


def _share_of_images(metric: Metric) -> Ratio | None:
    """The ratio of a metric that is a share of the same images for every card, which McNemar's test compares."""
    return metric.ratio if metric.ratio is not None and metric.ratio.population is not None else None


def _by_delong(metric: Metric) -> bool:
    return metric.variance == "DeLong"


def judged(found: Difference, error: float, df: float, level: float, method: str) -> Difference:
    """`found` with the interval and the two-sided test of its standard `error` with `df` degrees of freedom."""
    if error <= _ROUNDING or found.value is None:
        return _nothing_varies(found)
    half = t_quantile(level, df) * error
    p_value = 2 * _below(-abs(found.value) / error, df)
    low, high = found.value - half, found.value + half
    smallest = _smallest_detectable(error, df)
    return replace(found, low=low, high=high, method=method, p_value=p_value, test=method, smallest_detectable=smallest)


def _smallest_detectable(error: float, df: float) -> float | None:
    """The difference that a two-sided test at the 5% level shows with probability 0.8, given its standard error."""
    return error * (t_quantile(0.95, df) + t_quantile(2 * POWER - 1, df)) if error else None


def _below(statistic: float, df: float) -> float:
    """Probability of a t variable, or of a normal one where `df` is infinite, below `statistic`."""
    return float(ndtr(statistic) if math.isinf(df) else stdtr(df, statistic))


def _nothing_varies(found: Difference) -> Difference:
    """Equal on every image: no difference, and nothing to judge one by."""
    if found.value:
        return replace(found, reason="nothing varies between images")
    reason = "the two are alike on every image, so nothing shows how far they could differ"
    return replace(found, p_value=1.0, test="alike on every image", reason=reason)


def _of_replicates(
    found: Difference,
    drawn: tuple[Floats | None, Floats | None],
    linearised: float,
    df: float,
    level: float,
    method: str,
) -> Difference:
    """Value plus and minus a t quantile of the standard error of the bootstrap (Efron 1981), or the `linearised` one
    where that is larger: in simulation the percentile interval and the normal quantile miss too often where patients
    have several images, and either standard error alone is now and then too small for average precision."""
    assert drawn[0] is not None  # both cards have one seed, so both are in the bootstrap
    assert drawn[1] is not None
    change = drawn[0] - drawn[1]
    defined = change[~np.isnan(change)]
    if len(defined) < (1 - UNDEFINED_SHARE) * len(change):
        share = 1 - len(defined) / len(change)
        return replace(found, reason=f"undefined in {share:.0%} of the bootstrap replicates")
    return judged(found, max(float(defined.std(ddof=1)), linearised), df, level, method)


def _of_rates(
    found: Difference,
    share: Ratio,
    a: PairedScores,
    b: PairedScores,
    units: Clusters,
    class_sizes: ClassSizes,
    level: float,
    by: str,
) -> Difference:
    """McNemar's exact test, and the square-and-add interval of paired proportions (Newcombe 1998, method 10)."""
    y_true, metric = units.y_true, found.metric
    success, counted = (np.array(part, dtype=np.float64) for part in (share.numerator, share.denominator))
    among = counted[cells(y_true, a.runs[0].y_score, a.thresholds[0])]  # the same for both
    right, rates, bounds = [], [], []
    for card in (a, b):
        run, cut = card.runs[0], card.thresholds[0]
        hits = success[cells(y_true, run.y_score, cut)]
        rate = float(hits.sum() / among.sum())
        own = interval(metric, rate, run.y_score, cut, units, class_sizes=class_sizes, level=level)
        if own.low is None or own.high is None:
            return replace(found, reason=own.reason)
        right.append(hits)
        rates.append(rate)
        bounds.append((own.low, own.high))
    changes = units.sums((right[0] - right[1])[None])[0]
    correlation = units.correlation(a.influences(metric, class_sizes)[0], b.influences(metric, class_sizes)[0])
    concerned = int(np.count_nonzero(units.sums(among[None])))
    low, high = mover((rates[0], rates[1]), bounds[0], bounds[1], _continuous(correlation, rates, concerned))
    return replace(
        found,
        low=max(-1.0, low),
        high=min(1.0, high),
        method=f"Newcombe{by}",
        p_value=sign_flip(changes),
        test=f"McNemar exact{by}",
    )


def _continuous(correlation: float, rates: list[float], units: int) -> float:
    """A positive correlation of two proportions with Newcombe's continuity correction."""
    spread = math.sqrt(math.prod(rate * (1 - rate) for rate in rates))
    return max(0.0, correlation - 0.5 / (units * spread)) if correlation > 0 and spread else min(0.0, correlation)
