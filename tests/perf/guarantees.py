"""How often a threshold chosen with confidence reaches its target on unlimited images.

   python -m tests.perf.guarantees [--sets 2000]

It prints the last table of docs/simulation.md. In each world, positives and negatives have normal hidden scores. Images
of one patient correlate by `within`. `informative` shifts the hidden score of the images of a patient by so much per
image beyond the mean, so that patients with more images are easier (above 0) or harder (below 0).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from scipy.stats import norm

from benchmark.evidence.scores import ValidationScores
from benchmark.evidence.thresholds.choice import choose
from tests.support.worlds import PATIENT_SIZES

SHIFT = 2.0
"""Distance of the means of the two classes, in standard deviations."""
UNEQUAL = (1, 1, 1, 1, 2, 1, 1, 3, 1, 12)
"""Images of one patient, over and over: a few patients have most of the images."""


@dataclass(frozen=True)
class Guaranteed:
    """A world of validation sets: `patients` positive and as many negative ones, with `sizes` images over and over."""

    title: str
    patients: int
    sizes: tuple[int, ...] = (1,)
    within: float = 0.0
    informative: float = 0.0
    target: float = 0.95
    confidence: float = 0.95

    @property
    def images(self) -> npt.NDArray[np.int64]:
        """The number of images of each patient."""
        return np.resize(np.array(self.sizes), self.patients)

    def ease(self, sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """By how much the hidden scores of positive patients with so many images are higher."""
        shift: npt.NDArray[np.float64] = self.informative * (sizes - np.mean(self.sizes))
        return shift

    def sensitivity(self, threshold: float) -> float:
        """The share of positive images at or above a threshold, on unlimited images."""
        sizes = np.array(self.sizes)
        hidden = logit(threshold) if threshold > 0 else -np.inf
        return float(np.average(norm.sf(hidden, SHIFT + self.ease(sizes)), weights=sizes))

    def draw(self, generator: np.random.Generator) -> ValidationScores:
        """One validation set."""
        owner = np.repeat(np.arange(self.patients), self.images)
        hidden = []
        for label in (0, 1):
            shared, own = generator.standard_normal(self.patients)[owner], generator.standard_normal(len(owner))
            ease = SHIFT + self.ease(self.images)[owner] if label else 0.0
            hidden.append(np.sqrt(self.within) * shared + np.sqrt(1 - self.within) * own + ease)
        names = tuple(f"{label}-{patient}" for label in (0, 1) for patient in owner)
        y_true = np.repeat([0, 1], len(owner))
        return ValidationScores("val", y_true, expit(np.concatenate(hidden)), names)


WORLDS = (
    *(Guaranteed("independent images", n) for n in (59, 100, 200, 500)),
    Guaranteed("independent images", 100, target=0.9),
    Guaranteed("independent images", 100, target=0.9, confidence=0.9),
    *(Guaranteed("3 images each", 100, (3,), within) for within in (0.2, 0.5, 0.9, 1.0)),
    *(Guaranteed("2.25 images each on average", 100, PATIENT_SIZES, within) for within in (0.2, 0.5, 0.9, 1.0)),
    *(Guaranteed("2.4 images, 12 of every tenth", 200, UNEQUAL, within) for within in (0.2, 0.5, 0.9, 1.0)),
    *(Guaranteed("more images, easier", 100, PATIENT_SIZES, 0.5, by) for by in (0.2,)),
    *(Guaranteed("more images, harder", 100, PATIENT_SIZES, 0.5, by) for by in (-0.2,)),
)


@dataclass(frozen=True)
class Tally:
    """Of validation sets with a threshold: the shares that reach the target, and the mean sensitivity on unlimited
    images; the same where images count as independent and without a confidence."""

    sets: int
    guaranteed: float
    sensitivity: float
    as_independent: float
    plain: float


def tally(world: Guaranteed, sets: int, seed: int = 0) -> Tally:
    """Draw `sets` validation sets and apply the rules to them."""
    reached = list(_reached(world, sets, np.random.default_rng(seed)))
    figures = np.array(reached, dtype=np.float64)
    hits = np.mean(figures >= world.target, axis=0)
    return Tally(len(figures), hits[0], float(figures[:, 0].mean()), hits[1], hits[2])


def _reached(world: Guaranteed, sets: int, generator: np.random.Generator) -> Iterator[tuple[float, ...]]:
    for _ in range(sets):
        scores = world.draw(generator)
        alone = ValidationScores("val", scores.y_true, scores.y_score)
        chosen = (
            choose(scores, "sensitivity", world.target, confidence=world.confidence),
            choose(alone, "sensitivity", world.target, confidence=world.confidence),
            choose(scores, "sensitivity", world.target),
        )
        values = [each.value for each in chosen if each.value is not None]
        if len(values) == len(chosen):
            yield tuple(map(world.sensitivity, values))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=int, default=2000)
    sets = parser.parse_args().sets
    print(
        "| images | patients | within | target, confidence | guaranteed | mean sensitivity | as independent | plain |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for world in WORLDS:
        found = tally(world, sets)
        print(
            f"| {world.title} | {world.patients} | {world.within:g} | {world.target:g}, {world.confidence:g} "
            f"| {100 * found.guaranteed:.1f} | {found.sensitivity:.3f} | {100 * found.as_independent:.1f} "
            f"| {100 * found.plain:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
