"""Threshold transfer: test figures at the threshold from validation, at 0.5, and at the oracle threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.scores import TestScores
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.evidence.thresholds.rules import get_rule


@dataclass(frozen=True)
class OracleThreshold:
    """The threshold that a rule chooses on the test scores themselves: an upper reference, never used for decisions.

    Hence it is not a Threshold.

    Attributes:
        value: In [0, 1]; None if the test scores have no such threshold.
        rule: The name of the rule.
        figures: Test figures at `value` by metric; empty without one. They and their intervals are too high, since the
            threshold was chosen on the same images.
        reason: Why there is no value.
    """

    value: float | None
    rule: str
    figures: Mapping[str, Figure]
    reason: str | None = None


@dataclass(frozen=True)
class ThresholdTransfer:
    """Test figures by metric at three thresholds.

    Attributes:
        chosen: The threshold from validation.
        at_half: Figures at 0.5.
        at_chosen: Figures at the chosen threshold; empty if none was chosen.
        oracle: The oracle threshold with its figures.
    """

    chosen: Threshold
    at_half: Mapping[str, Figure]
    at_chosen: Mapping[str, Figure]
    oracle: OracleThreshold


def oracle_threshold(scores: TestScores, rule: str = "youden", value: float | None = None) -> OracleThreshold:
    """Apply a threshold rule to the test scores.

    Args:
        scores: Test scores.
        rule: The name of a registered rule.
        value: The parameter of the rule; None for its default.

    Returns:
        The oracle threshold and the test figures at it.

    Raises:
        TypeError: The scores are from another split.
        ValueError: The rule is unknown or does not take `value`.
    """
    if type(scores) is not TestScores:
        raise TypeError(f"an oracle threshold needs TestScores, not {type(scores).__name__}")
    registered = get_rule(rule)
    threshold, reason = registered.best_cut(scores, registered.parameter(value))
    return OracleThreshold(threshold, rule, {} if threshold is None else figures(scores, threshold), reason)


def threshold_transfer(test: TestScores, chosen: Threshold, value: float | None = None) -> ThresholdTransfer:
    """Compute test figures at 0.5, at the threshold from validation, and at the oracle threshold.

    Args:
        test: Test scores.
        chosen: The threshold that `choose` returned.
        value: The parameter of the rule, as passed to `choose`.

    Returns:
        The figures at the three thresholds.

    Raises:
        TypeError: `test` is from another split, or `chosen` is not a Threshold.
        ValueError: The rule of `chosen` does not take `value`.
    """
    if type(chosen) is not Threshold:
        raise TypeError(f"expected a Threshold chosen on validation, not {type(chosen).__name__}")
    oracle = oracle_threshold(test, chosen.rule, value)
    at_chosen = {} if chosen.value is None else figures(test, chosen.value)
    return ThresholdTransfer(chosen, figures(test, 0.5), at_chosen, oracle)
