"""What each image contributes to a metric of several classes that is a mean over images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.evidence.scores import CLIP, MulticlassScores

if TYPE_CHECKING:
    from benchmark.evidence.metrics.influence import Floats, Labels


def correct_decisions(scores: MulticlassScores, decided: Labels) -> Floats:
    """Return whether each decision is correct (n,), 0 or 1."""
    correct: Floats = (scores.y_true == decided).astype("float64")
    return correct


def covered(scores: MulticlassScores, decided: Labels) -> Floats:
    """Return whether each image has a decision (n,), 0 or 1."""
    chosen: Floats = (decided >= 0).astype("float64")
    return chosen


def class_log_losses(scores: MulticlassScores, decided: Labels) -> Floats:
    """Return the cross-entropy (n,) of each image in nats, scores clipped as Keras does."""
    import numpy as np

    losses: Floats = -np.log(np.clip(_true_scores(scores), CLIP, 1 - CLIP))
    return losses


def class_squared_errors(scores: MulticlassScores, decided: Labels) -> Floats:
    """Return the squared differences (n,) of scores and labels, summed over classes (Brier 1950)."""
    import numpy as np

    errors: Floats = ((scores.y_score - np.eye(len(scores.classes))[scores.y_true]) ** 2).sum(axis=1)
    return errors


def _true_scores(scores: MulticlassScores) -> Floats:
    import numpy as np

    of_class: Floats = scores.y_score[np.arange(len(scores)), scores.y_true]
    return of_class


@dataclass(frozen=True)
class Among:
    """Whether the true class is among the `top` highest scores; of equal scores the lower class index is higher."""

    top: int

    def __call__(self, scores: MulticlassScores, decided: Labels) -> Floats:
        import numpy as np

        of_true = _true_scores(scores)[:, None]
        before = np.arange(len(scores.classes)) < scores.y_true[:, None]
        rank = ((scores.y_score > of_true) | ((scores.y_score == of_true) & before)).sum(axis=1)
        among: Floats = (rank < self.top).astype(np.float64)
        return among


@dataclass(frozen=True)
class Cost:
    """The cost of each decision; not a number for an abstention."""

    costs: tuple[tuple[float, ...], ...]

    def __call__(self, scores: MulticlassScores, decided: Labels) -> Floats:
        import numpy as np

        table = np.array(self.costs, dtype=np.float64)
        return np.where(decided < 0, np.nan, table[scores.y_true, decided])
