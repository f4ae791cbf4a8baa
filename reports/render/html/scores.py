"""Packs per-image test scores for the threshold slider and the class switch of the page."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.evidence.metrics.influence import cells
from benchmark.evidence.scores import AnyScores, Scores
from benchmark.runs.cross_validation import chosen_cut, folds_of
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.report import Report


def test_scores(report: Report, store: Store) -> dict[str, AnyScores]:
    """The test scores of every finished run of `report`, by run id; raises ConfigError if some cannot be read."""
    finished = (run for section in report.sections for run in section.runs if run.status == "ok")
    return {run.run_id: store.scores(run, "test") for run in finished}


test_scores.__test__ = False  # type: ignore[attr-defined]  # not a test, in spite of its name


def slider_data(runs: Iterable[Run], scores: Mapping[str, AnyScores]) -> list[dict[str, Any]]:
    """Data of the threshold slider of one card.

    Args:
        runs: The finished runs of the card.
        scores: Test scores by run id; runs without scores of two classes are left out.

    Returns:
        One entry per run: its name, the threshold chosen on validation (None if there is none), and the sorted scores
        of either class. A cross-validation whose folds all chose a threshold has them in `folds`, and in `counts` the
        cells of the confusion matrix with each image at the threshold of its fold.
    """
    return [
        {
            "run": run.run_id,
            "label": f"seed {run.spec.seed}",
            "chosen": run.threshold.value if run.threshold else None,
            **_of_folds(run, test),
            "positives": packed_scores(np.sort(test.y_score[test.y_true == 1])),
            "negatives": packed_scores(np.sort(test.y_score[test.y_true == 0])),
        }
        for run in runs
        if isinstance(test := scores.get(run.run_id), Scores)
    ]


def _of_folds(run: Run, test: Scores) -> dict[str, Any]:
    cut = chosen_cut(run, test)
    if not isinstance(cut, np.ndarray):
        return {}
    thresholds = [fold.threshold.value for fold in folds_of(run) if fold.threshold is not None]
    counts = np.bincount(cells(test.y_true, test.y_score, cut), minlength=4).tolist()
    return {"folds": thresholds, "counts": dict(zip(("tp", "fp", "tn", "fn"), counts, strict=True))}


def packed_scores(scores: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Pack scores (n,), in their order.

    Args:
        scores: The scores.

    Returns:
        Little-endian floats in base64, and their `bytes`: four if that is exact, since counts must not depend on
        rounding, else eight.
    """
    small = scores.astype("<f4")
    exact = bool(np.array_equal(small, scores))
    data = small if exact else scores.astype("<f8")
    return {"bytes": 4 if exact else 8, "data": base64.b64encode(data.tobytes()).decode("ascii")}


def packed_labels(labels: npt.NDArray[np.int64]) -> str:
    """Pack class indices (n,), -1 for none, as little-endian integers of two bytes in base64."""
    return base64.b64encode(labels.astype("<i2").tobytes()).decode("ascii")
