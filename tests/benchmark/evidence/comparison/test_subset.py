"""Scores without some images are those of the other images, and a figure moves as far as they carry it."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, roc_auc_score

from benchmark.evidence.comparison.subset import effect_of_leaving_out, without
from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.intervals.seeds import PairedScores
from benchmark.evidence.scores import Scores, TestScores, ValidationScores

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


def test_figures_agree_with_the_images_that_are_left() -> None:
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
    remaining = [i for i, name in enumerate(names) if name not in out]
    if {rows[i][0] for i in remaining} != {label for label, _ in rows}:
        with pytest.raises(ValueError, match="leaves none of class"):
            without(scores, names, out)
        return
    left = without(scores, names, out)
    assert [(bool(y), s) for y, s in zip(left.y_true, left.y_score, strict=True)] == [rows[i] for i in remaining]


@pytest.mark.parametrize(
    ("names", "left_out", "says"),
    [
        (NAMES[:4], set(), "4 names for 5 scores"),
        (("a", "b", "c", "d", "a"), set(), "1 of 5 names are duplicates"),
        (NAMES, {"a", "d"}, "leaves none of class 0"),
        (NAMES, {"z", "b"}, "1 of 2 images to leave out have no score, such as z"),
        (NAMES, set(NAMES), "leaves none of class 0"),
    ],
)
def test_what_cannot_be_is_refused(names: tuple[str, ...], left_out: Collection[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        without(five(), names, left_out)


def clustered(seed: int = 0, seeds: int = 1) -> tuple[PairedScores, list[str], list[str]]:
    """Scores of 300 images of 150 patients; those of the last 30 patients are nearly perfect, as if they had leaked."""
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(150), 2)
    y_true = np.repeat(generator.integers(0, 2, 150), 2)
    leaked = patient >= 120
    runs = []
    for _ in range(seeds):
        latent = 0.8 * y_true + np.repeat(generator.normal(0, 0.5, 150), 2) + generator.normal(0, 0.5, 300) - 0.4
        latent = np.where(leaked, 4 * (2 * y_true - 1), latent)
        runs.append(TestScores("test", y_true, 1 / (1 + np.exp(-latent)), tuple(map(str, patient))))
    names = [f"{image:03d}" for image in range(300)]
    return (
        PairedScores(tuple(runs), (0.5,) * seeds),
        names,
        [name for name, out in zip(names, leaked, strict=True) if out],
    )


SECOND = {
    "accuracy": lambda y, s: accuracy_score(y, s >= 0.5),
    "f1": lambda y, s: f1_score(y, s >= 0.5),
    "auc": roc_auc_score,
    "brier": brier_score_loss,
}


@pytest.mark.parametrize("metric", sorted(SECOND))
def test_the_effect_of_leaving_out_agrees_with_a_bootstrap_by_patient(metric: str) -> None:
    """Value and standard error, from scikit-learn's metrics on 1,500 resamples of patients."""
    card, names, out = clustered()
    result = effect_of_leaving_out(metric, card, names, out)
    y_true, y_score, patient = card.runs[0].y_true, card.runs[0].y_score, np.repeat(np.arange(150), 2)
    of = SECOND[metric]

    def change(rows: np.ndarray) -> float:
        left = rows[patient[rows] < 120]
        return float(of(y_true[left], y_score[left]) - of(y_true[rows], y_score[rows]))

    assert result.value == pytest.approx(change(np.arange(300)))
    generator = np.random.default_rng(1)
    resamples = []
    for _ in range(1500):
        chosen = generator.integers(0, 150, 150)
        resamples.append(change(np.concatenate([2 * chosen, 2 * chosen + 1])))
    assert result.low is not None
    assert result.high is not None
    error = (result.high - result.low) / 2 / 1.959964
    assert error == pytest.approx(np.std(resamples, ddof=1), rel=0.1)
    assert result.method == "linearised, by patient"


def test_seeds_count_in_the_effect() -> None:
    """Three seeds alike in their images give a mean of their effects, and a wider test than z."""
    card, names, out = clustered(seeds=3)
    result = effect_of_leaving_out("accuracy", card, names, out)
    each = [effect_of_leaving_out("accuracy", PairedScores((run,), (0.5,)), names, out).value for run in card.runs]
    assert result.value == pytest.approx(np.mean([value for value in each if value is not None]))
    assert (result.seeds, result.note) == ((3, 3), None)
    assert result.p_value is not None
    assert result.p_value < 0.01


def test_leaving_out_nothing_changes_nothing() -> None:
    card, names, _ = clustered()
    result = effect_of_leaving_out("auc", card, names, ())
    assert (result.value, result.low, result.p_value) == (0.0, None, 1.0)


def test_a_class_that_would_vanish_leaves_no_effect_but_a_reason() -> None:
    card = PairedScores((five(),), (0.5,))
    result = effect_of_leaving_out("accuracy", card, NAMES, {"a", "d"})
    assert (result.value, result.reason) == (None, "a class would be empty without these images")
