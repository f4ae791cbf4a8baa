"""Runs as a Report: plain data that every renderer reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmark.runs.plan import Skip
from benchmark.runs.run import Run
from reports.compare import Comparison, compare_run, is_other_data

History = Callable[[Run], list[dict[str, str]]]


@dataclass(frozen=True)
class Section:
    """Runs that may be compared: the same data under the same protocol."""

    title: str
    synthetic: bool
    runs: tuple[Run, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """Everything a report shows."""

    sections: tuple[Section, ...]
    skips: tuple[Skip, ...]


def build_report(runs: Iterable[Run], history: History, skips: Sequence[Skip] = ()) -> Report:
    """`runs` in groups of the same data and protocol; `history` gives a run's epochs."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        identity = run.spec.protocol.model_dump_json(exclude={"title", "seeds"})
        groups.setdefault((run.spec.dataset.fingerprint, identity), []).append(run)
    return Report(tuple(_section(group, history) for group in groups.values()), tuple(skips))


def _section(runs: Sequence[Run], history: History) -> Section:
    first = runs[0].spec
    kind = "SYNTHETIC, " if first.dataset.synthetic else ""
    return Section(
        title=f"{first.dataset.title} ({kind}source {first.dataset.source}), protocol {first.protocol.name}",
        synthetic=first.dataset.synthetic,
        runs=tuple(runs),
        comparisons=tuple(c for run in runs for c in compare_run(run, history(run))),
        notes=_notes(runs),
    )


def _notes(runs: Sequence[Run]) -> tuple[str, ...]:
    notes = []
    if runs[0].spec.dataset.synthetic:
        notes.append(
            "Every measured figure here is from SYNTHETIC images drawn by the program; it says nothing about "
            "radiographs."
        )
    published = [run for run in runs if run.spec.card.published]
    if published and any(is_other_data(run) for run in published):
        notes.append(
            "Published figures are marked 'other data': these runs did not see the data they were published for, so "
            "no verdict may be drawn from a difference."
        )
    return tuple(notes)
