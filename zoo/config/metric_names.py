"""Metrics in the words of the field: the other names that a card, a claim or a command may use."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "acc": "accuracy",
        "balanced_acc": "balanced_accuracy",
        "bal_acc": "balanced_accuracy",
        "bacc": "balanced_accuracy",
        "ppv": "precision",
        "positive_predictive_value": "precision",
        "sensitivity": "recall",
        "tpr": "recall",
        "true_positive_rate": "recall",
        "hit_rate": "recall",
        "tnr": "specificity",
        "true_negative_rate": "specificity",
        "selectivity": "specificity",
        "f1_score": "f1",
        "f_score": "f1",
        "dice": "f1",
        "matthews_corrcoef": "mcc",
        "auroc": "auc",
        "roc_auc": "auc",
        "auc_roc": "auc",
        "c_statistic": "auc",
        "ap": "average_precision",
        "auprc": "average_precision",
        "pr_auc": "average_precision",
        "auc_pr": "average_precision",
        "brier_score": "brier",
        "cross_entropy": "log_loss",
        "logloss": "log_loss",
        "tp": "true_positives",
        "fp": "false_positives",
        "tn": "true_negatives",
        "fn": "false_negatives",
    }
)
"""Alias -> name of the metric in `benchmark.evidence.metrics.definitions`, which records and reports use."""


def canonical(name: str) -> str:
    """The metric's own name for another of the field's; any other name as it is."""
    return ALIASES.get(name, name)
