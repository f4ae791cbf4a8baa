"""One run of a store by the name a person gives it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from benchmark.runs.run import Run
from benchmark.runs.storage.store import Problem, Store
from zoo.config.strict_yaml import ConfigError, unknown

_SHOWN = 6


def pick_run(store: Store, name: str, tell: Callable[[str], None] = lambda _: None) -> Run:
    """The run that `name` means: a run id, a card or CARD:SEED, or the beginning of a run id, tried in this order.

    A card means its benchmark runs, not the trials of a search. Among several runs of that name the finished ones
    count. `tell` hears of every folder of the store that cannot be used. Raises ConfigError when no run or more than
    one is left, and with the reason where the name means a damaged one alone.
    """
    runs, problems = store.survey()
    found = next(filter(None, (_finished(reading) for reading in _readings(runs, name))), [])
    if not found and (meant := [problem.line for problem in problems if _means(name, problem)]):
        raise ConfigError(*meant)
    for problem in problems:
        tell(problem.line)
    if not runs:
        raise ConfigError(
            f"--store {store.root}: contains no runs; `zoo bench --all --store {store.root}` creates them"
        )
    if not found:
        cards = {run.spec.card.name for run in runs}
        seeds = {f"{run.spec.card.name}:{run.spec.seed}" for run in runs}
        raise unknown("run", name, seeds if ":" in name else cards | {run.run_id for run in runs if len(name) > 3})
    if len(found) > 1:
        listed = [f"{run.run_id} ({_told(run)})" for run in found[:_SHOWN]]
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise ConfigError(f"'{name}' names {len(found)} runs: {', '.join(listed)}{more}; give one by its id")
    return found[0]


def _means(name: str, problem: Problem) -> bool:
    """Whether the folder of `problem` would be meant by `name` if it held a run."""
    if re.fullmatch(r"[0-9a-f]+", name) and problem.folder.startswith(name):
        return True
    return problem.run is not None and any(_readings([problem.run], name))


def _readings(runs: Sequence[Run], name: str) -> list[list[Run]]:
    benched = [run for run in runs if run.spec.stage == "bench"]
    card, _, seed = name.rpartition(":")
    return [
        [run for run in runs if run.run_id == name],
        [run for run in benched if run.spec.card.name == name],
        [run for run in benched if run.spec.card.name == card and str(run.spec.seed) == seed],
        [run for run in runs if re.fullmatch(r"[0-9a-f]+", name) and run.run_id.startswith(name)],
    ]


def _finished(runs: list[Run]) -> list[Run]:
    return [run for run in runs if run.status == "ok"] or runs


def _told(run: Run) -> str:
    return f"{run.spec.card.name}:{run.spec.seed}, {run.spec.protocol.name}, {run.spec.dataset.source}"
