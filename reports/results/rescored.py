"""Stored runs read at another decision rule: nothing is trained, and the rule sees validation scores alone."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.metrics.definitions import NOT_METRICS, Figure
from benchmark.evidence.scores import ValidationScores
from benchmark.evidence.thresholds.choice import choose_with_interval
from benchmark.runs.protocol import ThresholdRule
from benchmark.runs.run import Run, RunSpec
from benchmark.runs.storage.store import Store


def rechosen(run: Run, store: Store, rule: ThresholdRule) -> Run:
    """`run` with the threshold that `rule` chooses on its validation scores, and the figures at it. Its run_id stays,
    since the store holds its scores under that.

    A failed run comes back as it is. Raises ConfigError when the scores cannot be read.
    """
    if run.status != "ok":
        return run
    val = store.scores(run, "val")
    if not isinstance(val, ValidationScores):
        raise TypeError("a store reads validation scores in their own type")
    threshold = choose_with_interval(val, rule.rule, rule.value)
    at_chosen: dict[str, dict[str, Figure]] = {}
    if threshold.value is not None:
        for scores in (val, store.scores(run, "test")):
            held = {name: figure for name, figure in run.figures(scores.split).items() if name in NOT_METRICS}
            at_chosen[scores.split] = held | figures(scores, threshold.value, run.spec.protocol.class_sizes)
    protocol = run.spec.protocol.model_copy(update={"threshold": rule})
    spec = run.spec.model_copy(update={"protocol": protocol, "run_id": run.run_id})  # the folder of its scores
    return run.model_copy(update={"spec": spec, "threshold": threshold, "at_chosen": at_chosen})


def rechosen_all(runs: Sequence[Run], store: Store, rule: ThresholdRule) -> list[Run]:
    """`rechosen` for each of `runs`, in their order. Of runs that differed in their rule alone, and so are the same
    now, the one that finished last counts. Raises as `rechosen` does."""
    last: dict[tuple[str, str], str] = {}
    for run in sorted(runs, key=lambda run: (run.status == "ok", run.finished, run.run_id)):
        last[_under(run, rule)] = run.run_id
    return [rechosen(run, store, rule) for run in runs if last[_under(run, rule)] == run.run_id]


def _under(run: Run, rule: ThresholdRule) -> tuple[str, str]:
    """The name of the protocol, and what the id of the run would be if its protocol had this rule."""
    protocol = run.spec.protocol.model_copy(update={"threshold": rule})
    fields = {name: getattr(run.spec, name) for name in RunSpec.model_fields}  # a copy would carry the old id along
    return protocol.name, RunSpec(**fields | {"protocol": protocol}).run_id
