"""The cards and runs of a section that have not finished."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmark.runs.cross_validation import IncompleteRun, folds_of, is_pending
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.remembered import bench_requests, running_bench
from benchmark.runs.storage.store import Store
from reports.results.incomplete import cause
from reports.summary.model import CardLabel, Problem
from reports.text import listed, plural

_INTERRUPTIONS = ("ended at ", "ended after ", "the process of this run ")


@dataclass(frozen=True)
class Unfinished:
    """What is missing in a section.

    Attributes:
        cards: The number of cards that were asked for; those of the section if it is a part of them.
        failed: The cards without figures, of which a run failed, or did not run because of an interruption.
        pending: The cards without figures, which a running benchmark has begun.
        absent: The names of the cards that a benchmark asked for and that have no run in the store.
        begun: Those of them of which a process computes a run.
        waiting: Those of them that a running benchmark is going to compute.
        is_part: Whether the section lacks cards that were asked for and have runs, as that of a single run does.
        is_running: Whether a running benchmark is going to compute some of the missing runs. One that computes other
            runs does not complete the section.
        runs: The number of runs that were asked for; each fold is one. Those of the section if it is a part of them.
        causes: The failed runs by cause.
        selection: The words of the command line that chose all cards. If these words are not known, or did not choose
            all of them, the cards with a run that has not finished.
    """

    cards: int
    failed: tuple[CardLabel, ...]
    pending: tuple[CardLabel, ...]
    absent: tuple[str, ...]
    begun: tuple[str, ...]
    waiting: tuple[str, ...]
    is_part: bool
    is_running: bool
    runs: int
    causes: tuple[tuple[Run, ...], ...]
    selection: tuple[str, ...]

    @property
    def without_figures(self) -> int:
        """The number of `cards` without figures."""
        return len(self.failed) + len(self.pending) + (0 if self.is_part else len(self.absent))

    @property
    def is_complete(self) -> bool:
        """Whether every run has finished."""
        return not (self.without_figures or self.absent or self.causes)

    @property
    def may_succeed(self) -> bool:
        """Whether a repetition may help: runs were ended from outside, or did not run."""
        errors = [run.error or "" for runs in self.causes for run in runs]
        return not errors or any(error.startswith(_INTERRUPTIONS) for error in errors)


def unfinished(
    runs: Sequence[Run], finished: Sequence[str], labels: Mapping[str, CardLabel], store: Store
) -> Unfinished:
    """Find the cards and runs that have not finished.

    Args:
        runs: Runs on the same data under the same protocol; folds are one run.
        finished: The names of the cards with figures.
        labels: The labels of all cards by name.
        store: The store of the runs.

    Returns:
        What is missing.
    """
    names = list(dict.fromkeys(run.spec.card.name for run in runs))
    missing = [name for name in names if name not in finished]
    pending = [name for name in missing if any(is_pending(run) for run in runs if run.spec.card.name == name)]
    ids = {fold.run_id for run in runs for fold in folds_of(run)}
    conditions = runs[0].spec.conditions
    requests = [each for each in bench_requests(store) if each.conditions == conditions or ids & each.cards.keys()]
    asked_for = {run_id: name for each in requests for run_id, name in each.cards.items()}
    others = {run_id: name for run_id, name in asked_for.items() if name not in names}
    absent = _without_record(others, store)
    of_absent = {run_id: name for run_id, name in others.items() if name in absent}
    is_part = not {*others.values()} <= {*absent}
    running = running_bench(store).started.keys()
    begun = {name for run_id, name in of_absent.items() if run_id in running and store.is_claimed(run_id)}
    waiting = {name for run_id, name in of_absent.items() if run_id in running} - begun
    done = {fold.run_id for run in runs for fold in folds_of(run) if fold.status == "ok"}
    of_section = {run_id for run_id, name in asked_for.items() if name in names or name in absent}
    to_repeat = dict.fromkeys([*(run.spec.card.name for run in runs if run.status != "ok"), *absent])
    needed = {*missing, *absent}
    selection = next((each.selection for each in requests if needed <= {*each.cards.values()}), ())
    causes: dict[str, list[Run]] = {}
    for run in runs:
        for each in folds_of(run):
            if each.error is not None and not is_pending(run):
                causes.setdefault(cause(each.error), []).append(each)
    planned = sum(
        (run.spec.protocol.test_folds or 1) if isinstance(run, IncompleteRun) else len(folds_of(run)) for run in runs
    )
    return Unfinished(
        cards=len(names) + (0 if is_part else len(absent)),
        failed=tuple(labels[name] for name in missing if name not in pending),
        pending=tuple(labels[name] for name in pending),
        absent=absent,
        begun=tuple(name for name in absent if name in begun),
        waiting=tuple(name for name in absent if name in waiting),
        is_part=is_part,
        is_running=bool(((ids | of_section) - done) & running),
        runs=planned + (0 if is_part else len(of_absent)),
        causes=tuple(tuple(of_cause) for of_cause in causes.values()),
        selection=selection or tuple(to_repeat),
    )


def _without_record(asked_for: Mapping[str, str], store: Store) -> tuple[str, ...]:
    """The cards of these runs, by id, that have no record. The section may be a part of the store."""
    recorded = {name for run_id, name in asked_for.items() if store.get(run_id) is not None}
    return tuple(name for name in dict.fromkeys(asked_for.values()) if name not in recorded)


def problems_of(missing: Unfinished) -> Iterator[Problem]:
    """Sentences about what is missing: failures first, each cause once, then what is not finished yet."""
    parts = []
    if missing.failed:
        titles = listed([card.title for card in missing.failed])
        parts.append(f"{len(missing.failed)} of {plural(missing.cards, 'card')} did not finish: {titles}")
    if missing.causes:
        failed = sum(map(len, missing.causes))
        reasons = "one reason" if len(missing.causes) == 1 else f"{len(missing.causes)} reasons"
        texts = [
            f"{each[0].error}" + (f" ({plural(len(each), 'run')})" if len(missing.causes) > 1 else "")
            for each in missing.causes
        ]
        why = "" if failed == 1 else f", for {reasons}"
        parts.append(f"{failed} of {plural(missing.runs, 'run')} failed{why}: {'; '.join(texts)}")
    if parts:
        yield Problem("failed-runs" if missing.causes else "unfinished-runs", f"{'; '.join(parts)}.")
    begun = [*(card.title for card in missing.pending), *missing.begun]
    if missing.is_running and (begun or missing.waiting):
        texts = []
        if begun:
            texts.append(f"{listed(begun)} {'is' if len(begun) == 1 else 'are'} not finished yet")
        if missing.waiting:
            texts.append(f"waiting: {listed(missing.waiting)}")
        yield Problem("unfinished-runs", f"The bench is still running: {'; '.join(texts)}.")
    left = [name for name in missing.absent if name not in {*missing.begun, *missing.waiting}]
    if left:  # whether it was begun is not recorded
        have = "has" if len(left) == 1 else "have"
        yield Problem("unfinished-runs", f"A bench also asked for {listed(left)}, which {have} not finished.")
