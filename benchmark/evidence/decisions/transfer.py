"""Transfer of the threshold of one class to test."""

from __future__ import annotations

from benchmark.evidence.decisions.decide import Decision
from benchmark.evidence.scores import MulticlassTestScores, TestScores
from benchmark.evidence.thresholds.transfer import ThresholdTransfer, threshold_transfer


def decision_transfer(test: MulticlassTestScores, decision: Decision) -> ThresholdTransfer | None:
    """Compute test figures of the class of `class_at` against the rest, as for two classes.

    They are those at a score of 0.5 for the class, at the threshold from validation, which decide on the class just as
    `decide` does, and at the oracle threshold.

    Args:
        test: Test scores of the classes of the decision.
        decision: A decision that `choose_decision` returned.

    Returns:
        The figures at the three thresholds; None for a rule without a threshold of one class.

    Raises:
        TypeError: `test` is from another split, or of two classes.
        ValueError: The classes are others.
    """
    if type(test) is not MulticlassTestScores:
        raise TypeError(f"the transfer of a decision needs MulticlassTestScores, not {type(test).__name__}")
    if test.classes != decision.classes:
        raise ValueError(f"the decision is about the classes {decision.classes}, not {test.classes}")
    if decision.of_class is None or decision.threshold is None:
        return None
    one = test.one_vs_rest(decision.classes.index(decision.of_class))
    assert isinstance(one, TestScores)
    return threshold_transfer(one, decision.threshold, decision.value)
