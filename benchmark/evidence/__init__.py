"""Pure functions of scores: no Keras, no files."""

from benchmark.evidence.diagnosis import Finding, diagnose
from benchmark.evidence.metrics import METRICS, Confusion, Figure, confusion, figures
from benchmark.evidence.scores import Scores, TestScores, ValidationScores
from benchmark.evidence.threshold import Threshold, choose

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
