"""Checks of printed losses against the decisions, the scores and the class sizes that were printed with them.

Weight penalties, which Keras adds to a printed loss, only raise it. A loss that is too low for its decisions is
therefore impossible whatever the penalties are; a loss that is too high is only a note.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.evidence.published.bounds import (
    LossFunction,
    best_constant,
    cross_entropy,
    focal,
    loss_of_accuracy,
    loss_of_matrices,
    loss_of_scores,
    squared_error,
)
from benchmark.evidence.published.feasible import Range
from reports.audit.decisions import FeasibleMatrices
from reports.audit.figures import AuditFinding, FigureSet, cite, figure_range, named, printed
from reports.claims.model import Row, TestSet
from reports.text import capital, listed
from zoo.models.published import PublishedFigure

_FIXED = {"log_loss": cross_entropy, "brier": squared_error}


def losses(figure_set: FigureSet, feasible: FeasibleMatrices | None, test: TestSet | None) -> Iterator[AuditFinding]:
    """Checks every printed loss against the decisions, the scores and the best constant prediction.

    Args:
        figure_set: The printed figures.
        feasible: The matrices of the row's test set; None for a split whose class sizes are not known.
        test: The test set; None for such a split.

    Yields:
        Findings, in the order of the printed losses.
    """
    for figure in figure_set.figures:
        if figure.metric == "loss":
            yield from _training_loss(figure_set, figure, feasible, test)
        elif figure.metric in _FIXED:
            yield from _of_decisions(figure_set, figure, _FIXED[figure.metric](), (), feasible)


def _training_loss(
    figure_set: FigureSet, figure: PublishedFigure, feasible: FeasibleMatrices | None, test: TestSet | None
) -> Iterator[AuditFinding]:
    declared = _declared(figure_set.row)
    others = tuple(loss for loss in _usual() if loss.name != declared.name)
    yield from _of_decisions(figure_set, figure, declared, others, feasible)
    if test is None:
        return
    possible = [loss for loss in (declared, *others) if _could_be(figure, _least(figure_set, loss, feasible))]
    scores = figure_set.of("score")
    if scores is not None:
        share = test.positives / (test.negatives + test.positives)
        within = figure_range(scores, "either")
        costs = {loss.name: loss_of_scores(loss, within, share)[0] for loss in possible}
        fitting = [loss for loss in possible if _could_be(figure, costs[loss.name])]
        if declared in possible and declared not in fitting:
            yield figure_set.finding(
                "loss-of-scores",
                "contradiction",
                (cite(figure), cite(scores)),
                f"{capital(named(figure))} is below the minimum for scores of {printed(scores)}.",
                f"With such scores {declared.name} is at least {costs[declared.name]:.4f}.",
            )
        yield from _constants(figure_set, figure, scores, fitting, share)
    if declared in possible:
        yield from _above_constant(figure_set, figure, declared, test)


def _of_decisions(
    figure_set: FigureSet,
    figure: PublishedFigure,
    declared: LossFunction,
    others: tuple[LossFunction, ...],
    feasible: FeasibleMatrices | None,
) -> Iterator[AuditFinding]:
    bounds = _bounds(figure_set, declared, feasible)
    if bounds is None:
        return
    rests_on = (
        cite(figure),
        *figure_set.cited(tuple(figure_set.decisions()) if feasible and feasible.possible else ("accuracy",)),
    )
    decisions = listed([each.text for each in rests_on[1:]])
    lowest, highest = figure_range(figure, "either")
    if highest < bounds[0]:
        least = {loss.name: _least(figure_set, loss, feasible) for loss in others}
        never = [name for name, low in least.items() if low > highest]
        fit = [name for name, low in least.items() if low <= highest]
        yield figure_set.finding(
            "loss-too-low",
            "impossible",
            rests_on,
            f"{capital(named(figure))} cannot be {' nor '.join((declared.name, *never))} with {decisions}.",
            f"A wrong answer at threshold {figure_set.row.threshold:g} costs at least "
            f"{_wrong(declared, figure_set.row.threshold):.4f}, so {declared.name} is at least {bounds[0]:.4f}"
            f"{''.join(f', {name} {least[name]:.4f}' for name in never)}; weight penalties only add to it."
            + (" Class weights in training are assumed to be 1." if figure_set.split == "train" else "")
            + "".join(f" {capital(name)} is at least {least[name]:.4f}, which fits." for name in fit),
            rests_on[:1],
        )
    elif lowest > bounds[1]:
        certain = figure.metric == "brier"
        yield figure_set.finding(
            "loss-too-high",
            "impossible" if certain else "note",
            rests_on,
            f"{capital(named(figure))} is above the maximum of {declared.name} for these decisions"
            + ("." if certain else ": it includes something else."),
            f"With {decisions} it is at most {bounds[1]:.4f}, since scores are clipped at 1e-7 and 1 - 1e-7"
            + (
                "."
                if certain
                else "; weight penalties, or a loss computed from logits without clipping, can exceed that."
            ),
            rests_on[:1] if certain else (),
        )


def _constants(
    figure_set: FigureSet, figure: PublishedFigure, scores: PublishedFigure, fitting: list[LossFunction], share: float
) -> Iterator[AuditFinding]:
    low, high = figure_range(scores)
    for loss in fitting:
        best, cost = best_constant(loss, share)
        if not low <= best <= high:
            continue
        other_constants = [
            f"the best constant under {other.name} would be {best_constant(other, share)[0]:.3f}"
            for other in (_declared(figure_set.row), *_usual())
            if other.name != loss.name
        ]
        yield figure_set.finding(
            "best-constant",
            "note",
            (cite(scores), cite(figure)),
            f"Scores of {printed(scores)} include the best constant prediction under {loss.name}, {best:.3f}.",
            f"Predicted for every image it costs {cost:.4f}, the minimum for scores that ignore the image; the printed "
            f"loss is {printed(figure)}. {capital('; '.join(dict.fromkeys(other_constants)))}.",
        )


def _above_constant(
    figure_set: FigureSet, figure: PublishedFigure, loss: LossFunction, test: TestSet
) -> Iterator[AuditFinding]:
    best, cost = best_constant(loss, test.positives / (test.negatives + test.positives))
    if figure_range(figure, "either")[0] > cost:
        yield figure_set.finding(
            "above-constant",
            "note",
            (cite(figure),),
            f"{capital(named(figure))} is above {cost:.4f}, the {loss.name} of predicting {best:.3f} for every image.",
            "Either the scores are worse than a constant, or the loss includes weight penalties.",
        )


def _declared(row: Row) -> LossFunction:
    loss = row.loss
    if loss is not None and loss.alpha is not None and loss.gamma is not None:
        return focal(loss.alpha, loss.gamma)
    return cross_entropy()


def _usual() -> tuple[LossFunction, ...]:
    """The usual losses of binary classifiers; focal loss with the parameters of its authors (Lin et al. 2017)."""
    return cross_entropy(), squared_error(), focal(0.25, 2.0)


def _bounds(figure_set: FigureSet, loss: LossFunction, feasible: FeasibleMatrices | None) -> Range | None:
    if figure_set.row.at == "chosen":  # decisions at an unknown threshold say nothing about single scores
        return None
    threshold = figure_set.row.threshold
    if feasible is not None and feasible.possible:
        return loss_of_matrices(loss, feasible.possible, threshold)
    accuracy = figure_set.of("accuracy")
    if accuracy is None:
        return None
    return loss_of_accuracy(loss, figure_range(accuracy, "either"), threshold)


def _least(figure_set: FigureSet, loss: LossFunction, feasible: FeasibleMatrices | None) -> float:
    bounds = _bounds(figure_set, loss, feasible)
    return 0.0 if bounds is None else bounds[0]


def _could_be(figure: PublishedFigure, least: float) -> bool:
    return figure_range(figure, "either")[1] >= least


def _wrong(loss: LossFunction, threshold: float) -> float:
    return min(loss.positive(threshold), loss.negative(threshold))
