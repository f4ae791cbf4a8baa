"""Verdicts on claims: whether an estimate with its interval supports a claim, contradicts it, or does neither.

The position of a confidence interval relative to a margin decides. For equivalence this is the procedure of two
one-sided tests (Schuirmann 1987); for a difference it is the mirror image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from benchmark.evidence.comparison.power import images_to_decide_bound, images_to_decide_margin
from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.intervals.formulas import exact_binomial

Verdict = Literal["reproduced", "differs", "inconclusive", "impossible", "not comparable", "not run"]
Answer = Literal["holds", "does not hold", "undetermined"]
Limit = Literal["margin", "lower bound", "upper bound"]
"""What a claim sets: a margin around 0, or a bound below or above which the claimed figure does not lie."""
_MOST_TRAININGS = 0.5
"""A recipe does not have a fault that fewer trainings than this share have."""


@dataclass(frozen=True)
class Meaning:
    """What a verdict answers to the question whether the claim holds, and a short explanation."""

    answer: Answer
    words: str


VERDICTS: Mapping[Verdict, Meaning] = MappingProxyType(
    {
        "reproduced": Meaning("holds", "the whole interval lies where the claim says"),
        "differs": Meaning("does not hold", "the whole interval lies elsewhere"),
        "inconclusive": Meaning("undetermined", "the interval reaches both sides: too few images or seeds"),
        "impossible": Meaning("does not hold", "no scores can give what was printed"),
        "not comparable": Meaning("undetermined", "measured under different conditions than published"),
        "not run": Meaning("undetermined", "no finished run of the card"),
    }
)
"""Every verdict, in the order in which reports list them."""


@dataclass(frozen=True)
class Flip:
    """Where the verdict of an interval would be another one.

    Attributes:
        limit: What the claim sets.
        reproduced: The margin, or the bound, from which on the claim would be reproduced: every margin above it, every
            upper bound above it, every lower bound below it.
        differs: The margin, or the bound, from which on the claim would differ, in the opposite direction; None if no
            limit makes it differ.
    """

    limit: Limit
    reproduced: float
    differs: float | None


@dataclass(frozen=True)
class Decision:
    """A verdict with its reason.

    Attributes:
        verdict: The verdict.
        reason: What led to it, in words.
        needed: For an inconclusive verdict, the number of test images that would decide with 80% probability if the
            estimate is the true value; None if no number below a million would.
        one_training: Whether the verdict would be `differs` if it did not rest on one training alone.
        flip: From which margin or bound on the verdict would be another one; None where no single interval decides.
    """

    verdict: Verdict
    reason: str
    needed: int | None = None
    one_training: bool = False
    flip: Flip | None = None


def of_one_training(decision: Decision) -> Decision:
    """Return what one training of a recipe concludes: it can support a claim about the recipe, and not contradict it.

    Another training of the same recipe may give another figure, by an amount that one training does not show.

    Args:
        decision: What the interval over images concludes.

    Returns:
        The decision, inconclusive instead of differs.
    """
    flip = None if decision.flip is None else replace(decision.flip, differs=None)
    if decision.verdict != "differs":
        return replace(decision, flip=flip)
    reason = f"one training cannot contradict a claim about a recipe, as another seed may differ: {decision.reason}"
    return Decision("inconclusive", reason, one_training=True, flip=flip)


def within(estimate: SampleEstimate, margin: float) -> Decision:
    """Conclude whether a difference lies within +/- `margin`.

    Args:
        estimate: The difference with its interval.
        margin: At least 0.

    Returns:
        Reproduced if the whole interval lies inside, differs if it lies outside, inconclusive otherwise.

    Raises:
        ValueError: If the margin is negative.
    """
    if not margin >= 0:
        raise ValueError(f"margin {margin} must not be negative")
    if estimate.value is None or estimate.bounds is None:
        return _without_interval(estimate)
    value, (low, high) = estimate.value, estimate.bounds
    comparison = f"difference {value:+z.3f} [{low:+z.3f}, {high:+z.3f}], margin {margin:g}"
    nearest = max(low, -high)
    flip = Flip("margin", max(-low, high), nearest if nearest > 0 else None)
    if -margin <= low and high <= margin:
        return Decision("reproduced", f"{comparison}: the interval lies inside", flip=flip)
    if low > margin or high < -margin:
        return Decision("differs", f"{comparison}: the interval lies outside", flip=flip)
    needed = images_to_decide_margin(estimate.n, (high - low) / 2, value, margin)
    return Decision("inconclusive", f"{comparison}: the interval crosses it", needed, flip=flip)


def above(estimate: SampleEstimate, bound: float) -> Decision:
    """Conclude whether a figure or a difference is greater than `bound`."""
    if estimate.value is None or estimate.bounds is None:
        return _without_interval(estimate)
    value, (low, high) = estimate.value, estimate.bounds
    comparison = f"{value:z.3f} [{low:z.3f}, {high:z.3f}] against {bound:g}"
    flip = Flip("lower bound", low, high)
    if low > bound:
        return Decision("reproduced", f"{comparison}: the interval lies above", flip=flip)
    if high < bound:
        return Decision("differs", f"{comparison}: the interval lies below", flip=flip)
    needed = images_to_decide_bound(estimate.n, (high - low) / 2, value, bound)
    return Decision("inconclusive", f"{comparison}: the interval includes it", needed, flip=flip)


def below(estimate: SampleEstimate, bound: float) -> Decision:
    """Conclude whether a figure or a difference is less than `bound`."""
    opposite = above(estimate, bound)
    inverse: dict[Verdict, Verdict] = {"reproduced": "differs", "differs": "reproduced"}
    flip = None if estimate.bounds is None else Flip("upper bound", estimate.bounds[1], estimate.bounds[0])
    return replace(opposite, verdict=inverse.get(opposite.verdict, opposite.verdict), flip=flip)


def present(runs: Sequence[bool | None], finding: str, *, every_seed_alike: bool = False) -> Decision:
    """Conclude whether a recipe has a finding, from its trainings.

    The share of trainings with the finding has an exact binomial interval (Clopper and Pearson 1934).

    Args:
        runs: Whether the finding is present, per run (seed); None if the run did not record what would show it.
        finding: Its name, for the reason.
        every_seed_alike: Whether the seed changes nothing, as for a probe. Then one run is enough.

    Returns:
        Reproduced if all runs have it, or if the whole interval lies above one half. Differs if the whole interval lies
        below one half, as from 0 of 5 on. Inconclusive otherwise.
    """
    if not runs:
        return Decision("not run", f"no run says whether {finding}")
    count, unrecorded = sum(run is True for run in runs), sum(run is None for run in runs)
    share = f"{finding} in {count} of {len(runs)} run{'' if len(runs) == 1 else 's'}"
    if unrecorded:
        return Decision("inconclusive", f"{share}; {unrecorded} did not record what would show it")
    if every_seed_alike:
        return Decision("reproduced" if count == len(runs) else "differs", f"{share}, and every seed is alike")
    low, high = exact_binomial(count, len(runs))
    share += f"; the share of trainings is between {low:.0%} and {high:.0%}"
    if count == len(runs) or low > _MOST_TRAININGS:
        return Decision("reproduced", share)
    if high < _MOST_TRAININGS:
        return Decision("differs", share)
    return Decision("inconclusive", share, one_training=len(runs) == 1)


def all_hold(parts: Sequence[Decision]) -> Decision:
    """Conclude whether every part holds. One part that does not hold decides; else an undetermined part does."""
    if len(parts) == 1:
        return parts[0]
    return _combine(parts, ("impossible", "differs", "not run", "not comparable", "inconclusive"))


def any_holds(parts: Sequence[Decision]) -> Decision:
    """Conclude whether at least one part holds."""
    return _combine(parts, ("reproduced", "not run", "not comparable", "inconclusive"), otherwise="differs")


def _combine(parts: Sequence[Decision], first: Sequence[Verdict], otherwise: Verdict = "reproduced") -> Decision:
    if not parts:
        raise ValueError("a statement needs at least one part")
    verdict = next((v for v in first if any(part.verdict == v for part in parts)), otherwise)
    deciding = [part for part in parts if part.verdict == verdict] or list(parts)
    needed = [part.needed for part in parts if part.verdict == "inconclusive"]
    return Decision(
        verdict,
        "; ".join(dict.fromkeys(part.reason for part in deciding)),
        None if verdict != "inconclusive" or None in needed else max(n for n in needed if n is not None),
        verdict == "inconclusive" and any(part.one_training for part in deciding),
    )


def _without_interval(estimate: SampleEstimate) -> Decision:
    return Decision("inconclusive", estimate.reason or "no interval can be computed")
