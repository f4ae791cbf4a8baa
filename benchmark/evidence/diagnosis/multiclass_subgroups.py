"""Subgroup analysis of three or more classes: recall of each class and accuracy in groups of test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmark.evidence.comparison.multiplicity import holm
from benchmark.evidence.diagnosis.subgroups import Grouping, Subgroup, Subgroups, by_thirds, subgroups
from benchmark.evidence.metrics.influence import Labels
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.scores import MulticlassScores, scores_of_two

MOST_VALUES = 12
"""An attribute with more different values is grouped in thirds if they are numbers, and not at all otherwise."""
UNKNOWN = "unknown"


@dataclass(frozen=True)
class MulticlassSubgroups:
    """Results of all groups.

    Attributes:
        classes: The names of the classes.
        groups: The results by group. The metrics of their rates are `accuracy` and keys such as `recall:class:NORMAL`.
        tests: Number of tests that `adjusted` accounts for.
        left_out: Why groupings are missing.
    """

    classes: tuple[str, ...]
    groups: tuple[Subgroup, ...]
    tests: int
    left_out: tuple[str, ...]


def by_attribute(values: Mapping[str, str], names: Sequence[str], kind: str) -> Grouping:
    """Group images by an attribute of the data set, such as the site or the age.

    Args:
        values: The value by image; an image without a value, or with an empty one, is in the group `unknown`.
        names: The images, (n,).
        kind: The name of the attribute.

    Returns:
        The grouping. More than 12 different numbers are grouped in thirds. It has no labels, with the reason, if all
        values are equal or too many to be groups.
    """
    each = [values.get(name) or UNKNOWN for name in names]
    distinct = sorted({*each} - {UNKNOWN})
    if len({*each}) < 2:
        value = each[0] if each else "no images"
        return Grouping(kind, None, reason=f"{kind} is the same for all images: {value}")
    if len(distinct) <= MOST_VALUES:
        order = (*distinct, *([UNKNOWN] if UNKNOWN in each else []))
        return Grouping(kind, tuple(each), order)
    if UNKNOWN in each or not all(map(_is_number, distinct)):
        return Grouping(kind, None, reason=f"{kind} has {len(distinct)} different values, too many to be groups")
    return by_thirds([float(value) for value in each], kind)


def multiclass_subgroups(
    scores: MulticlassScores, decided: Labels, groupings: Sequence[Grouping]
) -> MulticlassSubgroups:
    """Compute accuracy and the recall of each class in every group and test for differences of recall.

    Tests and intervals are those of `subgroups`: a class against the rest, with decisions as scores. p-values are
    adjusted by Holm's method over all classes and groups. Accuracy is not tested, since class shares differ between
    groups.

    Args:
        scores: Test scores, n images.
        decided: Decisions (n,), class indices, or -1 where the program abstained.
        groupings: Groupings of the n images.

    Returns:
        The results of all groups.

    Raises:
        ValueError: A grouping has another number of labels than n.
    """
    right = (decided == scores.y_true).astype(np.float64)
    whole = subgroups(
        scores_of_two(scores.split, np.ones(len(scores), np.int64), right, scores.patient), 0.5, groupings
    )
    by_class: list[Subgroups] = []
    for label in range(len(scores.classes)):
        y_true = (scores.y_true == label).astype(np.int64)
        called = (decided == label).astype(np.float64)
        by_class.append(subgroups(scores_of_two(scores.split, y_true, called, scores.patient), 0.5, groupings))
    p_values: dict[tuple[object, ...], float] = {}
    identity: dict[tuple[int, int], tuple[object, ...]] = {}
    for label, results in enumerate(by_class):
        for place, group in enumerate(results.groups):
            rate = group.rates[0]
            if rate.p_value is None:
                continue
            # Two groups that share all images of a class share one test.
            others = [g.name for g in results.groups if g.kind == group.kind and g.rates[0].images]
            key = (label, group.kind, tuple(others) if len(others) == 2 else (group.name,))
            identity[label, place] = key
            p_values.setdefault(key, rate.p_value)
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    groups = []
    for place, group in enumerate(whole.groups):
        rates = [
            replace(
                results.groups[place].rates[0],
                metric=str(MeasureKey("recall", of_class=scores.classes[label])),
                adjusted=adjusted.get(identity.get((label, place), ())),
            )
            for label, results in enumerate(by_class)
        ]
        accuracy = next(rate for rate in group.rates if rate.metric == "accuracy")
        groups.append(replace(group, rates=(accuracy, *rates)))
    return MulticlassSubgroups(scores.classes, tuple(groups), len(p_values), whole.left_out)


def _is_number(value: str) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except ValueError:
        return False
