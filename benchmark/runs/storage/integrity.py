"""Whether the figures of a record follow from its scores.

Intervals are not checked: computing them takes seconds per run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.registry import Figure, find_metric
from benchmark.evidence.scores import AnyScores, MulticlassScores
from benchmark.runs.outcome import costs_of, default_decision, is_chosen, values_of
from benchmark.runs.run import Run

TOLERANCE = 1e-6
"""Figures are equal if they differ by at most this, absolutely or relatively, since machines round sums differently."""


def disagreement(run: Run, scores: Mapping[str, AnyScores]) -> str | None:
    """Find a figure that differs from its value by the stored scores.

    Figures that depend on more than scores, such as the `loss` with its penalties, are not checked, and neither are
    those of a metric whose function fails, or failed in the run.

    Args:
        run: The run.
        scores: Its stored scores, by split.

    Returns:
        The first disagreement in words; None if all figures agree.
    """
    fixed: dict[str, dict[str, float | None]] = {}  # by split: values that no decision changes, computed once
    for split, recorded, chosen in _figures(run):
        where = _where(split, chosen, len(run.spec.dataset.classes))
        if split not in scores:
            return f"it has figures of {split}, but no scores of it"
        choice = run.choice if chosen else default_decision(scores[split])
        if choice is None or not is_chosen(choice):
            name = "threshold" if len(run.spec.dataset.classes) == 2 else "decision"
            return f"it has figures of {where.removesuffix(':')}, but no such {name}"
        known = values_of(scores[split], choice, fixed.get(split, {}), costs_of(run.choice))
        fixed[split] = {name: value for name, value in known.items() if not _uses_decisions(name, scores[split])}
        for name, figure in recorded.items():
            if name in known and not _failed(figure) and not _same(figure.value, known[name]):
                return (
                    f"{where} {name} is {_number(figure.value)} in run.json, but {_number(known[name])} by the scores "
                    "in predictions.parquet"
                )
    return None


def _figures(run: Run) -> Iterator[tuple[str, Mapping[str, Figure], bool]]:
    """Figures with their split, and whether they are those of the choice."""
    for chosen, by_split in ((False, run.at_half), (True, run.at_chosen)):
        for split, figures in by_split.items():
            yield split, figures, chosen


def _where(split: str, chosen: bool, classes: int) -> str:
    if classes > 2:
        return f"{split} by {'the chosen decision' if chosen else 'the highest score'}:"
    return f"{split} at {'the chosen threshold' if chosen else '0.5'}:"


def _uses_decisions(name: str, scores: AnyScores) -> bool:
    if isinstance(scores, MulticlassScores):
        measure = find_multiclass(name)
        return measure is None or measure.uses_decisions
    metric = find_metric(name)
    return metric is None or metric.uses_threshold


def _failed(figure: Figure) -> bool:
    """Return whether the figure is missing because a function of its metric failed."""
    metric = find_metric(figure.metric.partition(":")[0])
    return metric is not None and metric.failed(figure)


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _number(value: float | None) -> str:
    return "missing" if value is None else f"{value:.6g}"
