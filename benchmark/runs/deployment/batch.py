"""What the validation images of a run got from its model, with which later batches of images are compared."""

from __future__ import annotations

from benchmark.evidence.diagnosis.drift import BatchReference, batch_reference
from benchmark.runs.deployment.decision_rule import DecisionRule
from benchmark.runs.deployment.multiclass import AnyDecisionRule
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store


def reference_of(run: Run, store: Store, decider: AnyDecisionRule) -> BatchReference:
    """Describe the scores and decisions of the validation images of a run.

    Args:
        run: A finished run.
        store: The store that contains it.
        decider: The decision rule of the run.

    Returns:
        The reference; its decisions are None if the rule chose no threshold.

    Raises:
        ConfigError: The scores of the run cannot be read.
    """
    val = store.scores(run, "val")
    decisions: list[str | None] | None
    if isinstance(decider, DecisionRule):
        chosen = decider.threshold.value is not None
        decisions = [decider.decide(float(score)) for score in val.y_score] if chosen else None
    else:
        chosen = decider.decision.is_chosen
        decisions = [decider.predict("", row).decision for row in val.y_score] if chosen else None
    return batch_reference(val.y_score, val.y_true, decisions, decider.classes)
