"""Subgroup analysis: rates in groups of test images, compared with all other images of the class.

Groups are defined without a model: by file names, size, brightness. They describe errors and are never used to choose
or fit anything.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy
from scipy.special import stdtr

from benchmark.evidence.comparison.multiplicity import holm
from benchmark.evidence.estimate import Estimate
from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.metrics.influence import Clusters, Cut
from benchmark.evidence.scores import Scores

Mask = npt.NDArray[np.bool_]
FEWEST_IMAGES = 10
FEWEST_PATIENTS = 5
"""The fewest images and patients of a class, in a group and outside it, for a test."""
MOST_SERIES = 12
_Test = tuple[str, str, tuple[str, ...]]
_OF_CLASS = {"specificity": 0, "recall": 1}


@dataclass(frozen=True)
class Grouping:
    """One way to group images.

    Attributes:
        kind: What the groups differ in, such as `image size`.
        labels: The group of each image, (n,); None if the images cannot be grouped.
        order: The names of the groups, in display order.
        reason: Why the images cannot be grouped.
    """

    kind: str
    labels: tuple[str, ...] | None
    order: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class Rate(Estimate):
    """The rate of correct decisions in a group.

    Attributes:
        metric: `recall`, `specificity` or `accuracy`.
        right: Number of correct decisions.
        images: Number of images that `metric` refers to.
        value: `right` / `images`; None without images.
        low: Lower end of the 95% interval.
        high: Upper end of the 95% interval.
        method: The method of the interval.
        difference: The rate minus the rate of the images outside the group.
        p_value: For the hypothesis of no difference.
        test: The name of the test.
        adjusted: `p_value` adjusted for all tests (Holm 1979).
        reason: Why the value or the test is missing.
    """

    metric: str
    right: int
    images: int
    value: float | None
    low: float | None
    high: float | None
    method: str | None
    difference: float | None = None
    p_value: float | None = None
    test: str | None = None
    adjusted: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Subgroup:
    """Results of a group.

    Attributes:
        kind: The kind of its grouping.
        name: The name of the group.
        images: Number of images.
        patients: Number of patients; None if unknown.
        rates: Recall, specificity and accuracy.
        failures: Indices of wrong decisions in the scores, most certain first.
    """

    kind: str
    name: str
    images: int
    patients: int | None
    rates: tuple[Rate, ...]
    failures: tuple[int, ...]


@dataclass(frozen=True)
class Subgroups:
    """Results of all groups.

    Attributes:
        threshold: The decision threshold; one for all images, or one per image (n,).
        groups: The results by group.
        tests: Number of tests that `adjusted` accounts for.
        left_out: Why groupings are missing.
    """

    threshold: Cut
    groups: tuple[Subgroup, ...]
    tests: int
    left_out: tuple[str, ...]


def by_name(names: Sequence[str], kind: str = "file names") -> Grouping:
    """Group images by the series of their file names: the name without folders, suffix and running numbers.

    A number that is the same in the whole series remains in its name.

    Args:
        names: File names, (n,).
        kind: The kind of the grouping.

    Returns:
        The grouping. It has no labels, with the reason, if there is a single series, if more than 12 series have 2
        images or more, or if no series has 2: the names are then not informative.
    """
    stems = [re.sub(r"\.[^.]*$", "", name.rsplit("/", 1)[-1]) for name in names]
    keys = [_series(stem) for stem in stems]
    members: dict[str, list[str]] = {}
    for key, stem in zip(keys, stems, strict=True):
        members.setdefault(key, []).append(stem)
    if len(members) == 1:
        return Grouping(kind, None, reason=f"all {kind} are in one series, {_title(keys[0], stems)}")
    if sum(len(series) > 1 for series in members.values()) > MOST_SERIES or max(map(len, members.values())) == 1:
        return Grouping(kind, None, reason=f"the {kind} follow {len(members)} patterns, too many to be series")
    titles = {key: _title(key, series) for key, series in members.items()}
    counts = Counter(keys)
    order = sorted(titles, key=lambda key: (-counts[key], titles[key]))
    return Grouping(kind, tuple(titles[key] for key in keys), tuple(titles[key] for key in order))


def by_thirds(
    values: Sequence[float], kind: str, names: tuple[str, str, str] = ("low", "middle", "high"), unit: str = ""
) -> Grouping:
    """Group images into thirds of a value; equal values are in one group.

    Args:
        values: The value of each image, (n,).
        kind: The kind of the grouping.
        names: The names of the thirds, to which the range of values is added.
        unit: The unit of the values.

    Returns:
        The grouping; it has no labels, with the reason, if all values are equal.
    """
    array = np.asarray(values, dtype=np.float64)
    if not len(array) or array.min() == array.max():
        value = f"{array[0]:,.6g} {unit}".strip() if len(array) else "no images"
        return Grouping(kind, None, reason=f"{kind} is the same for all images: {value}")
    cuts = np.quantile(array, (1 / 3, 2 / 3))
    third = (array > cuts[0]).astype(int) + (array > cuts[1])
    titles = {}
    for index in sorted({*third.tolist()}):
        inside = array[third == index]
        span = f"{inside.min():,.6g} to {inside.max():,.6g} {unit}".strip()
        titles[index] = f"{names[index]} ({span})"
    return Grouping(kind, tuple(titles[index] for index in third.tolist()), tuple(titles.values()))


def subgroups(scores: Scores, threshold: Cut, groupings: Sequence[Grouping]) -> Subgroups:
    """Compute recall, specificity and accuracy in every group and test for differences.

    Intervals are those of `intervals.figures`, clustered by patient if a patient has several images. They treat the
    class sizes of a group as random, also in a balanced draw.

    Recall and specificity of a group are tested against all other images of the class: by Fisher's exact test or, if a
    patient has several images, by a score test on residuals summed by patient (Boos 1992, working independence).
    Accuracy is not tested, since class shares differ between groups. If only two groups contain a class, they share one
    test. A group with fewer than 10 images or 5 patients of the class, inside or outside, is not tested. Groupings that
    divide the images in the same way, such as file names and sites, count once: the last of them.

    Args:
        scores: Test scores, n images.
        threshold: The decision threshold, in [0, 1]; one for all images, or one per image (n,).
        groupings: Groupings of the n images.

    Returns:
        The results of all groups.

    Raises:
        ValueError: A grouping has another number of labels than n.
    """
    groups: list[Subgroup] = []
    groupings = _without_repetitions(groupings)
    for grouping in groupings:
        if grouping.labels is None:
            continue
        if len(grouping.labels) != len(scores):
            raise ValueError(f"{len(grouping.labels)} labels of {grouping.kind} for {len(scores)} scores")
        labels = np.array(grouping.labels)
        groups += [_subgroup(scores, threshold, grouping.kind, name, labels == name) for name in grouping.order]
    adjusted = _adjusted(groups)
    results = tuple(
        replace(
            group, rates=tuple(replace(rate, adjusted=adjusted.get(_test(group, rate, groups))) for rate in group.rates)
        )
        for group in groups
    )
    left_out = tuple(grouping.reason for grouping in groupings if grouping.reason)
    return Subgroups(threshold, results, len(adjusted), left_out)


def _without_repetitions(groupings: Sequence[Grouping]) -> list[Grouping]:
    """Each division of the images once, under the last grouping that has it; the others say so as their reason."""
    kinds: dict[tuple[int, ...], str] = {}
    divisions: list[tuple[int, ...] | None] = []
    for grouping in groupings:
        division = None
        if grouping.labels is not None:
            index = {name: place for place, name in enumerate(dict.fromkeys(grouping.labels))}
            division = tuple(index[name] for name in grouping.labels)
            kinds[division] = grouping.kind
        divisions.append(division)
    distinct = []
    for grouping, division in zip(groupings, divisions, strict=True):
        kind, same = grouping.kind, None if division is None else kinds[division]
        if same is None or same == kind:
            distinct.append(grouping)
        else:
            distinct.append(Grouping(kind, None, reason=f"grouping by {kind} divides the images as by {same}"))
    return distinct


def _adjusted(groups: Sequence[Subgroup]) -> dict[_Test, float | None]:
    """Holm's adjusted p-value of every test."""
    p_values: dict[_Test, float | None] = {}
    for group in groups:
        for rate in group.rates:
            if rate.p_value is not None:
                p_values.setdefault(_test(group, rate, groups), rate.p_value)
    return dict(zip(p_values, holm(list(p_values.values())), strict=True))


