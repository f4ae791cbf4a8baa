"""What trials of a machine share."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.training.trials import fastest_rounds, rms_difference


def rounds(*seconds: float) -> tuple[dict[str, float], int]:
    """What is measured if each round takes its seconds and further rounds the last, and the number of rounds."""
    done: list[float] = []

    def work() -> float:
        done.append(seconds[min(len(done), len(seconds) - 1)])
        return done[-1]

    return fastest_rounds({"one": work, "other": lambda: 5.0}, 3, 6), len(done)


def test_rounds_end_when_the_two_fastest_agree() -> None:
    assert rounds(3.0, 1.0, 1.04) == ({"one": 1.0, "other": 5.0}, 3)
    assert rounds(3.0, 1.0, 1.07, 1.02) == ({"one": 1.0, "other": 5.0}, 4)
    assert rounds(3.0, 2.0, 1.5, 1.2, 1.1, 1.0) == ({"one": 1.0, "other": 5.0}, 6)


def test_the_difference_is_relative_to_the_reference() -> None:
    reference = np.array([[3.0], [-4.0]])
    assert rms_difference(reference * 1.01, reference) == pytest.approx(0.01)
    assert rms_difference(np.concatenate([reference, [[9.0]]]), reference) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e12])
def test_what_is_no_number_differs_much(value: float) -> None:
    assert rms_difference(np.array([value]), np.array([1.0])) == 1e9
