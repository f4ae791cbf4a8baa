"""Simulated scores of two classes, whose true figures are known: what a test set of a stated size could measure.

The scores of each class are normal with equal variance (the binormal model; Swets 1986).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import ndtr, ndtri

from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.intervals.seeds import PairedScores, seed_figure
from benchmark.evidence.metrics.influence import ClassSizes, Floats, Labels
from benchmark.evidence.metrics.registry import Confusion, get_metric, value_of
from benchmark.evidence.planning.noise import Noise
from benchmark.evidence.planning.world import World
from benchmark.evidence.scores import Scores, TestScores

_REACH = 6.0  # beyond these standard deviations every image is right, or wrong
_STEPS = 601
_COARSE = 61
_QUANTILES = 400
_LEAST = 1e-6


class SimulatedScores(PairedScores):
    """Scores whose intervals are counted, not printed: no caution is computed for them."""

    def caution(self, metric: str) -> None:
        """Return that nothing is said about an interval of `metric`."""


@dataclass(frozen=True)
class BinaryWorld(World[PairedScores]):
    """A recipe and its test sets, for two classes.

    Attributes:
        metric: Name of the metric whose true value is set.
        negatives: Number of negative test images, at least 1.
        positives: Number of positive test images, at least 1.
        class_sizes: Whether these numbers are fixed, or only their sum is and the share is expected.
        recall: Recall at the operating point, in (0, 1), from which the true value is reached by better or worse
            separation of the classes.
        specificity: The same.
    """

    metric: str
    negatives: int
    positives: int
    class_sizes: ClassSizes = "fixed"
    recall: float = 0.8
    specificity: float = 0.8

    @property
    def images(self) -> int:
        """The number of test images."""
        return self.negatives + self.positives

    @property
    def counts(self) -> tuple[int, int]:
        """The numbers of negative and of positive test images."""
        return self.negatives, self.positives

    @property
    def is_of_decisions(self) -> bool:
        """Whether the metric is one of decisions, so that its interval follows from a confusion matrix."""
        return get_metric(self.metric).uses_threshold

    def with_images(self, images: int) -> BinaryWorld:
        """Return the world with another number of test images, at least 2, and the same prevalence."""
        positives = min(max(1, round(images * self.positives / self.images)), images - 1)
        return replace(self, negatives=images - positives, positives=positives)

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest true value that the recipe can have."""
        return float(self._values[0]), float(self._values[-1])

    def measure(self, truth: float, noise: Noise, generator: np.random.Generator) -> SampleEstimate:
        """Draw a test set and return the measured figure with its 95% interval, as a report computes it.

        Decisions of one training are drawn as counts, since their interval depends on nothing else.

        Args:
            truth: The true figure of the recipe.
            noise: How trainings vary.
            generator: The random generator.

        Returns:
            The mean over seeds with its interval.
        """
        if noise.seeds == 1 and self.is_of_decisions:
            return self._of_counts(truth, noise, generator)
        return super().measure(truth, noise, generator)

    def expected(self, truth: float) -> SampleEstimate:
        """Return the figure and its interval if the decisions come out as expected, rounded to whole images.

        Args:
            truth: The true figure of a metric of decisions.

        Returns:
            The figure of this confusion matrix with its interval.
        """
        return _figure_of_counts(self.metric, self._expected_counts(truth), self.class_sizes)

    def expected_count(self, truth: float) -> tuple[int, int] | None:
        """Return numerator and denominator of the expected figure in whole images; None if it is no share of images."""
        ratio = get_metric(self.metric).ratio
        return (
            None if ratio is None or max(ratio.numerator) > 1 else ratio.sums(Confusion(*self._expected_counts(truth)))
        )

    def period(self, truth: float) -> int:
        """Return a number of consecutive test set sizes that contains every way to round the expected counts."""
        recall, specificity = (float(ndtr(mean)) for mean in self._means(truth))
        shares = (recall, self.positives), (specificity, self.negatives)
        rare = min(min(rate, 1 - rate) * size / self.images for rate, size in shares)
        return math.ceil(2 / max(rare, _LEAST))

    def _expected_counts(self, truth: float) -> tuple[int, int, int, int]:
        recall, specificity = (float(ndtr(mean)) for mean in self._means(truth))
        tp, tn = round(recall * self.positives), round(specificity * self.negatives)
        return tp, self.negatives - tn, tn, self.positives - tp

    def _of_counts(self, truth: float, noise: Noise, generator: np.random.Generator) -> SampleEstimate:
        """Measure decisions of one training: its interval depends on the confusion matrix alone."""
        positives = self._positives(generator)
        negatives = self.images - positives
        recall, specificity = (float(ndtr(mean)) for mean in self._means(self._of_training(truth, noise, generator)))
        tp, tn = int(generator.binomial(positives, recall)), int(generator.binomial(negatives, specificity))
        return _figure_of_counts(self.metric, (tp, negatives - tn, tn, positives - tp), self.class_sizes)

    def _positives(self, generator: np.random.Generator) -> int:
        if self.class_sizes == "fixed":
            return self.positives
        return min(max(1, int(generator.binomial(self.images, self.positives / self.images))), self.images - 1)

    def _labels(self, generator: np.random.Generator) -> Labels:
        positives = self._positives(generator)
        return np.repeat(np.array([0, 1], dtype=np.int64), [self.images - positives, positives])

    def _trained(
        self, labels: Labels, shared: Floats, truth: float, noise: Noise, generator: np.random.Generator
    ) -> PairedScores:
        alike, runs = math.sqrt(noise.agreement), []
        for _ in range(noise.seeds):
            recall, specificity = self._means(self._of_training(truth, noise, generator))
            image = alike * shared + math.sqrt(1 - noise.agreement) * generator.standard_normal(len(labels))
            runs.append(TestScores("test", labels, ndtr(image + np.where(labels == 1, recall, -specificity))))
        return SimulatedScores(tuple(runs), (0.5,) * noise.seeds)

    def _of_training(self, truth: float, noise: Noise, generator: np.random.Generator) -> float:
        return truth + noise.spread * float(generator.standard_normal()) if noise.spread else truth

    def _means(self, truth: float) -> tuple[float, float]:
        """Return the normal quantiles of recall and specificity at which the metric has this value."""
        shift = float(np.interp(truth, self._values, self._shifts))
        return self._start[0] + shift, self._start[1] + shift

    @cached_property
    def _start(self) -> tuple[float, float]:
        recall, specificity = (min(max(rate, _LEAST), 1 - _LEAST) for rate in (self.recall, self.specificity))
        return float(ndtri(recall)), float(ndtri(specificity))

    @cached_property
    def _curve(self) -> tuple[Floats, Floats]:
        """Shifts of the classes against each other, and the true values they give, which rise."""
        metric = get_metric(self.metric)
        shifts: Floats = np.linspace(-_REACH, _REACH, _STEPS if metric.name != "average_precision" else _COARSE)
        recall, specificity = (ndtr(mean + shifts) for mean in self._start)
        if metric.uses_threshold:
            tp, tn = recall * self.positives, specificity * self.negatives
            values = metric.of_weighted_counts(np.stack([tp, self.negatives - tn, tn, self.positives - tp]))
        elif metric.name == "auc":
            values = ndtr((sum(self._start) + 2 * shifts) / math.sqrt(2))
        else:
            values = np.array([self._of_quantiles(shift) for shift in shifts])
        defined = ~np.isnan(values)
        shifts, values = shifts[defined], values[defined]
        if len(values) and values[0] > values[-1]:
            shifts, values = shifts[::-1], values[::-1]
        if not len(values) or (np.diff(values) < -1e-9).any() or values[-1] - values[0] < _LEAST:
            raise ValueError(f"{metric.label} does not rise or fall with the separation of the classes")
        return shifts, values

    @property
    def _shifts(self) -> Floats:
        return self._curve[0]

    @property
    def _values(self) -> Floats:
        return self._curve[1]

    def _of_quantiles(self, shift: float) -> float:
        positives = max(1, round(_QUANTILES * self.positives / self.images))
        sizes = (max(1, _QUANTILES - positives), positives)
        means = (-(self._start[1] + shift), self._start[0] + shift)
        scores = [ndtr(ndtri((np.arange(size) + 0.5) / size) + mean) for size, mean in zip(sizes, means, strict=True)]
        value = value_of(self.metric, Scores("test", np.repeat([0, 1], sizes), np.concatenate(scores)), 0.5)
        return math.nan if value is None else value


@lru_cache(maxsize=200_000)
def _figure_of_counts(metric: str, counts: tuple[int, int, int, int], class_sizes: ClassSizes) -> SampleEstimate:
    """Return the figure of a confusion matrix (tp, fp, tn, fn) with its interval."""
    labels = np.repeat(np.array([1, 0, 0, 1], dtype=np.int64), counts)
    scores = np.repeat(np.array([0.9, 0.9, 0.1, 0.1]), counts)
    card = SimulatedScores((TestScores("test", labels, scores),), (0.5,))
    return SampleEstimate.of(seed_figure(metric, card, class_sizes=class_sizes), len(labels))
