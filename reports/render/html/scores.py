"""Packs per-image test scores for the threshold slider of the page."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.evidence.scores import Scores
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.report import Report


def test_scores(report: Report, store: Store) -> dict[str, Scores]:
    """The test scores of every finished run of `report`, by run id; raises ConfigError if some cannot be read."""
    finished = (run for section in report.sections for run in section.runs if run.status == "ok")
    return {run.run_id: store.binary_scores(run, "test") for run in finished}


test_scores.__test__ = False  # type: ignore[attr-defined]  # not a test, in spite of its name


def slider_data(runs: Iterable[Run], scores: Mapping[str, Scores]) -> list[dict[str, Any]]:
    """Data of the threshold slider of one card.

    Args:
        runs: The finished runs of the card.
        scores: Test scores by run id; runs without scores are left out.

    Returns:
        One entry per run: its name, the threshold chosen on validation (None if there is none), and the sorted scores
        of either class.
    """
    return [
        {
            "run": run.run_id,
            "label": f"seed {run.spec.seed}",
            "chosen": run.threshold.value if run.threshold else None,
            "positives": _packed(test.y_score[test.y_true == 1]),
            "negatives": _packed(test.y_score[test.y_true == 0]),
        }
        for run in runs
        if (test := scores.get(run.run_id)) is not None
    ]


def _packed(scores: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Little-endian floats in base64, of four bytes if that is exact: counts must not depend on rounding."""
    small = scores.astype("<f4")
    exact = bool(np.array_equal(small, scores))
    data = np.sort(small if exact else scores.astype("<f8"))
    return {"bytes": 4 if exact else 8, "data": base64.b64encode(data.tobytes()).decode("ascii")}
