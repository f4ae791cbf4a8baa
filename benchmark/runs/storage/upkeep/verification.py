"""Whether a store is as it was registered and recorded: the chain, its runs with their figures, and its evaluations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmark.runs.registration import Outcome, Registration
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.chain import Chain, record_digest
from benchmark.runs.storage.beside.evaluations import evaluation_digest, evaluation_ids, model_digest, read_evaluation
from benchmark.runs.storage.files import Damaged, Unreadable
from benchmark.runs.storage.store import MODEL, Problem, Store

State = Literal["same", "other", "tampered", "unchecked"]
"""As registered; fixed otherwise or later than registered; changed; or not compared."""

STAGES = ("bench", "curve")
"""The stages of runs that score the test split, and are registered before."""

_MOST_NAMES = 4


@dataclass(frozen=True)
class Check:
    """One comparison between the files at hand and the registered ones.

    Attributes:
        state: The result.
        about: What was compared, such as `chain`, `run ID` or `claims NAME`.
        text: What was observed.
        right: What would be right; empty where it is.
    """

    state: State
    about: str
    text: str
    right: str = ""


def chain_checks(chain: Chain, expected: str | None, where: str) -> Iterator[Check]:
    """Check that the entries of a chain follow from each other and contain an expected one.

    Args:
        chain: The chain.
        expected: Digest of an entry that it must contain, or its beginning; None for none.
        where: The store in words.

    Yields:
        A check of the chain, of each of its problems, and of the expected entry.
    """
    for problem in chain.problems:
        yield Check("tampered", "chain", problem, "restore the file from a backup; without it nothing after it counts")
    if chain.head is None:
        remedy = "`zoo bench` and `zoo curve` register what they are about to score before they open the test split"
        yield Check("other", "chain", f"{where} contains no registration", remedy)
    elif not chain.problems:
        entries = "1 entry" if chain.count == 1 else f"{chain.count} entries, each follows from the one before"
        yield Check("same", "chain", f"{entries}; the last one is {chain.head}")
    if expected is None:
        return
    link = chain.find(expected)
    if link is None:
        remedy = "the chain from which this digest was published; entries of this one were removed or rewritten"
        yield Check("tampered", "expected digest", f"no entry has the digest {expected}", remedy)
    else:
        later = chain.count - link.position
        follow = "it is the last one" if not later else f"{later} more {'follows' if later == 1 else 'follow'}"
        yield Check("same", "expected digest", f"entry {link.position} of {link.entry.time}; {follow}")


def run_checks(
    store: Store, runs: Sequence[Run], problems: Sequence[Problem], chain: Chain, apart: Sequence[Chain] = ()
) -> Iterator[Check]:
    """Check the runs of a store against its chain.

    Args:
        store: The store.
        runs: Its readable runs of `STAGES`, whose figures follow from their scores.
        problems: Its folders that cannot be used.
        chain: Its chain.
        apart: The chains of other stores whose runs were merged into it. A run belongs to the chain with its
            registration.

    Yields:
        A check of each run that differs, and one of all others together.
    """
    for problem in problems:
        state: State = "tampered" if problem.damaged else "unchecked"
        yield Check(state, f"run {problem.folder}", problem.line, "the files that were saved with the run")
    finished = {run.run_id: run for run in runs if run.status == "ok"}
    intact, unrecorded, unregistered = 0, list[Run](), list[Run]()
    for run in finished.values():
        its_chain = _chain_of(run, chain, apart)
        fault = _fault(store, run, its_chain)
        if fault is not None:
            yield fault
        elif chain.head is not None and run.registration is None:
            unregistered.append(run)
        else:
            intact += 1
            if its_chain.head is not None and _recorded(run.run_id, its_chain) is None:
                unrecorded.append(run)
    if intact:
        of = "run has" if intact == 1 else "runs have"
        yield Check("same", "runs", f"{intact} {of} the recorded files, and figures that follow from their scores")
    if unregistered:
        remedy = f"{_commands(unregistered)} of this version in a new store, before the scores are known"
        yield Check("other", "runs", f"no registration precedes the scores of {_names(unregistered)}", remedy)
    if unrecorded:
        remedy = "the entry that was removed; if a command was killed, the same one records them when it ends"
        yield Check("other", "runs", f"no entry contains the record of {_names(unrecorded)}", remedy)
    yield from _missing(runs, problems, chain)


def apart_checks(apart: Sequence[Chain]) -> Iterator[Check]:
    """Check that the entries of each chain of a merged store follow from each other."""
    for chain in apart:
        for problem in chain.problems:
            yield Check("tampered", "merged chain", problem, "the folder in the store from which it was merged")
        if not chain.problems:
            yield Check(
                "same", "merged chain", f"{chain.count} entries of a merged store; the last one is {chain.head}"
            )


def _chain_of(run: Run, chain: Chain, apart: Sequence[Chain]) -> Chain:
    """The chain that contains the registration of a run; that of the store if none does."""
    if run.registration is None:
        return chain
    return next((each for each in (chain, *apart) if each.find(run.registration) is not None), chain)


def _fault(store: Store, run: Run, chain: Chain) -> Check | None:
    """What shows that a finished run was changed, or that its registration does not precede it."""
    about = f"run {run.run_id}"
    if MODEL in run.files and store.has_model(run):
        try:
            store.check_model(run)
        except Damaged as error:
            return Check("tampered", about, str(error), "the files that were saved with the run")
    recorded = _recorded(run.run_id, chain)
    if recorded is not None and record_digest(store, run.run_id) not in recorded:
        return Check("tampered", about, "its run.json is not the one that was recorded", "the recorded run.json")
    if run.registration is None:
        return None
    link = chain.find(run.registration)
    if link is None:
        text = f"its registration {run.registration[:12]} is not in the chain"
        return Check("tampered", about, text, "the chain with this entry")
    registered = link.entry
    if not isinstance(registered, Registration) or run.run_id not in registered.runs:
        return Check("tampered", about, f"entry {link.position} does not contain it", "an entry that contains the run")
    if run.finished < registered.time:
        text = f"it finished at {run.finished}, before its registration at {registered.time}"
        return Check("tampered", about, text, "a registration that is older than the scores")
    return None


def _recorded(run_id: str, chain: Chain) -> set[str] | None:
    """The digests that the record of a run may have; None if any may be right."""
    digests: set[str] | None = None
    for link in chain.links:
        entry = link.entry
        if isinstance(entry, Outcome):
            digests = {entry.records[run_id]} if run_id in entry.records else digests
        elif run_id in entry.runs and not entry.runs[run_id].stored:
            digests = None  # it was to be computed again
    return digests


def _missing(runs: Sequence[Run], problems: Sequence[Problem], chain: Chain) -> Iterator[Check]:
    """Checks of runs that the chain contains and the store does not."""
    present = {run.run_id: run for run in runs} | {problem.folder: None for problem in problems}
    planned = {run_id: each for _, entry in chain.registrations for run_id, each in entry.runs.items()}
    recorded = {run_id for _, entry in chain.outcomes for run_id in entry.records}
    for run_id, each in planned.items():
        name = f"{each.card}, seed {each.seed}" + ("" if each.fold is None else f", fold {each.fold[1] + 1}")
        name += "" if each.images is None else f", {each.images} training images of a curve"
        command = "`zoo bench`" if each.images is None else "`zoo curve`"
        run = present.get(run_id)
        if run_id not in present and run_id in recorded:
            yield Check("tampered", f"run {run_id}", f"{name}: was recorded and is missing", "the run in the store")
        elif run_id not in present:
            remedy = f"the same {command} command computes it"
            yield Check("other", f"run {run_id}", f"{name}: was registered and has no record", remedy)
        elif run is not None and run.status == "failed":
            remedy = f"the same {command} command tries it again"
            yield Check("other", f"run {run_id}", f"{name}: was registered and failed", remedy)


def evaluation_checks(store: Store, runs: Iterable[Run], chain: Chain) -> Iterator[Check]:
    """Check the evaluations of stored models on other sources.

    Args:
        store: The store.
        runs: Its readable runs.
        chain: Its chain.

    Yields:
        A check of each evaluation that differs, one of all others together, and one of those that no entry records.
    """
    of_id = {run.run_id: run for run in runs}
    recorded = {key: digest for _, entry in chain.outcomes for key, digest in entry.evaluations.items()}
    intact, unrecorded = 0, list[str]()
    present = evaluation_ids(store)
    for key in present:
        about, right = f"evaluation {key}", "the files that were saved with the evaluation"
        try:
            evaluation = read_evaluation(store, key)
            changed = recorded.get(key) not in (None, evaluation_digest(store, key))
        except Unreadable as error:
            yield Check("unchecked", about, str(error), right)
            continue
        except Damaged as error:
            yield Check("tampered", about, str(error), right)
            continue
        if changed:
            yield Check(
                "tampered",
                about,
                "its evaluation.json is not the one that was recorded",
                "the recorded evaluation.json",
            )
        elif (run := of_id.get(evaluation.spec.run_id)) is None or model_digest(run, store) != evaluation.spec.model:
            text = f"is of a model of run {evaluation.spec.run_id}, which is not in the store or cannot be read"
            yield Check("unchecked", about, text, "the same `zoo evaluate` command evaluates the stored model")
        else:
            intact += 1
            if chain.head is not None and key not in recorded:
                unrecorded.append(key)
    if intact:
        yield Check("same", "evaluations", f"{intact} {'has' if intact == 1 else 'have'} the saved scores")
    if unrecorded:
        listing = ", ".join(unrecorded[:_MOST_NAMES]) + (", ..." if len(unrecorded) > _MOST_NAMES else "")
        text = f"no entry contains the record of {len(unrecorded)} ({listing})"
        yield Check("other", "evaluations", text, "the entry that was removed; `zoo evaluate` adds one when it stores")
    for key in recorded.keys() - set(present):
        yield Check("tampered", f"evaluation {key}", "was recorded and is missing", "the evaluation in the store")


def _commands(runs: Sequence[Run]) -> str:
    """The commands that make such runs."""
    stages = {run.spec.stage for run in runs}
    return " and ".join(f"`zoo {stage}`" for stage in STAGES if stage in stages)


def _names(runs: Sequence[Run]) -> str:
    names = list(dict.fromkeys(run.spec.card.name for run in runs))
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    cards = ", ".join(names[:_MOST_NAMES])
    count = f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}"
    curves = sum(run.spec.stage == "curve" for run in runs)
    return f"{cards}{more} ({count}{f', {curves} of a curve' if curves else ''})"
