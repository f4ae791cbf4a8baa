"""Remarks on the decision among three or more classes that a run chose on validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmark.evidence.decisions.decide import Decision, FoldedDecision
from benchmark.evidence.metrics.registry import label_of
from benchmark.runs.run import Run
from reports.text import estimate, number


def decision_remarks(decision: Decision) -> list[str]:
    """Clauses on what `cost` weights costs by, on what it gains on validation, and on what any choice leaves open."""
    caution = None if decision.caution is None else f"caution: {decision.caution}"
    texts = (_of_folds(decision), decision.probabilities_in_words, _gain(decision), caution)
    return [text for text in texts if text is not None]


def undefined_figures(run: Run, keys: Sequence[str]) -> Iterator[str]:
    """Clauses on the undefined figures of a decision on validation and test, with the reasons.

    Args:
        run: A finished run on three or more classes.
        keys: The keys of the figures.

    Yields:
        A clause for each figure that is undefined.
    """
    for split in ("val", "test"):
        for key in keys:
            figure = run.figures(split, chosen=True).get(key)
            if figure is not None and figure.value is None:
                yield f"{split} {label_of(key)} is {figure.reason or 'undefined'}"


def _of_folds(decision: Decision) -> str | None:
    """The thresholds of the folds; None where there are none."""
    if not isinstance(decision, FoldedDecision) or not decision.thresholds:
        return None
    return f"each fold has its own threshold: {', '.join(map(number, decision.thresholds))}"


def _gain(decision: Decision) -> str | None:
    """The cross-fitted validation expected cost beside that of the highest score; None for other rules than `cost`."""
    cost = decision.validation.get("expected_cost")
    if cost is None or decision.argmax_cost is None or decision.gain is None:
        return None
    return (
        f"validation expected cost {estimate(cost)} cross-fitted, {estimate(decision.argmax_cost)} by the highest "
        f"score: a gain of {estimate(decision.gain)}"
    )
