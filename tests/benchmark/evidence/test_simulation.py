"""Coverage of intervals and false alarms of tests in simulated test sets: `tests/perf/simulation.py` in short."""

from __future__ import annotations

import math

import pytest

from benchmark.evidence.metrics.registry import measures
from tests.perf import claims_simulation, multiclass_simulation
from tests.perf.simulation import OURS, TEXTBOOK, coverage, false_alarms, seed_coverage
from tests.support.multiclass_worlds import MulticlassWorld
from tests.support.worlds import World

METRICS = tuple(measures())

SETS = 400
SLACK = 3.5 * math.sqrt(0.05 * 0.95 / SETS)
"""Three and a half standard errors of a share of 5% among so many sets; clustered worlds cover up to 98%."""


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True], ids=["images", "patients"])
def test_every_interval_misses_about_five_in_a_hundred(clustered: bool) -> None:
    tallies = coverage(World(0.93, clustered=clustered, class_sizes="fixed", specificity=0.8), SETS, seed=1)
    for metric in METRICS:
        tally = tallies[metric, OURS]
        assert tally.count == SETS
        assert tally.missed <= 0.05 + SLACK, metric
        assert tally.missed >= 0.005, metric


@pytest.mark.slow
def test_taking_a_patient_s_images_for_independent_ones_is_what_fails() -> None:
    tallies = coverage(World(0.93, clustered=True, class_sizes="fixed", specificity=0.8), SETS, seed=1)
    assert tallies["auc", TEXTBOOK].missed > 0.05 + SLACK


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True], ids=["images", "patients"])
def test_two_equally_good_cards_are_rarely_found_different(clustered: bool) -> None:
    metrics = ("auc", "accuracy", "recall", "balanced_accuracy")
    tallies = false_alarms(World(0.93, clustered=clustered, specificity=0.8), SETS, seed=2, metrics=metrics)
    for metric in metrics:
        assert tallies[metric, OURS].missed <= 0.05 + SLACK, metric


@pytest.mark.slow
def test_counting_images_alone_fails_where_seeds_differ_and_counting_both_does_not() -> None:
    tallies = seed_coverage(World(0.93, seed_sd=0.15, specificity=0.8), SETS, seed=3, seeds=3)
    assert tallies["auc", OURS].missed <= 0.05 + SLACK
    assert tallies["auc", TEXTBOOK].missed > 0.05 + SLACK


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True], ids=["images", "patients"])
def test_every_interval_of_several_classes_misses_about_five_in_a_hundred(clustered: bool) -> None:
    world = MulticlassWorld(300, 3, 1.6, clustered=clustered)
    for key, tally in multiclass_simulation.coverage(world, SETS, seed=4).items():
        assert tally.count == SETS, key
        assert tally.missed <= 0.05 + SLACK, key
        assert tally.missed >= 0.005, key


@pytest.mark.slow
def test_a_rare_class_does_not_make_macro_means_too_sure() -> None:
    keys = ("balanced_accuracy", "precision:macro", "f1:macro", "auc:macro", "auc:class:class 0")
    tallies = multiclass_simulation.coverage(MulticlassWorld(300, 3, 1.6, rare=0.05), SETS, seed=5, keys=keys)
    for key in keys:
        assert tallies[key].missed <= 0.05 + SLACK, key


@pytest.mark.slow
@pytest.mark.parametrize(("spread", "seeds"), [(0.0, 3), (0.06, 1), (0.06, 3), (0.08, 5)])
def test_trainings_of_the_published_recipe_rarely_contradict_its_figure(spread: float, seeds: int) -> None:
    assert claims_simulation.verdicts(spread, seeds, SETS, seed=6)["differs"] / SETS <= 0.05
    assert claims_simulation.verdicts(spread, seeds, SETS, seed=6, gap=0.4)["differs"] > 0 or seeds == 1


@pytest.mark.slow
def test_images_alone_accuse_the_published_recipe() -> None:
    accused = claims_simulation.verdicts(0.06, 1, SETS, seed=6, images_alone=True)["differs"]
    assert accused / SETS > 0.05 + SLACK


@pytest.mark.slow
def test_the_same_runs_show_a_gain_that_independent_seeds_hide() -> None:
    world = claims_simulation.Trainings(0.3, 0.0)
    by_name = claims_simulation.gain(world, 3, 150, 7, claims_simulation.true_gain(world, 1000))
    paired, independent = by_name["paired"], by_name["independent"]
    assert paired[0].missed <= 0.05 + 3.5 * math.sqrt(0.05 * 0.95 / 150)
    assert paired[1] > 10 * max(1, independent[1])


@pytest.mark.parametrize(("positives", "negatives"), [(5, 95), (20, 80), (50, 50)])
def test_a_perfect_auc_excludes_the_truth_in_at_most_a_fortieth_of_the_worst_world(
    positives: int, negatives: int
) -> None:
    """A share of the positives is mislabelled, so that the AUC is just below the lower end for an AUC of 1."""
    share, above = claims_simulation.missed(claims_simulation.worst(positives, negatives), 4000, seed=1)
    assert 0.005 < share == above <= 0.025 + 3.5 * math.sqrt(0.025 * 0.975 / 4000)
