"""Views of three or more classes for the page: matrices, figures of each class, and the data of the class switch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmark.evidence.decisions.decide import Decision
from benchmark.evidence.estimate import Estimate
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.multiclass import class_metrics
from benchmark.evidence.scores import AnyScores
from benchmark.runs.run import Run
from reports.render.html.class_switch import PanelView, panel_view, too_many_scores
from reports.render.html.finished import finished_runs
from reports.render.html.matrix import MatrixView, matrix_view
from reports.report import Section
from reports.results.comparison.card_figures import CardFigures
from reports.results.multiclass.decision_text import undefined_figures
from reports.results.multiclass.figures import ARGMAX, MulticlassCard, MulticlassProbabilities
from reports.results.multiclass.text import decision_keys, lowest_recall, overall_keys
from reports.text import threshold

_TOO_LARGE = "The class switch is left out: with the scores of every image the page would be too large."


@dataclass(frozen=True)
class ClassRow:
    """The figures of one class against the rest by metric; `images` is None where it is not known."""

    name: str
    images: int | None
    figures: Mapping[str, Estimate | None]


@dataclass(frozen=True)
class ClassTable:
    """The figures of each class by one decision rule.

    Attributes:
        rule: The rule in words.
        metrics: The metrics of one class against the rest; for a second rule only those that depend on decisions.
        rows: The figures of each class.
        macro: The macro mean of each metric.
    """

    rule: str
    metrics: tuple[str, ...]
    rows: tuple[ClassRow, ...]
    macro: Mapping[str, Estimate | None]


@dataclass(frozen=True)
class LowestRecall:
    """The class with the lowest recall."""

    name: str
    figure: Estimate


@dataclass(frozen=True)
class ClassCardView:
    """What the section of a card has for three or more classes.

    Attributes:
        name: Name of the card.
        matrices: The matrix of the highest score, then that of the protocol's rule if it is another one.
        tables: The figures of each class: by the highest score, then by the protocol's rule if it is another one.
        whole: The keys of the figures over all classes.
        lowest: The class with the lowest recall; None without figures.
        decisions: Sentences about the decision rule.
        costs: The costs (k, k) of a call by true and predicted class; None unless the rule has costs.
        calibration: The calibration of each run.
        panel: The class switch; None without scores.
        panel_reason: Why there is no class switch, in a sentence.
    """

    name: str
    matrices: tuple[MatrixView, ...]
    tables: tuple[ClassTable, ...]
    whole: tuple[str, ...]
    lowest: LowestRecall | None
    decisions: tuple[str, ...]
    costs: tuple[tuple[float, ...], ...] | None
    calibration: tuple[MulticlassProbabilities, ...]
    panel: PanelView | None
    panel_reason: str | None


@dataclass(frozen=True)
class ClassesView:
    """The views of all cards of a section with figures."""

    cards: tuple[ClassCardView, ...]

    def of(self, card: str) -> ClassCardView:
        """The view of the card of this name."""
        return next(view for view in self.cards if view.name == card)

    def ordered(self, order: Sequence[str]) -> list[ClassCardView]:
        """The views in the order of the names of the cards."""
        return sorted(self.cards, key=lambda view: order.index(view.name))

    def lowest(self, card: str) -> LowestRecall | None:
        """The lowest recall of a class of the card of this name."""
        return self.of(card).lowest


def is_multiclass(section: Section) -> bool:
    """Whether the data of `section` have three or more classes."""
    return len(section.classes) > 2


def classes_view(section: Section, scores: Mapping[str, AnyScores]) -> ClassesView:
    """The views of the cards of a section on three or more classes.

    Args:
        section: The section of the report.
        scores: Test scores by run id; runs without scores have no class switch.

    Returns:
        The views, in the order of the cards.
    """
    return ClassesView(tuple(_card(figures, section, scores) for figures in section.cards))


def _card(figures: CardFigures, section: Section, scores: Mapping[str, AnyScores]) -> ClassCardView:
    classes = section.classes
    name = figures.card.name
    part = None if section.multiclass is None else section.multiclass.card(name)
    finished = finished_runs(figures, section.runs)
    large = too_many_scores(scores)
    lowest = lowest_recall(figures.at_half, classes)
    panel = None if part is None or large else panel_view(part, finished, scores)
    return ClassCardView(
        name=name,
        matrices=() if part is None else tuple(_matrices(part, classes)),
        tables=tuple(_tables(figures, section, part)),
        whole=tuple(overall_keys({**figures.at_half, **figures.at_chosen})),
        lowest=None if lowest is None else LowestRecall(*lowest),
        decisions=() if part is None else tuple(_decision_sentences(part, finished)),
        costs=_costs(finished),
        calibration=() if part is None else part.probabilities,
        panel=panel,
        panel_reason=(
            "The class switch is left out: the page would be too large with the scores of every image."
            if large
            else None
        ),
    )


def _tables(figures: CardFigures, section: Section, part: MulticlassCard | None) -> Iterator[ClassTable]:
    chosen = ARGMAX if part is None or part.chosen is None else part.chosen.rule
    for rule, of_rule in ((ARGMAX, figures.at_half), (chosen, figures.at_chosen)):
        first = of_rule is figures.at_half
        if of_rule and (first or chosen != ARGMAX):
            metrics = tuple(
                name
                for name, metric in class_metrics().items()
                if str(MeasureKey(name, "macro")) in of_rule and (first or metric.uses_threshold)
            )
            rows = tuple(
                ClassRow(name, images, {m: of_rule.get(str(MeasureKey(m, of_class=name))) for m in metrics})
                for name, images in section.test_images.items()
            )
            yield ClassTable(rule, metrics, rows, {m: of_rule.get(str(MeasureKey(m, "macro"))) for m in metrics})


def _matrices(part: MulticlassCard, classes: tuple[str, ...]) -> Iterator[MatrixView]:
    for decided in (part.argmax, part.chosen):
        if decided is not None:
            yield matrix_view(decided, classes)


def _decision_sentences(part: MulticlassCard, finished: Sequence[Run]) -> Iterator[str]:
    if part.chosen is None:
        yield f"Decision: {part.argmax.rule}."
    else:
        yield f"Decision: {part.chosen.rule}. The figures of {part.argmax.rule} are given beside it."
    for run, decision in _decided_runs(finished):
        chosen = decision.threshold
        if chosen is not None and chosen.value is not None:
            what = "confidence" if decision.of_class is None else f"threshold of {decision.of_class}"
            yield f"Seed {run.spec.seed}: {what} {threshold(chosen)}, from validation."
        yield from (f"Seed {run.spec.seed}: {text}." for text in undefined_figures(run, decision_keys(decision)))
    yield from part.notes


def _decided_runs(finished: Sequence[Run]) -> Iterator[tuple[Run, Decision]]:
    for run in finished:
        decision = run.decision
        if decision is not None and decision.is_chosen and decision.rule != "argmax":
            yield run, decision


def _costs(finished: Sequence[Run]) -> tuple[tuple[float, ...], ...] | None:
    """The costs (k, k) of the rule, by true and predicted class; None without costs."""
    return next((decision.costs for _, decision in _decided_runs(finished)), None)
