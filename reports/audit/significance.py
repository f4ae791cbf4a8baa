"""What the printed figures of two models say about the significance of a gain."""

from __future__ import annotations

from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.registry import find_metric
from benchmark.evidence.published.support import correlation_for, discordant, least_p
from reports.audit.evidence import Evidence
from reports.claims.statement import Equivalent, NotSuperior, Superior
from reports.text import plural

_LEVEL = 0.05
_UNIT = 1e-9
_MOST_PAIRS = 100_000


def significance_of(pair: Superior | Equivalent, one: Evidence, other: Evidence) -> tuple[str, str | None]:
    """Say what can be said about the significance of a gain without the decisions and scores of each image.

    Args:
        pair: The part of a sentence.
        one: The evidence about the first model.
        other: The evidence about the second one.

    Returns:
        Sentences, each after a space; and why no test of the same images gives the stated significance, None if one
        can.
    """
    if not isinstance(pair, Superior) or isinstance(pair, NotSuperior):
        return "", None
    p = pair.p_value
    parts = []
    if pair.significant and p is None:
        needed = "McNemar's test" if paired_data(pair) == "decisions" else "DeLong's test"
        parts.append(
            "No p value is stated, so `significantly` cannot be checked: it takes a paired test, such as "
            f"{needed}, and an adjustment if several models are compared."
        )
    if pair.margin == 0 and _same_images(one, other):
        of_counts, is_possible = _of_counts(p, one, other)
        if of_counts is not None and not is_possible and (p is not None or pair.significant):
            return "", of_counts
        parts += filter(None, (of_counts, _of_areas(p, one, other)))
    return "".join(f" {part}" for part in parts), None


def _same_images(one: Evidence, other: Evidence) -> bool:
    first, second = one.row.of_two, other.row.of_two
    if first is None or second is None or one.row.repeats is not None or other.row.repeats is not None:
        return False
    return (first.negatives, first.positives) == (second.negatives, second.positives)


def _of_counts(p: float | None, one: Evidence, other: Evidence) -> tuple[str | None, bool]:
    """Bounds of McNemar's p value on the same images, and whether the stated one, or one below 0.05, is possible."""
    if one.count is None or other.count is None:
        return None, True
    ends = [abs(one.count[1] - other.count[0]), abs(other.count[1] - one.count[0])]
    greatest = max(ends)
    pairs: tuple[tuple[int, int], ...] = ((greatest, greatest),)
    if one.matrices and other.matrices and len(one.matrices) * len(other.matrices) <= _MOST_PAIRS and _is_of_both(one):
        pairs = discordant(one.matrices, other.matrices)
    least, exact = min(least_p(*each) for each in pairs), min(least_p(*each, exact=True) for each in pairs)
    images = min(number for _, number in pairs)
    counts = f"heir counts differ by {'' if ends[0] == ends[1] else 'at most '}{greatest}"
    if images > greatest:
        counts += f", and their matrices by at least {plural(images, 'image')} on which only one of them is right"
    if p is None and least >= _LEVEL:
        return (
            f"T{counts}: on the same test set no pairing of the decisions gives McNemar's test a p value below "
            f"{_LEVEL:g} (exact: {exact:.2g} or more)."
        ), False
    if p is not None and p < least * (1 - _UNIT):
        return (
            f"The stated p value of {p:g} cannot be McNemar's: t{counts}, so on the same test set its smallest p value "
            f"is {least:.2g} (exact: {exact:.2g})."
        ), False
    return f"T{counts}: McNemar's exact p value is {exact:.2g} or more, if on the same test set.", True


def _is_of_both(one: Evidence) -> bool:
    """Whether a count is of all images, so that opposite differences of both classes cancel out in it."""
    test = one.row.of_two
    return one.count is not None and test is not None and one.count[2] == test.total


def _of_areas(p: float | None, one: Evidence, other: Evidence) -> str | None:
    """The correlation of two AUCs that a p value takes (Hanley and McNeil 1983)."""
    if one.error is None or other.error is None or one.figure is None or other.figure is None:
        return None
    gain = abs(one.point - other.point)
    level = _LEVEL if p is None else p
    if gain <= 0 or not 0 < level < 1:
        return None
    correlation = correlation_for(gain, (one.error, other.error), level)
    below = f"a p value below {level:g}" if p is None else f"the stated p value of {level:g}"
    if correlation is None:
        return f"With the standard errors of Hanley and McNeil, no correlation of the two AUCs gives {below}."
    if correlation <= 0:
        return None
    takes = f"takes a correlation of the two AUCs of {correlation:.2f} or more"
    return f"With the standard errors of Hanley and McNeil, {below} {takes}."


def paired_data(pair: Superior | Equivalent) -> str:
    """Return what a paired comparison takes of each image: `decisions` or `scores`."""
    metric = find_metric(pair.metric) or find_multiclass(pair.key)
    decisions = metric is None or getattr(metric, "uses_threshold", getattr(metric, "uses_decisions", False))
    return "decisions" if decisions else "scores"
