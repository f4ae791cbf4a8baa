"""What simulated recipes have in common, whatever the number of classes: how test sets are drawn and measured."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import numpy as np

from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.intervals.seeds import AnyPairedScores, seed_figure
from benchmark.evidence.metrics.influence import ClassSizes, Floats, Labels
from benchmark.evidence.planning.noise import Noise

_Scores = TypeVar("_Scores", bound=AnyPairedScores)


class World(ABC, Generic[_Scores]):
    """A recipe and its test sets.

    Attributes:
        metric: The key of the figure whose true value is set.
        class_sizes: Whether the numbers of images of each class are fixed, or only their sum is.
    """

    metric: str
    class_sizes: ClassSizes

    def draw(self, truth: float, noise: Noise, generator: np.random.Generator) -> _Scores:
        """Draw a test set and what every training makes of it.

        Args:
            truth: The true figure of the recipe, the mean over its trainings.
            noise: How trainings vary.
            generator: The random generator.

        Returns:
            The scores and decisions of each training.
        """
        labels = self._labels(generator)
        return self._trained(labels, generator.standard_normal(len(labels)), truth, noise, generator)

    def draw_pair(
        self, truths: tuple[float, float], agreement: float, noise: Noise, generator: np.random.Generator
    ) -> tuple[_Scores, _Scores]:
        """Draw one test set and what two cards make of it.

        Args:
            truths: The true figure of each card.
            agreement: Share of the variance that the cards have in common on an image, at most that of trainings.
            noise: How trainings of each card vary.
            generator: The random generator.

        Returns:
            The scores and decisions of each card.
        """
        labels = self._labels(generator)
        common = generator.standard_normal(len(labels))
        between = min(1.0, agreement / noise.agreement) if noise.agreement else 0.0
        cards = []
        for truth in truths:
            shared = math.sqrt(between) * common + math.sqrt(1 - between) * generator.standard_normal(len(labels))
            cards.append(self._trained(labels, shared, truth, noise, generator))
        return cards[0], cards[1]

    def measure(self, truth: float, noise: Noise, generator: np.random.Generator) -> SampleEstimate:
        """Draw a test set and return the measured figure with its 95% interval, as a report computes it.

        Args:
            truth: The true figure of the recipe.
            noise: How trainings vary.
            generator: The random generator.

        Returns:
            The mean over seeds with its interval.
        """
        scores = self.draw(truth, noise, generator)
        return SampleEstimate.of(seed_figure(self.metric, scores, class_sizes=self.class_sizes), len(scores.runs[0]))

    @abstractmethod
    def _labels(self, generator: np.random.Generator) -> Labels:
        """Draw the classes (n,) of a test set."""

    @abstractmethod
    def _trained(
        self, labels: Labels, shared: Floats, truth: float, noise: Noise, generator: np.random.Generator
    ) -> _Scores:
        """Draw the scores of every training.

        Args:
            labels: The classes (n,).
            shared: What the trainings have in common on each image (n,), standard normal.
            truth: The true figure of the recipe.
            noise: How trainings vary.
            generator: The random generator.

        Returns:
            The scores and decisions of each training.
        """
