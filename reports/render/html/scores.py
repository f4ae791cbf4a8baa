"""Per-image test scores as the page carries them: what the threshold slider counts."""

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
    """The test scores of every finished run of `report`, by run id. Raises ConfigError when some cannot be read."""
    finished = (run for section in report.sections for run in section.runs if run.status == "ok")
    return {run.run_id: store.scores(run, "test") for run in finished}


test_scores.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever its name


def slider_data(runs: Iterable[Run], scores: Mapping[str, Scores]) -> list[dict[str, Any]]:
    """What the slider of one card reads, a run an entry: its name, the threshold chosen on validation (None where none
    was), and the sorted scores of either class. Runs without scores are left out."""
    return [
        {
            "run": run.run_id,
            "label": f"seed {run.spec.seed}",
            "chosen": run.threshold.value if run.threshold else None,
            "positives": _packed(held.y_score[held.y_true == 1]),
            "negatives": _packed(held.y_score[held.y_true == 0]),
        }
        for run in runs
        if (held := scores.get(run.run_id)) is not None
    ]


def _packed(scores: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Little-endian floats in base64, of four bytes where these hold the scores exactly: a count at a threshold must
    not hang on rounding."""
    small = scores.astype("<f4")
    exact = bool(np.array_equal(small, scores))
    data = np.sort(small if exact else scores.astype("<f8"))
    return {"bytes": 4 if exact else 8, "data": base64.b64encode(data.tobytes()).decode("ascii")}
