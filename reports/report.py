"""The report on runs as plain data, for all renderers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmark.data.positive_class import positive_warning
from benchmark.runs.cross_validation import CrossValidatedRun
from benchmark.runs.history import Histories
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.label_errors import RecordedLabels, read_labels
from benchmark.runs.storage.store import Store
from reports.claims.model import Claims, is_about_several
from reports.results.comparison.card_figures import CardFigures, by_card, card_figures, caution_note
from reports.results.comparison.leading import Leading, leading
from reports.results.comparison.pairs import Ranking, rank
from reports.results.comparison.published import Comparison, compare_card, is_about_two
from reports.results.conditions.methods import Methods, methods
from reports.results.conditions.recognised import by_data, identity_line
from reports.results.conditions.skipped import SkippedCard, SkippedCards, by_reason
from reports.results.conditions.split_faults import split_faults
from reports.results.curves import CardCurves, card_curves
from reports.results.images.errors import ImageErrors, image_errors
from reports.results.images.shortcuts import ShortcutBaseline, shortcut_baseline
from reports.results.measured import (
    AnyResults,
    collect_multiclass_results,
    collect_results,
    conditions,
    is_multiclass,
)
from reports.results.multiclass.figures import MulticlassSection, multiclass_section
from reports.results.multiclass.text import few_images_note
from reports.results.outside.validation import OutsideValidation, outside_validations
from reports.results.probabilities import Probabilities, probabilities
from reports.results.training_size.figures import TrainingSizeCurve, comparable, stored_curves
from reports.summary.build import summarise
from reports.summary.heading import data_in_words
from reports.summary.model import Summary
from reports.text import capital, listed
from reports.verdicts.registered import RegistrationFacts
from reports.verdicts.report import ClaimsReport, report_on_claims


@dataclass(frozen=True)
class Section:
    """Runs that may be compared: on the same data under the same protocol.

    Attributes:
        title: The data and the protocol in words.
        synthetic: Whether the images are synthetic.
        runs: The runs, finished or failed.
        comparisons: Published figures compared with measured ones; those about other data only if their claims were
            asked for.
        notes: What a reader must know before the figures, besides what the summary says.
        cards: The figures of each card over its seeds.
        methods: How the runs were made.
        split_faults: Sentences about faults of the splits, which all cards share.
        claims: The report on each claims file that was asked for or is about these data. Like the fields below it
            needs per-image scores and is empty without.
        ranking: The cards by test AUC, for three or more classes by its macro mean; None with fewer than two cards.
        probabilities: Calibration and threshold transfer of each run.
        curves: Learning, ROC and precision-recall curves of each card.
        image_errors: The test images and the cards that miss them; None without a card that gives more than one answer.
        multiclass: What only sections on three or more classes have, instead of `probabilities` and `curves`. None for
            two classes.
        summary: What a reader wants to know first.
        shortcuts: What cards add over facts without content; None where the store recorded none about the split.
        registration: What was registered before the scores (`reports.registration` adds it); None if nothing was.
        outside: The external validations of the models of its runs; empty without any, or without scores.
        label_errors: Labels that are probably wrong; None where `zoo labels` recorded none for these conditions.
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
    image_errors: ImageErrors | None = None
    multiclass: MulticlassSection | None = None
    summary: Summary | None = None
    shortcuts: ShortcutBaseline | None = None
    registration: RegistrationFacts | None = None
    outside: tuple[OutsideValidation, ...] = ()
    label_errors: RecordedLabels | None = None

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
    """The content of a report.

    Attributes:
        sections: Runs that may be compared.
        skips: The cards that were skipped, by reason.
        training_sizes: Figures by number of training images; empty for a store without runs of `zoo curve`.
    """

    sections: tuple[Section, ...]
    skips: tuple[SkippedCards, ...]
    training_sizes: tuple[TrainingSizeCurve, ...] = ()


def title(report: Report) -> str:
    """The heading of a report: its data, or the number of data sets; `No runs` without any."""
    data = list(dict.fromkeys(data_in_words(section.runs[0]) for section in report.sections))
    if not data:
        data = list(dict.fromkeys(f"Learning curves of {curve.conditions}" for curve in report.training_sizes))
    if not data:
        return "No runs"
    return data[0] if len(data) == 1 else f"{len(data)} data sets"