def _test(group: Subgroup, rate: Rate, groups: Sequence[Subgroup]) -> _Test:
    """Identify a test: by its group, or by both groups if only two contain the class."""
    names = [
        other.name
        for other in groups
        if other.kind == group.kind
        for each in other.rates
        if each.metric == rate.metric and each.images
    ]
    return group.kind, rate.metric, tuple(names) if len(names) == 2 else (group.name,)


def certainty(scores: Scores, threshold: Cut) -> npt.NDArray[np.float64]:
    """Compute how far each score is from the threshold, relative to the end of the scale on its side.

    Args:
        scores: Scores of n images.
        threshold: The decision threshold, in [0, 1]; one for all images, or one per image (n,).

    Returns:
        Values (n,): 0 at the threshold, 1 at a score of 0 or 1.
    """
    p = scores.y_score
    span = np.where(p >= threshold, 1 - threshold, threshold)
    relative: npt.NDArray[np.float64] = np.divide(np.abs(p - threshold), span, out=np.zeros_like(p), where=span > 0)
    return relative


def _subgroup(scores: Scores, threshold: Cut, kind: str, name: str, group: Mask) -> Subgroup:
    patient = scores.patient
    part = replace(
        scores,
        y_true=scores.y_true[group],
        fold=None if scores.fold is None else scores.fold[group],
        y_score=scores.y_score[group],
        patient=None if patient is None else tuple(np.array(patient)[group].tolist()),
    )
    cut = threshold[group] if isinstance(threshold, np.ndarray) else threshold
    computed = figures(part, cut)
    right = (part.y_score >= cut) == (part.y_true == 1)
    rates = []
    for metric in ("recall", "specificity", "accuracy"):
        of_class = part.y_true == _OF_CLASS[metric] if metric in _OF_CLASS else np.ones(len(part), bool)
        figure = computed[metric]
        rate = Rate(
            metric,
            int((right & of_class).sum()),
            int(of_class.sum()),
            figure.value,
            figure.low,
            figure.high,
            figure.method,
            reason="no image of this class" if figure.value is None else None,
        )
        rates.append(rate if metric not in _OF_CLASS or rate.value is None else _tested(rate, scores, threshold, group))
    wrong = (scores.y_score >= threshold) != (scores.y_true == 1)
    failures = np.flatnonzero(wrong & group)
    order = np.argsort(-certainty(scores, threshold)[failures], kind="stable")
    patients = None if part.patient is None else len({*part.patient})
    return Subgroup(kind, name, len(part), patients, tuple(rates), tuple(failures[order].tolist()))


