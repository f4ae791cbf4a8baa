"""The other names of metrics lead to metrics, and none hides one."""

from __future__ import annotations

import pytest

from benchmark.evidence.metrics.definitions import METRICS
from reports.claims.statement import PRINTED_METRICS
from zoo.config.metric_names import ALIASES, canonical


@pytest.mark.parametrize("name", list(ALIASES))
def test_another_name_means_a_metric_and_is_none(name: str) -> None:
    assert canonical(name) in METRICS
    assert name not in PRINTED_METRICS


@pytest.mark.parametrize("name", [*PRINTED_METRICS, "unheard_of", ""])
def test_any_other_name_stays(name: str) -> None:
    assert canonical(name) == name


@pytest.mark.parametrize(
    ("said", "meant"),
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
def test_the_words_of_the_field_are_understood(said: str, meant: str) -> None:
    assert canonical(said) == meant
