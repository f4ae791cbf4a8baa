"""What an estimate with its interval says of a claim: it holds, it does not, or the data cannot tell.

Deciding by where a confidence interval lies against a margin is the two one-sided tests procedure (Schuirmann 1987) for
"alike", and its mirror image for "differs".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from benchmark.evidence.estimate import SampleEstimate

Verdict = Literal["reproduced", "differs", "inconclusive", "impossible", "not comparable", "not run"]
Answer = Literal["holds", "does not hold", "cannot be told"]
_NEVER = 1_000_000


@dataclass(frozen=True)
class Meaning:
    """What a verdict answers to "does the claim hold?", and what it says in a few words."""

    answer: Answer
    words: str


VERDICTS: Mapping[Verdict, Meaning] = MappingProxyType(
    {
        "reproduced": Meaning("holds", "the whole interval lies where the claim says"),
        "differs": Meaning("does not hold", "the whole interval lies elsewhere"),
        "inconclusive": Meaning("cannot be told", "the interval reaches both sides: too few images or seeds"),
        "impossible": Meaning("does not hold", "no scores can give what was printed"),
        "not comparable": Meaning("cannot be told", "measured under other conditions than published"),
        "not run": Meaning("cannot be told", "no finished run of the card"),
    }
)
"""Every verdict, in the order in which reports list them."""


@dataclass(frozen=True)
class Decision:
    """A verdict and why. `needed` is the number of test images that could decide what this many could not, when the
    estimate stays where it is; None where no number of images below a million could."""

    verdict: Verdict
    reason: str
    needed: int | None = None


def within(estimate: SampleEstimate, margin: float) -> Decision:
    """Whether a difference lies within +/- `margin` (>= 0).

    Reproduced when the interval does, differs when all of it lies outside, inconclusive otherwise.
    """
    _check_margin(margin)
    if (complete := _complete(estimate)) is None:
        return _untold(estimate)
    value, low, high = complete
    shown = f"difference {value:+z.3f} [{low:+z.3f}, {high:+z.3f}], margin {margin:g}"
    if -margin <= low and high <= margin:
        return Decision("reproduced", f"{shown}: the interval lies inside")
    if low > margin or high < -margin:
        return Decision("differs", f"{shown}: the interval lies outside")
    return Decision(
        "inconclusive", f"{shown}: the interval crosses it", _needed(estimate.n, (high - low) / 2, margin - abs(value))
    )


def above(estimate: SampleEstimate, bound: float) -> Decision:
    """Whether a figure or a difference is more than `bound`."""
    if (complete := _complete(estimate)) is None:
        return _untold(estimate)
    value, low, high = complete
    shown = f"{value:z.3f} [{low:z.3f}, {high:z.3f}] against {bound:g}"
    if low > bound:
        return Decision("reproduced", f"{shown}: the interval lies above")
    if high < bound:
        return Decision("differs", f"{shown}: the interval lies below")
    return Decision(
        "inconclusive", f"{shown}: the interval holds it", _needed(estimate.n, (high - low) / 2, value - bound)
    )


def below(estimate: SampleEstimate, bound: float) -> Decision:
    """Whether a figure or a difference is less than `bound`."""
    opposite = above(estimate, bound)
    turned: dict[Verdict, Verdict] = {"reproduced": "differs", "differs": "reproduced"}
    return Decision(turned.get(opposite.verdict, opposite.verdict), opposite.reason, opposite.needed)


def seen(runs: Sequence[bool | None], what: str) -> Decision:
    """Whether a fault is there, from whether it is in each of the runs (seeds) of a card: all or none decide.

    None stands for a run that did not record what would show it.
    """
    if not runs:
        return Decision("not run", f"no run says whether {what}")
    count, blind = sum(run is True for run in runs), sum(run is None for run in runs)
    shown = f"{what} in {count} of {len(runs)} runs"
    if blind:
        return Decision("inconclusive", f"{shown}; {blind} did not record what would show it")
    if count in (0, len(runs)):
        return Decision("reproduced" if count else "differs", shown)
    return Decision("inconclusive", shown)


def all_hold(parts: Sequence[Decision]) -> Decision:
    """Whether every part holds: one that does not decides, else one that cannot be told leaves it open."""
    return _combine(parts, ("impossible", "differs", "not run", "not comparable", "inconclusive"))


def any_holds(parts: Sequence[Decision]) -> Decision:
    """Whether at least one part holds."""
    return _combine(parts, ("reproduced", "not run", "not comparable", "inconclusive"), otherwise="differs")


def _combine(parts: Sequence[Decision], first: Sequence[Verdict], otherwise: Verdict = "reproduced") -> Decision:
    if not parts:
        raise ValueError("a statement has at least one part")
    verdict = next((v for v in first if any(part.verdict == v for part in parts)), otherwise)
    deciding = [part for part in parts if part.verdict == verdict] or list(parts)
    needed = [part.needed for part in parts if part.verdict == "inconclusive"]
    return Decision(
        verdict,
        "; ".join(dict.fromkeys(part.reason for part in deciding)),
        None if verdict != "inconclusive" or None in needed else max(n for n in needed if n is not None),
    )


def _needed(n: int, half: float, distance: float) -> int | None:
    """Images at which an interval, which narrows with the root of their number, is half as wide as the distance."""
    if half >= abs(distance) * math.sqrt(_NEVER / n):
        return None
    return math.ceil(max(n * (half / distance) ** 2, n + 1))


def _untold(estimate: SampleEstimate) -> Decision:
    return Decision("inconclusive", estimate.reason or "no interval can be computed")


def _complete(estimate: SampleEstimate) -> tuple[float, float, float] | None:
    return None if estimate.value is None or estimate.bounds is None else (estimate.value, *estimate.bounds)


def _check_margin(margin: float) -> None:
    if not margin >= 0:
        raise ValueError(f"margin {margin} must not be negative")
