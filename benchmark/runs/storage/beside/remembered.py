"""What a store remembers of earlier benchmarks: what they asked for, options of a source, the protocol of a data set.

Nearly all of it is in the records of the runs. One small file adds what they lack: which runs the latest benchmark
asked for, since reused runs keep their date, which runs earlier ones asked for that have not finished, and what images
of reused runs were declared to be. Without the file, the run that finished last takes its place.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pydantic import Field, ValidationError

from benchmark.runs.protocol import AUTO, Protocol
from benchmark.runs.run import DatasetFacts, Run, RunSpec, now
from benchmark.runs.storage.files import read_bytes
from benchmark.runs.storage.index import Head
from benchmark.runs.storage.records import MOST_BYTES, read_record
from benchmark.runs.storage.store import Store
from zoo.config.atomic import write_text
from zoo.config.errors import ConfigError
from zoo.config.strict import Strict

_FILE = ".latest-bench.json"
_VERSION = 1
CARDS_OPTION = "--cards"
"""The option that names a folder with more cards."""


class BenchRequest(Strict):
    """What a benchmark asked for.

    Attributes:
        conditions: Its data and protocol, as `RunSpec.conditions`; empty if they are not known.
        runs: The ids of its runs.
        cards: The name of the card of each run.
        selection: The words of the command line that chose the cards, such as `--all`; empty if they are not known.
        started: When it started: UTC in ISO 8601; empty if it is not known.
        skipped: Why each card that it, or an earlier one on the same data under the same protocol, skipped did not run.
    """

    conditions: str = ""
    runs: tuple[str, ...] = ()
    cards: dict[str, str] = Field(default={})
    selection: tuple[str, ...] = ()
    started: str = ""
    skipped: dict[str, str] = Field(default={})


class LatestBench(BenchRequest):
    """What the file contains: what the latest benchmark asked for, and more.

    Attributes:
        version: Version of the file.
        declared: The published data sets that images were declared to be, by fingerprint of the data.
        earlier: What earlier benchmarks asked for, latest first, as far as it had not finished and was not asked for
            again.
    """

    version: int = _VERSION
    declared: dict[str, str] = Field(default={})
    earlier: tuple[BenchRequest, ...] = ()


@dataclass(frozen=True)
class SourceOptions:
    """The options with which a source was opened; None where the option was not given.

    Attributes:
        patients: The pattern for file names.
        positive: The positive class.
        data_is: The published data set.
        hold_out: The images held out for the test, as COLUMN=VALUE.
    """

    patients: str | None = None
    positive: str | None = None
    data_is: str | None = None
    hold_out: str | None = None


def latest_bench(store: Store) -> LatestBench | None:
    """What the store's file says about the latest benchmark; None if it is missing, damaged or of a newer version."""
    try:
        latest = LatestBench.model_validate_json(read_bytes(store.root / _FILE, MOST_BYTES))
    except (OSError, ConfigError, ValidationError):
        return None
    return latest if latest.version == _VERSION else None


def bench_requests(store: Store) -> tuple[BenchRequest, ...]:
    """What the latest benchmark asked for, then what earlier ones asked for that had not finished, latest first."""
    latest = latest_bench(store)
    return () if latest is None else (latest, *latest.earlier)


def words_of_cards(store: Store, cards: Sequence[str]) -> list[str]:
    """The words of a command line that choose cards, with the files and folders that benchmarks took.

    Args:
        store: The store.
        cards: The names of the cards.

    Returns:
        The names; the path of the file instead of the name of a card that was given as a file. Folders with cards
        follow if the last remembered benchmark of one of the cards took them.
    """
    if CARDS_OPTION in cards:
        return list(cards)
    requests = bench_requests(store)
    words, options = [], dict[tuple[str, str], None]()
    for card in cards:
        request = next((each for each in requests if card in each.cards.values()), BenchRequest())
        files = {Path(word).stem: word for word in request.selection if word.endswith((".yaml", ".yml"))}
        words.append(files.get(card, card))
        options |= dict.fromkeys(pair for pair in itertools.pairwise(request.selection) if pair[0] == CARDS_OPTION)
    return [*words, *itertools.chain.from_iterable(options)]


