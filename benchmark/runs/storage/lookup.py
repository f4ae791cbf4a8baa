"""Lookup of one run in a store by id, card, or card and seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from benchmark.runs.cross_validation import is_fold, whole_spec
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Problem, Store
from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import unknown
from zoo.models.catalog import load_cards

_LISTED = 6


def resolve_run(
    store: Store,
    name: str,
    warn: Callable[[str], None] = lambda _: None,
    pool: Callable[[Sequence[Run], Store], Sequence[Run]] | None = None,
) -> Run:
    """Find the run that a name means.

    Args:
        store: The store.
        name: A run id, a card, CARD:SEED, or the beginning of a run id, tried in this order. A card means its benchmark
            runs, not trials of a search. If a name means several runs, failed ones are ignored.
        warn: Called with one line about each folder of the store that cannot be used, and where a name means the folds
            of a cross-validation and the first of them is taken.
        pool: Puts the folds of each card and seed together; None takes the first fold.

    Returns:
        The run.

    Raises:
        ConfigError: The name means no run, several runs, or only damaged ones.
    """
    runs, problems = store.survey()
    interpretations = _interpretations(runs, name)
    if pool is not None:
        interpretations = [list(pool(kind, store)) if len(kind) > 1 else kind for kind in interpretations]
    matches = next(filter(None, map(_finished, interpretations)), [])
    if len({whole_spec(run.spec).run_id for run in matches}) == 1 and len(matches) > 1 and is_fold(matches[0]):
        matches = sorted(matches, key=lambda run: run.spec.fold or (0, 0))[:1]
        count, index = matches[0].spec.fold or (1, 0)
        warn(
            f"'{name}' names the {count} folds of a cross-validation: this is fold {index + 1}, trained "
            f"without the images that it tests; `zoo runs` lists the others, `zoo show {name}` has all figures"
        )
    if not matches and (damaged := [problem.line for problem in problems if _means(name, problem)]):
        raise ConfigError(*damaged)
    for problem in problems:
        warn(problem.line)
    if not runs:
        raise ConfigError(
            f"--store {store.root}: contains no runs; `zoo bench --all --store {store.root}` creates them"
        )
    if not matches:
        cards = {run.spec.card.name for run in runs}
        seeds = {f"{run.spec.card.name}:{run.spec.seed}" for run in runs}
        ids = {run.run_id for run in runs if len(name) > 3}
        raise unknown_run("run", name, store, runs, seeds if ":" in name else cards | ids)
    if len(matches) > 1:
        listed = [f"{run.run_id} ({_described(run)})" for run in matches[:_LISTED]]
        more = f" and {len(matches) - _LISTED} more" if len(matches) > _LISTED else ""
        raise ConfigError(f"'{name}' names {len(matches)} runs: {', '.join(listed)}{more}; give one by its id")
    return matches[0]


def unknown_run(kind: str, name: str, store: Store, runs: Iterable[Run], known: Iterable[str]) -> ConfigError:
    """The error for a name that means no run.

    Args:
        kind: What the name should be, for the message: `run`.
        name: The unknown name.
        store: The store.
        runs: Its runs.
        known: The names that mean a run.

    Returns:
        The command that runs the card, if `name` means a built-in or installed card without a run, alone or as
        CARD:SEED; otherwise the nearest names.
    """
    card = name.rpartition(":")[0] or name
    benched = {run.spec.card.name for run in runs if run.spec.stage == "bench"}
    if card not in benched and card in _loadable_cards():
        root = store.root
        return ConfigError(f"--store {root}: contains no run of {card}; `zoo bench {card} --store {root}` creates one")
    return unknown(kind, name, known)


def _loadable_cards() -> Iterable[str]:
    try:
        return load_cards(on_problem=lambda _: None)
    except ConfigError:  # a card of another package; it is not what the user asked about
        return ()


def _means(name: str, problem: Problem) -> bool:
    """Whether `name` would mean the run in the folder of `problem`."""
    if re.fullmatch(r"[0-9a-f]+", name) and problem.folder.startswith(name):
        return True
    return problem.run is not None and any(_interpretations([problem.run], name))


def _interpretations(runs: Sequence[Run], name: str) -> list[list[Run]]:
    """The runs that `name` means as a run id, a card, CARD:SEED, and the beginning of a run id."""
    benched = [run for run in runs if run.spec.stage == "bench"]
    card, _, seed = name.rpartition(":")
    return [
        [run for run in runs if name in (run.run_id, whole_spec(run.spec).run_id if is_fold(run) else run.run_id)],
        [run for run in benched if run.spec.card.name == name],
        [run for run in benched if run.spec.card.name == card and str(run.spec.seed) == seed],
        [run for run in runs if re.fullmatch(r"[0-9a-f]+", name) and run.run_id.startswith(name)],
    ]


def _finished(runs: list[Run]) -> list[Run]:
    return [run for run in runs if run.status == "ok"] or runs


def _described(run: Run) -> str:
    fold = "" if run.spec.fold is None else f", fold {run.spec.fold[1] + 1}"
    return f"{run.spec.card.name}:{run.spec.seed}{fold}, {run.spec.protocol.name}, {run.spec.dataset.source}"
