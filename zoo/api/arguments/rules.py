"""Another rule for the decisions of a stored model, chosen again on its stored validation scores."""

from __future__ import annotations

from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.protocol import ThresholdRule
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.results.rescored import Rule, all_with_rule, chosen_again
from zoo.api.output.messages import Messages
from zoo.config.arguments import optional_text


def under_rule(run: Run, store: Store, threshold_rule: str | None, decision: str | None, messages: Messages) -> Run:
    """The run as it would be under another rule, whose choice rests on validation scores alone.

    Args:
        run: A finished run of `store`.
        store: The store with its scores.
        threshold_rule: A rule for two classes, such as `sensitivity=0.95@0.95`; None for none.
        decision: A rule for three or more classes, such as `abstain=0.7`; None for none.
        messages: Receives a note about the rule.

    Returns:
        The run itself without a rule.

    Raises:
        ConfigError: The text is no rule, the rule is for another number of classes, or the scores cannot be read.
    """
    optional_text("threshold_rule", threshold_rule, "a rule such as 'youden' or 'sensitivity=0.95@0.95', or None")
    optional_text("decision", decision, "a rule such as 'abstain=0.7', or None")
    rules: list[Rule] = []
    if threshold_rule is not None:
        rules.append(ThresholdRule.parse(threshold_rule))
    if decision is not None:
        rules.append(DecisionRule.parse(decision))
    for rule in rules:
        [run] = all_with_rule([run], store, rule)
    if (sentence := chosen_again(run)) is not None:
        messages.note(sentence)
    return run
