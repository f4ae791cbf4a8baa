"""Figures, intervals, differences and times as text. Missing is shown as a dash, never as zero."""

from __future__ import annotations

from benchmark.evidence.metrics.definitions import Figure, find_metric

MISSING = "–"


def one_line(text: str) -> str:
    """`text` without line ends and control characters, which a terminal or a table would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def decimals_of(metric: str) -> int:
    """How many decimals figures of `metric` have."""
    record = find_metric(metric)
    return 3 if record is None else record.decimals


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
    text = number(figure.value, decimals_of(figure.metric))
    if with_interval and figure.low is not None and figure.high is not None:
        text = f"{text} {interval((figure.low, figure.high))}"
    return text


def seconds(value: float) -> str:
    """A duration."""
    return f"{value:.0f} s" if value < 100 else f"{value / 60:.1f} min"
