"""The mean of ROC curves."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmark.evidence.scores import MulticlassTestScores
from reports.results.curves import Curve, curves_without_bands
from reports.results.mean_curves import mean_roc
from tests.support.multiclass_stores import RADIOGRAPHS, simulated


def test_the_area_of_the_mean_curve_of_classes_is_the_macro_auc_of_scikit_learn() -> None:
    labels = [0, 1, 2] * 30
    scores = simulated(labels, 3, shift=1.2)
    test = MulticlassTestScores("test", np.asarray(labels), scores, RADIOGRAPHS.classes, RADIOGRAPHS.ordered)
    curves = [roc for label in range(3) if (roc := curves_without_bands([test.one_vs_rest(label)])[0]) is not None]
    mean = mean_roc(curves)
    assert mean is not None
    macro = roc_auc_score(labels, scores, multi_class="ovr", average="macro")
    assert np.trapezoid(mean.y, mean.x) == pytest.approx(macro, abs=1e-6)
    assert (mean.y[0], mean.y[-1]) == (0.0, 1.0)
    assert list(mean.x) == sorted(mean.x)
    assert mean_roc([]) is None


def test_jumps_of_curves_remain_jumps_of_their_mean() -> None:
    perfect, guessing = Curve((0.0, 0.0, 1.0), (0.0, 1.0, 1.0)), Curve((0.0, 1.0), (0.0, 1.0))
    mean = mean_roc([perfect, guessing])
    assert mean is not None
    assert mean.x == (0.0, 0.0, 1.0, 1.0)
    assert mean.y == pytest.approx((0.0, 0.5, 1.0, 1.0), abs=1e-8)
