"""The metrics that people name."""

from __future__ import annotations

import pytest

from benchmark.evidence.metrics.multiclass import class_metrics
from benchmark.evidence.metrics.registry import measures
from tests.support.multiclass_stores import DIGITS, make_multiclass_run, on_test, on_val, simulated
from zoo.api.arguments.metric_names import figure_of_classes, metric_named
from zoo.config.errors import ConfigError


def test_every_name_and_label_of_a_metric_means_it() -> None:
    for name, metric in measures().items():
        for text in (name, name.upper(), metric.label, metric.label.lower(), *metric.aliases):
            assert metric_named(text, measures()) == name


def test_every_figure_of_a_run_is_known_by_its_key_and_a_metric_of_one_class_by_its_name() -> None:
    labels = [place % 10 for place in range(60)]
    scores = simulated(labels, 10)
    run = make_multiclass_run("attempt-7", on_val(DIGITS, labels, scores), on_test(DIGITS, labels, scores), DIGITS)
    keys = [key for key in run.figures() if key != "loss"]
    assert {"mcc", "recall:class:8", "f1:macro", "top_3_accuracy"} <= set(keys)
    assert [figure_of_classes(key, run, chosen=False) for key in keys] == keys
    assert [figure_of_classes(name, run, chosen=False) for name in class_metrics()] == [*class_metrics()]
    with pytest.raises(ConfigError, match=r"Unknown figure 'recall:class:11'. Did you mean recall:class:1 or"):
        figure_of_classes("recall:class:11", run, chosen=False)