def _tested(rate: Rate, scores: Scores, threshold: Cut, mask: Mask) -> Rate:
    """Add the difference from the images of the class outside `mask`, and its test."""
    of_class = scores.y_true == _OF_CLASS[rate.metric]
    right = ((scores.y_score >= threshold) == (scores.y_true == 1))[of_class].astype(np.float64)
    group = mask[of_class]
    if group.all():
        return replace(rate, reason="every image of this class is in this group")
    rate = replace(rate, difference=float(right[group].mean() - right[~group].mean()))
    patients = None if scores.patient is None else np.array(scores.patient)[of_class]
    for side, where in (("in this group", group), ("outside it", ~group)):
        images = int(where.sum())
        people = images if patients is None else len({*patients[where].tolist()})
        if images < FEWEST_IMAGES or people < FEWEST_PATIENTS:
            count, unit, fewest = (
                (images, "images", FEWEST_IMAGES) if images < FEWEST_IMAGES else (people, "patients", FEWEST_PATIENTS)
            )
            return replace(
                rate, reason=f"no test: too few {unit} of this class {side} ({count}, at least {fewest} needed)"
            )
    weight = group / group.sum() - ~group / (~group).sum()
    clusters = Clusters(np.ones(len(right), np.int64), None if patients is None else patients.tolist())
    if not clusters.repeated:
        table = np.array([[right[where].sum(), (1 - right[where]).sum()] for where in (group, ~group)], np.int64)
        return replace(rate, p_value=float(scipy.stats.fisher_exact(table).pvalue), test="Fisher's exact test")
    residuals = (right - right.mean()) * weight
    spread = math.sqrt(clusters.variance(residuals))
    # The spread is 0 if all decisions are equal.
    statistic = abs(float(weight @ right)) / spread if spread > 0 else 0.0
    p_value = float(2 * stdtr(clusters.degrees_of_freedom(residuals), -statistic))
    return replace(rate, p_value=p_value, test="score test by patient")


def _series(stem: str) -> str:
    """`stem` with "#" for each number; adjacent numbers become one."""
    return re.sub(r"#(?:[-_. ]+#)+", "#", re.sub(r"\d+", "#", stem.replace("#", "")))


def _title(key: str, members: Sequence[str]) -> str:
    """`key` with the numbers that all `members` share."""
    pattern = re.escape(key).replace(r"\#", r"(\d+(?:[-_. ]+\d+)*)")
    matches = [re.fullmatch(pattern, member.replace("#", "")) for member in members]
    rows = [match.groups() for match in matches if match is not None]
    shared = [column[0] if len(members) > 1 and len({*column}) == 1 else "#" for column in zip(*rows, strict=True)]
    parts = key.split("#")
    return "".join(part + number for part, number in zip(parts, [*shared, ""], strict=True)) or "#"
