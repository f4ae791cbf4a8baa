"""Copying of the runs of other stores into a store: all checks and copies first, then one rename per folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.evidence.metrics.registry import Figure
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.chain import Chain, keep_apart, read_chain, read_chains_apart, record_digest
from benchmark.runs.storage.beside.evaluations import (
    EVALUATIONS,
    RECORD,
    Evaluation,
    evaluation_digest,
    evaluation_folder,
    evaluation_ids,
    read_evaluation,
)
from benchmark.runs.storage.files import digest_of
from benchmark.runs.storage.store import PREDICTIONS, Store
from zoo.config.errors import ConfigError

BESIDE = (".labels", ".shortcuts")
"""The folders of small files beside the runs, which are copied where the store lacks the file."""

_MOST_FIELDS = 4


@dataclass(frozen=True)
class MergePlan:
    """What a merge copies into a store.

    Attributes:
        runs: The runs, each with its store. A finished one may replace a failed one.
        present: Ids of the runs that the store has already.
        evaluations: The evaluations, each with its store.
        beside: The other files, by their path in the store.
        chains: The stores whose registrations are copied, and whether they continue those of the store.
    """

    runs: tuple[tuple[Store, Run], ...]
    present: tuple[str, ...]
    evaluations: tuple[tuple[Store, Evaluation], ...]
    beside: dict[str, Path]
    chains: tuple[tuple[Store, bool], ...]


def plan_merge(store: Store, others: Sequence[Store]) -> MergePlan:
    """Compare the runs of stores; nothing is written.

    Args:
        store: The store that receives the runs.
        others: The stores that give them.

    Returns:
        What is to be copied.

    Raises:
        ConfigError: A run or an evaluation is damaged, or two runs with one id have different figures. One line
            for each.
    """
    problems: list[str] = []
    places: dict[str, tuple[Store, Run]] = {run.run_id: (store, run) for run in store.survey(indexed=False)[0]}
    chosen: dict[str, tuple[Store, Run]] = {}
    present: list[str] = []
    for other in others:
        runs, damaged = other.survey(indexed=False)
        problems += [problem.line for problem in damaged]
        for run in runs:
            place, known = places.get(run.run_id, (None, None))
            if place is None or known is None or (known.status, run.status) == ("failed", "ok"):
                places[run.run_id] = chosen[run.run_id] = (other, run)
            else:
                present.append(run.run_id)
                if run.status == "ok" and (fields := list(_differences(place, known, other, run))):
                    problems.append(_conflict(run, place, other, fields))
    evaluations = dict(_evaluations(store, others, problems))
    if problems:
        raise ConfigError(*problems)
    beside = {
        f"{folder}/{path.name}": path
        for other in reversed(others)
        for folder in BESIDE
        for path in sorted((other.root / folder).glob("*.json"))
        if not (store.root / folder / path.name).exists()
    }
    return MergePlan(
        tuple(chosen.values()),
        tuple(dict.fromkeys(present)),
        tuple(evaluations.values()),
        beside,
        tuple(_chains(store, others)),
    )


def merge(store: Store, plan: MergePlan) -> None:
    """Copy what a plan contains.

    Every file is copied and compared with its digest before the first folder gets its name. If the process is killed
    after that, each folder is complete or absent, and the same merge copies the rest.

    Args:
        store: The store that receives the runs.
        plan: What is copied.

    Raises:
        ConfigError: A file differs from its digest, or cannot be read.
        OSError: The store cannot be written.
    """
    with store.scratch("merge") as folder:
        for other, run in plan.runs:
            _copy(other.folder(run.run_id), folder / run.run_id, "run.json", run.files)
        for other, evaluation in plan.evaluations:
            key = evaluation.evaluation_id
            _copy(evaluation_folder(other, key), folder / EVALUATIONS / key, RECORD, evaluation.files)
        for name, path in plan.beside.items():
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, folder / name)
        for other, continues in plan.chains:  # first: a run that names a registration is never without it
            keep_apart(store, other, continues=continues)
        for _, run in plan.runs:
            store.adopt(folder / run.run_id, run.run_id)
        for name in [f"{EVALUATIONS}/{each.evaluation_id}" for _, each in plan.evaluations] + [*plan.beside]:
            (store.root / name).parent.mkdir(exist_ok=True)
            os.rename(folder / name, store.root / name)


def _differences(here: Store, known: Run, there: Store, run: Run) -> Iterator[str]:
    """The fields in which two finished runs of one id differ, as far as they are results."""
    if record_digest(here, known.run_id) == record_digest(there, run.run_id):
        return
    if known.split.fingerprint != run.split.fingerprint:
        yield "split.fingerprint"
    for name in ("threshold", "decision"):
        if getattr(known, name) != getattr(run, name):
            yield name
    for name in ("at_half", "at_chosen"):
        first, second = getattr(known, name), getattr(run, name)
        for split in sorted({*first, *second}):
            for metric in sorted({*first.get(split, {}), *second.get(split, {})}):
                one, other = first.get(split, {}).get(metric), second.get(split, {}).get(metric)
                if one != other:
                    yield f"{name}.{split}.{metric} ({_value(one)} and {_value(other)})"
    if known.files.get(PREDICTIONS) != run.files.get(PREDICTIONS):
        yield PREDICTIONS


def _value(figure: Figure | None) -> str:
    return "missing" if figure is None or figure.value is None else f"{figure.value:.6g}"


def _conflict(run: Run, here: Store, there: Store, fields: list[str]) -> str:
    more = f" and {len(fields) - _MOST_FIELDS} more" if len(fields) > _MOST_FIELDS else ""
    return (
        f"run {run.run_id} ({run.spec.card.name}, seed {run.spec.seed_text}) has different results in {here.name} and "
        f"in {there.name}: {', '.join(fields[:_MOST_FIELDS])}{more}; remove the wrong one"
    )


def _evaluations(
    store: Store, others: Sequence[Store], problems: list[str]
) -> Iterator[tuple[str, tuple[Store, Evaluation]]]:
    """The evaluations that the store lacks; a line in `problems` for each that is damaged or has different scores."""
    places: dict[str, Store] = dict.fromkeys(evaluation_ids(store), store)
    for other in others:
        for key in evaluation_ids(other):
            try:
                evaluation = read_evaluation(other, key)
                if key not in places:
                    places[key] = other
                    yield key, (other, evaluation)
                elif _has_other_scores(places[key], key, other, evaluation):
                    problems.append(
                        f"evaluation {key} has different scores in {places[key].name} and in {other.name}: "
                        f"{PREDICTIONS}; remove the wrong one"
                    )
            except ConfigError as error:
                problems += error.lines


def _has_other_scores(here: Store, key: str, there: Store, evaluation: Evaluation) -> bool:
    if evaluation_digest(here, key) == evaluation_digest(there, key):
        return False
    return read_evaluation(here, key).files != evaluation.files


def _chains(store: Store, others: Iterable[Store]) -> Iterator[tuple[Store, bool]]:
    """The stores whose registrations the store lacks, and whether they continue those of the store."""
    digests = _digests(read_chain(store), store)
    apart = {chain.head for chain in read_chains_apart(store)}
    for other in others:
        theirs = _digests(read_chain(other), other)
        if theirs == digests[: len(theirs)] or theirs[-1] in apart:
            continue
        continues = digests == theirs[: len(digests)]
        digests = theirs if continues else digests
        yield other, continues


def _digests(chain: Chain, store: Store) -> list[str]:
    if chain.problems:
        raise ConfigError(f"{store.name}: its registrations were changed; `zoo verify {store.name}` lists what differs")
    return [link.digest for link in chain.links]


def _copy(source: Path, target: Path, record: str, files: dict[str, str]) -> None:
    """Copy a folder whose record contains the digests of its files. Raises ConfigError or OSError."""
    target.mkdir(parents=True)
    names = [*files] or [path.name for path in source.iterdir() if path.name != record and path.is_file()]
    for name in [*names, record]:
        if name in files and not (source / name).exists() and name not in (PREDICTIONS, "history.csv"):
            continue  # a model that was removed since: no figure needs it
        shutil.copyfile(source / name, target / name)
        with (target / name).open("rb") as file:
            os.fsync(file.fileno())
        if files.get(name, "") not in ("", digest_of(target / name)):
            raise ConfigError(
                f"{source / name}: is not the file that was saved (its SHA-256 differs); remove its folder"
            )
