"""Figures of cards on three or more classes and their differences, by key."""

from __future__ import annotations

from benchmark.evidence.comparison.multiclass import multiclass_differences
from benchmark.evidence.comparison.paired import Difference
from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.intervals.seeds import MulticlassPairedScores, seed_figure
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.multiclass import argmax, find_multiclass, is_of_classes
from reports.results.comparison.card_figures import recorded
from reports.results.measured import MulticlassResults

NO_DECISION = "a run chose no other decision than the class with the highest score"


def class_figure(results: MulticlassResults, key: str, split: str = "test", *, chosen: bool = False) -> SampleEstimate:
    """A figure of a card.

    Args:
        results: The results of the card.
        key: The key of the figure, such as `recall:macro`, or `loss` for the training loss.
        split: "train", "val" or "test".
        chosen: Whether decisions are those that the runs chose on validation; else for the class with the highest
            score.

    Returns:
        The mean over seeds with its 95% interval; without a value, with the reason, where it cannot be computed.
    """
    n = len(results.test[0])
    if split == "train":
        return SampleEstimate.missing(n, "scores of training images are not stored")
    if key == "loss":
        return recorded([run.figures(split).get("loss") for run in results.runs], n)
    if split == "val" and len({run.spec.split_seed for run in results.runs}) > 1:
        return SampleEstimate.missing(n, "each seed has different validation images")
    if chosen and split != "test" and _uses_decisions(key):
        return SampleEstimate.missing(n, "decisions chosen on validation images are not judged on them")
    scores = _decided(results, key) if chosen else _paired(results, split)
    if scores is None:
        return SampleEstimate.missing(n, NO_DECISION)
    problem = _unknown(key, scores)
    if problem is not None:
        return SampleEstimate.missing(n, problem)
    figure = seed_figure(key, scores, class_sizes=results.class_sizes)
    return SampleEstimate.of(figure, len(scores.runs[0]))


def class_difference(a: MulticlassResults, b: MulticlassResults, key: str, *, chosen: bool = False) -> Difference:
    """The difference of two cards in a test figure, paired by image.

    Args:
        a: The results of the first card.
        b: The results of the second card.
        key: The key of the figure.
        chosen: As in `class_figure`.

    Returns:
        First minus second; without a value, with the reason, where their test images differ, the key is unknown or a
        run chose no decision.
    """
    if not a.same_images(b):
        return Difference(key, None, reason="the cards were scored on different test images")
    first, second = (_decided(each, key) if chosen else _paired(each, "test") for each in (a, b))
    if first is None or second is None:
        return Difference(key, None, reason=NO_DECISION)
    return _difference(key, first, second, a)


def gain_of_decision(results: MulticlassResults, key: str) -> Difference:
    """The change of a test figure from the highest score to the decision chosen on validation, paired by run."""
    chosen = results.paired(chosen=True)
    if chosen is None:
        return Difference(key, None, reason=NO_DECISION)
    return _difference(key, chosen, _paired(results, "test"), results, same_runs=True)


def _difference(
    key: str,
    first: MulticlassPairedScores,
    second: MulticlassPairedScores,
    results: MulticlassResults,
    *,
    same_runs: bool = False,
) -> Difference:
    problem = _unknown(key, first) or _unknown(key, second)
    if problem is not None:
        return Difference(key, None, reason=problem)
    # The names fix the sign: differences are of the first name in alphabetical order minus the second.
    cards = {"a": first, "b": second}
    compared = multiclass_differences((key,), cards, class_sizes=results.class_sizes, same_runs=same_runs)
    return compared[key, "a", "b"]


def _paired(results: MulticlassResults, split: str) -> MulticlassPairedScores:
    if split == "test":
        return MulticlassPairedScores(results.test, results.argmax)
    return MulticlassPairedScores(results.val, tuple(map(argmax, results.val)))


def _decided(results: MulticlassResults, key: str) -> MulticlassPairedScores | None:
    """The test scores with the decisions chosen on validation, where the figure of `key` depends on decisions."""
    return results.paired(chosen=True) if _uses_decisions(key) else _paired(results, "test")


def _uses_decisions(key: str) -> bool:
    metric = find_multiclass(key)
    return metric is None or metric.uses_decisions


def _unknown(key: str, scores: MulticlassPairedScores) -> str | None:
    """Why a figure is none of these classes, in a line that says what would be right; None where it is one."""
    if key in scores.metrics:
        return None
    classes = scores.runs[0].classes
    try:
        parsed = MeasureKey.parse(key)
    except ValueError:
        return f"{key} has no counterpart in the scores"
    if parsed.of_class is not None and parsed.of_class not in classes:
        return f"the data have no class {parsed.of_class}, but {', '.join(classes)}"
    if parsed.average is None and parsed.of_class is None and is_of_classes(parsed.metric):
        return f"{parsed.metric} of {len(classes)} classes is of one class or an average; add `class` or `average`"
    if key == "quadratic_kappa":
        return "quadratic kappa needs ordered classes; declare them with `ordered: true`"
    return f"{parsed.metric} has no counterpart in the scores"
