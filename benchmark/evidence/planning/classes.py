"""Simulated decisions on three or more classes, whose true figures are known.

A decision on an image is right with the probability of its class; a wrong decision is another class, with the
probabilities of a printed matrix or equal ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import ndtr, ndtri

from benchmark.evidence.intervals.seeds import MulticlassPairedScores
from benchmark.evidence.metrics.influence import ClassSizes, Floats, Labels
from benchmark.evidence.planning.noise import Noise
from benchmark.evidence.planning.world import World
from benchmark.evidence.published.multiclass import figure_of_matrix
from benchmark.evidence.scores import MulticlassTestScores

_REACH = 6.0  # beyond these standard deviations every image is right, or wrong
_STEPS = 241
_SCALE = 100_000  # counts are whole numbers; so many times the images make their rounding negligible
_LEAST = 1e-6


@dataclass(frozen=True)
class ClassWorld(World[MulticlassPairedScores]):
    """A recipe and its test sets, for three or more classes.

    Attributes:
        metric: The key of the figure of decisions whose true value is set, such as `recall:macro`.
        sizes: Name and number of test images of each class, at least 1.
        class_sizes: Whether these numbers are fixed, or only their sum is and the shares are expected.
        rates: Shares (k, k) of the decisions of each true class, in the order of `sizes`, from which the true value is
            reached by more or fewer right decisions in every class; None for .8 right and the rest shared equally.
    """

    metric: str
    sizes: tuple[tuple[str, int], ...]
    class_sizes: ClassSizes = "fixed"
    rates: tuple[tuple[float, ...], ...] | None = None

    @property
    def images(self) -> int:
        """The number of test images."""
        return sum(size for _, size in self.sizes)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(name for name, _ in self.sizes)

    @property
    def counts(self) -> tuple[int, ...]:
        """The number of test images of each class."""
        return tuple(size for _, size in self.sizes)

    def with_images(self, images: int) -> ClassWorld:
        """Return the world with another number of test images and the same shares of the classes, at least one each."""
        factor = images / self.images
        return replace(self, sizes=tuple((name, max(1, round(size * factor))) for name, size in self.sizes))

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest true value that the recipe can have."""
        return float(self._curve[1][0]), float(self._curve[1][-1])

    def _labels(self, generator: np.random.Generator) -> Labels:
        sizes = np.array([size for _, size in self.sizes], dtype=np.int64)
        if self.class_sizes == "drawn":
            sizes = np.maximum(1, generator.multinomial(self.images, sizes / self.images))
        return np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)

    def _trained(
        self, labels: Labels, shared: Floats, truth: float, noise: Noise, generator: np.random.Generator
    ) -> MulticlassPairedScores:
        runs, decisions = [], []
        for _ in range(noise.seeds):
            value = truth + noise.spread * float(generator.standard_normal()) if noise.spread else truth
            cumulated = np.cumsum(self._rates_at(float(np.interp(value, self._curve[1], self._curve[0]))), axis=1)
            of_training = generator.standard_normal(len(labels))
            difficulty = ndtr(math.sqrt(noise.agreement) * shared + math.sqrt(1 - noise.agreement) * of_training)
            place = (difficulty[:, None] > cumulated[labels, :-1]).sum(axis=1)
            decided = self._order[labels, place]
            runs.append(MulticlassTestScores("test", labels, np.eye(len(self.sizes))[decided], self.classes))
            decisions.append(decided)
        return MulticlassPairedScores(tuple(runs), tuple(decisions))

    @cached_property
    def _order(self) -> Labels:
        """The classes (k, k) in the order in which the decisions of each true class are drawn, the right one first."""
        count = len(self.sizes)
        order = [[label, *(other for other in range(count) if other != label)] for label in range(count)]
        return np.array(order, dtype=np.int64)

    @cached_property
    def _start(self) -> tuple[Floats, Floats]:
        """Normal quantiles of the recalls (k,), and the shares (k, k - 1) of the wrong decisions among themselves."""
        count = len(self.sizes)
        plain = [[0.8 if i == j else 0.2 / (count - 1) for j in range(count)] for i in range(count)]
        rates = np.take_along_axis(np.array(self.rates or plain, dtype=np.float64), self._order, axis=1)
        wrong = np.maximum(rates[:, 1:], _LEAST)
        return ndtri(rates[:, 0].clip(_LEAST, 1 - _LEAST)), wrong / wrong.sum(axis=1, keepdims=True)

    def _rates_at(self, shift: float) -> Floats:
        """Return the shares (k, k) of decisions, in the order of `_order`."""
        quantiles, wrong = self._start
        right = ndtr(quantiles + shift)[:, None]
        rates: Floats = np.concatenate([right, (1 - right) * wrong], axis=1)
        return rates

    @cached_property
    def _curve(self) -> tuple[Floats, Floats]:
        """Shifts of the right decisions, and the true values they give, which rise."""
        shifts: Floats = np.linspace(-_REACH, _REACH, _STEPS)
        sizes, classes = np.array([size for _, size in self.sizes]), self.classes
        values = []
        for shift in shifts:
            rates = np.zeros((len(classes), len(classes)))
            np.put_along_axis(rates, self._order, self._rates_at(float(shift)), axis=1)
            counts = np.rint(rates * sizes[:, None] * _SCALE).astype(np.int64).tolist()
            value = figure_of_matrix(counts, classes, self.metric)
            values.append(math.nan if value is None else value)
        known = np.array(values)
        if known[0] > known[-1]:
            shifts, known = shifts[::-1], known[::-1]
        if np.isnan(known).any() or (np.diff(known) < -_LEAST).any():
            raise ValueError(f"{self.metric} does not rise or fall with the right decisions")
        return shifts, np.maximum.accumulate(known)
