"""Applies another threshold rule to stored runs, without training."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.metrics.registry import NOT_METRICS, Figure
from benchmark.evidence.scores import ValidationScores
from benchmark.evidence.thresholds.choice import choose_with_interval
from benchmark.runs.protocol import ThresholdRule
from benchmark.runs.run import Run, RunSpec
from benchmark.runs.storage.store import Store


class RescoredRun(Run):
    """A finished run with another threshold rule than it was computed with.

    `spec` contains the new rule. `stored_as` is the id of the original run, under which the store has its scores.
    """

    stored_as: str = Field(exclude=True)

    @property
    def run_id(self) -> str:
        """The id of the stored run."""
        return self.stored_as


def with_threshold_rule(run: Run, store: Store, rule: ThresholdRule) -> Run:
    """Applies a threshold rule to a stored run: a new threshold from validation, and the figures at it.

    Args:
        run: A run of `store`.
        store: The store with the scores of `run`.
        rule: The rule and its parameter.

    Returns:
        The rescored run; a failed run unchanged.

    Raises:
        ConfigError: The scores cannot be read.
    """
    if run.status != "ok":
        return run
    val = store.binary_scores(run, "val")
    if not isinstance(val, ValidationScores):
        raise TypeError("a store reads validation scores in their own type")
    threshold = choose_with_interval(val, rule.rule, rule.value)
    at_chosen: dict[str, dict[str, Figure]] = {}
    if threshold.value is not None:
        for scores in (val, store.binary_scores(run, "test")):
            unaffected = {name: figure for name, figure in run.figures(scores.split).items() if name in NOT_METRICS}
            at_chosen[scores.split] = unaffected | figures(scores, threshold.value, run.spec.protocol.class_sizes)
    changes = {"spec": _under(run, rule), "threshold": threshold, "at_chosen": at_chosen, "stored_as": run.run_id}
    return RescoredRun.model_construct(**dict(run) | changes)


def all_with_threshold_rule(runs: Sequence[Run], store: Store, rule: ThresholdRule) -> list[Run]:
    """Applies a threshold rule to each of several runs.

    Args:
        runs: Runs of `store`. Runs that differ only in their rule are the same under `rule`; the one that finished
            last counts.
        store: The store with their scores.
        rule: The rule and its parameter.

    Returns:
        The rescored runs in the order of `runs`.

    Raises:
        ConfigError: The scores of a run cannot be read.
    """
    last: dict[tuple[str, str], str] = {}
    for run in sorted(runs, key=lambda run: (run.status == "ok", run.finished, run.run_id)):
        last[_key(run, rule)] = run.run_id
    return [with_threshold_rule(run, store, rule) for run in runs if last[_key(run, rule)] == run.run_id]


def _under(run: Run, rule: ThresholdRule) -> RunSpec:
    protocol = run.spec.protocol.model_copy(update={"threshold": rule})
    return run.spec.model_copy(update={"protocol": protocol})


def _key(run: Run, rule: ThresholdRule) -> tuple[str, str]:
    """The name of the protocol, and the id that the run would have with this rule."""
    return run.spec.protocol.name, _under(run, rule).run_id
