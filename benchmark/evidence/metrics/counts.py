"""Counts of decisions: metrics without an interval."""

from __future__ import annotations

import math
from collections.abc import Callable

from benchmark.evidence.metrics.registry import Confusion, register_metric

_Count = Callable[[Confusion], float]


def _count(label: str, alias: str) -> Callable[[_Count], _Count]:
    return register_metric(
        reads="decisions",
        label=label,
        aliases=(alias,),
        kind="count",
        direction="none",
        range=(0.0, math.inf),
        depends_on_prevalence=True,
        decimals=0,
        display="detail",
    )


@_count("true positives", "tp")
def true_positives(c: Confusion) -> float:
    """Positives called positive."""
    return float(c.tp)


@_count("false positives", "fp")
def false_positives(c: Confusion) -> float:
    """Negatives called positive."""
    return float(c.fp)


@_count("true negatives", "tn")
def true_negatives(c: Confusion) -> float:
    """Negatives called negative."""
    return float(c.tn)


@_count("false negatives", "fn")
def false_negatives(c: Confusion) -> float:
    """Positives called negative."""
    return float(c.fn)
