"""Lookup of one run in a store by id, card, or card and seed, and of the runs whose models give its scores."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.runs.cross_validation import is_fold, whole_spec
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.remembered import latest_conditions, same_source
from benchmark.runs.storage.store import Problem, Store
from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import unknown
from zoo.models.catalog import load_cards

_LISTED = 6


@dataclass(frozen=True)
class Conditions:
    """The runs among which a name is looked up.

    Attributes:
        data: The source of the runs; None for any.
        protocol: The name of their protocol, or its file; None for any.
    """

    data: str | None = None
    protocol: str | None = None

    def fit(self, run: Run) -> bool:
        """Whether `run` is on these data under this protocol."""
        protocol, source = run.spec.protocol.name, run.spec.dataset.source
        right_protocol = self.protocol is None or protocol in (self.protocol, Path(self.protocol).stem)
        return right_protocol and (self.data is None or same_source(source, self.data))

    def select(self, runs: Sequence[Run], store: Store) -> list[Run]:
        """Select the runs that fit.

        Args:
            runs: Runs of any data and protocol.
            store: Their store, for the error.

        Returns:
            The runs that fit, in the same order.

        Raises:
            ConfigError: There are runs, but none that fits.
        """
        selected = [run for run in runs if self.fit(run)]
        if runs and not selected:
            wanted = [f"--data {self.data}"] * (self.data is not None)
            wanted += [f"--protocol {self.protocol}"] * (self.protocol is not None)
            raise ConfigError(f"{' '.join(wanted)}: --store {store.name} has runs on {data_and_protocols(runs)}")
        return selected


ANY = Conditions()


@dataclass(frozen=True)
class ScoringRun:
    """A run whose model gives scores of a run: itself, or a member of an ensemble.

    Attributes:
        card: The name of its card.
        run_id: Its id.
        weight: The weight of its scores in the mean, in (0, 1].
        run: The run; None if the store does not have it.
    """

    card: str
    run_id: str
    weight: float
    run: Run | None


def scoring_runs(run: Run, store: Store) -> tuple[ScoringRun, ...]:
    """Look up the runs whose models give the scores of a finished run.

    Args:
        run: The run.
        store: The store that contains it.

    Returns:
        The run itself; for an ensemble, the members that count, in the order of its card.

    Raises:
        ConfigError: A member may be intact, but cannot be read.
    """
    if not run.members:
        return (ScoringRun(run.spec.card.name, run.run_id, 1.0, run),)
    return tuple(
        ScoringRun(each.card, each.run_id, each.weight, store.get(each.run_id)) for each in run.members if each.weight
    )


def has_models(run: Run, store: Store) -> bool:
    """Whether the models that give the scores of `run` are stored: its own, or those of the members that count."""
    return all(each.run is not None and store.has_model(each.run) for each in scoring_runs(run, store))


def data_and_protocols(runs: Iterable[Run]) -> str:
    """The data and the protocols of runs, in words."""
    return ", ".join(dict.fromkeys(f"{run.spec.dataset.source} under {run.spec.protocol.name}" for run in runs))


def resolve_run(
    store: Store,
    name: str,
    warn: Callable[[str], None] = lambda _: None,
    *,
    among: Conditions = ANY,
    note: Callable[[str], None] = lambda _: None,
    pool: Callable[[Sequence[Run], Store], Sequence[Run]] | None = None,
) -> Run:
    """Find the run that a name means.

    A name of runs on several data sets or protocols means that of the latest benchmark, or the one that finished last.

    Args:
        store: The store.
        name: A run id, a card, CARD:SEED, or the beginning of a run id, tried in this order. A card means its benchmark
            runs, not trials of a search. If a name means several runs, failed ones are ignored.
        warn: Called with one line about each folder of the store that cannot be used, and where a name means the folds
            of a cross-validation and the first of them is taken.
        among: The data and the protocol of the run, if they matter.
        note: Called with one line if the name means runs on other data or protocols too.
        pool: Puts the folds of each card and seed together; None takes the first fold.

    Returns:
        The run.

    Raises:
        ConfigError: The name means no run, several runs, or only damaged ones.
    """
    matches = _matches(store, name, warn, among, note, pool)
    if len(matches) > 1:
        listed = [f"{run.run_id} ({_described(run)})" for run in matches[:_LISTED]]
        more = f" and {len(matches) - _LISTED} more" if len(matches) > _LISTED else ""
        by_seed = f" or as {name}:SEED" if all(run.spec.card.name == name for run in matches) else ""
        raise ConfigError(f"'{name}' names {len(matches)} runs: {', '.join(listed)}{more}; give one by its id{by_seed}")
    return matches[0]


def resolve_runs(
    store: Store,
    name: str,
    warn: Callable[[str], None] = lambda _: None,
    *,
    among: Conditions = ANY,
    note: Callable[[str], None] = lambda _: None,
) -> list[Run]:
    """Find all runs that a name means: a card means its run of every seed.

    Args:
        store: The store.
        name: As of `resolve_run`.
        warn: As of `resolve_run`.
        among: The data and the protocol of the runs, if they matter.
        note: As of `resolve_run`.

    Returns:
        The runs, by seed.

    Raises:
        ConfigError: The name means no run, or only damaged ones.
    """
    return sorted(_matches(store, name, warn, among, note, None), key=lambda run: run.spec.seed)


def _matches(
    store: Store,
    name: str,
    warn: Callable[[str], None],
    among: Conditions,
    note: Callable[[str], None],
    pool: Callable[[Sequence[Run], Store], Sequence[Run]] | None,
) -> list[Run]:
    """The runs that a name means, at least one; the arguments are those of `resolve_run`."""
    whole_store, problems = store.survey()
    runs = among.select(whole_store, store)
    matches = next(filter(None, _interpretations(runs, name)), [])
    matches = _of_one_condition(matches, name, store, note)
    matches = _finished(list(pool(matches, store)) if pool is not None and len(matches) > 1 else matches)
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
            f"--store {store.name}: contains no runs; `zoo bench --all --store {store.name}` creates them"
        )
    if not matches:
        cards = {run.spec.card.name for run in runs}
        seeds = {f"{run.spec.card.name}:{run.spec.seed}" for run in runs}
        ids = {run.run_id for run in runs if len(name) > 3}
        raise unknown_run("run", name, store, runs, seeds if ":" in name else cards | ids)
    return matches


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
    runs, card = list(runs), name.rpartition(":")[0] or name
    if trials := [run for run in runs if run.spec.stage == "search" and name in names_of(run)]:
        return ConfigError(trials_only(name, store, trials))
    benched = {run.spec.card.name for run in runs if run.spec.stage == "bench"}
    if card not in benched and card in _loadable_cards():
        root = store.name
        return ConfigError(f"--store {root}: contains no run of {card}; `zoo bench {card} --store {root}` creates one")
    return unknown(kind, name, known)


def trials_only(name: str, store: Store, trials: Sequence[Run]) -> str:
    """The error for a name that means trials of a search where a benchmark run is needed.

    Args:
        name: What the user gave.
        store: The store.
        trials: The runs of searches that it means, at least one.

    Returns:
        One line.
    """
    of_search = "a trial" if len(trials) == 1 else f"{len(trials)} trials"
    return (
        f"--store {store.name}: {name} is {of_search} of a search, scored on validation alone; bench the card for test "
        f"scores; `zoo show {trials[0].run_id}` shows {'it' if len(trials) == 1 else 'the first'}"
    )


def names_of(run: Run) -> tuple[str, str, str]:
    """The names that mean a run besides the beginning of its id: its id, its card, and CARD:SEED."""
    return (run.run_id, run.spec.card.name, f"{run.spec.card.name}:{run.spec.seed}")


def _of_one_condition(matches: list[Run], name: str, store: Store, note: Callable[[str], None]) -> list[Run]:
    """The matches on the data and under the protocol of the latest benchmark, or of the latest match."""
    groups: dict[str, list[Run]] = {}
    for run in matches:
        groups.setdefault(run.spec.conditions, []).append(run)
    if len(groups) < 2 or all(run.run_id.startswith(name) for run in matches):
        return matches
    conditions = latest_conditions(matches, store)
    why = "of the latest bench"
    if conditions is None:
        conditions, why = max(matches, key=lambda run: run.finished).spec.conditions, "of the run that finished last"
    others = [run for run in matches if run not in groups[conditions]]
    note(
        f"{name}: on the data and protocol {why}, {data_and_protocols(groups[conditions][:1])}; --data and --protocol, "
        f"or a run id, choose another: {data_and_protocols(others)}"
    )
    return groups[conditions]


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
