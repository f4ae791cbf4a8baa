"""Cards trained with several seeds: figures whose intervals account for both test images and seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from benchmark.evidence.estimate import Caution, Estimate, Trainings
from benchmark.evidence.intervals.caution import caution_about
from benchmark.evidence.intervals.formulas import Scaled, around, t_quantile
from benchmark.evidence.intervals.multiclass import check_decisions, multiclass_interval, too_few_for_seeds
from benchmark.evidence.intervals.trainings import seed_variance, seeds_agree
from benchmark.evidence.intervals.uncertainty import Interval, interval
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, Cut, Floats, Labels, centred
from benchmark.evidence.metrics.multiclass import MulticlassMetric, multiclass_metrics
from benchmark.evidence.metrics.registry import UNDEFINED, MetricError, confusion, get_metric, value_of
from benchmark.evidence.scores import AnyScores, MulticlassScores, Scores

UNKNOWN_SPREAD = "spread over seeds unknown"
CHANCE = 0.5
"""The AUC of scores that say nothing about the class."""
_SAME = 1e-12  # rounding alone makes equal figures differ by up to this


@dataclass(frozen=True, eq=False)
class PairedScores:
    """One card's scores on the same images, for one or more seeds.

    Attributes:
        runs: Scores per seed.
        thresholds: Decision threshold per seed; in a cross-validation one per image (n,), that of its fold.

    Raises:
        ValueError: If there is no run, a threshold is missing, or labels, patients or splits differ.
    """

    runs: tuple[Scores, ...]
    thresholds: tuple[Cut, ...]

    def __post_init__(self) -> None:
        if not self.runs or len(self.runs) != len(self.thresholds):
            raise ValueError(f"{len(self.runs)} runs with {len(self.thresholds)} thresholds")
        for run in self.runs[1:]:
            check_same_images(self.runs[0], run)

    @property
    def seeds(self) -> int:
        """The number of seeds."""
        return len(self.runs)

    @property
    def decisions_agree(self) -> bool:
        """Whether every seed has the same decision on every image."""
        called = [run.y_score >= cut for run, cut in zip(self.runs, self.thresholds, strict=True)]
        return all(np.array_equal(called[0], other) for other in called[1:])

    @cached_property
    def differ_in_kind(self) -> bool:
        """Whether some seeds are no better than chance, by the interval of their AUC, and others are."""
        first = self.runs[0]
        clusters, chance = Clusters(first.y_true, first.patient), []
        for index, value in enumerate(self.values("auc") if self.seeds > 1 else []):
            low = None if value is None else self.run_interval(index, "auc", value, clusters, "drawn", 0.95).low
            chance.append(low is None or low <= CHANCE)
        return any(chance) and not all(chance)

    def caution(self, metric: str) -> Caution | None:
        """Return why an interval of `metric` may be far off; None where nothing speaks against it."""
        first = self.runs[0]
        if self.differ_in_kind:
            return "seeds differ in kind"
        return caution_about(get_metric(metric), Clusters(first.y_true, first.patient))

    def first(self) -> PairedScores:
        """Return the scores of the first seed alone."""
        return PairedScores(self.runs[:1], self.thresholds[:1])

    def values(self, metric: str) -> list[float | None]:
        """Return the metric per seed; None where missing."""
        return [value_of(metric, run, cut) for run, cut in zip(self.runs, self.thresholds, strict=True)]

    def reason(self, metric: str) -> str:
        """Return why the metric is missing for a seed: its function fails, or else it is undefined."""
        runs, record = zip(self.runs, self.thresholds, strict=True), get_metric(metric)
        reasons = [record.evaluate(run, confusion(run, cut))[1] for run, cut in runs]
        return next((reason for reason in reasons if reason not in (None, UNDEFINED)), None) or UNDEFINED

    def influence_values(self, metric: str, class_sizes: ClassSizes) -> Floats:
        """Return influence values (seeds, n) of `metric`. Raises MetricError if it is undefined or fails for a seed."""
        record = get_metric(metric)
        runs = zip(self.runs, self.thresholds, strict=True)
        rows = [record.influence_values(run.y_true, run.y_score, cut, run.fold, run.patient) for run, cut in runs]
        return _stacked(metric, rows, self.runs[0].y_true, class_sizes)

    def record(self, metric: str) -> Scaled:
        """Return the range and the scale of `metric`. Raises KeyError if it is unknown."""
        return get_metric(metric)

    def too_few(self, metric: str, clusters: Clusters) -> str | None:
        """Return why there are too few images for an interval over seeds; None if there are enough."""
        return None

    def run_interval(
        self, index: int, metric: str, value: float, clusters: Clusters, class_sizes: ClassSizes, level: float
    ) -> Interval:
        """Return the interval over images of one seed's figure.

        Args:
            index: The number of the run, from 0.
            metric: The metric, as in `seed_figure`.
            value: Its value for this seed.
            clusters: Labels of the images, and which of them belong to one patient.
            class_sizes: Whether the class sizes of the test set were drawn or fixed.
            level: Confidence level, in (0, 1).

        Returns:
            The interval, or the reason why there is none.
        """
        run, cut = self.runs[index], self.thresholds[index]
        return interval(metric, value, run.y_score, cut, clusters, class_sizes=class_sizes, level=level, fold=run.fold)


@dataclass(frozen=True, eq=False)
class MulticlassPairedScores:
    """One card's scores over several classes on the same images, for one or more seeds.

    Metrics are named by their keys, such as `recall:macro`.

    Attributes:
        runs: Scores per seed.
        decided: Decisions (n,) per seed, class indices, or -1 where the program abstained.
        costs: Costs (k, k) of the expected cost; None: there is none.
        abstains: Whether decisions may abstain.

    Raises:
        ValueError: If there is no run, decisions are missing or do not fit, or labels, patients, classes or splits
            differ.
    """

    runs: tuple[MulticlassScores, ...]
    decided: tuple[Labels, ...]
    costs: tuple[tuple[float, ...], ...] | None = None
    abstains: bool = False

    def __post_init__(self) -> None:
        if not self.runs or len(self.runs) != len(self.decided):
            raise ValueError(f"{len(self.runs)} runs with {len(self.decided)} arrays of decisions")
        for run, decided in zip(self.runs, self.decided, strict=True):
            check_same_images(self.runs[0], run)
            check_decisions(run, decided)

    @property
    def seeds(self) -> int:
        """The number of seeds."""
        return len(self.runs)

    @cached_property
    def metrics(self) -> dict[str, MulticlassMetric]:
        """The metrics of these classes, by key."""
        first = self.runs[0]
        return multiclass_metrics(first.classes, ordered=first.ordered, costs=self.costs, abstains=self.abstains)

    @property
    def decisions_agree(self) -> bool:
        """Whether every seed has the same decision on every image."""
        return all(np.array_equal(self.decided[0], other) for other in self.decided[1:])

    def caution(self, metric: str) -> Caution | None:
        """Return why an interval may be far off: some seeds predict one class alone, and others do not."""
        one_class = [bool((decided == decided[0]).all()) for decided in self.decided]
        return "seeds differ in kind" if any(one_class) and not all(one_class) else None

    def first(self) -> MulticlassPairedScores:
        """Return the scores and decisions of the first seed alone."""
        return MulticlassPairedScores(self.runs[:1], self.decided[:1], self.costs, self.abstains)

    def values(self, metric: str) -> list[float | None]:
        """Return the metric per seed; None where missing."""
        record = self.record(metric)
        return [record.value(run, decided) for run, decided in zip(self.runs, self.decided, strict=True)]

    def reason(self, metric: str) -> str:
        """Return why the metric is missing for a seed."""
        record = self.record(metric)
        reasons = [record.evaluate(run, decided)[1] for run, decided in zip(self.runs, self.decided, strict=True)]
        return next((reason for reason in reasons if reason is not None), UNDEFINED)

    def influence_values(self, metric: str, class_sizes: ClassSizes) -> Floats:
        """Return influence values (seeds, n) of `metric`. Raises MetricError if it is undefined or fails for a seed."""
        record = self.record(metric)
        rows = [record.influence_values(run, decided) for run, decided in zip(self.runs, self.decided, strict=True)]
        return _stacked(metric, rows, self.runs[0].y_true, class_sizes)

    def record(self, metric: str) -> MulticlassMetric:
        """Return the metric of this key. Raises KeyError if it is unknown."""
        return self.metrics[metric]

    def too_few(self, metric: str, clusters: Clusters) -> str | None:
        """Return why there are too few images for an interval over seeds; None if there are enough."""
        return too_few_for_seeds(self.record(metric), self.runs[0], clusters)

    def run_interval(
        self, index: int, metric: str, value: float, clusters: Clusters, class_sizes: ClassSizes, level: float
    ) -> Interval:
        """Return the interval over images of one seed's figure.

        Args:
            index: The number of the run, from 0.
            metric: The metric, as in `seed_figure`.
            value: Its value for this seed.
            clusters: Labels of the images, and which of them belong to one patient.
            class_sizes: Whether the class sizes of the test set were drawn or fixed.
            level: Confidence level, in (0, 1).

        Returns:
            The interval, or the reason why there is none.
        """
        record, scores, decided = self.record(metric), self.runs[index], self.decided[index]
        return multiclass_interval(record, value, scores, decided, clusters, class_sizes=class_sizes, level=level)


AnyPairedScores = PairedScores | MulticlassPairedScores


def _stacked(metric: str, rows: Sequence[Floats | None], y_true: Labels, class_sizes: ClassSizes) -> Floats:
    """Return influence values (seeds, n) from those of each seed. Raises MetricError if a seed has none."""
    defined = [row for row in rows if row is not None]
    if len(defined) < len(rows):
        raise MetricError(f"{metric} is undefined for {len(rows) - len(defined)} of {len(rows)} seeds")
    return centred(np.stack(defined), y_true, class_sizes)


@dataclass(frozen=True)
class SeedFigure(Estimate):
    """The mean of a metric over seeds, with an interval that accounts for images and seeds.

    Attributes:
        metric: Name of the metric.
        method: How the interval was computed; None without an interval.
        seeds: The number of seeds.
        spread: Standard deviation between seeds; None for one seed.
        note: What the interval does not account for.
        caution: Why the interval may be far off; None where nothing speaks against it.
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
    caution: Caution | None = None

    @property
    def trainings(self) -> Trainings | None:
        """How much the figure varies between trainings; None for one seed."""
        return None if self.spread is None else Trainings(self.seeds, self.spread)


