"""Renders figures, matrices and calibration of three or more classes as markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmark.evidence.calibration.class_wise import MulticlassReliability
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.registry import label_of
from benchmark.runs.run import Run
from reports.render.markdown.table import cell, folded, table
from reports.render.words import RECALL_BY_CLASS
from reports.report import Section
from reports.results.comparison.card_figures import CardFigures
from reports.results.comparison.leading import Leading
from reports.results.guarantee_text import stated_share
from reports.results.measured import decides_by_choice
from reports.results.multiclass.decision_text import decision_remarks, undefined_figures
from reports.results.multiclass.figures import ARGMAX, DecidedRuns, MulticlassCard, MulticlassProbabilities
from reports.results.multiclass.text import (
    MOST_CLASSES,
    class_heads,
    class_rows,
    confusions,
    decision_keys,
    matrix_heads,
    matrix_rows,
    never_called,
)
from reports.text import MISSING, capital, estimate, listed, measured, number, plural, threshold

_WITH_INTERVALS = 4  # classes, up to which a table of cards by classes has intervals


def recall_by_class_markdown(section: Section) -> list[str]:
    """Lines with the recall of each class by each card, because a mean over classes may hide a class."""
    classes, cards = section.classes, [card for card in section.cards if card.at_half]
    if not cards:
        return []
    with_intervals = len(classes) <= _WITH_INTERVALS
    note, lead = "with 95% intervals" if with_intervals else "intervals are under Cards", section.leading
    note += f"; in brackets {lead.beside}" if lead.beside else ""
    decided = f" {lead.words}" if lead.chosen else ""
    rows = [[f"`{card.card.name}`", *(_recall(lead, card, name, with_intervals) for name in classes)] for card in cards]
    lines = [
        f"#### {RECALL_BY_CLASS}",
        "",
        cell(f"Share of the images of a class that were predicted as this class{decided}; {note}."),
        "",
    ]
    return [*lines, *table(["card", *classes], rows), ""]


def _recall(lead: Leading, card: CardFigures, name: str, with_interval: bool) -> str:
    key = str(MeasureKey("recall", of_class=name))
    figure, beside = lead.of_card(card, key), lead.beside_card(card, key)
    text = estimate(figure) if with_interval else number(None if figure is None else figure.value)
    return text if beside is None else f"{text} ({number(beside.value)})"


def multiclass_card_markdown(section: Section, card: CardFigures) -> list[str]:
    """Lines with the figures of each class and the confusion matrices of a card; empty without finished runs."""
    decided = None if section.multiclass is None else section.multiclass.card(card.card.name)
    if not card.at_half:
        return []
    images = section.test_images
    lines = folded("Figures of each class, means over seeds", [*_class_tables(card, decided, images)])
    if decided is None:
        return lines
    for runs in (decided.chosen, decided.argmax):
        if runs is not None:
            lines += folded(f"Confusion matrix, {runs.rule}", [*_matrix(section.classes, runs)])
    return lines


def _class_tables(card: CardFigures, decided: MulticlassCard | None, images: dict[str, int | None]) -> Iterator[str]:
    if card.at_chosen:
        rule = "the decision chosen on validation" if decided is None or decided.chosen is None else decided.chosen.rule
        yield from (cell(f"By {rule}:"), "", *table(class_heads(), class_rows(card.at_chosen, images)))
        yield from ("", f"By {ARGMAX}:", "")
    yield from table(class_heads(), class_rows(card.at_half, images))


def _matrix(classes: Sequence[str], runs: DecidedRuns) -> Iterator[str]:
    seeds = f", summed over {plural(len(runs.runs), 'seed')}" if len(runs.runs) > 1 else ""
    yield f"Test images by true class (rows) and predicted class (columns){seeds}."
    yield ""
    if len(classes) <= MOST_CLASSES:
        yield from table(matrix_heads(classes, runs.total), matrix_rows(classes, runs.total))
    else:
        yield f"A matrix of {len(classes)} classes is too large for a page; `matrices.csv` has it."
    yield ""
    yield cell(confusions(classes, runs.total))
    if never := never_called(classes, runs.total):
        yield ""
        yield cell(f"Never predicted: {listed(never)}.")


def decision_markdown(section: Section) -> list[str]:
    """Lines with what was chosen on validation and how it transfers to test; empty for the highest score."""
    runs = [run for run in section.runs if decides_by_choice(run)]
    first = runs[0].decision if runs else None
    if first is None:
        return []
    keys = decision_keys(first)
    is_stated = first.target in (None, "confidence")  # nothing is chosen on the images
    favourable = "" if is_stated else " Figures on the images that it was chosen on are too favourable."
    return [
        "### Decision",
        "",
        cell(f"{capital(first.in_words())}.{favourable}"),
        "",
        *table(
            ["card", "seed", "threshold", "images", *map(label_of, keys)],
            (row for run in runs for row in _decided(run, keys)),
        ),
        "",
        *(line for run in runs for line in _remarks(run, keys)),
    ]


def _remarks(run: Run, keys: Sequence[str]) -> Iterator[str]:
    """Lines on what the choice of a run gains on validation, what it leaves open, and which of `keys` it leaves
    undefined."""
    remarks = [] if run.decision is None else decision_remarks(run.decision)
    share = stated_share(run)
    remarks = [*(() if share is None else share.lines()), *remarks, *undefined_figures(run, keys)]
    if remarks:
        yield from (f"`{run.spec.card.name}`, seed {run.spec.seed}: {cell('; '.join(remarks))}.", "")


def _decided(run: Run, keys: Sequence[str]) -> Iterator[list[str]]:
    chosen = None if run.decision is None else run.decision.threshold
    name = [f"`{run.spec.card.name}`", str(run.spec.seed)]
    for split in ("val", "test"):
        figures = run.figures(split, chosen=True)
        if not figures:  # the folds of a cross-validation have validation images of their own
            continue
        yield [*name, threshold(chosen), split, *(measured(figures.get(key), with_interval=True) for key in keys)]
    highest = run.figures("test")
    yield [*name, MISSING, "test, highest score", *(measured(highest.get(key), with_interval=True) for key in keys)]


def multiclass_calibration_markdown(section: Section) -> list[str]:
    """Lines with the calibration of each run of three or more classes."""
    assert section.multiclass is not None
    rows = [(card.card, each) for card in section.multiclass.cards for each in card.probabilities]
    if not rows:
        return []
    heads = [
        "card",
        "seed",
        "scores",
        "log loss",
        "Brier",
        "ECE of the predicted class",
        "mean ECE of classes",
        "largest ECE",
    ]
    return [
        "### Calibration",
        "",
        "Test scores, uncalibrated and calibrated on validation. A calibrator that does not lower the cross-fitted "
        "validation log loss is rolled back. The ECE has 10 bins of equal mass: of the score of the predicted class "
        "(top-label), and of the score of each class against the rest (class-wise).",
        "",
        *table(heads, (line for name, row in rows for line in _calibration(section.classes, name, row))),
        "",
    ]


def _calibration(classes: Sequence[str], card: str, row: MulticlassProbabilities) -> Iterator[list[str]]:
    rolled_back = "" if row.accepted else f"; {row.method} scaling rolled back: {row.reason}"
    yield [f"`{card}`", str(row.seed), f"uncalibrated{rolled_back}", *_reliability(classes, row.before)]
    if row.after is not None:
        yield [f"`{card}`", str(row.seed), f"{row.method} scaling", *_reliability(classes, row.after)]


def _reliability(classes: Sequence[str], assessed: MulticlassReliability) -> list[str]:
    worst = max(classes, key=lambda name: assessed.by_class[name].ece)
    largest = f"{number(assessed.by_class[worst].ece)} ({worst})"
    errors = (assessed.top_label.ece, assessed.class_wise_ece)
    return [*map(number, (assessed.log_loss, assessed.brier, *errors)), largest]
