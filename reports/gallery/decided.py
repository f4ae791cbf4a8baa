"""How the images of a gallery of two classes are decided, and the scale of their scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmark.evidence.calibration.calibrators import Calibrator
from benchmark.evidence.metrics.influence import Cut
from benchmark.evidence.scores import Scores
from benchmark.runs.cross_validation import CrossValidatedRun, chosen_cut
from benchmark.runs.outcome import HALF
from benchmark.runs.run import Run


def decided_at(run: Run, scores: Scores) -> tuple[Cut, str]:
    """The threshold of a gallery, and a phrase that says where it comes from.

    Args:
        run: A finished run on two classes.
        scores: Its test scores (n,).

    Returns:
        One threshold, or in a cross-validation that of the fold of each image (n,). It is 0.5 where the run, or one of
        its folds, chose none.
    """
    chosen, cut = run.threshold, chosen_cut(run, scores)
    if isinstance(run, CrossValidatedRun):
        if cut is None:
            return HALF, f"0.5, the same for every fold; {chosen.reason if chosen else ''}"
        values = ", ".join(f"{fold.threshold.value:.3g}" for fold in run.folds if fold.threshold is not None)
        rule = run.spec.protocol.threshold.rule
        return cut, f"the threshold of the fold of each image, chosen on validation by the rule {rule}: {values}"
    if chosen is None or chosen.value is None:
        why = f": {chosen.reason}" if chosen is not None and chosen.reason else ""
        return HALF, f"0.5; none could be chosen on validation{why}"
    return chosen.value, f"{chosen.value:.3g}, chosen on validation by the rule {chosen.rule}"


def on_scale(score: float, calibrators: Sequence[Calibrator], fold: int) -> float:
    """A score as the calibrator of its fold maps it.

    Args:
        score: The score of an image, in [0, 1].
        calibrators: The calibrator of each fold, or the one of a single model; none leaves scores as they are.
        fold: The fold of the image, 0 for a single model.

    Returns:
        The calibrated probability; the score where there is no calibrator, or where it was rolled back.
    """
    if not calibrators or not calibrators[fold].accepted:
        return score
    return float(calibrators[fold].probability(score))


def thresholds_on_scale(cut: Cut, scores: Scores, calibrators: Sequence[Calibrator]) -> str:
    """The threshold as a calibrated probability in words, in a cross-validation that of each fold.

    Args:
        cut: One threshold, or one per image (n,).
        scores: Scores of the n images.
        calibrators: As in `on_scale`, at least one of them accepted.

    Returns:
        The words.
    """
    thresholds = np.broadcast_to(cut, len(scores))
    folds = np.zeros(len(scores), dtype=np.int64) if scores.fold is None else scores.fold
    first = [int(np.flatnonzero(folds == index)[0]) for index in np.unique(folds)]
    values = [f"{on_scale(float(thresholds[place]), calibrators, int(folds[place])):.3g}" for place in first]
    kind = "a calibrated probability" if len(values) == 1 else "calibrated probabilities"
    return f"as {kind} {', '.join(values)}"