def check_same_images(a: AnyScores, b: AnyScores) -> None:
    """Check that two scores have the same labels, patients, classes and split, in the same order.

    Scores do not contain the names of images, so the caller compares those.

    Args:
        a: Scores of one run.
        b: Scores of another run.

    Raises:
        ValueError: If split, labels, patients or classes differ.
    """
    if a.split != b.split:
        raise ValueError(f"scores of {a.split} and of {b.split} cannot be paired")
    if not np.array_equal(a.y_true, b.y_true):
        raise ValueError(f"{len(a)} and {len(b)} scores with different labels cannot be paired")
    if a.patient != b.patient:
        raise ValueError("scores with different patients cannot be paired")
    classes = [(each.classes, each.ordered) if isinstance(each, MulticlassScores) else None for each in (a, b)]
    if classes[0] != classes[1]:
        raise ValueError("scores of different classes cannot be paired")


def seed_figure(
    metric: str, card: AnyPairedScores, *, class_sizes: ClassSizes = "drawn", level: float = 0.95
) -> SeedFigure:
    """Return the mean of a metric over the card's seeds, with its interval.

    Seeds and images are both random, and all seeds share the images: the model of Obuchowski and Rockette 1995 for one
    modality, with seeds as readers. Variance and degrees of freedom are those of `seed_variance`.

    Args:
        metric: Name of a metric that is not a count; for several classes its key, such as `recall:macro`.
        card: Scores per seed.
        class_sizes: Whether the class sizes of the test set were drawn or fixed.
        level: Confidence level of the interval, in (0, 1).

    Returns:
        The mean. With one seed, the interval accounts for images only, and the note says so. Seeds that agree on every
        image have the interval of one of them, and so has the mean where nothing varies over images.
    """
    figure = _seed_figure(metric, card, class_sizes, level)
    return figure if figure.bounds is None else replace(figure, caution=card.caution(metric))


