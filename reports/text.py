"""Figures, intervals, differences, times and lists as text. Missing is shown as a dash, never as zero."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.evidence.estimate import Estimate
from benchmark.evidence.metrics.definitions import Figure

MISSING = "–"


def one_line(text: str) -> str:
    """`text` without line ends and control characters, which a terminal or a table would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def is_count(metric: str) -> bool:
    """Whether a metric counts images."""
    return metric.startswith(("true_", "false_"))


def number(value: float | None, decimals: int = 3, sign: bool = False) -> str:
    """`value` with a fixed number of decimals, and a plus where it is positive with `sign`."""
    return MISSING if value is None else f"{value:{'+' if sign else ''}z.{decimals}f}"


def interval(bounds: tuple[float, float] | None, decimals: int = 3, sign: bool = False) -> str:
    """`[low, high]`, or nothing when there is none."""
    if bounds is None:
        return ""
    return f"[{number(bounds[0], decimals, sign)}, {number(bounds[1], decimals, sign)}]"


def estimate(estimated: Estimate | None, decimals: int = 3, sign: bool = False) -> str:
    """An estimate as text: `0.912 [0.873, 0.941]`.

    Args:
        estimated: A figure, a rate, a difference or a threshold; None where there is none.
        decimals: Of the value and its bounds.
        sign: Whether positive numbers have a plus, as in differences.

    Returns:
        The value alone where it has no interval, a dash where there is no value.
    """
    if estimated is None or estimated.value is None:
        return MISSING
    return f"{number(estimated.value, decimals, sign)} {interval(estimated.bounds, decimals, sign)}".rstrip()


def measured(figure: Figure | None, with_interval: bool = False) -> str:
    """A measured figure; a count without decimals."""
    if figure is None:
        return MISSING
    decimals = 0 if is_count(figure.metric) else 3
    return estimate(figure, decimals) if with_interval else number(figure.value, decimals)


def seconds(value: float) -> str:
    """A duration."""
    return f"{value:.0f} s" if value < 100 else f"{value / 60:.1f} min"


def p_text(value: float | None) -> str:
    """A p-value to three decimals."""
    if value is None:
        return MISSING
    return "<.001" if value < 0.001 else f"{value:.3f}"


def plural(count: int, noun: str) -> str:
    """`1 card`, `2 cards`."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def capital(text: str) -> str:
    """`text` as the start of a sentence."""
    return text[:1].upper() + text[1:]


def listed(parts: Sequence[str]) -> str:
    """`a, b and c`. Raises IndexError for no part."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
