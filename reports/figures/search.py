"""Figures of a search, as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark.runs.trial import SearchResult
from reports.figures.style import new_figure, styled
from reports.figures.svg import svg_file, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def search_pictures(result: SearchResult) -> dict[str, str]:
    """Texts of SVG files by caption: the best value so far by trial, and the objective against each parameter."""
    known = [(trial, value) for trial in result.trials if (value := result.value(trial)) is not None]
    if not known:
        return {}
    better = max if result.direction == "higher" else min
    best: list[float] = []
    for _, value in known:
        best.append(value if not best else better(best[-1], value))
    figure, axes = _figure(result)
    numbers = [trial.number for trial, _ in known]
    axes.plot(numbers, [value for _, value in known], "o", label="trial")
    axes.step(numbers, best, where="post", label="best so far")
    axes.set_xlabel("trial")
    axes.legend()
    pictures = {"Best so far": svg_file(to_svg(figure))}
    for path in result.parameters:
        points = [(trial.values[path], value) for trial, value in known if path in trial.values]
        if points:
            pictures[f"Objective against {path}"] = _against(result, path, points)
    return pictures


def _against(result: SearchResult, path: str, points: list[tuple[Any, float]]) -> str:
    figure, axes = _figure(result)
    numeric = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x, _ in points)
    xs: list[Any] = [x if numeric else str(x) for x, _ in points]
    axes.plot(xs, [value for _, value in points], "o")
    if numeric and min(xs) > 0 and max(xs) / min(xs) >= 30:
        axes.set_xscale("log")
    axes.set_xlabel(path)
    return svg_file(to_svg(figure))


def _figure(result: SearchResult) -> tuple[Figure, Axes]:
    figure = new_figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set_ylabel(f"val {result.metric}")
    return figure, axes