def _seed_figure(metric: str, card: AnyPairedScores, class_sizes: ClassSizes, level: float) -> SeedFigure:
    values = card.values(metric)
    if any(value is None for value in values):
        missing = sum(value is None for value in values)
        reason = card.reason(metric)
        if card.seeds > 1:
            reason += f"{' of' if reason == UNDEFINED else ', for'} {missing} of {card.seeds} seeds"
        return SeedFigure(metric, None, None, None, None, reason, card.seeds, None, None)
    defined = np.array(values, dtype=np.float64)
    value, first = float(defined.mean()), card.runs[0]
    clusters = Clusters(first.y_true, first.patient)
    if card.seeds == 1:
        single = card.run_interval(0, metric, value, clusters, class_sizes, level)
        return SeedFigure(metric, value, single.low, single.high, single.method, single.reason, 1, None, UNKNOWN_SPREAD)
    spread = float(defined.std(ddof=1))
    try:
        influences = card.influence_values(metric, class_sizes)
    except MetricError as failure:
        return SeedFigure(metric, value, None, None, None, str(failure), card.seeds, spread, None)
    if card.too_few(metric, clusters) is None and not seeds_agree(defined, influences):
        image_df = clusters.degrees_of_freedom(influences.mean(axis=0))
        variance, df = seed_variance([defined], clusters.covariance(influences), image_df)
        if variance <= clusters.rounding(influences):
            variance = 0.0
        bounds = around(card.record(metric), value, variance, t_quantile(level, df))
        if bounds is not None:
            method = f"images and seeds, t with {df:.1f} df" + (", by patient" if clusters.repeated else "")
            return SeedFigure(metric, value, *bounds, method, None, card.seeds, spread, None)
    one = _from_runs(metric, card, defined, clusters, class_sizes, level)
    return SeedFigure(metric, value, one.low, one.high, one.method, one.reason, card.seeds, spread, None)


