"""Figure of published and measured values with their intervals and verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.evidence.comparison.verdict import Verdict
from benchmark.evidence.metrics.registry import label_of
from reports.figures.card import draw_spans
from reports.figures.style import COLOURS, new_figure, styled
from reports.figures.svg import printable
from reports.results.comparison.published import is_open_loss
from reports.verdicts.figures import ClaimVerdict
from reports.verdicts.report import ClaimsReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Interval = tuple[float, float]
_INCHES_PER_ROW = 0.3
_INCHES_PER_PANEL = 0.62  # title and axis
_INCHES_BELOW = 0.3  # legend
_OFFSET = 0.15  # of measured and published values from the middle of their row, in rows
_LONGEST = 28  # characters of a row's name


@dataclass(frozen=True)
class _Row:
    about: str
    metric: str
    measured: float
    measured_interval: Interval | None
    published: float
    published_interval: Interval | None
    verdict: Verdict


@styled
def verdicts_figure(claims: ClaimsReport) -> Figure | None:
    """Draw every published test figure that has a measured counterpart.

    Args:
        claims: The claims with their verdicts; rows keep their order.

    Returns:
        One panel for shares in [0, 1] and one, with a logarithmic axis, for losses; None if there is no such figure.
    """
    rows = [row for claim in claims.figures if (row := _row(claims, claim)) is not None]
    panels = [part for part in (_shares(rows), _losses(rows)) if part]
    if not panels:
        return None
    heights = [_INCHES_PER_PANEL + _INCHES_PER_ROW * len(part) for part in panels]
    height = sum(heights) + _INCHES_BELOW
    figure = new_figure(figsize=(7.6, height))
    left = min(0.4, 0.03 + 0.0095 * max(len(_name(row)) for row in rows))
    top = height
    for part, inches in zip(panels, heights, strict=True):
        top -= inches
        box = (left, (top + _INCHES_PER_PANEL - 0.3) / height, 0.84 - left, (inches - _INCHES_PER_PANEL) / height)
        _draw_panel(figure.add_axes(box), part)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower left", bbox_to_anchor=(left - 0.01, 0), ncols=2, borderaxespad=0.2)
    return figure


def _row(claims: ClaimsReport, claim: ClaimVerdict) -> _Row | None:
    printed, measured = claim.published, claim.measured
    if printed is None or measured is None or measured.value is None:
        return None
    derived = next((row.derived for row in claims.audit.rows if row.name == claim.about), ())
    return _Row(
        about=claim.about,
        metric=printed.metric,
        measured=measured.value,
        measured_interval=measured.bounds,
        published=printed.value,
        published_interval=next((d.interval for d in derived if d.metric == printed.metric and d.interval), None),
        verdict=claim.decision.verdict,
    )


def _losses(rows: Sequence[_Row]) -> list[_Row]:
    return [row for row in rows if is_open_loss(row.metric)]


def _shares(rows: Sequence[_Row]) -> list[_Row]:
    """Rows whose values lie in [0, 1]; losses and counts are left out."""
    loss = _losses(rows)
    return [row for row in rows if row not in loss and max(row.published, row.measured) <= 1]


def _draw_panel(axes: Axes, rows: Sequence[_Row]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    loss = bool(_losses(rows))
    for row_interval, shift, colour in (
        ("measured_interval", -_OFFSET, COLOURS["accent"]),
        ("published_interval", _OFFSET, COLOURS["accent-2"]),
    ):
        intervals = [(index + shift, getattr(row, row_interval)) for index, row in enumerate(rows)]
        draw_spans(axes, [(ends[0], y, ends[1], y) for y, ends in intervals if ends is not None], colour)
    axes.plot(
        [row.measured for row in rows],
        [index - _OFFSET for index in range(len(rows))],
        linestyle="",
        marker="o",
        color=COLOURS["accent"],
        label="measured, 95% interval",
    )
    axes.plot(
        [row.published for row in rows],
        [index + _OFFSET for index in range(len(rows))],
        linestyle="",
        marker="D",
        markerfacecolor=COLOURS["paper"],
        markeredgecolor=COLOURS["accent-2"],
        label="published, 95% interval",
    )
    for index, row in enumerate(rows):
        axes.text(1.02, index, row.verdict, transform=axes.get_yaxis_transform(), va="center")
    axes.set_yticks(range(len(rows)), [_name(row) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    if loss:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title("test loss, log scale", loc="left")
    else:
        axes.set_title("test figures at the published threshold", loc="left")


def _name(row: _Row) -> str:
    about = " ".join(printable(row.about).split())
    return f"{about if len(about) <= _LONGEST else about[: _LONGEST - 1] + '…'}  {label_of(row.metric)}"
