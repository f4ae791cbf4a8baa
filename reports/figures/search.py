"""Pictures of a search, as SVG text drawn by matplotlib."""

from __future__ import annotations

import io
from typing import Any

from benchmark.runs.trial import SearchResult


def search_pictures(result: SearchResult) -> dict[str, str]:
    """SVG text by caption: best so far against trial, and the objective against each parameter."""
    import matplotlib

    matplotlib.use("svg")
    pictures = {}
    known = [(t, value) for t in result.trials if (value := result.value(t)) is not None]
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
    pictures["Best so far"] = _svg(figure)
    for path in result.parameters:
        points = [(trial.values[path], value) for trial, value in known if path in trial.values]
        if points:
            pictures[f"Objective against {path}"] = _against(result, path, points)
    return pictures


def _against(result: SearchResult, path: str, points: list[tuple[Any, float]]) -> str:
    figure, axes = _figure(result)
    plain = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x, _ in points)
    xs: list[Any] = [x if plain else str(x) for x, _ in points]
    axes.plot(xs, [value for _, value in points], "o")
    if plain and min(xs) > 0 and max(xs) / min(xs) >= 30:
        axes.set_xscale("log")
    axes.set_xlabel(path)
    return _svg(figure)


def _figure(result: SearchResult) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set_ylabel(f"val {result.metric}")
    axes.grid(alpha=0.3)
    return figure, axes


def _svg(figure: Any) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
