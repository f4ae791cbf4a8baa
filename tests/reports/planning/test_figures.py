"""The plan for a printed figure says what the verdicts of reports come out as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, norm
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.intervals.formulas import wilson
from benchmark.evidence.intervals.seeds import PairedScores, seed_figure
from benchmark.evidence.planning.noise import Noise
from benchmark.evidence.scores import TestScores
from reports.planning.model import ClaimPlan, Experiment
from reports.planning.plan import plan_claims
from reports.results.comparison.published import minus_published
from reports.verdicts.figures import figure_decision
from tests.support.claims import claims_of, class_matrix, contents, figure, row, several
from zoo.models.published import PublishedFigure


def planned(folder: Path, *figures: dict[str, Any], noise: Noise | None = None, sets: int = 300) -> list[ClaimPlan]:
    claims = claims_of(folder, contents(row("one", *figures), negatives=234, positives=234))
    return list(plan_claims(claims, Experiment(None, noise or Noise(), "fixed", 0.1, 0.8, sets)).claims)


@pytest.mark.parametrize(("printed", "about"), [(0.75, 0.0), (0.8996, 0.44), (0.9701, 0.97)])
def test_a_margin_of_5_points_is_met_by_great_accuracies_alone(tmp_path: Path, printed: float, about: float) -> None:
    """468 published and 468 measured images without a true difference."""
    (plan,) = planned(tmp_path, figure("accuracy", printed))
    assert plan.power == pytest.approx(about, abs=0.1)
    assert (plan.attainable or 0) > 0.05 if about < 0.8 else (plan.attainable or 1) <= 0.05


def test_the_power_is_that_of_exact_binomials_and_newcombes_interval(tmp_path: Path) -> None:
    """statsmodels gives the interval of the difference of two recalls, SciPy the binomial numbers of detections."""
    (plan,) = planned(tmp_path, figure("recall", 0.9615), sets=1000)
    count, n = 225, 234
    low, high = proportion_confint(count, n, method="wilson")
    inside = np.zeros(n + 1, dtype=bool)
    for k in range(180, n + 1):
        ends = confint_proportions_2indep(k, n, count, n, compare="diff", method="newcomb")
        inside[k] = ends[0] >= -0.05 and ends[1] <= 0.05
    steps = norm.ppf((np.arange(400) + 0.5) / 400)
    value = count / n
    truths = value + np.abs(steps) * (np.where(steps > 0, high, low) - value) / norm.ppf(0.975)
    exact = float(np.mean([binom.pmf(np.arange(n + 1), n, truth) @ inside for truth in truths]))
    assert plan.power == pytest.approx(exact, abs=0.05)
    assert 0.3 < exact < 0.99


def test_a_plan_agrees_with_verdicts_on_simulated_publications(tmp_path: Path) -> None:
    """A publication and a measurement, both drawn from one recall and judged as a report does."""
    generator, n, recall = np.random.default_rng(7), 234, 0.95
    labels = np.repeat([0, 1], n)
    reproduced = 0
    for _ in range(250):
        counts = generator.binomial(n, recall, 2)
        printed = PublishedFigure(
            split="test", metric="recall", value=round(counts[0] / n, 4), decimals=4, location="Table 2"
        )
        scores = np.concatenate([np.full(n, 0.1), np.where(np.arange(n) < counts[1], 0.9, 0.1)])
        card = PairedScores((TestScores("test", labels, scores),), (0.5,))
        measured = SampleEstimate.of(seed_figure("recall", card, class_sizes="fixed"), 2 * n)
        delta = minus_published(measured, printed, wilson(int(counts[0]), n))
        reproduced += figure_decision(delta, 0.05, True).verdict == "reproduced"
    (plan,) = planned(tmp_path, figure("recall", 0.9487))
    assert plan.power == pytest.approx(reproduced / 250, abs=0.13)


def test_a_small_published_sample_limits_what_any_number_of_images_can_show(tmp_path: Path) -> None:
    (plan,) = planned(tmp_path, figure("recall", 0.7521), sets=100)
    assert (plan.images, plan.seeds) == (None, None)
    assert plan.note == "no number of images or seeds: the published figure is too uncertain"
    assert plan.attainable is not None
    assert plan.attainable_unlimited is not None
    assert 0.05 < plan.attainable_unlimited < plan.attainable


def test_one_training_never_differs_and_two_can(tmp_path: Path) -> None:
    one = planned(tmp_path / "one", figure("recall", 0.7521), sets=40)
    two = planned(tmp_path / "two", figure("recall", 0.7521), noise=Noise(seeds=2), sets=40)
    assert one[0].power_to_differ is None
    assert (two[0].power_to_differ or 0) > 0


@pytest.mark.parametrize(
    ("printed", "note"),
    [
        (figure("true_positives", 200, decimals=0), "a count has no interval"),
        (figure("log_loss", 0.3), "depends on the distribution of the scores"),
        (figure("recall", 0.9990), "impossible whatever is measured"),
        (figure("recall", 0.9, upper=0.95), "a printed range is no single figure"),
        (figure("macro_precision", 0.9), "macro precision of two classes is audited, but runs are not measured by it"),
    ],
)
def test_what_cannot_be_planned_says_why(tmp_path: Path, printed: dict[str, Any], note: str) -> None:
    (plan,) = planned(tmp_path, printed)
    assert plan.power is None
    assert plan.note is not None
    assert note in plan.note


def test_three_classes_are_planned(tmp_path: Path) -> None:
    claims = claims_of(tmp_path, several(row("one", figure("accuracy", 0.75)), matrices=[class_matrix()]))
    (plan,) = plan_claims(claims, Experiment(None, Noise(), "fixed", 0.2, 0.8, 60)).claims
    assert plan.power is not None
    assert plan.attainable is not None
    assert plan.attainable > 0.05
