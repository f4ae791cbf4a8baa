"""Means over folds and seeds that exist are possible; those that cannot be are excluded, as by mlscorecheck."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlscorecheck.check.binary import check_1_dataset_kfold_som
from sklearn.model_selection import StratifiedKFold

from benchmark.evidence.metrics.printed import values
from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.feasible import Range, feasible_matrices, printed_range
from benchmark.evidence.published.means import Repeats, fits_as_mean, fits_with_any_folds, stratified_folds

FIGURES = ("accuracy", "recall", "specificity", "precision", "f1", "mcc")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def means(matrices: list[Confusion], decimals: int = 4) -> dict[str, Range]:
    counts = np.array([[each.tp, each.fp, each.tn, each.fn] for each in matrices], dtype=np.float64).T
    return {name: printed_range(round(float(values(name, counts).mean()), decimals), decimals) for name in FIGURES}


def is_mean(example: tuple[Confusion, ...], ranges: dict[str, Range]) -> bool:
    counts = np.array([[each.tp, each.fp, each.tn, each.fn] for each in example], dtype=np.float64).T
    found = {name: float(values(name, counts).mean()) for name in ranges}
    return all(low - 1e-9 <= found[name] <= high + 1e-9 for name, (low, high) in ranges.items())


@pytest.mark.parametrize(("negatives", "positives", "number"), [(234, 390, 5), (23, 17, 4), (50, 50, 10), (7, 11, 3)])
def test_stratified_folds_are_those_of_scikit_learn(negatives: int, positives: int, number: int) -> None:
    y = np.repeat([0, 1], [negatives, positives])
    drawn = [y[test] for _, test in StratifiedKFold(number).split(y, y)]
    expected = sorted((int((part == 0).sum()), int(part.sum())) for part in drawn)
    assert sorted(stratified_folds(negatives, positives, number)) == expected


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 2**32 - 1), repeats=st.sampled_from(["folds", "seeds"]), number=st.integers(2, 5))
def test_the_mean_of_matrices_that_exist_is_possible(seed: int, repeats: Repeats, number: int) -> None:
    random = np.random.default_rng(seed)
    parts = stratified_folds(40, 60, number) if repeats == "folds" else ((40, 60),) * number
    rates = random.uniform(0.5, 1, 2)
    matrices = []
    for negatives, positives in parts:
        tp, tn = int(random.binomial(positives, rates[0])), int(random.binomial(negatives, rates[1]))
        matrices.append(Confusion(tp=tp, fp=negatives - tn, tn=tn, fn=positives - tp))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = fits_as_mean(means(matrices), 40, 60, repeats, number)
    assert fit.possible
    if fit.example:
        assert len(fit.example) == number
        assert is_mean(fit.example, means(matrices))


def test_an_example_has_the_class_sizes_of_the_folds() -> None:
    ranges = {
        name: printed_range(value, 4) for name, value in (("accuracy", 0.8526), ("recall", 0.9744), ("f1", 0.8921))
    }
    fit = fits_as_mean(ranges, 234, 390, "folds", 5)
    sizes = sorted((each.fp + each.tn, each.tp + each.fn) for each in fit.example)
    assert sizes == sorted(stratified_folds(234, 390, 5))
    assert is_mean(fit.example, ranges)


@pytest.mark.parametrize(
    ("decimals", "figures"),
    [
        (2, {"accuracy": 0.81, "recall": 0.98, "specificity": 0.64}),  # the weighted mean of both rates is .85
        (2, {"precision": 0.78, "recall": 0.98, "f1": 0.90}),  # F1 is concave in both, so its mean is at most .88
        (4, {"accuracy": 0.8141, "precision": 0.8807, "recall": 0.9769}),
    ],
)
@pytest.mark.parametrize(("repeats", "number"), [("folds", 5), ("seeds", 3)])
def test_what_no_seeds_or_folds_average_to_is_excluded(
    decimals: int, figures: dict[str, float], repeats: Repeats, number: int
) -> None:
    ranges = {name: printed_range(value, decimals) for name, value in figures.items()}
    assert not fits_as_mean(ranges, 234, 390, repeats, number).possible


def test_an_auc_below_every_seed_s_bound_is_excluded() -> None:
    ranges = {"recall": printed_range(0.9769, 4), "specificity": printed_range(0.5427, 4)}
    assert fits_as_mean(ranges, 234, 390, "seeds", 3, printed_range(0.7, 2)).possible
    assert not fits_as_mean(ranges, 234, 390, "seeds", 3, printed_range(0.4, 2)).possible


def test_large_classes_are_checked_on_fewer_counts() -> None:
    possible = {"precision": printed_range(0.8, 2), "recall": printed_range(0.9, 2), "f1": printed_range(0.85, 2)}
    assert fits_as_mean(possible, 9000, 9000, "seeds", 3).possible
    assert not fits_as_mean({**possible, "f1": printed_range(0.9, 2)}, 9000, 9000, "seeds", 3).possible


def test_a_fold_without_a_class_is_not_judged() -> None:
    assert fits_as_mean({"recall": printed_range(0.123, 3)}, 50, 3, "folds", 5).possible


def test_folds_that_are_not_stratified_have_more_means_but_not_every_one() -> None:
    mix = {"accuracy": printed_range(0.83, 2), "recall": printed_range(0.98, 2), "specificity": printed_range(0.64, 2)}
    assert fits_with_any_folds(mix, 5)
    harmonic = {"precision": printed_range(0.78, 2), "recall": printed_range(0.98, 2), "f1": printed_range(0.95, 2)}
    assert not fits_with_any_folds(harmonic, 5)


@pytest.mark.parametrize(("accuracy", "precision"), [(0.8141, 0.7807), (0.8141, 0.7907)])
def test_the_decisions_of_all_folds_together_are_those_of_mlscorecheck(accuracy: float, precision: float) -> None:
    result = check_1_dataset_kfold_som(
        dataset={"p": 390, "n": 234},
        folding={"n_folds": 5, "n_repeats": 1},
        scores={"acc": accuracy, "ppv": precision, "sens": 0.9769},
        eps=5e-5,
    )
    ranges = {"accuracy": accuracy, "precision": precision, "recall": 0.9769}
    matrices = feasible_matrices({name: printed_range(value, 4) for name, value in ranges.items()}, 234, 390)
    assert bool(matrices) != result["inconsistency"]
