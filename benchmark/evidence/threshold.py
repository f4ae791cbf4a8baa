"""Decision thresholds, chosen on validation scores and on nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from benchmark.evidence.bootstrap import draws, percentile
from benchmark.evidence.rules import best_cut, best_cuts, rule_value
from benchmark.evidence.scores import ValidationScores


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
    """`choose`, with the middle 95% of the thresholds that the rule chooses on `replicates` resamples of `scores`.

    Resampled are whole patients where they are known, else images (percentile bootstrap, Efron 1981), without strata:
    class shares vary as they do between validation splits. The interval says how much the choice hangs on the images
    drawn. It need not hold the best threshold of all images in 95 of 100 cases: the bootstrap of a maximiser is not
    consistent in general (Abrevaya and Huang 2005), and it falls short where few images decide, as for a high cost.

    There is no interval, with the reason, for a declared threshold, for images of one patient, and when more than one
    resample in twenty has no threshold. Raises as `choose` does, and ValueError for fewer than 100 replicates.
    """
    if replicates < 100:
        raise ValueError(f"{replicates} replicates are too few for a 95% interval; at least 100")
    chosen = choose(scores, rule, value)
    if chosen.value is None:
        return chosen
    if rule == "fixed":
        return replace(chosen, reason="a declared threshold has no interval")
    if scores.patient is not None and len(set(scores.patient)) == 1:
        return replace(chosen, reason="no interval: all validation images are of one patient")
    given = rule_value(rule, value)
    order = np.lexsort((scores.y_true, scores.y_score))  # the order of images must not decide who is drawn
    ordered = ValidationScores(
        "val",
        scores.y_true[order],
        scores.y_score[order],
        None if scores.patient is None else tuple(scores.patient[image] for image in order),
    )
    blocks = draws(ordered.y_true, ordered.patient, count=replicates, seed=seed)
    found = np.concatenate([best_cuts(ordered, rule, given, weights.T) for weights in blocks])
    bounds = percentile(found)
    if bounds is None:
        failed = int(np.isnan(found).sum())
        reason = f"no interval: {failed} of {replicates} resamples lack a class or have no threshold"
        return replace(chosen, reason=reason)
    return replace(chosen, low=bounds[0], high=bounds[1])
