"""Choice of a decision threshold on validation scores only."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmark.evidence.estimate import Estimate
from benchmark.evidence.scores import ValidationScores
from benchmark.evidence.thresholds.cuts import Array
from benchmark.evidence.thresholds.guarantee import Guarantee, guarantee_at, shortage, with_confidence
from benchmark.evidence.thresholds.intervals import Choice
from benchmark.evidence.thresholds.rules import Rule, get_rule


@dataclass(frozen=True)
class Threshold(Estimate):
    """A chosen threshold and its 95% interval.

    Attributes:
        value: In [0, 1]; None if the rule chose none.
        rule: The name of the rule.
        reason: Why there is no value, or a value without an interval.
        low: Lower end of the interval; None if not computed.
        high: Upper end of the interval; None if not computed.
        guarantee: What validation supports of the share that the rule states; None for other rules, without a value,
            and in old records.
    """

    value: float | None
    rule: str
    reason: str | None = None
    low: float | None = None
    high: float | None = None
    guarantee: Guarantee | None = None


def choose(
    scores: ValidationScores, rule: str = "youden", value: float | None = None, *, confidence: float | None = None
) -> Threshold:
    """Choose a threshold on validation scores.

    Args:
        scores: Validation scores.
        rule: The name of a registered rule.
        value: The parameter of the rule; None for its default.
        confidence: For a rule that states the share of right decisions in a class: the confidence with which further
            images reach this share. None: only the validation images reach it.

    Returns:
        The threshold without an interval. Its value is None, with the reason, for constant scores, a missing class, a
        target that no threshold reaches, or too few images for the confidence.

    Raises:
        TypeError: The scores are from another split.
        ValueError: The rule is unknown or does not take `value` or `confidence`.
    """
    return _chosen(scores, get_rule(rule), value, confidence)


def _chosen(scores: ValidationScores, rule: Rule, value: float | None, confidence: float | None) -> Threshold:
    if type(scores) is not ValidationScores:
        raise TypeError(f"a threshold is chosen on ValidationScores, not on {type(scores).__name__}")
    target = rule.parameter(value)
    problem = rule.confidence_problem(confidence)
    if problem is not None:
        raise ValueError(problem)
    if confidence is not None:
        reason = shortage(scores, rule, target, confidence)
        if reason is not None:
            return Threshold(None, rule.name, reason)
    applied = rule if confidence is None else with_confidence(rule, scores, confidence)
    threshold, reason = applied.best_cut(scores, target)
    if threshold is None:
        return Threshold(None, rule.name, reason)
    return Threshold(threshold, rule.name, guarantee=guarantee_at(scores, rule, target, threshold, confidence))


def choose_with_interval(
    scores: ValidationScores,
    rule: str = "youden",
    value: float | None = None,
    *,
    confidence: float | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Threshold:
    """Choose a threshold and compute its 95% interval.

    The interval estimates the threshold that the rule would choose on an unlimited number of validation images. It
    shows how much the choice depends on the sample.

    Args:
        scores: Validation scores.
        rule: The name of a registered rule.
        value: The parameter of the rule; None for its default.
        confidence: As of `choose`. The interval is that of the rule without it.
        replicates: Number of bootstrap resamples, at least 100; used by rules with a bootstrap interval.
        seed: Seed of the resamples.

    Returns:
        The threshold. It has no interval, with the reason, if it is fixed, if all images come from one patient, or if
        more than 5% of the resamples have no threshold.

    Raises:
        TypeError: The scores are from another split.
        ValueError: The rule is unknown or does not take `value` or `confidence`, or there are fewer than 100
            replicates.
    """
    return choose_by(scores, get_rule(rule), value, confidence=confidence, replicates=replicates, seed=seed)


def choose_by(
    scores: ValidationScores,
    rule: Rule,
    value: float | None = None,
    *,
    confidence: float | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Threshold:
    """Choose a threshold by a rule that need not be registered, as `choose_with_interval` does.

    Args:
        scores: Validation scores.
        rule: The rule.
        value: The parameter of the rule; None for its default.
        confidence: As of `choose_with_interval`.
        replicates: Number of bootstrap resamples, at least 100; used by rules with a bootstrap interval.
        seed: Seed of the resamples.

    Returns:
        The threshold with its interval, as of `choose_with_interval`.

    Raises:
        TypeError: The scores are from another split.
        ValueError: The rule does not take `value` or `confidence`, or there are fewer than 100 replicates.
    """
    if replicates < 100:
        raise ValueError(f"{replicates} replicates are too few for a 95% interval; at least 100")
    chosen = _chosen(scores, rule, value, confidence)
    if chosen.value is None:
        return chosen
    parameter = rule.parameter(value)

    def choose_again(resampled: ValidationScores, weights: Array) -> Array:
        return rule.best_cuts(resampled, parameter, weights)

    bounds = rule.interval(Choice(scores, parameter, chosen.value, choose_again, replicates, seed))
    if isinstance(bounds, str):
        return replace(chosen, reason=bounds)
    return replace(chosen, low=bounds[0], high=bounds[1])
