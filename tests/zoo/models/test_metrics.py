"""The other names of metrics lead to metrics, and none hides one."""

from __future__ import annotations

import pytest

from benchmark.evidence.metrics.registry import aliases, canonical, metrics
from reports.claims.statement import printed_metrics


@pytest.mark.parametrize("name", list(aliases()))
def test_another_name_means_a_metric_and_is_none(name: str) -> None:
    assert canonical(name) in metrics()
    assert name not in printed_metrics()


@pytest.mark.parametrize("name", [*printed_metrics(), "unheard_of", ""])
def test_any_other_name_stays(name: str) -> None:
    assert canonical(name) == name


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("sensitivity", "recall"),
        ("tpr", "recall"),
        ("tnr", "specificity"),
        ("ppv", "precision"),
        ("roc_auc", "auc"),
        ("auroc", "auc"),
        ("ap", "average_precision"),
        ("auprc", "average_precision"),
        ("acc", "accuracy"),
        ("f1_score", "f1"),
        ("brier_score", "brier"),
    ],
)
def test_the_words_of_the_field_are_understood(alias: str, name: str) -> None:
    assert canonical(alias) == name
