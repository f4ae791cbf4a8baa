"""Figures, intervals, differences, times and lists as text. Missing is shown as a dash, never as zero."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.evidence.metrics.definitions import Figure

MISSING = "–"


def one_line(text: str) -> str:
    """`text` without line ends and control characters, which a terminal or a table would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def is_count(metric: str) -> bool:
    """Whether a metric counts images."""
    return metric.startswith(("true_", "false_"))


def number(value: float | None, decimals: int = 3) -> str:
    """`value` with a fixed number of decimals; counts as whole numbers."""
    if value is None:
        return MISSING
    return f"{value:z.{decimals}f}"


def interval(bounds: tuple[float, float] | None, decimals: int = 3, sign: bool = False) -> str:
    """`[low, high]`, or nothing when there is none."""
    if bounds is None:
        return ""
    shape = f"{'+' if sign else ''}z.{decimals}f"
    return f"[{bounds[0]:{shape}}, {bounds[1]:{shape}}]"


def measured(figure: Figure | None, with_interval: bool = False) -> str:
    """A measured figure."""
    if figure is None or figure.value is None:
        return MISSING
    text = number(figure.value, 0 if is_count(figure.metric) else 3)
    if with_interval and figure.low is not None and figure.high is not None:
        text = f"{text} {interval((figure.low, figure.high))}"
    return text


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
