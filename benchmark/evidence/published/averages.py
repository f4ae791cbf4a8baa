"""Whether printed averages over three classes or more can come from any decisions, by mlscorecheck.

mlscorecheck (Fazekas and Kovács 2024) takes each class against the others as a test set of its own. It knows
sensitivity, specificity and accuracy for macro averages, and more for micro averages. It does not know figures of
single classes, nor that the decisions of the classes are about the same images: `class_counts` does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from benchmark.evidence.published.feasible import Range

_LOGGER = "mlscorecheck"
_MACRO = {"recall:macro": "sens", "balanced_accuracy": "sens", "specificity:macro": "spec"}
_MICRO = {
    "recall:micro": "sens",
    "recall:weighted": "sens",
    "precision:micro": "ppv",
    "f1:micro": "f1",
    "specificity:micro": "spec",
}
_SHARE: Range = (0.0, 1.0)
_LEAST_EPS = 2e-5  # mlscorecheck refuses a smaller one, as too near to its tolerance of 1e-6
_MOST = 200_000  # images times classes; mlscorecheck enumerates counts


def averages_are_possible(ranges: Mapping[str, Range], sizes: Mapping[str, int]) -> bool | None:
    """Check whether some decisions have averages within ranges.

    Args:
        ranges: (low, high) by key of the figure; only accuracy and averages that mlscorecheck knows are checked.
        sizes: The number of images by class, at least three classes.

    Returns:
        False if mlscorecheck finds no decisions, True if it does or would take too long, None if it knows none of the
        figures.
    """
    macro, micro = _scores(ranges, _MACRO, len(sizes)), _scores(ranges, _MICRO, len(sizes))
    if not macro and not micro:
        return None
    if None in (*macro.values(), *micro.values()):
        return False
    from mlscorecheck.check import multiclass  # here, because it loads many modules

    logging.getLogger(_LOGGER).setLevel(logging.WARNING)  # it logs every step
    testset = dict(enumerate(sizes.values()))
    small = len(sizes) * sum(sizes.values()) <= _MOST
    if len(micro) > 1 and small and _inconsistent(multiclass.check_1_testset_no_kfold_micro, testset, micro):
        return False
    if "acc" in macro or len(macro) > 1:  # with one other score alone, mlscorecheck fails for lack of start values
        return not _inconsistent(multiclass.check_1_testset_no_kfold_macro, testset, macro, verbosity=0)
    return True


def _scores(ranges: Mapping[str, Range], names: Mapping[str, str], classes: int) -> dict[str, Range | None]:
    """The ranges under mlscorecheck's names, within [0, 1]; None where nothing is left of a range."""
    named = [(names[key], bounds) for key, bounds in ranges.items() if key in names]
    if "accuracy" in ranges:
        # Of each class against the others: an error is one for the true class and one for the predicted class.
        low, high = (1 - 2 * (1 - end) / classes for end in ranges["accuracy"])
        named.append(("acc", (low, high)))
    scores: dict[str, Range | None] = {}
    for name, bounds in named:
        before = scores.get(name, _SHARE) or (1.0, 0.0)
        low, high = max(before[0], bounds[0]), min(before[1], bounds[1])
        scores[name] = (low, high) if low <= high else None
    return scores


def _inconsistent(
    check: Callable[..., dict[str, Any]], testset: dict[int, int], scores: Mapping[str, Range | None], **options: Any
) -> bool:
    within = {name: bounds for name, bounds in scores.items() if bounds is not None}
    result = check(
        testset=testset,
        scores={name: (low + high) / 2 for name, (low, high) in within.items()},
        eps=max(_LEAST_EPS, *((high - low) / 2 for low, high in within.values())),  # one for all scores of a macro
        **options,
    )
    return bool(result["inconsistency"])
