"""Decision thresholds, chosen on validation scores and on nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmark.evidence.estimate import Estimate
from benchmark.evidence.scores import ValidationScores
from benchmark.evidence.thresholds.cuts import Array
from benchmark.evidence.thresholds.intervals import Choice
from benchmark.evidence.thresholds.rules import get_rule


@dataclass(frozen=True)
class Threshold(Estimate):
    """A threshold in [0, 1], the rule that chose it, and its 95% interval (`low`, `high`) where one was asked for.

    `reason` says why there is no value, or no interval to a value.
    """

    value: float | None
    rule: str
    reason: str | None = None
    low: float | None = None
    high: float | None = None


def choose(scores: ValidationScores, rule: str = "youden", value: float | None = None) -> Threshold:
    """The threshold that `rule` chooses on `scores`, `value` being the rule's own parameter.

    There is none, with the reason, for constant scores, for a missing class and for a target that no threshold reaches.
    Raises TypeError for scores of any other split, ValueError for an unknown rule or a value that it does not take.
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
    """`choose`, with the 95% interval of the thresholds that the rule might choose on validation images without end.

    The interval shows how much the choice depends on the images that were drawn.

    Args:
        scores: Validation scores.
        rule: The name of a registered rule.
        value: The rule's own parameter; None for its default.
        replicates: Resamples for the rules whose interval is a bootstrap, at least 100.
        seed: What resamples are drawn from.

    Returns:
        The threshold. There is no interval, with the reason, for a declared threshold, for images of one patient, and
        when more than one in twenty of the replicates has no threshold.

    Raises:
        TypeError: The scores are of another split.
        ValueError: The rule is unknown or does not take `value`, or there are fewer than 100 replicates.
    """
    if replicates < 100:
        raise ValueError(f"{replicates} replicates are too few for a 95% interval; at least 100")
    chosen = choose(scores, rule, value)
    if chosen.value is None:
        return chosen
    registered = get_rule(rule)
    parameter = registered.parameter(value)

    def again(resampled: ValidationScores, weights: Array) -> Array:
        return registered.best_cuts(resampled, parameter, weights)

    bounds = registered.interval(Choice(scores, parameter, chosen.value, again, replicates, seed))
    if isinstance(bounds, str):
        return replace(chosen, reason=bounds)
    return replace(chosen, low=bounds[0], high=bounds[1])
