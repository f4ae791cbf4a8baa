"""The pictures of one card, as SVG that stands in the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.figure import Figure

from reports.figures import card as plots
from reports.figures.svg import inline_svg
from reports.results.curves import CardCurves
from reports.results.probabilities import Probabilities
from reports.text import capital


@dataclass(frozen=True)
class Chart:
    """A picture with its heading and what stands below it; `svg` is None where `caption` says why."""

    title: str
    svg: Markup | None
    caption: str


def card_charts(curves: CardCurves | None, runs: Sequence[Probabilities], key: str) -> tuple[Chart, ...]:
    """Training, ROC, precision-recall, reliability and decision curve of one card, those that its scores allow; `key`
    sets its pictures apart from all others in the page."""
    return () if curves is None else tuple(_charts(curves, runs, key))


def _charts(curves: CardCurves, runs: Sequence[Probabilities], key: str) -> Iterator[Chart]:
    seeds = f"{len(curves.seeds)} seed{'' if len(curves.seeds) == 1 else 's'}"
    band = ". ".join((curves.reason or f"Band: {curves.band}", *(note.rstrip(".") for note in curves.notes)))
    yield _chart(
        plots.history_figure(curves),
        "Training",
        f"Loss and accuracy by epoch, {seeds}. Training figures are those of augmented images in training mode.",
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
            "Share of positives by score, bins of equal numbers of images with Wilson intervals. On the diagonal a "
            "score is a probability.",
            curves.card,
            key,
        )
        yield _chart(
            plots.decision_figure(runs),
            "Decision curve",
            f"Net benefit of acting on the scores, at test's own prevalence of {curves.prevalence:.2f}, which is not "
            "that of a clinic.",
            curves.card,
            key,
        )


def _chart(figure: Figure, title: str, caption: str, card: str, key: str) -> Chart:
    return Chart(title, Markup(inline_svg(figure, f"{title} of {card}", caption, key=key)), caption)
