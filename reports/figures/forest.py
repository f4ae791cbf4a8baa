"""Forest plot of the cards of a section: measured figures with intervals, and published figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.figures.style import COLOURS, new_figure, styled
from reports.results.comparison.card_figures import CardFigures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES_PER_CARD = 0.3
_MARGIN = 0.95  # inches above and below the rows, for the title, the axis and the legend
_METRICS = (("accuracy", "accuracy at 0.5"), ("auc", "AUC"))


@styled
def forest_figure(cards: Sequence[CardFigures]) -> Figure:
    """Draw test accuracy and AUC per card as means over seeds with 95% intervals; hollow diamonds are published values.

    Args:
        cards: At least one card, from top to bottom.

    Returns:
        Two panels, one per metric.
    """
    return draw_forest(cards, _METRICS)


def draw_forest(cards: Sequence[CardFigures], metrics: Sequence[tuple[str, str]]) -> Figure:
    """Draw a panel per metric with a row per card.

    Args:
        cards: At least one card, from top to bottom.
        metrics: The key of each metric and the title of its panel.

    Returns:
        The panels side by side, with one legend.
    """
    height = _MARGIN + _INCHES_PER_CARD * len(cards)
    longest = max(len(card.card.name) for card in cards)
    figure = new_figure(figsize=(7.6, height))
    panels = figure.subplots(1, len(metrics), sharey=True)
    left = min(0.4, 0.04 + 0.0095 * longest)
    figure.subplots_adjust(left=left, right=0.98, top=1 - 0.3 / height, bottom=0.6 / height, wspace=0.08)
    for axes, (metric, title) in zip(panels, metrics, strict=True):
        axes.set_title(title, loc="left")
        _draw_rows(axes, cards, metric)
    panels[0].set_yticks(range(len(cards)), [card.card.name for card in cards])
    panels[0].set_ylim(len(cards) - 0.4, -0.6)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower left", ncols=2, bbox_to_anchor=(left - 0.01, 0), borderaxespad=0.1)
    return figure


def _draw_rows(axes: Axes, cards: Sequence[CardFigures], metric: str) -> None:
    measured = [(row, figure) for row, card in enumerate(cards) if (figure := card.at_half.get(metric)) is not None]
    known = [(row, figure.value) for row, figure in measured if figure.value is not None]
    for row, figure in measured:
        if figure.bounds is not None:
            axes.plot(figure.bounds, [row, row], color=COLOURS["accent"], solid_capstyle="round")
    axes.plot(
        [value for _, value in known],
        [row for row, _ in known],
        linestyle="",
        marker="o",
        color=COLOURS["accent"],
        label="measured, 95% interval",
    )
    printed = [(row, value) for row, card in enumerate(cards) if (value := _published(card, metric)) is not None]
    axes.plot(
        [value for _, value in printed],
        [row for row, _ in printed],
        linestyle="",
        marker="D",
        markerfacecolor=COLOURS["paper"],
        markeredgecolor=COLOURS["accent-2"],
        label="published",
    )
    axes.grid(axis="y", visible=False)
    axes.set_xlim(right=1.01)


def _published(card: CardFigures, metric: str) -> float | None:
    """Return the published test figure of the trained model; None if there is none or if it is a range."""
    for figure in card.card.published:
        if (figure.metric, figure.split, figure.epoch, figure.upper) == (metric, "test", None, None):
            return figure.value
    return None
