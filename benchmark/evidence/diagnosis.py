"""What went wrong in a run, named, with the figures that show it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.evidence.metrics import auc
from benchmark.evidence.scores import Scores

ONE_CLASS_SHARE = 0.99
RANKING_SURVIVES = 0.75
NEAR_CHANCE = 0.05
EXPLODED = 4.0


@dataclass(frozen=True)
class Finding:
    """A named fault: `title` stands in a table row, `evidence` is a sentence with figures."""

    code: str
    title: str
    evidence: str


def diagnose(
    val: Scores,
    test: Scores | None,
    history: Mapping[str, Sequence[float]],
    threshold: float = 0.5,
    classes: tuple[str, str] = ("0", "1"),
) -> tuple[Finding, ...]:
    """Faults seen in the scores at `threshold`, of test too where it was scored, and in `history` (loss, accuracy,
    val_loss, val_accuracy by epoch)."""
    share = max(float(np.mean(val.y_true)), 1 - float(np.mean(val.y_true)))
    collapse, gap = _collapse(val, test, threshold, classes), _gap(history, share)
    found = [collapse, gap]
    if gap is None:  # a validation loss that explodes for that reason is not overfitting
        found.append(_overfitting(history))
    if collapse is None and gap is None:
        found.append(_not_learning(val, history, share))
    return tuple(finding for finding in found if finding is not None)


def _collapse(val: Scores, test: Scores | None, threshold: float, classes: tuple[str, str]) -> Finding | None:
    for scores in (test, val) if test is not None else (val,):
        called = scores.y_score >= threshold
        positive = float(np.mean(called))
        share = max(positive, 1 - positive)
        prevalence = float(np.mean(scores.y_true))
        if share < ONE_CLASS_SHARE or (share < 1 and share <= max(prevalence, 1 - prevalence)):
            continue
        name = classes[int(positive >= 0.5)]
        low, high = float(scores.y_score.min()), float(scores.y_score.max())
        area = auc(scores)
        evidence = (
            f"{round(share * len(scores))} of {len(scores)} {scores.split} images called {name} at {threshold:g}; "
            f"scores {low:.3f} to {high:.3f}"
        )
        if area is not None and area >= RANKING_SURVIVES:
            return Finding(
                "one-class-threshold",
                f"one class at {threshold:g} ({name}), ranking intact",
                f"{evidence}; {scores.split} AUC {area:.3f}: the order is right, the threshold is not",
            )
        shown = "undefined" if area is None else f"{area:.3f}"
        return Finding(
            "single-class-collapse",
            f"single-class collapse: {name}",
            f"{evidence}; {scores.split} AUC {shown}",
        )
    return None


def _gap(history: Mapping[str, Sequence[float]], share: float) -> Finding | None:
    accuracy, val_accuracy, val_loss = history["accuracy"], history["val_accuracy"], history["val_loss"]
    learned = accuracy[-1] >= 0.7 and accuracy[-1] - val_accuracy[-1] >= 0.15
    at_chance = min(abs(val_accuracy[-1] - share), abs(val_accuracy[-1] - (1 - share))) <= NEAR_CHANCE
    exploded = max(val_loss) >= EXPLODED * min(history["loss"])
    if not (learned and at_chance and exploded):
        return None
    return Finding(
        "train-inference-gap",
        "learns in training mode, not in inference",
        f"training accuracy {accuracy[-1]:.2f} while validation stays at {val_accuracy[-1]:.2f} and its loss reached "
        f"{max(val_loss):.2f} (training {history['loss'][-1]:.2f}): batch-normalisation statistics that lag behind, "
        "or validation images prepared otherwise",
    )


def _overfitting(history: Mapping[str, Sequence[float]]) -> Finding | None:
    loss, val_loss = history["loss"], history["val_loss"]
    best = int(np.argmin(val_loss))
    if not all(map(math.isfinite, val_loss)) or best == len(val_loss) - 1:
        return None
    if val_loss[-1] < 1.5 * val_loss[best] or loss[-1] >= loss[best]:
        return None
    return Finding(
        "overfitting",
        f"overfits after epoch {best + 1}",
        f"validation loss rose from {val_loss[best]:.3f} (epoch {best + 1}) to {val_loss[-1]:.3f} while training loss "
        f"fell from {loss[best]:.3f} to {loss[-1]:.3f}",
    )


def _not_learning(val: Scores, history: Mapping[str, Sequence[float]], share: float) -> Finding | None:
    best, area = max(history["accuracy"]), auc(val)
    if best > share + NEAR_CHANCE or area is None or area >= RANKING_SURVIVES:
        return None
    return Finding(
        "not-learning",
        "has not learned yet",
        f"training accuracy never passed {best:.2f}, where always answering the larger class gives {share:.2f}; "
        f"validation AUC {area:.3f}",
    )
