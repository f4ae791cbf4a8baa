"""Where a card errs more: rates in groups of test images, each against all other images of the same class.

Groups come from what is known without a model: file names, sizes, brightness. They describe errors; nothing is chosen
or fitted by them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr
from scipy.stats import fisher_exact

from benchmark.evidence.comparison.multiplicity import holm
from benchmark.evidence.estimate import Estimate
from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.metrics.influence import Clusters
from benchmark.evidence.scores import Scores

Mask = npt.NDArray[np.bool_]
FEWEST_IMAGES = 10
FEWEST_PATIENTS = 5
"""Images and patients of a class that a group, and what it is compared with, need for a test."""
MOST_SERIES = 12
_Test = tuple[str, str, tuple[str, ...]]
_OF_CLASS = {"specificity": 0, "recall": 1}


@dataclass(frozen=True)
class Grouping:
    """One way to group images: `labels` (n,) names each image's group, in the order `order`; None with a `reason`
    where the images cannot be grouped so."""

    kind: str
    labels: tuple[str, ...] | None
    order: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class Rate(Estimate):
    """Right decisions among the images of a group that `metric` counts, with a 95% interval by `method`.

    `difference` is the rate minus that of the images outside of the group, `p_value` that of no difference by `test`,
    `adjusted` the same for the family of all tests (Holm 1979). `reason` says why a value or a test is missing.
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
    """A group's `rates`, recall, specificity and accuracy, and its wrong decisions, most certain first: `failures` are
    places in the scores."""

    kind: str
    name: str
    images: int
    patients: int | None
    rates: tuple[Rate, ...]
    failures: tuple[int, ...]


@dataclass(frozen=True)
class Subgroups:
    """All groups at one `threshold`; `tests` is the size of the family, `left_out` says which groupings there are
    not, and why."""

    threshold: float
    groups: tuple[Subgroup, ...]
    tests: int
    left_out: tuple[str, ...]


def by_name(names: Sequence[str], kind: str = "file names") -> Grouping:
    """Images grouped by the series of their file names, the name without folders, ending and running numbers.

    A number stays where it is the same in the whole series. There is no grouping when all names are of one series, or
    when there are more than 12 with at least 2 images each: then names tell nothing.
    """
    stems = [re.sub(r"\.[^.]*$", "", name.rsplit("/", 1)[-1]) for name in names]
    keys = [_series(stem) for stem in stems]
    members: dict[str, list[str]] = {}
    for key, stem in zip(keys, stems, strict=True):
        members.setdefault(key, []).append(stem)
    if len(members) == 1:
        return Grouping(kind, None, reason=f"all {kind} are of one series, {_title(keys[0], stems)}")
    if sum(len(found) > 1 for found in members.values()) > MOST_SERIES or max(map(len, members.values())) == 1:
        return Grouping(kind, None, reason=f"the {kind} follow {len(members)} patterns, too many to be series")
    titles = {key: _title(key, found) for key, found in members.items()}
    counts = Counter(keys)
    order = sorted(titles, key=lambda key: (-counts[key], titles[key]))
    return Grouping(kind, tuple(titles[key] for key in keys), tuple(titles[key] for key in order))


def by_thirds(
    values: Sequence[float], kind: str, names: tuple[str, str, str] = ("low", "middle", "high"), unit: str = ""
) -> Grouping:
    """Images in thirds of `values` (n,), equal values in one group, named with the range of their values."""
    array = np.asarray(values, dtype=np.float64)
    if not len(array) or array.min() == array.max():
        shown = f"{array[0]:,.6g} {unit}".strip() if len(array) else "no images"
        return Grouping(kind, None, reason=f"{kind} is the same for all images: {shown}")
    cuts = np.quantile(array, (1 / 3, 2 / 3))
    third = (array > cuts[0]).astype(int) + (array > cuts[1])
    titles = {}
    for place in sorted({*third.tolist()}):
        inside = array[third == place]
        span = f"{inside.min():,.6g} to {inside.max():,.6g} {unit}".strip()
        titles[place] = f"{names[place]} ({span})"
    return Grouping(kind, tuple(titles[place] for place in third.tolist()), tuple(titles.values()))


def subgroups(scores: Scores, threshold: float, groupings: Sequence[Grouping]) -> Subgroups:
    """Recall, specificity and accuracy of `scores` at `threshold` in every group of `groupings`.

    Intervals are those of `metrics.figures`, by patient where a patient has several images; how many images of each
    class a group holds is left to chance, also in a balanced draw. Recall and specificity of a group are tested against
    those of all other images of the class: by Fisher's exact test, or, where a patient has several images, by a score
    test that sums residuals by patient (Boos 1992, working independence). Accuracy is not tested, since groups hold the
    classes in unlike shares. Two groups that have a class to themselves are one test. Groups with fewer than 10 images
    or 5 patients of the class, on either side, are not tested. Raises ValueError when labels do not fit the scores.
    """
    found: list[Subgroup] = []
    for grouping in groupings:
        if grouping.labels is None:
            continue
        if len(grouping.labels) != len(scores):
            raise ValueError(f"{len(grouping.labels)} labels of {grouping.kind} for {len(scores)} scores")
        labels = np.array(grouping.labels)
        found += [_subgroup(scores, threshold, grouping.kind, name, labels == name) for name in grouping.order]
    adjusted = _family(found)
    groups = tuple(
        replace(
            group, rates=tuple(replace(rate, adjusted=adjusted.get(_test(group, rate, found))) for rate in group.rates)
        )
        for group in found
    )
    left_out = tuple(grouping.reason for grouping in groupings if grouping.reason)
    return Subgroups(threshold, groups, len(adjusted), left_out)


