"""Folds of which some have not finished, as one run that says which and why, each cause once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from benchmark.runs.cross_validation import IncompleteRun, whole_spec
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.remembered import RunningBench
from reports.text import listed, plural

_NEEDED = "figures need every fold"


def incomplete(by_fold: Mapping[int, Run], bench: RunningBench) -> IncompleteRun:
    """Put folds together of which some are missing or failed.

    Args:
        by_fold: The run of each fold that has a record, by index; at least one.
        bench: The benchmark that runs, if any.

    Returns:
        A failed run. Its error names each cause once, with the folds that it concerns, or says that folds are not
        finished yet.
    """
    first = next(iter(by_fold.values()))
    count = first.spec.protocol.test_folds or 0
    ids = [first.spec.model_copy(update={"fold": (count, index)}).run_id for index in range(count)]
    pending = [index for index in range(count) if bench.awaits(ids[index], by_fold.get(index))]
    causes: dict[str, list[Run]] = {}
    for index, run in sorted(by_fold.items()):
        if run.error is not None and index not in pending:
            causes.setdefault(cause(run.error), []).append(run)
    lines = [
        f"{_folds([run.spec.fold[1] for run in of if run.spec.fold], count)} failed: {of[0].error}"
        for of in causes.values()
    ]
    absent = [index for index in range(count) if index not in by_fold and index not in pending]
    if absent:
        interrupted = "" if lines or pending else "interrupted: "
        lines.append(f"{interrupted}{_folds(absent, count)} did not run")
    if pending:
        done = sum(run.status == "ok" for run in by_fold.values())
        lines.insert(
            0, f"not finished yet: {done} of {plural(count, 'fold')} {'has' if done == 1 else 'have'} finished"
        )
    failed = Run.failed(whole_spec(first.spec), "; ".join((*lines, _NEEDED)), first.split, first.environment)
    return IncompleteRun.model_construct(
        **dict(failed), folds=tuple(run for _, run in sorted(by_fold.items())), pending=tuple(pending)
    )


def cause(error: str) -> str:
    """What errors of one cause have in common: without numbers, and without the step during which a run was ended."""
    return re.sub(r"[0-9.]+", "0", re.sub(r" during [^;(:]*", "", error))


def _folds(indices: Sequence[int], count: int) -> str:
    if len(indices) == count:
        return f"all {count} folds"
    numbers = listed([str(index + 1) for index in indices])
    return f"fold{'' if len(indices) == 1 else 's'} {numbers} of {count}"
