"""Pure functions of scores: no Keras, no files."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.evidence.diagnosis.diagnoses import Finding, diagnose
    from benchmark.evidence.intervals.figures import figures
    from benchmark.evidence.metrics.registry import Confusion, Figure, Metric, Ratio, confusion, register_metric
    from benchmark.evidence.scores import Scores, TestScores, ValidationScores
    from benchmark.evidence.thresholds.choice import Threshold, choose

_PUBLIC = {
    "benchmark.evidence.diagnosis.diagnoses": ("Finding", "diagnose"),
    "benchmark.evidence.intervals.figures": ("figures",),
    "benchmark.evidence.metrics.registry": (
        "Confusion",
        "Figure",
        "Metric",
        "Ratio",
        "confusion",
        "register_metric",
    ),
    "benchmark.evidence.scores": ("Scores", "TestScores", "ValidationScores"),
    "benchmark.evidence.thresholds.choice": ("Threshold", "choose"),
}
__all__ = [
    "Confusion",
    "Figure",
    "Finding",
    "Metric",
    "Ratio",
    "Scores",
    "TestScores",
    "Threshold",
    "ValidationScores",
    "choose",
    "confusion",
    "diagnose",
    "figures",
    "register_metric",
]


def __getattr__(name: str) -> Any:
    # Loaded on first use: names of metrics are needed where SciPy would be too slow to load.
    for module, names in _PUBLIC.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'benchmark.evidence' has no attribute '{name}'")
