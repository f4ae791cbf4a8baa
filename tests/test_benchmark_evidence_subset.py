"""Scores without some images are those of the other images, of the same split, in the same order."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from benchmark.evidence.metrics import figures
from benchmark.evidence.scores import Scores, TestScores, ValidationScores
from benchmark.evidence.subset import without

NAMES = ("a", "b", "c", "d", "e")


def five(patient: tuple[str, ...] | None = ("p", "p", "q", "r", "s")) -> TestScores:
    return TestScores("test", np.array([0, 1, 1, 0, 1]), np.array([0.1, 0.9, 0.4, 0.6, 0.8]), patient)


def test_the_others_stay_in_their_order() -> None:
    left = without(five(), NAMES, {"b", "d"})
    assert left.y_true.tolist() == [0, 1, 1]
    assert left.y_score.tolist() == [0.1, 0.4, 0.8]
    assert left.patient == ("p", "q", "s")


def test_nothing_left_out_changes_nothing() -> None:
    left = without(five(None), NAMES, ())
    assert left.y_score.tolist() == five().y_score.tolist()
    assert left.patient is None


@pytest.mark.parametrize("kind", [TestScores, ValidationScores])
def test_scores_stay_those_of_their_split(kind: type[TestScores] | type[ValidationScores]) -> None:
    split = "test" if kind is TestScores else "val"
    assert type(without(kind(split, np.array([0, 1, 1]), np.array([0.1, 0.2, 0.3])), "abc", {"c"})) is kind


def test_figures_are_those_of_the_images_that_are_left() -> None:
    generator = np.random.default_rng(0)
    y_true = np.arange(60) % 2
    y_score = np.clip(0.3 * y_true + generator.uniform(0, 0.7, 60), 0, 1)
    names = [f"{i:02d}" for i in range(60)]
    left = without(TestScores("test", y_true, y_score), names, names[:20])
    assert figures(left, 0.5)["auc"].value == pytest.approx(roc_auc_score(y_true[20:], y_score[20:]))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=20), st.data())
def test_what_is_left_and_what_is_not_make_the_whole(rows: list[tuple[bool, float]], data: st.DataObject) -> None:
    """Every image that is not left out keeps its own label and score."""
    names = [str(i) for i in range(len(rows))]
    scores = Scores("test", np.array([int(label) for label, _ in rows]), np.array([score for _, score in rows]))
    out = data.draw(st.sets(st.sampled_from(names)))
    kept = [i for i, name in enumerate(names) if name not in out]
    if {rows[i][0] for i in kept} != {label for label, _ in rows}:
        with pytest.raises(ValueError, match="no image of class"):
            without(scores, names, out)
        return
    left = without(scores, names, out)
    assert [(bool(y), s) for y, s in zip(left.y_true, left.y_score, strict=True)] == [rows[i] for i in kept]


@pytest.mark.parametrize(
    ("names", "left_out", "says"),
    [
        (NAMES[:4], set(), "4 names for 5 scores"),
        (("a", "b", "c", "d", "a"), set(), "1 of 5 names stand more than once"),
        (NAMES, {"a", "d"}, "no image of class 0 would be left"),
        (NAMES, {"z", "b"}, "1 images to leave out have no score here, such as z"),
        (NAMES, set(NAMES), "no image of class 0 would be left"),
    ],
)
def test_what_cannot_be_is_refused(names: tuple[str, ...], left_out: Collection[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        without(five(), names, left_out)