def _from_runs(
    metric: str, card: AnyPairedScores, values: Floats, clusters: Clusters, class_sizes: ClassSizes, level: float
) -> Interval:
    """Return the interval of a mean over seeds whose linearised variance gives none, from the intervals of the runs.

    Square and add (Zou and Donner 2008): the greatest distance of a run's value to its end, and Student's half-width of
    the mean over seeds. Seeds that agree have the interval of one run, so that more of them weaken no conclusion.
    """
    runs = [
        card.run_interval(index, metric, value, clusters, class_sizes, level)
        for index, value in enumerate(values.tolist())
    ]
    missing = next((run for run in runs if run.bounds is None), None)
    if missing is not None:
        return missing
    ends = np.array([run.bounds for run in runs], dtype=np.float64)
    spread = float(values.std(ddof=1))
    if spread <= _SAME:
        return Interval(float(ends[:, 0].min()), float(ends[:, 1].max()), f"{runs[0].method}, equal for every seed")
    half = t_quantile(level, len(values) - 1) * spread / math.sqrt(len(values))
    below, above = float((values - ends[:, 0]).max()), float((ends[:, 1] - values).max())
    least, greatest = card.record(metric).range
    low, high = (float(values.mean()) + end for end in (-math.hypot(below, half), math.hypot(above, half)))
    return Interval(max(least, low), min(greatest, high), f"{runs[0].method} and seeds, square and add")
