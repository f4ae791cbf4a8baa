"""Checks of losses: what a printed loss can be, given the decisions, the scores and the class sizes printed with it.

Weight penalties, which Keras adds to a printed loss, only raise it: a loss can be too low for its decisions whatever
the penalties are, but one that is too high is a note.
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
from reports.audit.decisions import Matrices
from reports.audit.figures import AuditFinding, Group, cite, figure_range, named, printed
from reports.claims.model import Row, TestSet
from reports.text import capital, listed
from zoo.models.card import PublishedFigure

_FIXED = {"log_loss": cross_entropy, "brier": squared_error}


def losses(group: Group, found: Matrices | None, test: TestSet | None) -> Iterator[AuditFinding]:
    """Every loss of the group against its decisions, its scores and the best answer for every image.

    `found` are the matrices of the row's test set `test`, both None for a split whose sizes are not known.
    """
    for figure in group.figures:
        if figure.metric == "loss":
            yield from _training_loss(group, figure, found, test)
        elif figure.metric in _FIXED:
            yield from _of_decisions(group, figure, _FIXED[figure.metric](), (), found)


def _training_loss(
    group: Group, figure: PublishedFigure, found: Matrices | None, test: TestSet | None
) -> Iterator[AuditFinding]:
    read_as = _declared(group.row)
    others = tuple(loss for loss in _usual() if loss.name != read_as.name)
    yield from _of_decisions(group, figure, read_as, others, found)
    if test is None:
        return
    possible = [loss for loss in (read_as, *others) if _could_be(figure, _least(group, loss, found))]
    scores = group.of("score")
    if scores is not None:
        share = test.positives / (test.negatives + test.positives)
        within = figure_range(scores, cut=True)
        costs = {loss.name: loss_of_scores(loss, within, share)[0] for loss in possible}
        fitting = [loss for loss in possible if _could_be(figure, costs[loss.name])]
        if read_as in possible and read_as not in fitting:
            yield group.finding(
                "loss-of-scores",
                "contradiction",
                (cite(figure), cite(scores)),
                f"{capital(named(figure))} is below what scores of {printed(scores)} cost.",
                f"With every score there {read_as.name} is at least {costs[read_as.name]:.4f}.",
            )
        yield from _constants(group, figure, scores, fitting, share)
    if read_as in possible:
        yield from _above_constant(group, figure, read_as, test)


def _of_decisions(
    group: Group,
    figure: PublishedFigure,
    read_as: LossFunction,
    others: tuple[LossFunction, ...],
    found: Matrices | None,
) -> Iterator[AuditFinding]:
    bounds = _bounds(group, read_as, found)
    if bounds is None:
        return
    rests_on = (cite(figure), *group.cited(tuple(group.decisions()) if found and found.possible else ("accuracy",)))
    given = listed([each.text for each in rests_on[1:]])
    lowest, highest = figure_range(figure, cut=True)
    if highest < bounds[0]:
        least = {loss.name: _least(group, loss, found) for loss in others}
        never = [name for name, low in least.items() if low > highest]
        fit = [name for name, low in least.items() if low <= highest]
        yield group.finding(
            "loss-too-low",
            "impossible",
            rests_on,
            f"{capital(named(figure))} cannot be {' nor '.join((read_as.name, *never))} with {given}.",
            f"A wrong answer at threshold {group.row.threshold:g} costs at least "
            f"{_wrong(read_as, group.row.threshold):.4f}, so {read_as.name} is at least {bounds[0]:.4f}"
            f"{''.join(f', {name} {least[name]:.4f}' for name in never)}; weight penalties only add to it."
            + (" Class weights in training are taken to be 1." if group.split == "train" else "")
            + "".join(f" {capital(name)} needs {least[name]:.4f} and fits." for name in fit),
            rests_on[:1],
        )
    elif lowest > bounds[1]:
        certain = figure.metric == "brier"
        yield group.finding(
            "loss-too-high",
            "impossible" if certain else "note",
            rests_on,
            f"{capital(named(figure))} is more than {read_as.name} of these decisions can be"
            + ("." if certain else ": it holds something else too."),
            f"With {given} it is at most {bounds[1]:.4f}, scores being held 1e-7 from 0 and 1"
            + (
                "." if certain else "; weight penalties, or a loss taken from logits without that limit, can exceed it."
            ),
            rests_on[:1] if certain else (),
        )


def _constants(
    group: Group, figure: PublishedFigure, scores: PublishedFigure, fitting: list[LossFunction], share: float
) -> Iterator[AuditFinding]:
    low, high = figure_range(scores)
    for loss in fitting:
        best, cost = best_constant(loss, share)
        if not low <= best <= high:
            continue
        apart = [
            f"that of {other.name} would be {best_constant(other, share)[0]:.3f}"
            for other in (_declared(group.row), *_usual())
            if other.name != loss.name
        ]
        yield group.finding(
            "best-constant",
            "note",
            (cite(scores), cite(figure)),
            f"Scores of {printed(scores)} hold the best answer for every image under {loss.name}, {best:.3f}.",
            f"Given to every image it costs {cost:.4f}, the least that scores blind to the image can cost; printed is "
            f"{printed(figure)}. {capital('; '.join(dict.fromkeys(apart)))}.",
        )


def _above_constant(group: Group, figure: PublishedFigure, loss: LossFunction, test: TestSet) -> Iterator[AuditFinding]:
    best, cost = best_constant(loss, test.positives / (test.negatives + test.positives))
    if figure_range(figure, cut=True)[0] > cost:
        yield group.finding(
            "above-constant",
            "note",
            (cite(figure),),
            f"{capital(named(figure))} is above {cost:.4f}, the {loss.name} of answering {best:.3f} for every image.",
            "Scores worse than a constant, or weight penalties counted in the loss, put it there.",
        )


def _declared(row: Row) -> LossFunction:
    loss = row.loss
    if loss is not None and loss.alpha is not None and loss.gamma is not None:
        return focal(loss.alpha, loss.gamma)
    return cross_entropy()


def _usual() -> tuple[LossFunction, ...]:
    """The losses a binary classifier is usually trained on, focal loss with the values of its authors."""
    return cross_entropy(), squared_error(), focal(0.25, 2.0)


def _bounds(group: Group, loss: LossFunction, found: Matrices | None) -> Range | None:
    threshold = group.row.threshold
    if found is not None and found.possible:
        return loss_of_matrices(loss, found.possible, threshold)
    accuracy = group.of("accuracy")
    if accuracy is None:
        return None
    return loss_of_accuracy(loss, figure_range(accuracy, cut=True), threshold)


def _least(group: Group, loss: LossFunction, found: Matrices | None) -> float:
    bounds = _bounds(group, loss, found)
    return 0.0 if bounds is None else bounds[0]


def _could_be(figure: PublishedFigure, least: float) -> bool:
    return figure_range(figure, cut=True)[1] >= least


def _wrong(loss: LossFunction, threshold: float) -> float:
    return min(loss.positive(threshold), loss.negative(threshold))
