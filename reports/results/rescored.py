"""Applies another threshold or decision rule to stored runs, without training."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from benchmark.evidence.decisions.decide import Decision
from benchmark.evidence.metrics.registry import NOT_METRICS, Figure
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.outcome import choose, costs_of, default_decision, figures_of, is_chosen
from benchmark.runs.protocol import Protocol, ThresholdRule, decision_problem
from benchmark.runs.run import Run, RunSpec
from benchmark.runs.storage.store import Store
from zoo.config.errors import ConfigError

Rule = ThresholdRule | DecisionRule
"""The rule of two classes, or of three or more."""


class RescoredRun(Run):
    """A finished run with another rule than it was computed with.

    `spec` contains the new rule. `stored_as` is the id of the original run, under which the store has its scores.
    """

    stored_as: str = Field(exclude=True)

    @property
    def run_id(self) -> str:
        """The id of the stored run."""
        return self.stored_as


def with_rule(run: Run, store: Store, rule: Rule) -> Run:
    """Applies a rule to a stored run: another choice on validation, and the figures at it.

    Args:
        run: A run of `store`.
        store: The store with the scores of `run`.
        rule: The rule and its parameters.

    Returns:
        The rescored run; a failed run, or one with another number of classes than the rule is for, unchanged.

    Raises:
        ConfigError: The scores cannot be read, or the rule names a class that does not exist.
    """
    classes = run.spec.dataset.classes
    if run.status != "ok" or not _fits(run, rule):
        return run
    spec = _under(run, rule)
    if (problem := decision_problem(spec.protocol, classes)) is not None:
        raise ConfigError(f"--decision on {run.spec.dataset.title}: {problem.partition('decision: ')[2] or problem}")
    val, sizes = store.scores(run, "val"), spec.protocol.class_sizes
    choice = choose(spec.protocol, val)
    costs = costs_of(choice)
    at_half, at_chosen = dict(run.at_half), dict[str, dict[str, Figure]]()
    for scores in (val, store.scores(run, "test")) if run.spec.stage == "bench" else (val,):
        unaffected = {name: figure for name, figure in run.figures(scores.split).items() if name in NOT_METRICS}
        if costs is not None:
            at_half[scores.split] = unaffected | figures_of(scores, default_decision(scores), sizes, costs)
        if is_chosen(choice):
            at_chosen[scores.split] = unaffected | figures_of(scores, choice, sizes, costs)
    changes = {
        "spec": spec,
        "threshold": choice if isinstance(choice, Threshold) else None,
        "decision": choice if isinstance(choice, Decision) else None,
        "at_half": at_half,
        "at_chosen": at_chosen,
        "stored_as": run.run_id,
    }
    return RescoredRun.model_construct(**dict(run) | changes)


def chosen_again(run: Run) -> str | None:
    """That the rule of a run is not that of its training, without an end; None for a run as it was computed."""
    if not isinstance(run, RescoredRun):
        return None
    of_two, protocol = run.decision is None, run.spec.protocol
    what, rule = ("threshold", protocol.threshold) if of_two else ("decision", protocol.decision)
    return (
        f"the {what} was chosen again on the stored validation scores, after the test split was scored "
        f"({rule.in_words()}): test figures at it are fair only if test scores did not suggest the rule"
    )


def all_with_rule(runs: Sequence[Run], store: Store, rule: Rule) -> list[Run]:
    """Applies a rule to each of several runs.

    Args:
        runs: Runs of `store`. Runs that differ only in their rule are the same under `rule`; the one that finished
            last counts. Runs with another number of classes than the rule is for stay as they are.
        store: The store with their scores.
        rule: The rule and its parameters.

    Returns:
        The rescored runs in the order of `runs`.

    Raises:
        ConfigError: The scores of a run cannot be read, the rule fits none of the runs, or it names a class that does
            not exist.
    """
    if runs and not any(_fits(run, rule) for run in runs):
        classes = len(runs[0].spec.dataset.classes)
        right = "--threshold-rule" if classes == 2 else "--decision"
        raise ConfigError(f"the runs have {classes} classes: use {right}, as in {right} {_EXAMPLES[right]}")
    last: dict[tuple[str, str], str] = {}
    for run in sorted(runs, key=lambda run: (run.status == "ok", run.finished, run.run_id)):
        last[_key(run, rule)] = run.run_id
    return [with_rule(run, store, rule) for run in runs if last[_key(run, rule)] == run.run_id]


_EXAMPLES = {"--threshold-rule": "sensitivity=0.95", "--decision": "abstain=0.7"}


def _fits(run: Run, rule: Rule) -> bool:
    return (len(run.spec.dataset.classes) == 2) == isinstance(rule, ThresholdRule)


def _under(run: Run, rule: Rule) -> RunSpec:
    if not _fits(run, rule):
        return run.spec
    protocol: Protocol = run.spec.protocol.model_copy(
        update={"threshold" if isinstance(rule, ThresholdRule) else "decision": rule}
    )
    return run.spec.model_copy(update={"protocol": protocol})


def _key(run: Run, rule: Rule) -> tuple[str, str]:
    """The name of the protocol, and the id that the run would have with this rule."""
    return run.spec.protocol.name, _under(run, rule).run_id
