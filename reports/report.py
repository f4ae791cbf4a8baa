"""The report on runs as plain data, for all renderers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmark.data.positive_class import positive_warning
from benchmark.runs.history import Histories
from benchmark.runs.plan import Skip
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.claims.model import Claims, is_about_several
from reports.results.card_figures import CardFigures, by_card, card_figures
from reports.results.compare import Comparison, compare_card, is_about_two, is_different_data
from reports.results.curves import CardCurves, card_curves
from reports.results.leading import Leading, leading
from reports.results.measured import (
    AnyResults,
    MulticlassResults,
    collect_multiclass_results,
    collect_results,
    conditions,
    is_multiclass,
)
from reports.results.methods import Methods, methods
from reports.results.multiclass import MulticlassSection, multiclass_section
from reports.results.multiclass_text import few_images_note
from reports.results.pairs import Ranking, rank
from reports.results.probabilities import Probabilities, probabilities
from reports.results.recognised import identity_line
from reports.results.split_faults import split_faults
from reports.text import capital, listed
from reports.verdicts.report import ClaimsReport, report_on_claims


@dataclass(frozen=True)
class Section:
    """Runs that may be compared: on the same data under the same protocol.

    Attributes:
        title: The data and the protocol in words.
        synthetic: Whether the images are synthetic.
        runs: The runs, finished or failed.
        comparisons: Published figures compared with measured ones.
        notes: What a reader must know before the figures.
        cards: The figures of each card over its seeds.
        methods: How the runs were made.
        split_faults: Sentences about faults of the splits, which all cards share.
        claims: The report on each claims file. Like the fields below it needs per-image scores and is empty without.
        ranking: The cards by test AUC, for three or more classes by its macro mean; None with fewer than two cards.
        probabilities: Calibration and threshold transfer of each run.
        curves: Learning, ROC and precision-recall curves of each card.
        multiclass: What only sections on three or more classes have, instead of `probabilities` and `curves`. None for
            two classes.
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
    multiclass: MulticlassSection | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; of two, the positive one is last."""
        return self.runs[0].spec.dataset.classes

    @property
    def leading(self) -> Leading:
        """Which figures of its runs and cards lead, and which are given beside them."""
        return leading(self.runs[0])

    @property
    def test_images(self) -> dict[str, int | None]:
        """The number of test images of each class; None where it is not recorded."""
        flow = {row.label: row.images for row in self.methods.flow if row.split == "test" and row.label is not None}
        return {name: flow.get(name) for name in self.classes}


@dataclass(frozen=True)
class Report:
    """The content of a report: its sections and the cards that were skipped."""

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
    """Builds the report on runs, with a section for each combination of data and protocol.

    Args:
        runs: The runs, of any data and protocol.
        history: Returns the epochs of a run.
        skips: Cards that were not run, with the reason.
        scores: The store with the per-image scores of `runs`. Without it, cards are not compared pairwise,
            probabilities are not assessed and claims have no verdicts.
        claims: The claims to compare with the runs.
        notes: Sentences that precede the notes of every section.

    Returns:
        The report, its sections in the order of their first run.
    """
    sections = [_section(group, history, scores, claims, notes) for group in same_conditions(runs)]
    return Report(tuple(sections), tuple(skips))


def same_conditions(runs: Iterable[Run]) -> list[list[Run]]:
    """`runs` grouped by data and protocol, in the order of the first run of each group."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.spec.conditions, []).append(run)
    return list(groups.values())


def _section(
    runs: Sequence[Run], history: Histories, scores: Store | None, claims: Sequence[Claims], notes: Sequence[str]
) -> Section:
    if is_multiclass(runs[0]):
        return _multiclass_section(runs, history, scores, claims, notes)
    first = runs[0].spec
    title = conditions(first)
    measured = {} if scores is None else collect_results(runs, scores)
    synthetic = first.dataset.synthetic
    claim_reports = [] if scores is None else [report_on_claims(each, measured, title, synthetic) for each in claims]
    return Section(
        title=title,
        synthetic=synthetic,
        runs=tuple(runs),
        comparisons=_compared(runs, history, measured, claims),
        notes=(*notes, *_notes(runs, claims)),
        cards=card_figures(runs, measured),
        methods=methods(runs, measured),
        split_faults=split_faults(runs, measured),
        claims=tuple(claim_reports),
        ranking=rank(list(measured.values()), "auc") if len(measured) > 1 else None,
        probabilities=probabilities(measured),
        curves=tuple(card_curves(results, history) for results in measured.values()),
    )