def build_report(
    runs: Iterable[Run],
    history: Histories,
    skips: Sequence[SkippedCard] = (),
    *,
    scores: Store | None = None,
    claims: Sequence[Claims] = (),
    available: Sequence[Claims] = (),
    notes: Sequence[str] = (),
    summarised: Store | None = None,
    curve_runs: Iterable[Run] = (),
) -> Report:
    """Builds the report on runs, with a section for each combination of data and protocol.

    Args:
        runs: The runs, of any data and protocol.
        history: Returns the epochs of a run.
        skips: Cards that were not run, with the reason.
        scores: The store with the per-image scores of `runs`. Without it, cards are not compared pairwise,
            probabilities are not assessed and claims have no verdicts.
        claims: The claims to compare with the runs, whatever their data.
        available: Claims to compare with runs on their own data; sections on other data only mention them.
        notes: Sentences that precede the notes of every section.
        summarised: The store with the per-image scores for summaries alone, which take less time than a whole report.
        curve_runs: Runs of `zoo curve`; they need `scores`, or `summarised` for the summaries alone.

    Returns:
        The report, its sections in the order of their first run.
    """
    of_store = scores or summarised
    curves = () if of_store is None else stored_curves(curve_runs, of_store)
    sections = [
        _section(group, history, scores, ClaimsOfSection.of(group[0], claims, available), notes, curves)
        for group in same_conditions(runs)
    ]
    if scores is None and summarised is not None:
        sections = [replace(section, summary=summary_of(section.runs, summarised, curves)) for section in sections]
    if scores is not None:
        sections = [
            replace(
                section,
                outside=outside_of(section.runs, scores),
                label_errors=read_labels(scores, section.runs[0].spec.conditions),
            )
            for section in sections
        ]
    sections = [
        section
        if section.summary is not None
        else replace(section, notes=(*section.notes, *section.split_faults, *_notes_of_data(section.runs[0])))
        for section in sections
    ]
    return Report(tuple(sections), by_reason(skips), () if scores is None else curves)


def outside_of(runs: Sequence[Run], store: Store) -> tuple[OutsideValidation, ...]:
    """The external validations of the models of finished runs, and of the folds of a cross-validation."""
    single = [each for run in runs for each in (run.folds if isinstance(run, CrossValidatedRun) else (run,))]
    return outside_validations([run for run in single if run.status == "ok"], store)


def summary_of(runs: Sequence[Run], store: Store, curves: Sequence[TrainingSizeCurve] = ()) -> Summary:
    """The summary of runs on the same data under the same protocol.

    Args:
        runs: At least one run.
        store: The store with their scores.
        curves: Learning curves, of which those on the same data under the same protocol count.

    Returns:
        The summary, without claims.

    Raises:
        ConfigError: Scores cannot be read.
    """
    measured: Mapping[str, AnyResults]
    measured = collect_multiclass_results(runs, store) if is_multiclass(runs[0]) else collect_results(runs, store)
    faults = split_faults(runs, measured)
    return summarise(runs, measured, store, split_faults=faults, curves=_under(runs[0], curves))


def _under(run: Run, curves: Sequence[TrainingSizeCurve]) -> tuple[TrainingSizeCurve, ...]:
    """The curves on the data of a run under its protocol."""
    return tuple(curve for curve in curves if curve.comparable == comparable(run.spec))


@dataclass(frozen=True)
class ClaimsOfSection:
    """The claims of a section.

    Attributes:
        compared: The claims that were asked for, and those about these data.
        elsewhere: The other available claims, which are about other data.
    """

    compared: tuple[Claims, ...]
    elsewhere: tuple[Claims, ...]

    @classmethod
    def of(cls, run: Run, requested: Sequence[Claims], available: Sequence[Claims]) -> ClaimsOfSection:
        """Divide claims by whether they are about the data of a run.

        Args:
            run: A run of the section. Available claims about two classes are left out where it has more.
            requested: The claims that the user asked for.
            available: Claims to compare with runs on their own data.

        Returns:
            The claims.
        """
        several = is_multiclass(run)
        same, other = by_data(run.spec.dataset, (each for each in available if not several or is_about_several(each)))
        return cls((*requested, *same), tuple(other))

    @property
    def lines(self) -> tuple[str, ...]:
        """A sentence for each of the claims about other data."""
        return tuple(
            f"What was published about these cards ({each.title}) is about other data; to compare it anyway: "
            f"zoo report --claims {each.name}"
            for each in self.elsewhere
        )

    def includes(self, comparison: Comparison) -> bool:
        """Whether a published figure is about these data, or its card is in the compared claims."""
        return not comparison.other_data or any(
            row.card == comparison.card for claims in self.compared for row in claims.rows
        )


