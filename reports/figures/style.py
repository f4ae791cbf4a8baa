"""The look of every figure: colours, fonts, axes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "ink": "#1f2933",  # text, reference points
        "muted": "#52606d",  # axes, chance lines, baselines
        "grid": "#e1e5ea",
        "accent": "#0b5fa5",  # measured
        "accent-2": "#b4430c",  # the other series: training, published
        "paper": "#ffffff",  # behind a figure, inside hollow markers
    }
)
"""Colours of figures on a light page, by the name of their CSS custom property (`--ink`)."""

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "text.color": COLOURS["ink"],
    "text.parse_math": False,  # a card's name may contain any character
    "axes.labelcolor": COLOURS["ink"],
    "axes.titlecolor": COLOURS["ink"],
    "axes.edgecolor": COLOURS["muted"],
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.8,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.labelcolor": COLOURS["muted"],
    "ytick.labelcolor": COLOURS["muted"],
    "figure.facecolor": COLOURS["paper"],
    "savefig.facecolor": COLOURS["paper"],
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "svg.fonttype": "none",
    "svg.hashsalt": "zoo",
}
_P = ParamSpec("_P")
_R = TypeVar("_R")


@contextmanager
def style() -> Iterator[None]:
    """Apply matplotlib's defaults with the look of this project, and restore the settings afterwards."""
    # Where every figure is in the cache, matplotlib is not loaded at all.
    import matplotlib.style

    with matplotlib.style.context(["default", _STYLE]):
        yield


def styled(draw: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate `draw` to run within `style`."""

    @wraps(draw)
    def within(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with style():
            return draw(*args, **kwargs)

    return within


def new_figure(*, figsize: tuple[float, float], layout: Literal["constrained"] | None = None) -> Figure:
    """An empty figure, which belongs to no window.

    Args:
        figsize: Width and height in inches.
        layout: What arranges its axes, if anything does.

    Returns:
        A figure without axes.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=figsize, layout=layout)
