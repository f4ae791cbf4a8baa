"""Data of the class switch of the page: one class against the rest, from the scores of every image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.evidence.calibration.reliability import Reliability
from benchmark.evidence.decisions.decide import decide_all
from benchmark.evidence.scores import AnyScores, MulticlassScores
from benchmark.runs.run import Run
from reports.render.html.scores import packed_labels, packed_scores
from reports.results.multiclass.figures import MulticlassCard, MulticlassProbabilities

SLIDER_METRICS = ("recall", "specificity", "precision", "f1")
"""The metrics of the threshold slider of one class. Accuracy is left out: it is high for every rare class."""
_MOST_SCORES = 4_000_000
"""The largest number of scores in a page, about 20 MB of text; with more, a page would open too slowly."""


@dataclass(frozen=True)
class PanelView:
    """What the class switch of a card offers.

    Attributes:
        classes: The names of the classes.
        runs: The data of each run with scores, as `report.js` reads them.
        decided: Whether the protocol has another rule than the highest score.
        calibrated: Whether some run has calibrated scores.
    """

    classes: tuple[str, ...]
    runs: tuple[Mapping[str, Any], ...]
    decided: bool
    calibrated: bool


def too_many_scores(scores: Mapping[str, AnyScores]) -> bool:
    """Whether a page would become too large with all these scores."""
    return sum(each.y_score.size for each in scores.values() if isinstance(each, MulticlassScores)) > _MOST_SCORES


def panel_view(part: MulticlassCard, finished: Sequence[Run], scores: Mapping[str, AnyScores]) -> PanelView | None:
    """The data of the class switch of one card.

    Args:
        part: The card.
        finished: Its finished runs.
        scores: Test scores by run id.

    Returns:
        The data of the runs with scores; None if no run has any.
    """
    by_seed = {each.seed: each for each in part.probabilities}
    entries = tuple(
        _run(run, test, by_seed.get(run.spec.seed))
        for run in finished
        if isinstance(test := scores.get(run.run_id), MulticlassScores)
    )
    if not entries:
        return None
    calibrated = any(each.after is not None for each in part.probabilities)
    classes = tuple(each.name for each in part.curves)
    return PanelView(classes, entries, any(entry["decided"] is not None for entry in entries), calibrated)


def _run(run: Run, test: MulticlassScores, assessed: MulticlassProbabilities | None) -> dict[str, Any]:
    """The data of one run for the class switch.

    Labels and scores of every image, the decisions by the protocol's rule if it is not the highest score, the threshold
    that was chosen for each class if any, and the bins of each class's reliability.
    """
    decision = run.decision
    other = decision is not None and decision.is_chosen and decision.rule != "argmax"
    thresholds: dict[str | None, float | None] = {}
    if other and decision is not None and decision.threshold is not None:
        thresholds[decision.of_class] = decision.threshold.value
    return {
        "label": f"seed {run.spec.seed}",
        "y_true": packed_labels(test.y_true),
        "y_score": packed_scores(test.y_score.ravel()),
        "decided": packed_labels(decide_all(decision, test)) if other and decision is not None else None,
        "thresholds": [thresholds.get(name) for name in test.classes],
        "reliability": [_bins(assessed, name) for name in test.classes],
    }


def _bins(assessed: MulticlassProbabilities | None, name: str) -> dict[str, list[list[float]]]:
    if assessed is None:
        return {}
    curves = {"before": assessed.before, "after": assessed.after}
    return {kind: _points(each.by_class[name]) for kind, each in curves.items() if each is not None}


def _points(reliability: Reliability) -> list[list[float]]:
    return [[round(x, 4) for x in (part.mean_score, part.share, part.low, part.high)] for part in reliability.curve]
