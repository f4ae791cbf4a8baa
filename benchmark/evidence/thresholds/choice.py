"""Decision thresholds, chosen on validation scores and on nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmark.evidence.scores import ValidationScores
from benchmark.evidence.thresholds.intervals import threshold_bounds
from benchmark.evidence.thresholds.rules import best_cut, rule_value


@dataclass(frozen=True)
class Threshold:
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
    found, reason = best_cut(scores, rule, rule_value(rule, value))
    return Threshold(found, rule, reason)


def choose_with_interval(
    scores: ValidationScores,
    rule: str = "youden",
    value: float | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> Threshold:
    """`choose`, with the 95% interval of `threshold_intervals.threshold_bounds`: which thresholds the rule might choose
    on validation images without end. It says how much the choice hangs on the images drawn.

    There is no interval, with the reason, for a declared threshold, for images of one patient, and when more than one
    in twenty of the `replicates` that `youden`, `f1` and `mcc` rest on has no threshold. Raises as `choose` does, and
    ValueError for fewer than 100 replicates.
    """
    if replicates < 100:
        raise ValueError(f"{replicates} replicates are too few for a 95% interval; at least 100")
    chosen = choose(scores, rule, value)
    if chosen.value is None:
        return chosen
    if rule == "fixed":
        return replace(chosen, reason="a declared threshold has no interval")
    given = rule_value(rule, value)
    bounds, missing = threshold_bounds(scores, rule, given, chosen.value, replicates=replicates, seed=seed)
    if bounds is None:
        return replace(chosen, reason=f"no interval: {missing}")
    return replace(chosen, low=bounds[0], high=bounds[1])
