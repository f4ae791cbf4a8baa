"""Thresholds that guarantee a share of correct decisions in a class with a stated confidence.

With n independent images of the class in validation, of which the rule lets x be wrong, the lower Clopper-Pearson bound
(1934) of the share of right ones is at least the target if a binomial number of wrong decisions at the target would
exceed x with the stated probability. The threshold is then the (x + 1)-th order statistic of the scores of the class: a
distribution-free tolerance limit (Wilks 1941), whatever the distribution of scores is.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import betainc, betaincinv

from benchmark.evidence.scores import Scores
from benchmark.evidence.thresholds.cuts import Array, Cuts
from benchmark.evidence.thresholds.rules import Rule

_ROUNDING = 1e-9
"""Probabilities that exceed a limit by less, relative to it, count as equal to it."""

REPORTED = 0.95
"""The confidence of the lower bound that is reported for a rule without a confidence."""


@dataclass(frozen=True)
class Guarantee:
    """What validation supports of the share of right decisions in a class that a rule states.

    Attributes:
        target: The stated share, in (0, 1].
        confidence: The confidence with which the share is at least `target` on further images; None if the rule asks
            for none, and nothing is guaranteed.
        share: The share of the validation images of the class that are decided rightly.
        low: The one-sided lower bound of the share, at `confidence`, or at 95% if that is None.
        images: Number of validation images of the class.
        patients: Number of their patients; None where patients are not known.
        independent: The number of independent images that they count as: fewer than `images` if patients have several.
        validation: Number of validation images of all classes.
    """

    target: float
    confidence: float | None
    share: float
    low: float
    images: int
    patients: int | None
    independent: float
    validation: int


def images_needed(target: float, confidence: float) -> int | None:
    """Return the smallest number of independent images of a class with which a share can be guaranteed.

    With fewer, even a class without a wrong decision does not exclude a lower share: `target ** n > 1 - confidence`.

    Args:
        target: The share of right decisions, in (0, 1].
        confidence: The confidence, in (0, 1).

    Returns:
        The number, such as 59 for 0.95 and 0.95; None if no number suffices, because the target is 1.
    """
    if target >= 1:
        return None
    number = max(1, math.ceil(math.log(1 - confidence) / math.log(target)))
    # The quotient of two rounded logarithms may be off by one where the number is exact, as for 0.5 and 0.75.
    return number - 1 if number > 1 and _excludes(target, number - 1, confidence) else number


def images_with_errors(target: float, confidence: float, errors: int) -> int:
    """Return the smallest number of independent images of a class that guarantees a share despite wrong decisions.

    Args:
        target: The share of right decisions, in (0, 1).
        confidence: The confidence, in (0, 1).
        errors: Number of wrong decisions among the images, at least 0.

    Returns:
        The number, such as 93 for 0.95, 0.95 and one wrong decision.

    Raises:
        ValueError: If the target is not within (0, 1).
    """
    if not 0 < target < 1:
        raise ValueError(f"target {target} must be within (0, 1)")

    def guarantees(images: int) -> bool:
        by_chance = betainc(images - errors, errors + 1, target)
        return bool(by_chance <= (1 - confidence) * (1 + _ROUNDING))

    low, high = errors, errors + 1
    while not guarantees(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if guarantees(middle) else (middle, high)
    return high


def _excludes(target: float, images: float, confidence: float) -> bool:
    """Whether so many images without a wrong decision exclude a share below the target."""
    return bool(target**images <= (1 - confidence) * (1 + _ROUNDING))


def independent_images(scores: Scores, label: int) -> float:
    """Return the number of independent images that the images of a class count as.

    All images of one patient count as perfectly correlated: n² / sum of squared images per patient (Kish 1965), the
    number of patients if they have equally many. This is the least that they can count as.

    Args:
        scores: Scores with at least one image of the class.
        label: The class, 0 or 1.

    Returns:
        The number of images where patients are not known or have one image each, else fewer.
    """
    sizes = np.array(list(_patients(scores, label).values()), dtype=np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def lower_bound(right: float, images: float, confidence: float) -> float:
    """Return the one-sided lower Clopper-Pearson bound (1934) of a share.

    Args:
        right: Number of right decisions, at most `images`; may be fractional.
        images: Number of independent images, above 0; may be fractional.
        confidence: The confidence, in (0, 1).

    Returns:
        The bound in [0, 1].
    """
    return 0.0 if right <= 0 else float(betaincinv(right, images - right + 1, 1 - confidence))


def shortage(scores: Scores, rule: Rule, target: float, confidence: float) -> str | None:
    """Say why validation has too few images of a class to guarantee anything.

    Args:
        scores: Validation scores.
        rule: A rule about the images of one class.
        target: The stated share.
        confidence: The confidence.

    Returns:
        One line with the number that is needed and the one that exists; None if there are enough.
    """
    label = rule.class_stated
    needed = images_needed(target, confidence)
    aim = rule.aim(target, confidence)
    if needed is None:
        return f"{aim} cannot be guaranteed by any number of images; state less than 1"
    patients = _patients(scores, label)
    images = sum(patients.values())
    independent = independent_images(scores, label) if images else 0.0
    if independent > 0 and _excludes(target, independent, confidence):
        return None
    kind = "positive" if label else "negative"
    if scores.patient is None or len(patients) == images:
        return f"{aim} needs at least {needed} {kind} validation images; there are {images}"
    return (
        f"{aim} needs at least {needed} {kind} validation images of different patients; there are {images} of "
        f"{len(patients)} patients, which count as {independent:.0f}"
    )


def with_confidence(rule: Rule, scores: Scores, confidence: float) -> Rule:
    """Return a rule that chooses only thresholds whose lower bound reaches the target.

    Args:
        rule: A rule about the images of one class.
        scores: The validation scores that it will choose on.
        confidence: The confidence of the lower bound.

    Returns:
        The rule with a narrower choice. Its threshold predicts at least as many images as the class as that of `rule`.
    """
    label, plain = rule.class_stated, rule.objective
    assert plain is not None
    factor = independent_images(scores, label) / np.count_nonzero(scores.y_true == label)

    def objective(cuts: Cuts, value: float) -> Array:
        right, wrong = (cuts.tp, cuts.fn) if label else (cuts.tn, cuts.fp)
        right, wrong = right * factor, wrong * factor
        # P(at least `right` of n at the target): betainc is 1 at no right decision, so such a cut is excluded.
        by_chance = np.where(right > 0, betainc(np.maximum(right, 1e-12), wrong + 1, value), 1.0)
        return np.where(by_chance <= (1 - confidence) * (1 + _ROUNDING), plain(cuts, value), -np.inf)

    return replace(rule, objective=objective)


def guarantee_at(
    scores: Scores, rule: Rule, target: float, threshold: float, confidence: float | None = None
) -> Guarantee | None:
    """Return what validation supports of the share that a rule states, at a threshold.

    Args:
        scores: Validation scores.
        rule: The rule.
        target: The stated share.
        threshold: The chosen threshold.
        confidence: The confidence of the rule; None if it asks for none.

    Returns:
        The share and its lower bound; None for a rule that states no share of a class.
    """
    if rule.label is None:
        return None
    positive = scores.y_score >= threshold
    of_class = scores.y_true == rule.label
    images = int(np.count_nonzero(of_class))
    share = float(np.mean(positive[of_class] == bool(rule.label)))
    independent = independent_images(scores, rule.label)
    return Guarantee(
        target=target,
        confidence=confidence,
        share=share,
        low=lower_bound(share * independent, independent, confidence or REPORTED),
        images=images,
        patients=None if scores.patient is None else len(_patients(scores, rule.label)),
        independent=independent,
        validation=len(scores),
    )


def _patients(scores: Scores, label: int) -> Counter[str]:
    """The number of images of the class by patient; by image where patients are not known."""
    names = [str(index) for index in range(len(scores))] if scores.patient is None else scores.patient
    return Counter(name for name, true in zip(names, scores.y_true, strict=True) if true == label)
