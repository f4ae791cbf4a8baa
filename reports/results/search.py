"""The rows and sentences of a search, shared by all renderers."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from typing import Any

from benchmark.runs.trial import SearchResult, Trial, objective, rank_under_reseeding
from reports.text import MISSING, number, plural, seconds


def trial_rows(result: SearchResult) -> list[dict[str, Any]]:
    """One row per trial for CSV and JSON: number, parameters, objective, all executions, epochs, seconds and error."""
    best = result.ranked()[:1]
    return [
        {
            "trial": trial.number,
            **{path: trial.values.get(path) for path in result.parameters},
            f"val_{result.metric}": result.value(trial),
            "executions": [objective(run, result.metric) for run in trial.runs],
            "reseeded": [objective(run, result.metric) for run in trial.reseeded],
            "epochs": trial.epochs,
            "seconds": sum(run.costs.seconds for run in trial.runs if run.costs),
            "runs": [run.run_id for run in trial.runs],
            "best": trial in best,
            "error": trial.problem,
        }
        for trial in result.trials
    ]


def trial_table(result: SearchResult) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the trials: best first, those without an objective last."""
    again = rank_under_reseeding(result)
    ranked = result.ranked()
    heads = ["trial", *(path.split(".", 1)[1] for path in result.parameters), f"val {result.metric}"]
    heads += ["executions", "re-seeded", "epochs", "time", "note"]
    rows = []
    for trial in [*ranked, *(trial for trial in result.trials if trial not in ranked)]:
        mean = again[trial.number][0] if trial.number in again else None
        spent = sum(run.costs.seconds for run in trial.runs if run.costs)
        epochs = sum(run.costs.epochs for run in trial.runs if run.costs)
        rows.append(
            [
                str(trial.number),
                *(_value(trial.values[path]) if path in trial.values else MISSING for path in result.parameters),
                number(result.value(trial), 4),
                str(len(trial.runs)),
                number(mean, 4),
                str(epochs),
                seconds(spent),
                "best" if ranked and trial is ranked[0] else f"failed: {trial.problem}" if trial.problem else "",
            ]
        )
    return heads, rows


def luck(result: SearchResult) -> list[str]:
    """Sentences about selection bias: how much of the best trial's figure is due to the seeds that selected it."""
    ranked = result.ranked()
    if not ranked:
        return ["No trial has an objective."]
    winner = ranked[0]
    chosen = result.value(winner)
    lines = [
        f"The winner is trial {winner.number}: val {result.metric} {number(chosen, 4)}, the best of {len(ranked)}."
    ]
    again = rank_under_reseeding(result)
    if winner.number in again and chosen is not None:
        mean, rank = again[winner.number]
        values = [v for v in (objective(run, result.metric) for run in winner.reseeded) if v is not None]
        spread = f", from {min(values):.4f} to {max(values):.4f}" if len(values) > 1 else ""
        bias = f"{chosen - mean:+z.4f} of its figure is selection bias" if chosen > mean else "no selection bias shows"
        place = f" Among {len(again)} re-seeded trials it ranks number {rank}." if len(again) > 1 else ""
        lines.append(f"With {plural(len(values), 'other seed')} its mean is {mean:.4f}{spread}: {bias}.{place}")
    return lines


def crosstab(result: SearchResult) -> tuple[str, list[str], list[list[str]]] | None:
    """The objective by the values of the first two parameters; floats are binned by half decade.

    Args:
        result: The search.

    Returns:
        A title, the heads and the rows; None with fewer than two parameters.
    """
    if len(result.parameters) < 2:
        return None
    across, down = result.parameters[:2]
    cells: dict[tuple[str, str], list[float]] = {}
    for trial in result.trials:
        if across in trial.values and down in trial.values:
            index = (_bin(down, trial), _bin(across, trial))
            known = [v for v in (objective(run, result.metric) for run in trial.runs) if v is not None]
            cells.setdefault(index, []).extend(known)
    columns = sorted({column for _, column in cells}, key=_order)
    rows = [
        [row, *(_cell(cells.get((row, column), [])) for column in columns)]
        for row in sorted({row for row, _ in cells}, key=_order)
    ]
    return f"{across} x {down}", [f"{down} \\ {across}", *columns], rows


def _cell(values: Sequence[float]) -> str:
    return f"{statistics.fmean(values):.4f} ({len(values)})" if values else MISSING


def _bin(path: str, trial: Trial) -> str:
    """The value, or for a positive float the lower end of its half decade."""
    value = trial.values[path]
    if not isinstance(value, float) or value <= 0:
        return _value(value)
    return f"{10 ** (math.floor(2 * math.log10(value)) / 2):.1e}"


def _order(text: str) -> tuple[int, float, str]:
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)
