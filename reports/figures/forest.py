"""The cards of a section side by side as a picture: each figure as a dot with its interval, published ones beside."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.style import COLOURS, styled
from reports.results.card_figures import CardFigures

_INCHES_A_CARD = 0.3
_AROUND = 0.95  # inches above and below the rows: title, axis, legend
_METRICS = (("accuracy", "accuracy at 0.5"), ("auc", "AUC"))


@styled
def forest_figure(cards: Sequence[CardFigures]) -> Figure:
    """Test accuracy and AUC of each card, means over seeds with 95% intervals, in the order of `cards`; a hollow
    diamond is what was published of it. `cards` holds at least one."""
    height = _AROUND + _INCHES_A_CARD * len(cards)
    longest = max(len(card.card.name) for card in cards)
    figure = Figure(figsize=(7.6, height))
    panels = figure.subplots(1, len(_METRICS), sharey=True)
    left = min(0.4, 0.04 + 0.0095 * longest)
    figure.subplots_adjust(left=left, right=0.98, top=1 - 0.3 / height, bottom=0.6 / height, wspace=0.08)
    for axes, (metric, title) in zip(panels, _METRICS, strict=True):
        axes.set_title(title, loc="left")
        _rows(axes, cards, metric)
    panels[0].set_yticks(range(len(cards)), [card.card.name for card in cards])
    panels[0].set_ylim(len(cards) - 0.4, -0.6)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower left", ncols=2, bbox_to_anchor=(left - 0.01, 0), borderaxespad=0.1)
    return figure


def _rows(axes: Axes, cards: Sequence[CardFigures], metric: str) -> None:
    measured = [(place, found) for place, card in enumerate(cards) if (found := card.at_half.get(metric)) is not None]
    known = [(place, found.value) for place, found in measured if found.value is not None]
    for place, found in measured:
        if found.bounds is not None:
            axes.plot(found.bounds, [place, place], color=COLOURS["accent"], solid_capstyle="round")
    axes.plot(
        [value for _, value in known],
        [place for place, _ in known],
        linestyle="",
        marker="o",
        color=COLOURS["accent"],
        label="measured, 95% interval",
    )
    printed = [(place, value) for place, card in enumerate(cards) if (value := _published(card, metric)) is not None]
    axes.plot(
        [value for _, value in printed],
        [place for place, _ in printed],
        linestyle="",
        marker="D",
        markerfacecolor=COLOURS["paper"],
        markeredgecolor=COLOURS["accent-2"],
        label="published",
    )
    axes.grid(axis="y", visible=False)
    axes.set_xlim(right=1.01)


def _published(card: CardFigures, metric: str) -> float | None:
    """What was published of the finished model on test, where it is one number."""
    for figure in card.card.published:
        if (figure.metric, figure.split, figure.epoch, figure.upper) == (metric, "test", None, None):
            return figure.value
    return None
