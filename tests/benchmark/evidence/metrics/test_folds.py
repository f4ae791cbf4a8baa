"""Scores of several folds: ranking within each fold, decisions at the threshold of each fold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from benchmark.evidence.comparison.paired import PairedScores, difference
from benchmark.evidence.comparison.subset import without
from benchmark.evidence.intervals.bootstrap import replicates
from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.intervals.multiclass import multiclass_figures
from benchmark.evidence.intervals.seeds import seed_figure
from benchmark.evidence.metrics.influence import TRAINING_SHARE, Clusters, fold_corrections, fold_inflation
from benchmark.evidence.metrics.probabilities import placements
from benchmark.evidence.metrics.registry import confusion, get_metric, value_of
from benchmark.evidence.scores import (
    MulticlassScores,
    MulticlassTestScores,
    Scores,
    TestScores,
    ValidationScores,
    scores_of,
)

FOLDS, SIZE = 4, 30
RANKS = ("auc", "average_precision")
CUTS = np.array([0.3, 0.5, 0.6, 0.8])
INFLATION = 1 + 0.4 * FOLDS / (FOLDS - 1)


def folded(seed: int = 0, *, gain: float = 1.5) -> TestScores:
    """Four folds of 30 images, half of each class; the scores of a fold have a scale of their own."""
    generator = np.random.default_rng(seed)
    fold, y = np.repeat(np.arange(FOLDS), SIZE), np.tile([0, 1], FOLDS * SIZE // 2)
    logits = gain * (y - 0.5) + generator.normal(size=len(y)) + 2.0 * (fold - 1.5)
    return TestScores("test", y, 1 / (1 + np.exp(-logits)), fold=fold)


def test_a_metric_that_ranks_is_the_mean_over_folds() -> None:
    scores = folded()
    for metric, second in (("auc", roc_auc_score), ("average_precision", average_precision_score)):
        of_folds = [second(part.y_true, part.y_score) for part in scores.by_fold()]
        assert value_of(metric, scores, 0.5) == pytest.approx(np.mean(of_folds))
    pooled = value_of("auc", replace(scores, fold=None), 0.5)
    assert pooled is not None
    assert pooled < 0.7 < np.mean([roc_auc_score(part.y_true, part.y_score) for part in scores.by_fold()])


def test_a_mean_over_images_does_not_depend_on_folds() -> None:
    scores = folded()
    for metric in ("log_loss", "brier", "accuracy", "recall"):
        assert value_of(metric, scores, 0.5) == value_of(metric, replace(scores, fold=None), 0.5)


def test_the_variance_of_the_auc_is_that_of_ledell_with_the_correction_of_each_fold() -> None:
    """LeDell, Petersen and van der Laan 2015, section 4: the mean of squared influence values over n."""
    scores = folded()
    n, share = len(scores), {label: np.mean(scores.y_true == label) for label in (0, 1)}
    squares = []
    for part in scores.by_fold():
        deviations = placements(part.y_true, part.y_score) - roc_auc_score(part.y_true, part.y_score)
        squares.append(np.mean([(deviations[i] / share[int(y)]) ** 2 for i, y in enumerate(part.y_true)]))
    influence = get_metric("auc").influence_values(scores.y_true, scores.y_score, 0.5, scores.fold)
    assert influence is not None
    assert scores.fold is not None
    plain = influence / fold_corrections(scores.y_true, scores.fold)
    assert np.sum(plain**2) == pytest.approx(INFLATION * np.mean(squares) / n)
    of_fold = [Clusters(part.y_true).variance(_influence(part)) for part in scores.by_fold()]  # DeLong's, of each fold
    assert Clusters(scores.y_true).variance(influence) == pytest.approx(INFLATION * np.mean(of_fold) / FOLDS)


def test_the_inflation_is_a_share_of_the_correction_of_nadeau_and_bengio() -> None:
    """Nadeau and Bengio 2003, section 5.1: the variance of a mean over k test sets is (1/k + n2/n1) of that of one."""
    for folds in (2, 5, 10):
        whole = (1 / folds + 1 / (folds - 1)) / (1 / folds)
        fold = np.arange(4 * folds) % folds
        assert fold_inflation(fold) == pytest.approx(1 + TRAINING_SHARE * (whole - 1))
    assert fold_inflation(None) == fold_inflation(np.zeros(4, dtype=np.int64)) == 1


def test_every_interval_of_folds_is_wider_than_that_of_one_model() -> None:
    """Wilson's has the effective sample size of statsmodels; the others have the variance times the inflation."""
    scores = folded()
    alone = replace(scores, fold=None)
    for metric, got in figures(scores, 0.5).items():
        single = figures(alone, 0.5)[metric]
        if metric not in RANKS and got.bounds is not None and single.bounds is not None:
            widths = [bounds[1] - bounds[0] for bounds in (got.bounds, single.bounds)]
            assert widths[0] / widths[1] == pytest.approx(np.sqrt(INFLATION), rel=0.05), metric
    accuracy = figures(scores, 0.5)["accuracy"]
    assert accuracy.value is not None
    size = len(scores) / INFLATION
    assert accuracy.bounds == pytest.approx(proportion_confint(accuracy.value * size, size, method="wilson"))
    several = [seed_figure(m, PairedScores((scores,) * 2, (0.5,) * 2)) for m in ("brier", "auc")]
    of_one = [figures(scores, 0.5)[m] for m in ("brier", "auc")]
    for many, one in zip(several, of_one, strict=True):
        assert many.bounds == pytest.approx(one.bounds, abs=0.005)


def _influence(part: Scores) -> npt.NDArray[np.float64]:
    values = get_metric("auc").influence_values(part.y_true, part.y_score, 0.5)
    assert values is not None
    return values


