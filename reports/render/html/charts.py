"""Charts of one card as inline SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.figures import card as plots
from reports.figures.drawn import drawn_svg
from reports.figures.multiclass import class_areas, class_roc_figure, top_label_figure
from reports.figures.svg import inline_svg
from reports.results.comparison.card_figures import CardFigures
from reports.results.curves import CardCurves
from reports.results.multiclass.figures import MulticlassCard
from reports.results.probabilities import Probabilities
from reports.text import capital, plural


@dataclass(frozen=True)
class Chart:
    """A picture with heading and caption; without `svg`, the caption says why."""

    title: str
    svg: Markup | None
    caption: str


def card_charts(curves: CardCurves | None, runs: Sequence[Probabilities], key: str) -> tuple[Chart, ...]:
    """Draw training history, ROC, precision-recall, reliability and decision curve of one card.

    Args:
        curves: Its curves; None for a card without any.
        runs: Probabilities of its runs; without them the last two charts are left out.
        key: Identifies the card in the ids of its pictures.

    Returns:
        The charts.
    """
    return () if curves is None else tuple(_charts(curves, runs, key))


def _charts(curves: CardCurves, runs: Sequence[Probabilities], key: str) -> Iterator[Chart]:
    band = ". ".join((curves.reason or f"Band: {curves.band}", *(note.rstrip(".") for note in curves.notes)))
    yield _training(curves, len(curves.seeds), curves.card, key)
    for title, curve, draw in (
        ("ROC curve", curves.roc, plots.roc_figure),
        ("Precision and recall", curves.precision_recall, plots.precision_recall_figure),
    ):
        if curve is None:
            yield Chart(title, None, capital(f"{band}."))
        else:
            yield _chart(drawn_svg(draw, curves), title, f"{band}.", curves.card, key)
    if runs:
        yield _chart(
            drawn_svg(plots.reliability_figure, runs),
            "Reliability",
            "Share of positives by score, in bins of equal numbers of images, with Wilson intervals. On the diagonal a "
            "score is a probability.",
            curves.card,
            key,
        )
        yield _chart(
            drawn_svg(plots.decision_figure, runs),
            "Decision curve",
            f"Net benefit of acting on the scores at the prevalence of the test set, {curves.prevalence:.2f}, which "
            "differs from that of a clinic.",
            curves.card,
            key,
        )


def multiclass_charts(part: MulticlassCard | None, figures: CardFigures, key: str) -> tuple[Chart, ...]:
    """Draw training history, ROC of each class and top-label reliability of one card.

    Args:
        part: The card; None without finished runs.
        figures: Its figures, which have the area under each curve.
        key: Identifies the card in the ids of its pictures.

    Returns:
        The charts.
    """
    if part is None:
        return ()
    names = [each.name for each in part.curves]
    seeds = plural(len(part.seeds), "seed")
    charts = [_training(part, len(part.seeds), part.card, key)]
    without = [f"{each.name}: {each.reason}." for each in part.curves if each.roc is None]
    if len(without) == len(names):
        charts.append(Chart("ROC curve of each class", None, " ".join(without)))
    else:
        caption = " ".join([f"Each class against the rest, mean over {seeds}, with its AUC.", *without])
        drawing = drawn_svg(class_roc_figure, part.curves, class_areas(figures, names))
        charts.append(_chart(drawing, "ROC curve of each class", caption, part.card, key))
    if part.probabilities:
        caption = (
            "Share of correct images by the score of the predicted class, in bins of equal numbers of images, with "
            "Wilson intervals. On the diagonal the score is the probability that the decision is right."
        )
        drawing = drawn_svg(top_label_figure, part.probabilities)
        charts.append(_chart(drawing, "Reliability of the predicted class", caption, part.card, key))
    return tuple(charts)


def _training(curves: plots.HasHistory, seeds: int, card: str, key: str) -> Chart:
    folds = max((each.fold or 0 for each in curves.history), default=0)
    of = f"{plural(folds, 'fold')} of {plural(seeds, 'seed')}" if folds else plural(seeds, "seed")
    caption = f"Loss and accuracy by epoch, {of}. Training values are computed on augmented images in training mode."
    return _chart(drawn_svg(plots.history_figure, curves), "Training", caption, card, key)


def _chart(svg: str, title: str, caption: str, card: str, key: str) -> Chart:
    return Chart(title, Markup(inline_svg(svg, f"{title} of {card}", caption, key=key)), caption)
