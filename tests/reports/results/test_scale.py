"""A score is called a probability only where it was calibrated."""

from __future__ import annotations

from dataclasses import replace

from benchmark.evidence.calibration.calibrators import best_calibrator
from reports.results.scale import scale_of
from tests.support.records import on_val, planted


def test_only_an_accepted_calibrator_makes_probabilities() -> None:
    calibrator = best_calibrator(on_val(*planted(60, 60, 1.5, seed=1)))
    used = scale_of(
        replace(
            calibrator,
            method="isotonic",
            accepted=True,
            reason=None,
            parameters=(),
            knots_x=(0.0, 1.0),
            knots_y=(0.1, 0.9),
        )
    )
    rolled_back = scale_of(
        replace(calibrator, method="isotonic", accepted=False, reason="no gain", parameters=(), knots_x=(), knots_y=())
    )
    assert (used.noun, used.head, used.words) == ("probability", "Prob", "probability (calibrated on validation)")
    assert (rolled_back.noun, rolled_back.head, rolled_back.words) == ("score", "Score", "score (not calibrated)")
    assert scale_of(None) == rolled_back