def test_corrections_count_patients_of_the_fold() -> None:
    y, fold = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 1, 1, 0, 0, 1, 1])
    units = ["a", "b", "c", "c", "d", "e", "f", "g"]
    factors = fold_corrections(y, fold, units)
    assert factors[:2] ** 2 == pytest.approx((2 / 1) / (3 / 2))  # two patients of the class here, three in all
    assert factors[2:4].tolist() == [1.0, 1.0]  # one patient alone
    assert factors[4:] ** 2 == pytest.approx((2 / 1) / (4 / 3))


def test_decisions_are_at_the_threshold_of_each_fold() -> None:
    scores = folded()
    assert scores.fold is not None
    counts = [
        confusion_matrix(part.y_true, part.y_score >= cut) for part, cut in zip(scores.by_fold(), CUTS, strict=True)
    ]
    (tn, fp), (fn, tp) = np.sum(counts, axis=0)
    matrix = confusion(scores, CUTS[scores.fold])
    assert (matrix.tp, matrix.fp, matrix.tn, matrix.fn) == (tp, fp, tn, fn)
    recall = figures(scores, CUTS[scores.fold])["recall"]
    assert recall.value == pytest.approx(tp / (tp + fn))
    assert recall.bounds is not None
    called = np.where(scores.y_score >= CUTS[scores.fold], 0.9, 0.1)
    assert recall == figures(replace(scores, y_score=called), 0.5)["recall"]


def test_the_bootstrap_resamples_within_folds() -> None:
    scores = folded()
    drawn = replicates(
        scores.y_true, scores.y_score[None], [0.5], count=400, seed=0, metrics=list(RANKS), folds=[scores.fold]
    )
    for metric in RANKS:
        influence = get_metric(metric).influence_values(scores.y_true, scores.y_score, 0.5, scores.fold)
        assert influence is not None
        linear = np.sqrt(Clusters(scores.y_true).variance(influence) / INFLATION)
        assert np.nanstd(drawn[metric][:, 0]) == pytest.approx(linear, rel=0.25)


def test_a_draw_without_a_class_in_a_fold_is_the_mean_of_the_other_folds() -> None:
    scores = folded()
    assert scores.fold is not None
    weights = np.ones((len(scores), 1))
    weights[(scores.fold == 0) & (scores.y_true == 1)] = 0
    value = get_metric("auc").of_weighted_scores(scores.y_true, scores.y_score, weights, scores.fold)
    others = [roc_auc_score(part.y_true, part.y_score) for part in scores.by_fold()[1:]]
    assert value == pytest.approx([np.mean(others)])


def test_two_cards_are_paired_image_by_image_within_folds() -> None:
    a, b = folded(gain=1.5), folded(gain=1.0)
    got = difference("auc", PairedScores((a,), (0.5,)), PairedScores((b,), (0.5,)))
    values = [value_of("auc", scores, 0.5) for scores in (a, b)]
    assert values[0] is not None
    assert values[1] is not None
    assert got.value == pytest.approx(values[0] - values[1])
    of_folds = [
        difference("auc", PairedScores((x,), (0.5,)), PairedScores((y,), (0.5,)))
        for x, y in zip(a.by_fold(), b.by_fold(), strict=True)
    ]
    halves = [(each.high - each.low) / 2 for each in of_folds if each.high is not None and each.low is not None]
    assert got.high is not None
    assert got.low is not None
    assert (got.high - got.low) / 2 == pytest.approx(np.sqrt(INFLATION * np.sum(np.square(halves))) / FOLDS)


def test_images_that_are_left_out_leave_their_folds() -> None:
    scores = folded()
    names = [str(place) for place in range(len(scores))]
    remaining = without(scores, names, names[:SIZE])
    assert remaining.fold is not None
    assert np.unique(remaining.fold).tolist() == [1, 2, 3]


def test_nothing_is_chosen_on_validation_scores_of_several_folds() -> None:
    fold = np.array([0, 0, 1, 1])
    y, score = np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.2, 0.8])
    with pytest.raises(ValueError, match="choose per fold"):
        ValidationScores("val", y, score, fold=fold)
    together = scores_of("val", y, score, ("A", "B"), fold=fold)
    assert type(together) is Scores
    assert [type(part) for part in together.by_fold()] == [ValidationScores, ValidationScores]
    with pytest.raises(ValueError, match="one per score"):
        TestScores("test", y, score, fold=fold[:3])


def test_several_classes_rank_within_folds_too() -> None:
    generator = np.random.default_rng(0)
    fold, y = np.repeat([0, 1], 45), np.tile([0, 1, 2], 30)
    logits = generator.normal(size=(90, 3)) + 1.5 * np.eye(3)[y]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    scores = MulticlassTestScores("test", y, shares, ("a", "b", "c"), fold=fold)
    parts: tuple[MulticlassScores, ...] = scores.by_fold()
    assert [len(part) for part in parts] == [45, 45]
    got = multiclass_figures(scores, shares.argmax(axis=1))
    macro = [roc_auc_score(part.y_true, part.y_score, multi_class="ovr", average="macro") for part in parts]
    assert got["auc:macro"].value == pytest.approx(np.mean(macro))
    assert got["auc:macro"].bounds is not None
    alone = multiclass_figures(replace(scores, fold=None), shares.argmax(axis=1))
    for key in ("accuracy", "recall:macro", "kappa", "f1:macro", "brier"):
        widths = [each[key].high - each[key].low for each in (got, alone)]
        assert widths[0] / widths[1] == pytest.approx(np.sqrt(1 + 0.4 * 2), rel=0.06), key
    assert got["accuracy"].value == pytest.approx(np.mean(shares.argmax(axis=1) == y))
