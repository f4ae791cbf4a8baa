"""Two places that print figures of one row differ by so many images, and counts are exact."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.feasible import feasible_matrices
from tests.support.claims import audit_of, figure, of_kind, row, row_of, several
from tests.support.claims import claims_of as loaded
from zoo.config.errors import ConfigError

TABLE = {"accuracy": 0.8875, "precision": 0.8621, "recall": 0.8333}
"""TP 50, FP 8, TN 92, FN 10 of 100 + 60 images: 18 errors."""


def one(*figures: dict[str, Any]) -> dict[str, Any]:
    printed = [figure(name, value) | {"location": "Table 2"} for name, value in TABLE.items()]
    return row("one", *printed, *figures)


def count(metric: str, value: float, **more: Any) -> dict[str, Any]:
    return {"metric": metric, "value": value, "split": "test", "location": "the text", **more}


@pytest.mark.parametrize(("metric", "value"), [("errors", 18), ("correct", 142), ("misclassified", 18)])
def test_a_count_that_agrees_leaves_the_row_as_it_is(tmp_path: Path, metric: str, value: int) -> None:
    done = audit_of(tmp_path, one(count(metric, value)))
    assert row_of(done, "one").matrices == (Confusion(50, 8, 92, 10),)
    assert not of_kind(done, "sources")


@pytest.mark.parametrize(("metric", "value", "images"), [("errors", 21, 3), ("correct", 141, 1), ("errors", 17, 1)])
def test_two_places_differ_by_so_many_images(tmp_path: Path, metric: str, value: int, images: int) -> None:
    """By trying every matrix with the count of the text against that of the table."""
    done = audit_of(tmp_path, one(count(metric, value)))
    (finding,) = of_kind(done, "sources")
    errors = value if metric == "errors" else 160 - value
    others = [(tp, tn) for tp, tn in product(range(61), range(101)) if 160 - tp - tn == errors]
    assert min(abs(tp - 50) + abs(tn - 92) for tp, tn in others) == images
    assert f"Table 2 differs from the text by at least {images} image" in finding.statement
    assert finding.severity == "contradiction"
    assert row_of(done, "one").matrices == (Confusion(50, 8, 92, 10),)
    assert not [each for each in done.findings if each.severity == "impossible"]


def test_the_printed_matrix_takes_the_side_of_a_place(tmp_path: Path) -> None:
    matrix = {"row": "one", "location": "Figure 3", "tp": 49, "fp": 8, "tn": 92, "fn": 11}
    done = audit_of(tmp_path, one(count("errors", 19)), matrices=[matrix])
    assert "The text has test errors 19, as the printed matrix (Figure 3)." in of_kind(done, "sources")[0].derivation
    (apart,) = of_kind(done, "matrix-not-of-row")
    assert apart.derivation.endswith(
        "The two differ by at least 1 image: the matrix has 19 errors, the figures of the row 18."
    )


def test_a_figure_that_is_printed_twice_differs_by_so_many_images(tmp_path: Path) -> None:
    done = audit_of(tmp_path, row("one", figure("accuracy", 0.8875), figure("accuracy", 0.9)))
    assert "Of 160 images, they differ by at least 2 images." in of_kind(done, "printed-twice")[0].derivation
    assert pytest.approx(2) == 0.9 * 160 - 0.8875 * 160


@pytest.mark.parametrize(("metric", "weight"), [("errors", 1), ("correct", 0)])
def test_the_matrices_of_a_count_are_all_that_have_it(metric: str, weight: int) -> None:
    """By counting the errors of every matrix of 7 + 5 images."""
    every = [Confusion(tp, 7 - tn, tn, 5 - tp) for tp, tn in product(range(6), range(8))]
    right = [each for each in every if (each.fp + each.fn if weight else each.tp + each.tn) == 4]
    assert set(feasible_matrices({metric: (4, 4)}, 7, 5)) == set(right)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ((count("errors", 4.5, decimals=1),), "errors is a number of images: give a whole number"),
        ((count("errors", -1),), "errors is a number of images"),
        ((figure("recall", 0.8934, percent=True),), "Then drop `percent`. If it is 0.8934%, give `value: 0.008934"),
    ],
)
def test_what_is_no_count_and_no_percentage_is_refused(
    tmp_path: Path, data: tuple[dict[str, Any], ...], line: str
) -> None:
    with pytest.raises(ConfigError, match=line):
        audit_of(tmp_path, row("one", *data))


def test_a_small_percentage_of_errors_is_no_share(tmp_path: Path) -> None:
    done = audit_of(tmp_path, row("one", figure("error_rate", 0.625, decimals=3, percent=True)))
    assert row_of(done, "one").outcome != "impossible"


def test_counts_of_means_and_of_three_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`correct` and `errors` are of one set of decisions"):
        audit_of(tmp_path, row("one", count("errors", 4), averaged="folds", folds=5))
    with pytest.raises(ConfigError, match="errors is a count of two classes; give its share as accuracy"):
        loaded(tmp_path, several(row("one", count("errors", 4))))
