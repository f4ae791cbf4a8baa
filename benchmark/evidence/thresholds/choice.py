"""Choice of a decision threshold on validation scores only."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.evidence.estimate import Estimate
from benchmark.evidence.scores import ValidationScores
from benchmark.evidence.thresholds.cuts import Array
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
    """

    value: float | None
    rule: str
    reason: str | None = None
    low: float | None = None
    high: float | None = None


def choose(scores: ValidationScores, rule: str = "youden", value: float | None = None) -> Threshold:
    """Choose a threshold on validation scores.

    Args:
        scores: Validation scores.
        rule: The name of a registered rule.
        value: The parameter of the rule; None for its default.

    Returns:
        The threshold without an interval. Its value is None, with the reason, for constant scores, a missing class, or
        a target that no threshold reaches.

    Raises:
        TypeError: The scores are from another split.
        ValueError: The rule is unknown or does not take `value`.
    """
    if type(scores) is not ValidationScores:
        raise TypeError(f"a threshold is chosen on ValidationScores, not on {type(scores).__name__}")
    registered = get_rule(rule)
    threshold, reason = registered.best_cut(scores, registered.parameter(value))
    return Threshold(threshold, rule, reason)


def choose_with_interval(
    scores: ValidationScores,
    rule: str = "youden",
    value: float | None = None,
    *,
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
        replicates: Number of bootstrap resamples, at least 100; used by rules with a bootstrap interval.
        seed: Seed of the resamples.

    Returns:
        The threshold. It has no interval, with the reason, if it is fixed, if all images come from one patient, or if
        more than 5% of the resamples have no threshold.

    Raises:
        TypeError: The scores are from another split.
        ValueError: The rule is unknown or does not take `value`, or there are fewer than 100 replicates.
    """
    return choose_by(scores, get_rule(rule), value, replicates=replicates, seed=seed)


def choose_by(
    scores: ValidationScores, rule: Rule, value: float | None = None, *, replicates: int = 1000, seed: int = 0
) -> Threshold:
    """Choose a threshold by a rule that need not be registered, as `choose_with_interval` does.

    Args:
        scores: Validation scores.
        rule: The rule.
        value: The parameter of the rule; None for its default.
        replicates: Number of bootstrap resamples, at least 100; used by rules with a bootstrap interval.
        seed: Seed of the resamples.

    Returns:
        The threshold with its interval, as of `choose_with_interval`.

    Raises:
        TypeError: The scores are from another split.
        ValueError: The rule does not take `value`, or there are fewer than 100 replicates.
    """
    if replicates < 100:
        raise ValueError(f"{replicates} replicates are too few for a 95% interval; at least 100")
    if type(scores) is not ValidationScores:
        raise TypeError(f"a threshold is chosen on ValidationScores, not on {type(scores).__name__}")
    parameter = rule.parameter(value)
    threshold, reason = rule.best_cut(scores, parameter)
    if threshold is None:
        return Threshold(None, rule.name, reason)

    def choose_again(resampled: ValidationScores, weights: Array) -> Array:
        return rule.best_cuts(resampled, parameter, weights)

    bounds = rule.interval(Choice(scores, parameter, threshold, choose_again, replicates, seed))
    if isinstance(bounds, str):
        return Threshold(threshold, rule.name, bounds)
    return Threshold(threshold, rule.name, None, *bounds)
