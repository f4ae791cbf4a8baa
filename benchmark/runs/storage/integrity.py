"""Whether the figures of a record follow from its scores.

Intervals are not checked: computing them takes seconds per run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from benchmark.evidence.metrics.registry import Figure, get_metric, metrics, values
from benchmark.evidence.scores import Scores
from benchmark.runs.run import Run

TOLERANCE = 1e-6
"""Figures are equal if they differ by at most this, absolutely or relatively, since machines round sums differently."""


def disagreement(run: Run, scores: Mapping[str, Scores]) -> str | None:
    """Find a figure that differs from its value by the stored scores.

    Figures that depend on more than scores, such as the `loss` with its penalties, are not checked, and neither are
    those of a metric whose function fails, or failed in the run.

    Args:
        run: The run.
        scores: Its stored scores, by split.

    Returns:
        The first disagreement in words; None if all figures agree.
    """
    if len(run.spec.dataset.classes) > 2:
        return None
    fixed = metrics(lambda metric: not metric.uses_threshold)
    ranked: dict[str, dict[str, float | None]] = {}  # by split: figures that no threshold changes, computed once
    for where, threshold, split, recorded in _figures(run):
        if threshold is None:
            return f"it has figures at a chosen threshold, {where}, but no such threshold"
        if split not in scores:
            return f"it has figures of {split}, but no scores of it"
        known = values(scores[split], threshold, ranked.get(split, {}))
        ranked[split] = {name: value for name, value in known.items() if name in fixed}
        for name, figure in recorded.items():
            if name in known and not get_metric(name).failed(figure) and not _same(figure.value, known[name]):
                return (
                    f"{where} {name} is {_number(figure.value)} in run.json, but {_number(known[name])} by the scores "
                    "in predictions.parquet"
                )
    return None


def _figures(run: Run) -> Iterator[tuple[str, float | None, str, Mapping[str, Figure]]]:
    """Figures with their location in words, their threshold and their split."""
    chosen = run.threshold.value if run.threshold else None
    for split, figures in run.at_half.items():
        yield f"{split} at 0.5:", 0.5, split, figures
    for split, figures in run.at_chosen.items():
        yield f"{split} at the chosen threshold:", chosen, split, figures


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _number(value: float | None) -> str:
    return "missing" if value is None else f"{value:.6g}"