def same_conditions(runs: Iterable[Run]) -> list[list[Run]]:
    """`runs` grouped by data and protocol, in the order of the first run of each group."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.spec.conditions, []).append(run)
    return list(groups.values())


def _section(
    runs: Sequence[Run],
    history: Histories,
    scores: Store | None,
    claims: ClaimsOfSection,
    notes: Sequence[str],
    curves: Sequence[TrainingSizeCurve],
) -> Section:
    if is_multiclass(runs[0]):
        return _multiclass_section(runs, history, scores, claims, notes, curves)
    first = runs[0].spec
    title = conditions(first)
    measured = {} if scores is None else collect_results(runs, scores)
    synthetic = first.dataset.synthetic
    faults = split_faults(runs, measured)
    compared = () if scores is None else claims.compared
    claim_reports = [report_on_claims(each, measured, title, synthetic) for each in compared]
    comparisons = _compared(runs, history, measured, claims)
    cards = card_figures(runs, measured)
    return Section(
        title=title,
        synthetic=synthetic,
        runs=tuple(runs),
        comparisons=comparisons,
        notes=(*notes, *_notes(runs, claims.compared, comparisons), *_cautions(cards, runs)),
        cards=cards,
        methods=methods(runs, measured),
        split_faults=faults,
        claims=tuple(claim_reports),
        ranking=rank(list(measured.values()), "auc") if len(measured) > 1 else None,
        probabilities=probabilities(measured),
        curves=tuple(card_curves(results, history) for results in measured.values()),
        image_errors=image_errors(measured, first.dataset.classes),
        summary=None
        if scores is None
        else summarise(
            runs, measured, scores, split_faults=faults, claims=claims.lines, curves=_under(runs[0], curves)
        ),
        shortcuts=None if scores is None else shortcut_baseline(measured, scores),
    )


def _compared(
    runs: Sequence[Run], history: Histories, measured: Mapping[str, AnyResults], claims: ClaimsOfSection
) -> tuple[Comparison, ...]:
    """The published figures of every card with the measured ones, of claims that the section includes."""
    return tuple(
        comparison
        for card, of_card in by_card(runs).items()
        for comparison in compare_card(of_card, history, measured.get(card), claims.compared)
        if claims.includes(comparison)
    )


def _multiclass_section(
    runs: Sequence[Run],
    history: Histories,
    scores: Store | None,
    claims: ClaimsOfSection,
    notes: Sequence[str],
    curves: Sequence[TrainingSizeCurve],
) -> Section:
    """A section on three or more classes. It has no curves and no thresholds of a positive class."""
    facts = runs[0].spec.dataset
    measured = {} if scores is None else collect_multiclass_results(runs, scores)
    faults = split_faults(runs, measured)
    few = next((few_images_note(results.test[0]) for results in measured.values()), None)
    comparisons = _compared(runs, history, measured, claims)
    cards = card_figures(runs, measured)
    return Section(
        title=conditions(runs[0].spec),
        synthetic=facts.synthetic,
        runs=tuple(runs),
        comparisons=comparisons,
        notes=(
            *notes,
            *_notes(runs, claims.compared, comparisons),
            *_cautions(cards, runs),
            *([] if few is None else [few]),
        ),
        cards=cards,
        methods=methods(runs, measured),
        split_faults=faults,
        image_errors=image_errors(measured, facts.classes),
        claims=()
        if scores is None
        else tuple(
            report_on_claims(each, measured, conditions(runs[0].spec), facts.synthetic)
            for each in claims.compared
            if is_about_several(each)
        ),
        multiclass=multiclass_section(facts.classes, facts.ordered, measured, history),
        ranking=rank(list(measured.values()), "auc:macro") if len(measured) > 1 else None,
        summary=None
        if scores is None
        else summarise(
            runs, measured, scores, split_faults=faults, claims=claims.lines, curves=_under(runs[0], curves)
        ),
        shortcuts=None if scores is None else shortcut_baseline(measured, scores),
    )


def _cautions(cards: Sequence[CardFigures], runs: Sequence[Run]) -> tuple[str, ...]:
    note = caution_note(cards, runs)
    return () if note is None else (note,)


def _cross_validation(runs: Sequence[Run]) -> str:
    """That every image is tested once, and by which models."""
    protocol, facts = runs[0].spec.protocol, runs[0].spec.dataset
    by, model = (
        ("image", "a model trained on the other folds")
        if facts.patients_unknown
        else ("patient", "a model that saw no image of its patient")
    )
    tested = {run.split.sizes.get("test") for run in runs if isinstance(run, CrossValidatedRun)}
    images = f"each of {tested.pop()} images" if len(tested) == 1 else "every image"
    decided = "" if len(facts.classes) > 2 else "; chosen thresholds are those of each fold"
    return (
        f"{protocol.test_folds}-fold cross-validation by {by}: {images} is tested once, by {model}. AUC "
        f"and average precision are means over folds{decided}. Times are sums over folds."
    )


def _notes_of_data(run: Run) -> tuple[str, ...]:
    """What a summary says about the data, for sections without one."""
    facts, notes = run.spec.dataset, []
    if (warning := positive_warning(facts.classes, facts.positive)) is not None:
        notes.append(f"{warning}.")
    if facts.patients_unknown:
        notes.append(
            "Patients are not known: every image counts as a separate patient, so images of one patient may be in "
            "train, val and test."
        )
    if facts.synthetic:
        notes.append(
            "Every measured figure here is from SYNTHETIC images drawn by the program and says nothing about "
            "radiographs."
        )
    return tuple(notes)


def _notes(runs: Sequence[Run], claims: Sequence[Claims], comparisons: Sequence[Comparison] = ()) -> tuple[str, ...]:
    notes = [] if runs[0].spec.protocol.test_folds is None else [_cross_validation(runs)]
    facts = runs[0].spec.dataset
    if (line := identity_line(facts, claims)) is not None:
        notes.append(f"{capital(line)}.")
    compared = {comparison.card for comparison in comparisons} | {row.card for each in claims for row in each.rows}
    published = [run for run in runs if run.spec.card.published and run.spec.card.name in compared]
    several = is_multiclass(runs[0])
    if several:
        notes += _about_two(runs, published, claims)
    two = {run.spec.card.name for run in published if several and is_about_two(run.spec.card, claims)}
    if any(comparison.other_data for comparison in comparisons if comparison.card not in two):
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
