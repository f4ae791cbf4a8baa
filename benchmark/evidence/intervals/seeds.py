"""A card trained with several seeds: figures whose intervals count both the test images and the seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri

from benchmark.evidence.estimate import Estimate
from benchmark.evidence.intervals.formulas import around, t_quantile
from benchmark.evidence.intervals.uncertainty import interval
from benchmark.evidence.metrics.definitions import UNDEFINED, get_metric, value_of
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, Floats, centred
from benchmark.evidence.scores import Scores

_BELOW_UPPER = 0.3  # how often a sum of squares is so small that even its upper limit lies below what it estimates
UNKNOWN_SPREAD = "spread over seeds unknown"


@dataclass(frozen=True, eq=False)
class PairedScores:
    """One card's scores on the same images, of one or more seeds, each with its own decision threshold.

    Raises ValueError when there are none, when thresholds are missing, or when labels, patients or split differ.
    """

    runs: tuple[Scores, ...]
    thresholds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.runs or len(self.runs) != len(self.thresholds):
            raise ValueError(f"{len(self.runs)} runs with {len(self.thresholds)} thresholds")
        for run in self.runs[1:]:
            check_same_images(self.runs[0], run)

    @property
    def seeds(self) -> int:
        """The number of seeds."""
        return len(self.runs)

    def values(self, metric: str) -> list[float | None]:
        """The metric of each seed."""
        return [value_of(metric, run, cut) for run, cut in zip(self.runs, self.thresholds, strict=True)]

    def influences(self, metric: str, class_sizes: ClassSizes) -> Floats:
        """Influences (seeds, n) of a metric that every seed has. Raises ValueError where it is undefined."""
        record = get_metric(metric)
        rows = [record.influences(r.y_true, r.y_score, cut) for r, cut in zip(self.runs, self.thresholds, strict=True)]
        defined = [row for row in rows if row is not None]
        if len(defined) < len(rows):
            raise ValueError(f"{metric} is undefined for {len(rows) - len(defined)} of {len(rows)} seeds")
        return centred(np.stack(defined), self.runs[0].y_true, class_sizes)


@dataclass(frozen=True)
class SeedFigure(Estimate):
    """The mean of a metric over `seeds`, with the interval that counts images and seeds.

    `spread` is the standard deviation between seeds, None for one; `note` says what the interval leaves out, `reason`
    why something is missing.
    """

    metric: str
    value: float | None
    low: float | None
    high: float | None
    method: str | None
    reason: str | None
    seeds: int
    spread: float | None
    note: str | None


def check_same_images(a: Scores, b: Scores) -> None:
    """Raise ValueError unless both are scores of the same labels, patients and split, in the same order.

    That the images' names agree is for the caller to see to: scores do not hold them.
    """
    if a.split != b.split:
        raise ValueError(f"scores of {a.split} and of {b.split} cannot be paired")
    if not np.array_equal(a.y_true, b.y_true):
        raise ValueError(f"{len(a)} and {len(b)} scores with different labels cannot be paired")
    if a.patient != b.patient:
        raise ValueError("scores with different patients cannot be paired")


def seed_figure(
    metric: str, card: PairedScores, *, class_sizes: ClassSizes = "drawn", level: float = 0.95
) -> SeedFigure:
    """The mean of `metric` over the card's seeds; with one seed, its figure, and the note that seeds are not counted.

    Seeds and images are both random, images shared by all seeds: the model of Obuchowski and Rockette 1995 for one
    modality, with seeds as readers; degrees of freedom as `seed_variance` says.
    """
    values = card.values(metric)
    if any(value is None for value in values):
        missing = sum(value is None for value in values)
        reason = UNDEFINED + (f" of {missing} of {card.seeds} seeds" if card.seeds > 1 else "")
        return SeedFigure(metric, None, None, None, None, reason, card.seeds, None, None)
    known = np.array(values, dtype=np.float64)
    value, first = float(known.mean()), card.runs[0]
    units = Clusters(first.y_true, first.patient)
    if card.seeds == 1:
        found = interval(metric, value, first.y_score, card.thresholds[0], units, class_sizes=class_sizes, level=level)
        return SeedFigure(metric, value, found.low, found.high, found.method, found.reason, 1, None, UNKNOWN_SPREAD)
    moved = card.influences(metric, class_sizes)
    variance, df = seed_variance([known], units.covariance(moved), units.degrees_of_freedom(moved.mean(axis=0)))
    bounds = around(get_metric(metric), value, variance, t_quantile(level, df))
    spread = float(known.std(ddof=1))
    if bounds is None:
        reason = "no interval at the end of the range, or where nothing varies"
        return SeedFigure(metric, value, None, None, None, reason, card.seeds, spread, None)
    method = f"images and seeds, t with {df:.1f} df" + (", by patient" if units.repeated else "")
    return SeedFigure(metric, value, *bounds, method, None, card.seeds, spread, None)


def seed_variance(values: Sequence[Floats], covariance: Floats, image_df: float) -> tuple[float, float]:
    """Variance, and its degrees of freedom, of the mean over seeds of one card, or of the difference of two cards'.

    `values` holds the metric of each seed, an array (seeds,) a card; `covariance` (all seeds, all seeds) is that of
    their estimates over images, cards in the same order, with `image_df` degrees of freedom. Seeds of different cards
    are independent. Where a card has several seeds, their variance holds what images do to each seed apart, and the
    mean covariance between seeds what images do to all alike; a card with one seed counts its images alone.

    The degrees of freedom are Satterthwaite's (1946, for readers Hillis 2007) with the seeds' part at the upper end of
    its one-sided 70% interval. Taken as it came out, the part of few seeds gives too many degrees of freedom just where
    it came out too small: of normal figures of 2 and 3 seeds, plain intervals cover down to 88% and 92%, these 93.4 to
    97.3%, and from 3 seeds on 94.5 to 96.4%.
    """
    owner: npt.NDArray[np.int64] = np.repeat(np.arange(len(values)), [len(v) for v in values])
    sign = np.where(owner == 0, 1.0, -1.0)
    counts = np.array([len(v) for v in values], dtype=np.float64)[owner]
    weights = np.outer(sign / counts, sign / counts)
    images, seeds, seeds_df = 0.0, 0.0, 0.0
    for card, own in enumerate(values):
        part = covariance[np.ix_(owner == card, owner == card)]
        s = len(own)
        if s == 1:
            images += float(part[0, 0])
            continue
        images += float(part.sum() - np.trace(part)) / (s * (s - 1))
        between = float(np.var(own, ddof=1)) / s
        seeds += between
        seeds_df += between**2 / (s - 1)
    images += float((weights * covariance)[owner[:, None] != owner[None, :]].sum())
    images = max(0.0, images)
    total = images + seeds
    if total <= 0:
        return 0.0, image_df
    upper, upper_df = seeds, math.inf
    if seeds > 0:
        upper_df = seeds**2 / seeds_df
        upper *= max(1.0, upper_df / float(chdtri(upper_df, 1 - _BELOW_UPPER)))
    squares = upper**2 / upper_df + images**2 / image_df
    return total, max(1.0, (upper + images) ** 2 / squares) if squares > 0 else math.inf