def _family(groups: Sequence[Subgroup]) -> dict[_Test, float | None]:
    """Holm's adjusted p-value of every test made."""
    made: dict[_Test, float | None] = {}
    for group in groups:
        for rate in group.rates:
            if rate.p_value is not None:
                made.setdefault(_test(group, rate, groups), rate.p_value)
    return dict(zip(made, holm(list(made.values())), strict=True))


def _test(group: Subgroup, rate: Rate, groups: Sequence[Subgroup]) -> _Test:
    """What is tested: this group against the others, or the one pair of groups that hold the class."""
    holders = [
        other.name
        for other in groups
        if other.kind == group.kind
        for each in other.rates
        if each.metric == rate.metric and each.images
    ]
    return group.kind, rate.metric, tuple(holders) if len(holders) == 2 else (group.name,)


def certainty(scores: Scores, threshold: float) -> npt.NDArray[np.float64]:
    """How far each score is on its side of `threshold` (n,): 0 at the threshold, 1 at the end of the scale."""
    p = scores.y_score
    above = p >= threshold
    room = np.where(above, 1 - threshold, threshold)
    away: npt.NDArray[np.float64] = np.divide(np.abs(p - threshold), room, out=np.zeros_like(p), where=room > 0)
    return away


def _subgroup(scores: Scores, threshold: float, kind: str, name: str, chosen: Mask) -> Subgroup:
    patient = scores.patient
    part = replace(
        scores,
        y_true=scores.y_true[chosen],
        y_score=scores.y_score[chosen],
        patient=None if patient is None else tuple(np.array(patient)[chosen].tolist()),
    )
    known = figures(part, threshold)
    right = (part.y_score >= threshold) == (part.y_true == 1)
    rates = []
    for metric in ("recall", "specificity", "accuracy"):
        counted = part.y_true == _OF_CLASS[metric] if metric in _OF_CLASS else np.ones(len(part), bool)
        figure = known[metric]
        rate = Rate(
            metric,
            int((right & counted).sum()),
            int(counted.sum()),
            figure.value,
            figure.low,
            figure.high,
            figure.method,
            reason="no image of this class" if figure.value is None else None,
        )
        rates.append(
            rate if metric not in _OF_CLASS or rate.value is None else _tested(rate, scores, threshold, chosen)
        )
    wrong = (scores.y_score >= threshold) != (scores.y_true == 1)
    places = np.flatnonzero(wrong & chosen)
    order = np.argsort(-certainty(scores, threshold)[places], kind="stable")
    patients = None if part.patient is None else len({*part.patient})
    return Subgroup(kind, name, len(part), patients, tuple(rates), tuple(places[order].tolist()))


def _tested(rate: Rate, scores: Scores, threshold: float, chosen: Mask) -> Rate:
    """`rate` with its difference from the images of the class that are not `chosen`, and the p-value of none."""
    of_class = scores.y_true == _OF_CLASS[rate.metric]
    right = ((scores.y_score >= threshold) == (scores.y_true == 1))[of_class].astype(np.float64)
    group = chosen[of_class]
    if group.all():
        return replace(rate, reason="every image of this class is in this group")
    rate = replace(rate, difference=float(right[group].mean() - right[~group].mean()))
    patients = None if scores.patient is None else np.array(scores.patient)[of_class]
    for side, where in (("here", group), ("elsewhere", ~group)):
        images = int(where.sum())
        people = images if patients is None else len({*patients[where].tolist()})
        if images < FEWEST_IMAGES or people < FEWEST_PATIENTS:
            what = f"{images} images" if images < FEWEST_IMAGES else f"{people} patients"
            needed = FEWEST_IMAGES if images < FEWEST_IMAGES else FEWEST_PATIENTS
            return replace(rate, reason=f"too few to test: {what} of this class {side}, {needed} are needed")
    weight = group / group.sum() - ~group / (~group).sum()
    units = Clusters(np.ones(len(right), np.int64), None if patients is None else patients.tolist())
    if not units.repeated:
        table = np.array([[right[where].sum(), (1 - right[where]).sum()] for where in (group, ~group)], np.int64)
        return replace(rate, p_value=float(fisher_exact(table).pvalue), test="Fisher's exact test")
    residuals = (right - right.mean()) * weight
    spread = math.sqrt(units.variance(residuals))
    # Without any spread all decisions are alike.
    statistic = abs(float(weight @ right)) / spread if spread > 0 else 0.0
    p_value = float(2 * stdtr(units.degrees_of_freedom(residuals), -statistic))
    return replace(rate, p_value=p_value, test="score test by patient")


def _series(stem: str) -> str:
    """`stem` with "#" for numbers, numbers that follow one another being one."""
    return re.sub(r"#(?:[-_. ]+#)+", "#", re.sub(r"\d+", "#", stem.replace("#", "")))


def _title(key: str, members: Sequence[str]) -> str:
    """`key` with the numbers that all `members` share."""
    pattern = re.escape(key).replace(r"\#", r"(\d+(?:[-_. ]+\d+)*)")
    found = [re.fullmatch(pattern, member.replace("#", "")) for member in members]
    rows = [match.groups() for match in found if match is not None]
    shared = [column[0] if len(members) > 1 and len({*column}) == 1 else "#" for column in zip(*rows, strict=True)]
    parts = key.split("#")
    return "".join(part + number for part, number in zip(parts, [*shared, ""], strict=True)) or "#"
