"""Rates without counts: whether they go together, which prevalence they imply, and the smallest test set."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.evidence.metrics.printed import values
from benchmark.evidence.published.feasible import feasible_matrices, printed_range
from benchmark.evidence.published.shares import (
    feasible_at_any_size,
    prevalence_range,
    rates_exist,
    smallest_test_set,
)


def prints(decimals: int, **figures: float) -> dict[str, tuple[float, float]]:
    return {name: printed_range(value, decimals) for name, value in figures.items()}


def test_rates_contradict_their_accuracy_at_one_prevalence_and_not_at_another() -> None:
    rates = prints(3, accuracy=0.928, recall=0.932, specificity=0.901)
    assert feasible_at_any_size(rates)
    assert not feasible_at_any_size(rates, 390 / 624)
    share = (0.928 - 0.901) / (0.932 - 0.901)  # of the line between both rates
    assert feasible_at_any_size(rates, share)


def test_the_prevalence_is_that_of_the_line_between_recall_and_specificity() -> None:
    low, high = prevalence_range(prints(4, accuracy=0.8141, recall=0.9769, specificity=0.5427)) or (0, 0)
    exact = (0.8141 - 0.5427) / (0.9769 - 0.5427)
    assert low < exact < high
    assert (low, high) == pytest.approx((exact, exact), abs=4e-4)
    assert prevalence_range({}) is None
    assert prevalence_range(prints(2, recall=1.0, precision=0.6, accuracy=0.5)) is None


def test_the_smallest_test_set_gives_the_rates_and_no_smaller_one_does() -> None:
    rates = prints(2, accuracy=0.8, recall=0.77, specificity=0.84, precision=0.83)
    negatives, positives = smallest_test_set(rates, 200) or (0, 0)
    assert feasible_matrices(rates, negatives, positives)
    smaller = [(n, total - n) for total in range(2, negatives + positives) for n in range(1, total)]
    assert not any(feasible_matrices(rates, *sizes) for sizes in smaller)
    assert smallest_test_set(rates, negatives + positives - 1) is None


@pytest.mark.parametrize("share", [None, 390 / 624])
def test_macro_averages_have_rates_and_impossible_ones_have_none(share: float | None) -> None:
    figures = prints(4, accuracy=0.8141, macro_precision=0.8573, macro_recall=0.7598, macro_f1=0.7772)
    assert rates_exist(figures, share)
    assert not rates_exist({**figures, **prints(4, macro_recall=0.99)}, share)


@pytest.mark.parametrize("seed", range(20))
def test_figures_that_were_printed_from_rates_have_rates(seed: int) -> None:
    rng = np.random.default_rng(seed)
    recall, specificity = rng.uniform(0.3, 1, 2)
    share = float(rng.uniform(0.1, 0.9))
    outcomes = [share * recall, (1 - share) * (1 - specificity), (1 - share) * specificity, share * (1 - recall)]
    known = ["precision", "f1", "accuracy", "macro_precision", "macro_recall", "macro_f1", "mcc", "kappa"]
    decimals = int(rng.integers(2, 5))
    figures = {name: float(values(name, np.array(outcomes)[:, None])[0]) for name in known}
    chosen = rng.choice(known, rng.integers(3, 7), replace=False)
    printed = prints(decimals, **{name: round(figures[name], decimals) for name in chosen})
    assert rates_exist(printed)
    assert rates_exist(printed, share)
