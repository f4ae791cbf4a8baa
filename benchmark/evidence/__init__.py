"""Pure functions of scores: no Keras, no files."""

from benchmark.evidence.diagnosis.causes import Finding, diagnose
from benchmark.evidence.metrics.definitions import METRICS, Confusion, Figure, confusion, figures
from benchmark.evidence.scores import Scores, TestScores, ValidationScores
from benchmark.evidence.thresholds.choice import Threshold, choose

__all__ = [
    "METRICS",
    "Confusion",
    "Figure",
    "Finding",
    "Scores",
    "TestScores",
    "Threshold",
    "ValidationScores",
    "choose",
    "confusion",
    "diagnose",
    "figures",
]
