"""Views of three or more classes for the page: matrices, figures of each class, and the data of the class switch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.evidence.calibration.reliability import Reliability
from benchmark.evidence.decisions.decide import Decision, decide
from benchmark.evidence.estimate import Estimate
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.multiclass import class_metrics
from benchmark.evidence.scores import AnyScores, MulticlassScores
from benchmark.runs.run import Run
from reports.render.html.scores import packed_labels, packed_scores
from reports.report import Section
from reports.results.card_figures import CardFigures
from reports.results.measured import decision_of
from reports.results.multiclass import ARGMAX, ClassMatrix, DecidedRuns, MulticlassCard, MulticlassProbabilities
from reports.results.multiclass_text import lowest_recall, overall_keys
from reports.text import MISSING, estimate

COMPARED = ("accuracy", "balanced_accuracy", "auc:macro")
"""The metrics of the comparison of cards; the recall of each class is in a table of its own."""
SLIDER_METRICS = ("recall", "specificity", "precision", "f1")
"""The metrics of the threshold slider of one class. Accuracy is left out: it is high for every rare class."""
_MOST_SCORES = 4_000_000
"""The largest number of scores in a page, about 20 MB of text; with more, a page would open too slowly."""
_TOO_LARGE = "The class switch is left out: with the scores of every image the page would be too large."
_DENSE, _UPRIGHT = 7, 4
"""From so many classes on a matrix is set tighter; names with more letters than so many are then turned."""


@dataclass(frozen=True)
class MatrixCell:
    """A cell of a matrix.

    Attributes:
        count: The number of images.
        right: Whether the called class is the true one.
        row: The share of the true class in percent, as text.
        column: The share of the called class in percent, as text.
        row_shade: The strength of the shade for `row`, in [0, 1].
        column_shade: The same for `column`.
    """

    count: int
    right: bool
    row: str
    column: str
    row_shade: str
    column_shade: str


@dataclass(frozen=True)
class MatrixRow:
    """The images of one true class: the name of the class, its number of images and a cell per called class."""

    name: str
    images: int
    cells: tuple[MatrixCell, ...]


@dataclass(frozen=True)
class MatrixView:
    """A matrix of decisions with its layout.

    Attributes:
        rule: The rule of the decisions.
        seeds: The number of runs whose matrices were added.
        images: The number of test images of one run.
        total: The number of decisions.
        classes: The names of the classes.
        abstains: Whether some decisions abstain; then the last column has their numbers.
        rows: A row per true class.
        called: The number of decisions per column.
        dense: Whether the table is set tighter.
        upright: Whether the names above the columns are turned.
    """

    rule: str
    seeds: int
    images: int
    total: int
    classes: tuple[str, ...]
    abstains: bool
    rows: tuple[MatrixRow, ...]
    called: tuple[int, ...]
    dense: bool
    upright: bool

    @property
    def columns(self) -> int:
        """The number of columns of called classes, with that of abstentions."""
        return len(self.classes) + self.abstains


@dataclass(frozen=True)
class ClassRow:
    """The figures of one class against the rest by metric; `images` is None where it is not known."""

    name: str
    images: int | None
    figures: Mapping[str, Estimate | None]


@dataclass(frozen=True)
class LowestRecall:
    """The class with the lowest recall."""

    name: str
    figure: Estimate


@dataclass(frozen=True)
class PanelView:
    """What the class switch of a card offers.

    Attributes:
        classes: The names of the classes.
        runs: The data of each run with scores, as `report.js` reads them.
        decided: Whether the protocol has another rule than the highest score.
        calibrated: Whether some run has calibrated scores.
    """

    classes: tuple[str, ...]
    runs: tuple[Mapping[str, Any], ...]
    decided: bool
    calibrated: bool


@dataclass(frozen=True)
class ClassCardView:
    """What the section of a card has for three or more classes.

    Attributes:
        name: Name of the card.
        matrices: The matrix of the highest score, then that of the protocol's rule if it is another one.
        rows: The figures of each class.
        metrics: The metrics of `rows`.
        macro: The macro mean of each metric.
        whole: The keys of the figures over all classes.
        rule: The rule of the decisions in `rows`.
        lowest: The class with the lowest recall; None without figures.
        decisions: Sentences about the decision rule.
        costs: The costs (k, k) of a call by true and called class; None unless the rule has costs.
        calibration: The calibration of each run.
        panel: The class switch; None without scores.
        panel_reason: Why there is no class switch, in a sentence.
    """

    name: str
    matrices: tuple[MatrixView, ...]
    rows: tuple[ClassRow, ...]
    metrics: tuple[str, ...]
    macro: Mapping[str, Estimate | None]
    whole: tuple[str, ...]
    rule: str
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
    compared: tuple[str, ...] = COMPARED

    def of(self, card: str) -> ClassCardView:
        """The view of the card of this name."""
        return next(view for view in self.cards if view.name == card)

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


def too_many_scores(scores: Mapping[str, AnyScores]) -> bool:
    """Whether a page would become too large with all these scores."""
    return sum(each.y_score.size for each in scores.values() if isinstance(each, MulticlassScores)) > _MOST_SCORES


def _card(figures: CardFigures, section: Section, scores: Mapping[str, AnyScores]) -> ClassCardView:
    classes = section.classes
    name = figures.card.name
    part = None if section.multiclass is None else section.multiclass.card(name)
    metrics = tuple(m for m in class_metrics() if str(MeasureKey(m, "macro")) in figures.at_half)
    rows = tuple(_class_rows(figures, classes, metrics, part))
    large = too_many_scores(scores)
    lowest = lowest_recall(figures.at_half, classes)
    panel = None if part is None or large else _panel(part, classes, section.runs, scores)
    return ClassCardView(
        name=name,
        matrices=() if part is None else tuple(_matrices(part, classes)),
        rows=rows if figures.at_half else (),
        metrics=metrics,
        macro={metric: figures.at_half.get(str(MeasureKey(metric, "macro"))) for metric in metrics},
        whole=tuple(overall_keys(figures.at_half)),
        rule=ARGMAX,
        lowest=None if lowest is None else LowestRecall(*lowest),
        decisions=() if part is None else tuple(_decision_sentences(part, section.runs)),
        costs=None if part is None else _costs(part, section.runs),
        calibration=() if part is None else part.probabilities,
        panel=panel,
        panel_reason=(
            "The class switch is left out: the page would be too large with the scores of every image."
            if large
            else None
        ),
    )


def _class_rows(
    figures: CardFigures, classes: Sequence[str], metrics: Sequence[str], part: MulticlassCard | None
) -> Iterator[ClassRow]:
    for index, name in enumerate(classes):
        by_metric = {metric: figures.at_half.get(str(MeasureKey(metric, of_class=name))) for metric in metrics}
        yield ClassRow(name, None if part is None else part.curves[index].images, by_metric)


def _matrices(part: MulticlassCard, classes: tuple[str, ...]) -> Iterator[MatrixView]:
    for decided in (part.argmax, part.chosen):
        if decided is not None:
            yield matrix_view(decided, classes)


def matrix_view(decided: DecidedRuns, classes: tuple[str, ...]) -> MatrixView:
    """The view of the summed matrix of some runs.

    Args:
        decided: The matrices.
        classes: The names of the classes.

    Returns:
        The view; each cell has the share of its row and of its column.
    """
    matrix = decided.total
    abstains = any(matrix.abstained)
    dense = len(classes) >= _DENSE
    called = [sum(column) for column in zip(*matrix.counts, strict=True)]
    return MatrixView(
        rule=decided.rule,
        seeds=len(decided.runs),
        images=decided.runs[0].images,
        total=matrix.images,
        classes=classes,
        abstains=abstains,
        rows=tuple(_matrix_rows(matrix, classes, abstains)),
        called=(*called, *([sum(matrix.abstained)] if abstains else [])),
        dense=dense,
        upright=dense and max(map(len, classes)) > _UPRIGHT,
    )


def _matrix_rows(matrix: ClassMatrix, classes: Sequence[str], abstains: bool) -> Iterator[MatrixRow]:
    total = sum(matrix.abstained)
    for index, name in enumerate(classes):
        images = sum(matrix.counts[index]) + matrix.abstained[index]
        cells = [
            _cell(count, index == column, matrix.by_row[index][column], matrix.by_column[index][column])
            for column, count in enumerate(matrix.counts[index])
        ]
        if abstains:
            count = matrix.abstained[index]
            cells.append(_cell(count, False, count / images if images else None, count / total))
        yield MatrixRow(name, images, tuple(cells))


def _cell(count: int, right: bool, row: float | None, column: float | None) -> MatrixCell:
    return MatrixCell(count, right, percent(row), percent(column), _shade(row), _shade(column))


def percent(share: float | None) -> str:
    """A share in whole percent.

    Args:
        share: In [0, 1]; None where it is undefined.

    Returns:
        The number as text. It is `0` or `100` only for exactly none and all.
    """
    if share is None:
        return MISSING
    if 0 < share < 0.005:
        return "<1"
    if 0.995 <= share < 1:
        return ">99"
    return f"{100 * share:.0f}"


def _shade(share: float | None) -> str:
    return f"{math.sqrt(share or 0):.3f}".rstrip("0").rstrip(".")


def _decision_sentences(part: MulticlassCard, runs: Sequence[Run]) -> Iterator[str]:
    if part.chosen is None:
        yield f"Decision: {part.argmax.rule}."
    else:
        yield f"Decision: {part.chosen.rule}. The figures of {part.argmax.rule} are given beside it."
    for run, decision in _decided_runs(part, runs):
        chosen = decision.threshold
        if chosen is not None and chosen.value is not None:
            what = "confidence" if decision.of_class is None else f"threshold of {decision.of_class}"
            yield f"Seed {run.spec.seed}: {what} {estimate(chosen)}, from validation."
    yield from part.notes


def _decided_runs(part: MulticlassCard, runs: Sequence[Run]) -> Iterator[tuple[Run, Decision]]:
    for run in _finished(part, runs):
        decision = decision_of(run)
        if decision is not None and decision.is_chosen and decision.rule != "argmax":
            yield run, decision


def _costs(part: MulticlassCard, runs: Sequence[Run]) -> tuple[tuple[float, ...], ...] | None:
    """The costs (k, k) of the rule, by true and called class; None without costs."""
    return next((decision.costs for _, decision in _decided_runs(part, runs)), None)


def _finished(part: MulticlassCard, runs: Sequence[Run]) -> list[Run]:
    return [
        run for run in runs if run.status == "ok" and run.spec.card.name == part.card and run.spec.seed in part.seeds
    ]


def _panel(
    part: MulticlassCard, classes: tuple[str, ...], runs: Sequence[Run], scores: Mapping[str, AnyScores]
) -> PanelView | None:
    by_seed = {each.seed: each for each in part.probabilities}
    entries = tuple(
        _run(run, test, by_seed.get(run.spec.seed))
        for run in _finished(part, runs)
        if isinstance(test := scores.get(run.run_id), MulticlassScores)
    )
    if not entries:
        return None
    calibrated = any(each.after is not None for each in part.probabilities)
    return PanelView(classes, entries, any(entry["decided"] is not None for entry in entries), calibrated)


def _run(run: Run, test: MulticlassScores, assessed: MulticlassProbabilities | None) -> dict[str, Any]:
    """The data of one run for the class switch.

    Labels and scores of every image, the decisions by the protocol's rule if it is not the highest score, the threshold
    that was chosen for each class if any, and the bins of each class's reliability.
    """
    decision = decision_of(run)
    other = decision is not None and decision.is_chosen and decision.rule != "argmax"
    thresholds: dict[str | None, float | None] = {}
    if other and decision is not None and decision.threshold is not None:
        thresholds[decision.of_class] = decision.threshold.value
    return {
        "label": f"seed {run.spec.seed}",
        "y_true": packed_labels(test.y_true),
        "y_score": packed_scores(test.y_score.ravel()),
        "decided": packed_labels(decide(decision, test.y_score)) if other and decision is not None else None,
        "thresholds": [thresholds.get(name) for name in test.classes],
        "reliability": [_bins(assessed, label) for label in range(len(test.classes))],
    }


def _bins(assessed: MulticlassProbabilities | None, label: int) -> dict[str, list[list[float]]]:
    if assessed is None:
        return {}
    curves = {"before": assessed.before, "after": assessed.after}
    return {name: _points(each.by_class[label]) for name, each in curves.items() if each is not None}


def _points(reliability: Reliability) -> list[list[float]]:
    return [[round(x, 4) for x in (part.mean_score, part.share, part.low, part.high)] for part in reliability.curve]
