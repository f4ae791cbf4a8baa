"""Renders a curve over training images as JSON types and as rows for CSV."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmark.evidence.estimate import Estimate
from reports.render.json_value import json_value
from reports.results.training_size.figures import TrainingSizeCurve
from reports.results.training_size.text import answers, description, notes

COLUMNS = (
    *("card", "metric", "kind", "images", "draws", "runs", "failed", "value", "low", "high"),
    *("spread", "gain", "gain_low", "gain_high", "reason"),
)
"""The columns of `curve_rows`."""


def curve_rows(curve: TrainingSizeCurve) -> list[dict[str, Any]]:
    """One row per size (`kind` is measured), then one per forecast; None where a column does not apply."""
    rows = []
    for point in curve.points:
        counts = {"draws": point.draws, "runs": point.runs, "failed": point.failed, "spread": point.figure.spread}
        reason = point.figure.reason
        rows.append({"kind": "measured", "images": point.images, **counts, **_ends(point.figure), "reason": reason})
    for forecast in curve.extrapolation.forecasts:
        gain = {"gain": forecast.gain.value, "gain_low": forecast.gain.low, "gain_high": forecast.gain.high}
        rows.append({"kind": "forecast", "images": forecast.images, **_ends(forecast.figure), **gain})
    return [dict.fromkeys(COLUMNS) | {"card": curve.card, "metric": curve.metric} | row for row in rows]


def curve_document(curve: TrainingSizeCurve) -> dict[str, Any]:
    """The curve with its sentences as JSON types."""
    document: dict[str, Any] = json_value(replace(curve, comparable=""))
    del document["comparable"]  # for programs, `conditions` says the same
    for point, row in zip(curve.points, document["points"], strict=True):
        row["values"] = [{"draw": draw + 1, "value": value} for draw, value in point.values.items()]
    return {**document, "description": description(curve), "answers": answers(curve), "notes": notes(curve)}


def _ends(estimate: Estimate) -> dict[str, float | None]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
