"""Runs as a Report: plain data that every renderer reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmark.data.positive_class import positive_warning
from benchmark.runs.history import Histories
from benchmark.runs.plan import Skip
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.claims.model import Claims
from reports.results.card_figures import CardFigures, by_card, card_figures
from reports.results.compare import Comparison, compare_card, is_other_data
from reports.results.curves import CardCurves, card_curves
from reports.results.measured import collect_results, conditions
from reports.results.methods import Methods, methods
from reports.results.pairs import Ranking, rank
from reports.results.probabilities import Probabilities, probabilities
from reports.results.recognised import identity_line
from reports.results.split_faults import split_faults
from reports.verdicts.report import ClaimsReport, judge


@dataclass(frozen=True)
class Section:
    """Runs that may be compared: the same data under the same protocol.

    `claims`, `ranking`, `probabilities` and `curves` come from per-image scores and are empty without them. `cards` are
    the cards of `runs`, each over its seeds. `split_faults` are sentences about faults that all cards share.
    """

    title: str
    synthetic: bool
    runs: tuple[Run, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]
    cards: tuple[CardFigures, ...]
    methods: Methods
    split_faults: tuple[str, ...] = ()
    claims: tuple[ClaimsReport, ...] = ()
    ranking: Ranking | None = None
    probabilities: tuple[Probabilities, ...] = ()
    curves: tuple[CardCurves, ...] = ()


@dataclass(frozen=True)
class Report:
    """Everything a report shows."""

    sections: tuple[Section, ...]
    skips: tuple[Skip, ...]


def build_report(
    runs: Iterable[Run],
    history: Histories,
    skips: Sequence[Skip] = (),
    *,
    scores: Store | None = None,
    claims: Sequence[Claims] = (),
    notes: Sequence[str] = (),
) -> Report:
    """`runs` in groups of the same data and protocol; `history` gives a run's epochs.

    With `scores`, the store that holds the per-image scores of `runs`, cards are compared pairwise, probabilities are
    assessed and `claims` are judged. `notes` stand before those of every section.
    """
    sections = [_section(group, history, scores, claims, notes) for group in same_conditions(runs)]
    return Report(tuple(sections), tuple(skips))


def same_conditions(runs: Iterable[Run]) -> list[list[Run]]:
    """`runs` in groups of the same data and protocol, in the order of their first."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.spec.conditions, []).append(run)
    return list(groups.values())


def _section(
    runs: Sequence[Run], history: Histories, scores: Store | None, claims: Sequence[Claims], notes: Sequence[str]
) -> Section:
    first = runs[0].spec
    title = conditions(first)
    measured = {} if scores is None else collect_results(runs, scores)
    judged = () if scores is None else tuple(judge(each, measured, title, first.dataset.synthetic) for each in claims)
    return Section(
        title=title,
        synthetic=first.dataset.synthetic,
        runs=tuple(runs),
        comparisons=tuple(
            comparison
            for card, of_card in by_card(runs).items()
            for comparison in compare_card(of_card, history, measured.get(card), claims)
        ),
        notes=(*notes, *_notes(runs, claims)),
        cards=card_figures(runs, measured),
        methods=methods(runs, measured),
        split_faults=split_faults(runs, measured),
        claims=judged,
        ranking=rank(list(measured.values()), "auc") if len(measured) > 1 else None,
        probabilities=probabilities(measured),
        curves=tuple(card_curves(found, history) for found in measured.values()),
    )


def _notes(runs: Sequence[Run], claims: Sequence[Claims]) -> tuple[str, ...]:
    notes = []
    facts = runs[0].spec.dataset
    if (warning := positive_warning(facts.classes, facts.positive)) is not None:
        notes.append(f"{warning}.")
    if facts.patients_unknown:
        notes.append(
            "Patients are not known: every image counts as a patient of its own, so that images of one patient may "
            "stand in train, val and test."
        )
    if (line := identity_line(facts, claims)) is not None:
        notes.append(f"{line[0].upper()}{line[1:]}.")
    if runs[0].spec.dataset.synthetic:
        notes.append(
            "Every measured figure here is from SYNTHETIC images drawn by the program; it says nothing about "
            "radiographs."
        )
    published = [run for run in runs if run.spec.card.published]
    if published and any(is_other_data(run, claims) for run in published):
        notes.append(
            "Published figures are marked 'other data': these runs did not see the data they were published for, so "
            "no verdict may be drawn from a difference."
        )
    return tuple(notes)