def remember_bench(
    store: Store,
    runs: Sequence[str],
    facts: DatasetFacts,
    *,
    conditions: str = "",
    cards: Mapping[str, str] = MappingProxyType({}),
    selection: Sequence[str] = (),
    skipped: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Remember a benchmark, which is about to start, as the latest one.

    What an earlier one asked for remains remembered until its runs have finished, or until a benchmark on the same data
    under the same protocol asks for all of its cards, or by the same words.

    Args:
        store: The store.
        runs: The ids of its runs.
        facts: The data set of these runs.
        conditions: Their data and protocol, as `RunSpec.conditions`; empty if only records contain them.
        cards: The name of the card of each run.
        selection: The words of the command line that chose the cards.
        skipped: Why each card that it skips does not run.

    Raises:
        OSError: The file cannot be written.
    """
    store.root.mkdir(parents=True, exist_ok=True)
    declared = declared_data(store)
    if facts.known_as is not None:
        declared[facts.fingerprint] = facts.known_as
    request = BenchRequest(
        conditions=conditions,
        runs=tuple(runs),
        cards=dict(cards),
        selection=tuple(selection),
        started=now(),
        skipped=skipped_cards(store, conditions, cards.values()) | dict(skipped),
    )
    earlier = [each for each in bench_requests(store) if not _replaces(request, each, store)]
    content = LatestBench(
        **dict(request),
        declared=declared,
        earlier=tuple(
            BenchRequest(**{name: getattr(each, name) for name in BenchRequest.model_fields})
            for each in earlier
            if each.cards and not all(_has_finished(run_id, store) for run_id in each.runs)
        ),
    )
    write_text(store.root / _FILE, json.dumps(content.model_dump(mode="json"), indent=1))
    store.send(_FILE)


def skipped_cards(store: Store, conditions: str, run: Collection[str]) -> dict[str, str]:
    """Why cards were skipped by the latest benchmark and by those that it followed.

    Args:
        store: The store.
        conditions: The data and protocol, as `RunSpec.conditions`.
        run: The names of the cards that have runs; none of them is returned.

    Returns:
        The reasons by the names of the cards.
    """
    for request in bench_requests(store):
        if request.conditions == conditions:
            return {name: reason for name, reason in request.skipped.items() if name not in run}
    return {}


def _replaces(request: BenchRequest, earlier: BenchRequest, store: Store) -> bool:
    """Whether a request asks for the same again, on the same data under the same protocol."""
    before, after = _conditions_of(earlier, store), _conditions_of(request, store)
    if not {*earlier.runs} & {*request.runs} and (before is None or before != after):
        return False
    same_words = bool(request.selection) and request.selection == earlier.selection
    return same_words or {*earlier.cards.values()} <= {*request.cards.values()}


def _conditions_of(request: BenchRequest, store: Store) -> str | None:
    """The conditions of a request: its own, or those of a record of its runs; None if neither has them."""
    runs = (_record(run_id, store) for run_id in request.runs)
    return request.conditions or next((run.spec.conditions for run in runs if run is not None), None)


def _has_finished(run_id: str, store: Store) -> bool:
    run = _record(run_id, store)
    return run is not None and run.status == "ok"


def _record(run_id: str, store: Store) -> Run | None:
    """The record of a run, without a check of its other files; None if it is missing or cannot be read."""
    try:
        return read_record(store.folder(run_id) / "run.json")
    except (OSError, ConfigError):  # whoever uses the run reports it
        return None


@dataclass(frozen=True)
class RunningBench:
    """The benchmarks that other processes compute.

    Attributes:
        started: When the benchmark of each of their runs started, by run id: UTC in ISO 8601. Empty where none runs.
    """

    started: Mapping[str, str]

    def awaits(self, run_id: str, record: Run | None = None) -> bool:
        """Whether a benchmark will compute a run: it has no record, or it failed before the benchmark started."""
        if run_id not in self.started:
            return False
        return record is None or (record.status != "ok" and record.finished < self.started[run_id])


def running_bench(store: Store) -> RunningBench:
    """The remembered benchmarks of which a living process has claimed a run. A run counts for the latest of them."""
    started: dict[str, str] = {}
    later: set[str] = set()
    for request in bench_requests(store):
        run_ids = {*request.runs} - later
        if any(store.is_claimed(run_id) for run_id in run_ids):
            started = dict.fromkeys(request.runs, request.started) | started
        later |= run_ids
    return RunningBench(started)


def declared_data(store: Store) -> dict[str, str]:
    """The published data sets that images were declared to be, by fingerprint of the data."""
    latest = latest_bench(store)
    return {} if latest is None else dict(latest.declared)


def latest_conditions(runs: Iterable[Run], store: Store) -> str | None:
    """The data and protocol of the latest benchmark, as `RunSpec.conditions`.

    Args:
        runs: Runs of the store.
        store: The store.

    Returns:
        The conditions of the first of `runs` that the latest benchmark asked for; None if there is none.
    """
    latest = latest_bench(store)
    asked_for = set() if latest is None else set(latest.runs)
    return next((run.spec.conditions for run in runs if run.run_id in asked_for), None)


def records(store: Store) -> list[Head]:
    """What the readable records of a store say about their runs, latest first; other files are not checked."""
    latest = latest_bench(store)
    asked_for = set() if latest is None else set(latest.runs)
    return sorted(store.heads(), key=lambda head: (head.run_id in asked_for, head.finished), reverse=True)


def cards_under(store: Store, conditions: str) -> set[str]:
    """The names of the cards with a finished benchmark run under these `RunSpec.conditions`."""
    finished = (run.spec for run in records(store) if run.status == "ok" and run.spec.stage == "bench")
    return {spec.card.name for spec in finished if spec.conditions == conditions}


def protocol_option(store: Store, spec: RunSpec) -> list[str]:
    """The option with which a report opens at runs like this one; empty without runs under another protocol."""
    others = (run.spec for run in records(store) if run.spec.stage == "bench")
    several = any(
        other.dataset.fingerprint == spec.dataset.fingerprint and other.protocol.name != spec.protocol.name
        for other in others
    )
    return ["--protocol", spec.protocol.name] if several else []


def options_of(store: Store, source: str) -> SourceOptions | None:
    """The options with which a source was last opened for a run of the store; None if it has no run on the source."""
    facts = next((run.spec.dataset for run in records(store) if same_source(run.spec.dataset.source, source)), None)
    if facts is None:
        return None
    declared = declared_data(store).get(facts.fingerprint, facts.known_as)
    return SourceOptions(facts.patient_pattern, facts.positive, declared, facts.hold_out)


def auto_protocol_of(store: Store, fingerprint: str) -> Protocol | None:
    """The protocol that `auto` last made for a data set, if a run of the store has it."""
    for run in records(store):
        protocol = run.spec.protocol
        chosen = {choice.field for choice in protocol.choices}
        whole = "test_folds" not in chosen or protocol.test_folds is not None  # a search or a curve drops the folds
        if run.spec.dataset.fingerprint == fingerprint and protocol.name == AUTO and chosen and whole:
            # Only what `auto` set: a threshold that is merely the default is no wish, for three or more classes.
            return Protocol.model_validate(protocol.model_dump(exclude_defaults=True, exclude={"keep_models"}))
    return None


def same_source(first: str, second: str) -> bool:
    """Whether two sources are equal as text, or name the same file or folder."""
    if first == second:
        return True
    paths = [Path(source).expanduser() for source in (first, second)]
    return all(os.path.exists(path) for path in paths) and os.path.samefile(*paths)