def _compared(
    runs: Sequence[Run], history: Histories, measured: Mapping[str, AnyResults], claims: Sequence[Claims]
) -> tuple[Comparison, ...]:
    """The published figures of every card with the measured ones."""
    return tuple(
        comparison
        for card, of_card in by_card(runs).items()
        for comparison in compare_card(of_card, history, measured.get(card), claims)
    )


def _multiclass_section(
    runs: Sequence[Run], history: Histories, scores: Store | None, claims: Sequence[Claims], notes: Sequence[str]
) -> Section:
    """A section on three or more classes. It has no curves and no thresholds of a positive class."""
    facts = runs[0].spec.dataset
    measured = {} if scores is None else collect_multiclass_results(runs, scores)
    few = next((few_images_note(results.test[0]) for results in measured.values()), None)
    return Section(
        title=conditions(runs[0].spec),
        synthetic=facts.synthetic,
        runs=tuple(runs),
        comparisons=_compared(runs, history, measured, claims),
        notes=(*notes, *_notes(runs, claims), *([] if few is None else [few])),
        cards=card_figures(runs, measured),
        methods=methods(runs, measured),
        split_faults=split_faults(runs, measured),
        claims=() if scores is None else tuple(_multiclass_claims(claims, measured, runs[0])),
        multiclass=multiclass_section(facts.classes, facts.ordered, measured, history),
        ranking=rank(list(measured.values()), "auc:macro") if len(measured) > 1 else None,
    )


def _multiclass_claims(
    claims: Sequence[Claims], measured: Mapping[str, MulticlassResults], run: Run
) -> Iterator[ClaimsReport]:
    """The reports on claims that are about three classes or more; runs on these say nothing about claims on two."""
    for each in claims:
        if is_about_several(each):
            yield report_on_claims(each, measured, conditions(run.spec), run.spec.dataset.synthetic)


def _notes(runs: Sequence[Run], claims: Sequence[Claims]) -> tuple[str, ...]:
    notes = []
    facts = runs[0].spec.dataset
    if not is_multiclass(runs[0]) and (warning := positive_warning(facts.classes, facts.positive)) is not None:
        notes.append(f"{warning}.")
    if facts.patients_unknown:
        notes.append(
            "Patients are not known: every image counts as a separate patient, so images of one patient may be in "
            "train, val and test."
        )
    if (line := identity_line(facts, claims)) is not None:
        notes.append(f"{capital(line)}.")
    if runs[0].spec.dataset.synthetic:
        notes.append(
            "Every measured figure here is from SYNTHETIC images drawn by the program and says nothing about "
            "radiographs."
        )
    published = [run for run in runs if run.spec.card.published]
    if is_multiclass(runs[0]):
        notes += _about_two(runs, published, claims)
        published = [run for run in published if not is_about_two(run.spec.card, claims)]
    if any(is_different_data(run, claims) for run in published):
        notes.append(
            "Published figures are marked 'different data': these runs did not use the data of the publication, so a "
            "difference supports no verdict."
        )
    return tuple(notes)


def _about_two(runs: Sequence[Run], published: Sequence[Run], claims: Sequence[Claims]) -> Iterator[str]:
    """Notes on what was published about two classes, which runs on three or more say nothing about."""
    count = len(runs[0].spec.dataset.classes)
    names = dict.fromkeys(run.spec.card.name for run in published if is_about_two(run.spec.card, claims))
    if names:
        yield (
            f"The published figures of {listed(list(names))} are about two classes. They are not compared with these "
            f"runs on {count} classes."
        )
    for each in claims:
        if not is_about_several(each):
            yield f"The claims {each.name} are about two classes. These runs on {count} classes do not judge them."
