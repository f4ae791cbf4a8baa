"""Figures, intervals, durations and lists as text. A missing value is a dash, never zero."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmark.evidence.estimate import Estimate
from benchmark.evidence.metrics.registry import Figure, find_metric

MISSING = "–"
_LEAST_TAIL = 1e-6
CAUTION = "†"
"""The mark of an interval that may be far off."""


def one_line(text: str) -> str:
    """`text` on one line, without control characters, which a terminal would interpret."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def decimals_of(metric: str) -> int:
    """The number of decimals for figures of a metric."""
    record = find_metric(metric)
    return 3 if record is None else record.decimals


def number(value: float | None, decimals: int = 3, sign: bool = False) -> str:
    """A number with fixed decimals.

    Args:
        value: The number; None where it is missing.
        decimals: The number of decimals, at least 0.
        sign: Whether positive numbers have a plus, as in differences.

    Returns:
        The text; a dash for None.
    """
    return MISSING if value is None else f"{value:{'+' if sign else ''}z.{decimals}f}"


def probability(value: float | None, decimals: int = 3) -> str:
    """A threshold or a probability, with more decimals where it is near 0 or 1: `0.231`, `0.00040`, `0.99960`.

    Rounded to 0, a threshold would predict every image as positive.

    Args:
        value: A number in [0, 1]; None where it is missing.
        decimals: The smallest number of decimals, at least 2. The distance from 0 or 1 has one significant digit fewer.

    Returns:
        The text. Below 1e-6 it has an exponent, and above 1 - 1e-6 it is a bound; a dash for None.
    """
    tail = 0.0 if value is None else min(value, 1 - value)
    if value is None or tail <= 0:
        return number(value, decimals)
    if tail < _LEAST_TAIL:
        return f"{value:.1e}" if value < 0.5 else f">{1 - _LEAST_TAIL:.6f}"
    return number(value, max(decimals, decimals - 2 - math.floor(math.log10(tail))))


def interval(bounds: tuple[float, float] | None, decimals: int = 3, sign: bool = False) -> str:
    """An interval as text: `[0.873, 0.941]`.

    Args:
        bounds: The lower and the upper end; None where there is no interval.
        decimals: The number of decimals of both ends.
        sign: Whether positive ends have a plus.

    Returns:
        The text; empty for None.
    """
    if bounds is None:
        return ""
    return f"[{number(bounds[0], decimals, sign)}, {number(bounds[1], decimals, sign)}]"


def estimate(estimated: Estimate | None, decimals: int = 3, sign: bool = False) -> str:
    """An estimate as text: `0.912 [0.873, 0.941]`.

    Args:
        estimated: A figure, a rate or a difference; None where there is none. For a threshold, see `threshold`.
        decimals: Of the value and its bounds.
        sign: Whether positive numbers have a plus, as in differences.

    Returns:
        The value alone where it has no interval, a dash where there is no value. An interval that may be far off has
        the mark `CAUTION`.
    """
    if estimated is None or estimated.value is None:
        return MISSING
    mark = "" if estimated.bounds is None or estimated.caution is None else CAUTION
    return f"{number(estimated.value, decimals, sign)} {interval(estimated.bounds, decimals, sign)}".rstrip() + mark


def threshold(chosen: Estimate | None) -> str:
    """A chosen threshold with its interval, each as a `probability`; a dash where there is none."""
    if chosen is None or chosen.value is None:
        return MISSING
    ends = "" if chosen.bounds is None else f" [{', '.join(map(probability, chosen.bounds))}]"
    return f"{probability(chosen.value)}{ends}"


def measured(figure: Figure | None, with_interval: bool = False) -> str:
    """A measured figure as text; a count has no decimals."""
    if figure is None:
        return MISSING
    decimals = decimals_of(figure.metric)
    return estimate(figure, decimals) if with_interval else number(figure.value, decimals)


def seconds(value: float) -> str:
    """A duration as text, in seconds or minutes."""
    return f"{value:.0f} s" if value < 100 else f"{value / 60:.1f} min"


def p_text(value: float | None) -> str:
    """A p-value to three decimals."""
    if value is None:
        return MISSING
    return "<.001" if value < 0.001 else f"{value:.3f}"


def plural(count: int, noun: str) -> str:
    """A count with its noun: `1 card`, `2 cards`."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def span(numbers: Sequence[int]) -> str:
    """Whole numbers as text: `96`, or `96 to 98` where they differ. Raises ValueError for none."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def seed_list(seeds: Sequence[int]) -> str:
    """Seeds as text: `seed 1`, `seeds 1, 2`."""
    return f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"


def capital(text: str) -> str:
    """`text` with a capital first letter."""
    return text[:1].upper() + text[1:]


def listed(parts: Sequence[str], last: str = "and") -> str:
    """A list as text: `a, b and c`, with another word before the last part. Raises IndexError for an empty list."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"
