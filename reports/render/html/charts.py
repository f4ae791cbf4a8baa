"""Charts of one card as inline SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.figure import Figure

from reports.figures import card as plots
from reports.figures.svg import inline_svg
from reports.results.curves import CardCurves
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
    yield _chart(
        plots.history_figure(curves),
        "Training",
        f"Loss and accuracy by epoch, {plural(len(curves.seeds), 'seed')}. Training values are computed on augmented "
        "images in training mode.",
        curves.card,
        key,
    )
    for title, curve, draw in (
        ("ROC curve", curves.roc, plots.roc_figure),
        ("Precision and recall", curves.precision_recall, plots.precision_recall_figure),
    ):
        if curve is None:
            yield Chart(title, None, capital(f"{band}."))
        else:
            yield _chart(draw(curves), title, f"{band}.", curves.card, key)
    if runs:
        yield _chart(
            plots.reliability_figure(runs),
            "Reliability",
            "Share of positives by score, in bins of equal numbers of images, with Wilson intervals. On the diagonal a "
            "score is a probability.",
            curves.card,
            key,
        )
        yield _chart(
            plots.decision_figure(runs),
            "Decision curve",
            f"Net benefit of acting on the scores at the prevalence of the test set, {curves.prevalence:.2f}, which "
            "differs from that of a clinic.",
            curves.card,
            key,
        )


def _chart(figure: Figure, title: str, caption: str, card: str, key: str) -> Chart:
    return Chart(title, Markup(inline_svg(figure, f"{title} of {card}", caption, key=key)), caption)
