"""What the figures of a row could honestly be of, before they are called impossible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.alternatives import (
    TRIED,
    Alternative,
    alternatives,
    alternatives_at_any_size,
    has_averages,
)
from benchmark.evidence.published.feasible import Range, Rounding
from reports.audit.decisions import ROUNDINGS, FeasibleMatrices
from reports.audit.figures import AuditFinding, FigureSet, counts, figure_range, sizes
from reports.claims.meaning import class_names
from reports.text import listed

_OF = {
    "other class": "figures of the other class",
    "macro": "macro averages",
    "macro, F1 of the averages": "macro averages, with F1 computed from macro precision and macro recall",
    "weighted": "averages weighted by the images of each class",
    "positive class": "figures of the positive class",
}
_SAY = {
    "other class": "`positive: negatives`",
    "macro": "`average: macro`",
    "weighted": "`average: weighted`",
    "positive class": "no `average`",
}
_MOST_LISTED = 3
CUT = "figures that are all cut instead of rounded"
"""The meaning of a row that fits with cut figures only."""


def other_meanings(
    figure_set: FigureSet, feasible: FeasibleMatrices | None, impossible: Sequence[AuditFinding]
) -> AuditFinding | None:
    """Find the honest meanings with which impossible figures would fit.

    Args:
        figure_set: The figures.
        feasible: The matrices of the row's test set; None where its class sizes are not known.
        impossible: What was found about the figures as stated, at least one finding.

    Returns:
        A finding in place of `impossible`; None if no other meaning fits either.
    """
    ranges = {rounding: _ranges(figure_set, rounding) for rounding in ROUNDINGS}
    if feasible is None:
        fitting = alternatives_at_any_size(ranges)
    else:
        fitting = alternatives(ranges, feasible.test.negatives, feasible.test.positives)
    if not fitting:
        return None
    says = [_say(each.meaning, figure_set) for each in fitting if each.meaning in _SAY]
    says += [f"`averaged: {each.meaning}`" for each in fitting if each.number is not None]
    meanings = tuple(map(meaning, fitting))
    on = "" if feasible is None else f" of {sizes(feasible.test)} images"
    return figure_set.finding(
        "would-fit",
        "ambiguous",
        figure_set.cited(tuple(figure_set.decisions())),
        f"The figures of this row do not fit as stated. They would fit as {listed(meanings, 'or')}.",
        f"As stated they come from no decisions{on}: {' '.join(each.statement for each in impossible)} "
        f"{' '.join(_evidence(each) for each in fitting)} If the report says so, the row of the claims file needs "
        f"{listed(list(dict.fromkeys(says)), 'or')}.",
        would_fit=meanings,
    )


def _say(meaning: str, figure_set: FigureSet) -> str:
    """What the row needs for a meaning: a row that already takes the other class as positive needs the usual one."""
    positive, names = figure_set.row.positive, class_names(figure_set.row, None) or ()
    if meaning != "other class" or positive in (None, "positives", *names[1:]):
        return _SAY[meaning]
    usual = "`positive: positives`" if not names else f"`positive: {names[1]}`"
    return f"{usual} instead of `positive: {positive}`"


def all_cut(figure_set: FigureSet, feasible: FeasibleMatrices | None) -> AuditFinding | None:
    """Return a note where a row fits only if all its figures were cut."""
    if feasible is None or feasible.rounded or not feasible.cut:
        return None
    return figure_set.finding(
        "would-fit",
        "note",
        figure_set.cited(tuple(figure_set.decisions())),
        f"The figures of this row would fit as {CUT}.",
        f"No confusion matrix of {sizes(feasible.test)} images gives all of them rounded; {_examples(feasible.cut)} "
        "if further digits are dropped.",
        would_fit=(CUT,),
    )


def no_other_meaning(finding: AuditFinding, figure_set: FigureSet, feasible: FeasibleMatrices | None) -> AuditFinding:
    """Add to an impossible finding which other meanings were tried.

    Args:
        finding: The finding.
        figure_set: The figures.
        feasible: The matrices of the row's test set; None where its class sizes are not known.

    Returns:
        The finding with one sentence more.
    """
    tried = [] if feasible is None else ["the other class as the positive one"]
    if has_averages(figure_set.decisions()):
        tried.append("macro and weighted averages")
    if feasible is not None:
        tried.append(
            f"the mean of {listed([f'{number} {repeats}' for repeats, number in TRIED], 'or')} that resemble each other"
        )
    if not tried:
        return finding
    return replace(finding, derivation=f"{finding.derivation} Tried without success: {listed(tried)}.")


def meaning(alternative: Alternative) -> str:
    """A meaning in words: `macro averages`, `the mean of 5 folds`."""
    words = _OF.get(alternative.meaning, f"the mean of {alternative.number} {alternative.meaning}")
    return f"{words}, cut instead of rounded" if alternative.rounding == "cut" else words


def _ranges(figure_set: FigureSet, rounding: Rounding) -> dict[str, Range]:
    ranges = figure_set.decisions(rounding)
    area = figure_set.of("auc")
    # Authors compute the AUC with other programs than the figures of decisions.
    return ranges if area is None else ranges | {"auc": figure_range(area, "either")}


def _evidence(alternative: Alternative) -> str:
    as_ = f"As {meaning(alternative)}"
    if alternative.example:
        first = "; ".join(map(counts, alternative.example[:_MOST_LISTED]))
        more = len(alternative.example) - _MOST_LISTED
        return f"{as_} they can come from {first}{f'; and {more} more' if more > 0 else ''}."
    if not alternative.matrices:
        return f"{as_} they are possible."
    return f"{as_}: {_examples(alternative.matrices).removesuffix(',')}."


def _examples(matrices: Sequence[Confusion]) -> str:
    if len(matrices) == 1:
        return f"{counts(matrices[0])} gives them"
    return f"{len(matrices)} confusion matrices give them, such as {counts(matrices[0])},"
