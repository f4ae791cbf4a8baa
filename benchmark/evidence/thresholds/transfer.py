"""How well a threshold chosen on validation serves on test: beside 0.5, and beside the best one in hindsight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.evidence.metrics.definitions import Figure, figures
from benchmark.evidence.scores import TestScores
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.evidence.thresholds.rules import get_rule


@dataclass(frozen=True)
class Hindsight:
    """The best threshold of a rule on the test scores themselves, and the test figures at it: a yardstick that nobody
    could have chosen, hence no Threshold.

    `value` is None, with the `reason`, and `figures` empty where the test scores have no such threshold. The intervals
    of `figures` do not know that the threshold was picked on the same images: they sit too high.
    """

    value: float | None
    rule: str
    figures: Mapping[str, Figure]
    reason: str | None = None


@dataclass(frozen=True)
class Transfer:
    """Test figures by metric at 0.5, at the chosen threshold (empty when none was chosen), and in hindsight."""

    chosen: Threshold
    at_half: Mapping[str, Figure]
    at_chosen: Mapping[str, Figure]
    hindsight: Hindsight


def hindsight(scores: TestScores, rule: str = "youden", value: float | None = None) -> Hindsight:
    """What `rule` would have chosen on `scores`, had it been allowed to; `value` is the rule's own parameter.

    Raises TypeError for scores of any other split, ValueError for an unknown rule or a value that it does not take.
    """
    if type(scores) is not TestScores:
        raise TypeError(f"hindsight is of TestScores, not of {type(scores).__name__}")
    registered = get_rule(rule)
    threshold, reason = registered.best_cut(scores, registered.parameter(value))
    return Hindsight(threshold, rule, {} if threshold is None else figures(scores, threshold), reason)


def transfer(test: TestScores, chosen: Threshold, value: float | None = None) -> Transfer:
    """The test figures that `chosen` gives, between those at 0.5 and those that its rule could have reached.

    `value` is the rule's own parameter, as it was given to `choose`. Raises TypeError for scores of any other split and
    for anything but a Threshold, and as `hindsight` does.
    """
    if type(chosen) is not Threshold:
        raise TypeError(f"what is transferred is a Threshold chosen on validation, not a {type(chosen).__name__}")
    best = hindsight(test, chosen.rule, value)
    at_chosen = {} if chosen.value is None else figures(test, chosen.value)
    return Transfer(chosen, figures(test, 0.5), at_chosen, best)
