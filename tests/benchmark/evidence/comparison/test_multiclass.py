"""Paired differences of three or more classes against scikit-learn, statsmodels, the binary methods and simulation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score, matthews_corrcoef, recall_score, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from benchmark.evidence.comparison.multiclass import holm_over_classes, multiclass_differences
from benchmark.evidence.comparison.paired import NO_DIFFERENCE, Difference, difference
from benchmark.evidence.intervals.seeds import MulticlassPairedScores, PairedScores
from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.evidence.metrics.multiclass import argmax
from benchmark.evidence.scores import MulticlassScores
from tests.support.classes import NAMES, on_classes, planted_classes

SIZES = (60, 40, 25)
WHOLE = {
    "recall:macro": lambda y, s: recall_score(y, s.argmax(1), average="macro"),
    "f1:macro": lambda y, s: f1_score(y, s.argmax(1), average="macro"),
    "mcc": lambda y, s: matthews_corrcoef(y, s.argmax(1)),
    "kappa": lambda y, s: cohen_kappa_score(y, s.argmax(1)),
    "auc:macro": lambda y, s: roc_auc_score(y, s, multi_class="ovr", average="macro"),
}


def of(*runs: MulticlassScores) -> MulticlassPairedScores:
    return MulticlassPairedScores(runs, tuple(argmax(run) for run in runs))


def two(sizes: tuple[int, ...] = SIZES, gains: tuple[float, float] = (1.0, 1.6)) -> list[MulticlassPairedScores]:
    return [of(on_classes(*planted_classes(sizes, gain, seed))) for seed, gain in enumerate(gains)]


def compared(key: str, a: MulticlassPairedScores, b: MulticlassPairedScores, **options: object) -> Difference:
    return multiclass_differences((key,), {"a": a, "b": b}, **options)[key, "a", "b"]  # type: ignore[arg-type]


@pytest.mark.parametrize("key", WHOLE)
def test_value_is_that_of_scikit_learn_and_the_interval_is_about_the_bootstrap_s(key: str) -> None:
    a, b = two()
    one = compared(key, a, b)
    y = a.runs[0].y_true
    scores = [card.runs[0].y_score for card in (a, b)]
    assert one.value == pytest.approx(WHOLE[key](y, scores[0]) - WHOLE[key](y, scores[1]))
    generator = np.random.default_rng(5)
    rows = [generator.integers(len(y), size=len(y)) for _ in range(400)]
    replicated = [WHOLE[key](y[i], scores[0][i]) - WHOLE[key](y[i], scores[1][i]) for i in rows]
    assert one.low is not None
    assert one.high is not None
    assert (one.high - one.low) / (2 * 1.96) == pytest.approx(np.std(replicated), rel=0.12)


def test_accuracy_has_newcombe_s_test_which_is_near_mcnemar_s_of_statsmodels() -> None:
    a, b = two()
    right_a, right_b = (card.decided[0] == card.runs[0].y_true for card in (a, b))
    table = [[(right_a & right_b).sum(), (right_a & ~right_b).sum()], [(~right_a & right_b).sum(), 0]]
    one = compared("accuracy", a, b)
    assert one.value == pytest.approx(right_a.mean() - right_b.mean())
    assert one.test == "Newcombe"
    assert one.p_value == pytest.approx(mcnemar(table, exact=False, correction=False).pvalue, abs=0.02)
    assert one.low is not None
    assert one.high is not None
    assert one.low < one.value < one.high


@pytest.mark.parametrize("metric", ["recall", "specificity", "precision", "f1", "auc"])
def test_one_class_is_compared_as_two_classes_are(metric: str) -> None:
    a, b = two()
    called = metric != "auc"
    pairs = []
    for card in (a, b):
        rest = card.runs[0].one_vs_rest(1)
        score = (card.decided[0] == 1).astype(float) if called else rest.y_score
        pairs.append(PairedScores((type(rest)("test", rest.y_true, score),), (0.5,)))
    expected = difference(metric, *pairs, count=300)
    one = compared(f"{metric}:class:{NAMES[1]}", a, b, count=300)
    assert (one.value, one.low, one.high, one.p_value) == (
        expected.value,
        expected.low,
        expected.high,
        expected.p_value,
    )


def test_macro_auc_is_the_mean_of_its_classes() -> None:
    a, b = two()
    classes = [compared(f"auc:class:{name}", a, b).value for name in NAMES[:3]]
    assert compared("auc:macro", a, b).value == pytest.approx(np.mean(classes))  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["f1:macro", "auc:macro", "kappa", "log_loss"])
def test_copies_of_images_add_nothing_by_patient(key: str) -> None:
    cards = []
    for seed, gain in enumerate((1.0, 1.5)):
        labels, scores = planted_classes(SIZES, gain, seed)
        patients = [str(i) for i in range(len(labels))]
        once = on_classes(labels, scores, patients)
        cards.append((of(once), of(on_classes(np.tile(labels, 3), np.tile(scores, (3, 1)), patients * 3))))
    once, tripled = (compared(key, *pair) for pair in zip(*cards, strict=True))
    assert tripled.value == pytest.approx(once.value)
    assert tripled.low == pytest.approx(once.low, abs=2e-3)
    assert tripled.high == pytest.approx(once.high, abs=2e-3)
    assert "by patient" in str(tripled.method)


def test_several_seeds_add_to_the_uncertainty() -> None:
    runs = [on_classes(*planted_classes(SIZES, gain, seed)) for seed, gain in enumerate((0.6, 1.0, 1.4, 2.0))]
    one, several = compared("f1:macro", of(runs[0]), of(runs[3])), compared("f1:macro", of(*runs[:3]), of(runs[3]))
    assert several.seeds == (3, 1)
    assert "images and seeds" in str(several.method)
    assert one.note == several.note == "spread over seeds unknown"


def test_a_class_that_is_never_called_says_why_there_is_no_precision() -> None:
    a, b = two()
    silent = MulticlassPairedScores(a.runs, (np.where(a.decided[0] == 1, 0, a.decided[0]),))
    for key in ("precision:class:bee", "precision:macro"):
        one = compared(key, silent, b)
        assert one.value is None
        assert "no image is predicted as bee" in str(one.reason)


def test_a_card_against_itself_does_not_differ() -> None:
    a, _ = two()
    for key in (*WHOLE, "accuracy", "recall:class:ant"):
        one = compared(key, a, a)
        assert (one.value, one.p_value) == (0, 1)


@pytest.mark.parametrize("class_sizes", ["drawn", "fixed"])
def test_accuracy_of_fixed_class_sizes_varies_no_more(class_sizes: ClassSizes) -> None:
    one = compared("accuracy", *two(), class_sizes=class_sizes)
    assert one.low is not None
    assert one.high is not None
    drawn = compared("accuracy", *two())
    assert one.high - one.low <= (drawn.high or 0) - (drawn.low or 0) + 0.01
    assert one.p_value is not None
    assert (one.p_value < 0.05) == (one.low > 0 or one.high < 0)


def test_cards_of_other_classes_or_images_cannot_be_paired() -> None:
    a, b = two()
    labels, scores = planted_classes(SIZES, 1.0, 0)
    others = of(on_classes(labels, scores, classes=("ant", "bee", "cow")))
    with pytest.raises(ValueError, match="different classes"):
        compared("accuracy", a, others)
    with pytest.raises(ValueError, match="different labels"):
        compared("accuracy", a, of(on_classes(labels[::-1], scores)))
    with pytest.raises(ValueError, match="no test for recall;"):
        compared("recall", a, b)
    with pytest.raises(ValueError, match="two cards"):
        multiclass_differences(("accuracy",), {"a": a})


def test_holm_of_the_classes_is_that_of_statsmodels() -> None:
    keys = [f"{metric}:class:{name}" for metric in ("recall", "f1") for name in NAMES[:3]]
    p_values = [0.01, 0.03, 0.04, 0.02, 0.5, 0.02]
    adjusted = holm_over_classes({k: Difference(k, 0.1, p_value=p) for k, p in zip(keys, p_values, strict=True)})
    expected = [multipletests(p_values[part], method="holm")[1] for part in (slice(3), slice(3, 6))]
    assert [adjusted[key] for key in keys] == pytest.approx(np.concatenate(expected).tolist())


@dataclass(frozen=True)
class World:
    """A population of images whose two cards are equally good."""

    sizes: tuple[int, ...]
    images: int
    repeats: int = 1

    def draw(self, generator: np.random.Generator) -> list[MulticlassPairedScores]:
        shares = np.array(self.sizes) / sum(self.sizes)
        groups = self.images // self.repeats
        labels = np.repeat(generator.choice(len(shares), size=groups, p=shares), self.repeats)
        labels[: len(shares)] = np.arange(len(shares))
        patients = [str(i) for i in np.repeat(np.arange(groups), self.repeats)]
        cards = []
        shared = np.repeat(generator.normal(0, 0.7, size=(groups, len(shares))), self.repeats, axis=0)
        for _ in range(2):
            of_patient = np.repeat(generator.normal(0, 0.7, size=(groups, len(shares))), self.repeats, axis=0)
            logits = shared + of_patient + generator.normal(0, 0.7, size=(len(labels), len(shares)))
            logits[np.arange(len(labels)), labels] += 1.5
            scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            cards.append(of(on_classes(labels, scores, patients if self.repeats > 1 else None)))
        return cards


@pytest.mark.slow
@pytest.mark.parametrize("world", [World((5, 3, 2), 150), World((5, 3, 2), 200, 4), World((1,) * 10, 300)])
def test_intervals_of_whole_differences_cover_no_difference(world: World) -> None:
    generator, keys, trials = np.random.default_rng(4), ("accuracy", "f1:macro", "kappa", "auc:macro"), 400
    covered = dict.fromkeys(keys, 0)
    for _ in range(trials):
        a, b = world.draw(generator)
        for key, _, _ in (pairs := multiclass_differences(keys, {"a": a, "b": b}, count=300)):
            one = pairs[key, "a", "b"]
            assert one.low is not None
            assert one.high is not None
            covered[key] += one.low <= 0 <= one.high
    for key in keys:
        assert 0.91 < covered[key] / trials < 0.985, (key, covered[key] / trials)


@pytest.mark.parametrize("seeds", [1, 2])
def test_patients_who_are_all_alike_and_equal_decisions_have_no_interval_without_width(seeds: int) -> None:
    labels, patients = np.tile([0, 1, 2, 0, 1], 55), tuple(f"p{k // 5}" for k in range(275))
    rows = np.random.default_rng(3).dirichlet(np.ones(3), size=5)
    cards = []
    for power in (1.0, 1.5):
        scores = np.tile(rows**power / (rows**power).sum(axis=1, keepdims=True), (55, 1))
        cards.append(of(*[MulticlassScores("test", labels, scores, NAMES[:3], True, patients)] * seeds))
    for key in ("mcc", "kappa", "recall:macro", "f1:macro"):
        one = compared(key, *cards)
        assert one.value == pytest.approx(0, abs=1e-12)
        assert (one.low, one.p_value, one.test) == (None, 1.0, NO_DIFFERENCE), key


def test_a_perfect_card_is_better_than_a_constant_one_in_macro_auc() -> None:
    labels = np.repeat([0, 1, 2], 20)
    perfect = np.eye(3)[labels] * 0.8 + 0.2 / 3
    cards = [of(on_classes(labels, scores)) for scores in (perfect, np.full((len(labels), 3), 1 / 3))]
    result = compared("auc:macro", *cards)
    assert (result.value, result.high) == (0.5, 0.5)
    assert 0.3 < (result.low or 0.0) < 0.5
    assert (result.p_value or 1.0) < 0.001
