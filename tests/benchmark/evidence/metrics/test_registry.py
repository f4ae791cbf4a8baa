"""Metrics agree with scikit-learn, and what is undefined stays missing."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.evidence import Confusion, Figure, Scores, confusion, figures
from benchmark.evidence.comparison.paired import differences
from benchmark.evidence.intervals.seeds import PairedScores, seed_figure
from benchmark.evidence.metrics import registry as definitions
from benchmark.evidence.metrics.registry import (
    Metric,
    Ratio,
    canonical,
    find_metric,
    label_of,
    measures,
    metrics,
    out_of_range,
    range_of,
    register_metric,
)
from tests.support.records import of_counts, on_test, planted

QUICK = settings(deadline=None, max_examples=40)
TIED = st.integers(0, 8).map(lambda k: k / 8)
ANY = st.floats(0, 1, width=32)
Rows = list[tuple[int, float]]


def rows(min_size: int = 1) -> st.SearchStrategy[Rows]:
    """Labels and scores, ties and single classes included."""
    label = st.integers(0, 1)
    return st.one_of(*(st.lists(st.tuples(label, s), min_size=min_size, max_size=40) for s in (TIED, ANY)))


def both_classes() -> st.SearchStrategy[Rows]:
    return rows(min_size=2).filter(lambda sample: len({label for label, _ in sample}) == 2)


def scores(sample: Rows) -> Scores:
    return on_test([label for label, _ in sample], [score for _, score in sample])


def value(sample: Rows, metric: str, threshold: float = 0.5) -> float | None:
    return figures(scores(sample), threshold)[metric].value


def decided(sample: Rows, threshold: float) -> tuple[list[int], list[int]]:
    return [label for label, _ in sample], [int(score >= threshold) for _, score in sample]


RANGES = {"mcc": (-1.0, 1.0), "log_loss": (0.0, -math.log(1e-7))}
RATES: dict[str, Callable[..., Any]] = {
    "accuracy": reference.accuracy_score,
    "precision": lambda y, d: reference.precision_score(y, d, zero_division=np.nan),
    "recall": lambda y, d: reference.recall_score(y, d, zero_division=np.nan),
    "specificity": lambda y, d: reference.recall_score(y, d, pos_label=0, zero_division=np.nan),
    "f1": lambda y, d: reference.f1_score(y, d, zero_division=np.nan),
}


@pytest.mark.parametrize("metric", RATES)
@QUICK
@given(sample=rows(), threshold=TIED)
def test_a_rate_agrees_with_scikit_learn_and_missing_where_that_is_nan(
    metric: str, sample: Rows, threshold: float
) -> None:
    expected = RATES[metric](*decided(sample, threshold))
    measured = value(sample, metric, threshold)
    if math.isnan(expected):
        assert measured is None
    else:
        assert measured == pytest.approx(expected, abs=1e-12)


@QUICK
@given(sample=both_classes(), threshold=TIED)
def test_balanced_accuracy_agrees_with_scikit_learn(sample: Rows, threshold: float) -> None:
    expected = reference.balanced_accuracy_score(*decided(sample, threshold))
    assert value(sample, "balanced_accuracy", threshold) == pytest.approx(expected, abs=1e-12)


@QUICK
@given(sample=rows(), threshold=TIED)
def test_mcc_agrees_with_scikit_learn_and_missing_where_a_margin_is_empty(sample: Rows, threshold: float) -> None:
    labels, decisions = decided(sample, threshold)
    measured = value(sample, "mcc", threshold)
    if len(set(labels)) < 2 or len(set(decisions)) < 2:
        assert measured is None
    else:
        assert measured == pytest.approx(reference.matthews_corrcoef(labels, decisions), abs=1e-12)


@QUICK
@given(sample=both_classes())
def test_auc_and_average_precision_agree_with_scikit_learn(sample: Rows) -> None:
    y, s = scores(sample).y_true, scores(sample).y_score
    assert value(sample, "auc") == pytest.approx(reference.roc_auc_score(y, s), abs=1e-12)
    assert value(sample, "average_precision") == pytest.approx(reference.average_precision_score(y, s), abs=1e-12)


@QUICK
@given(sample=rows())
def test_brier_and_log_loss_agree_with_scikit_learn(sample: Rows) -> None:
    y, s = scores(sample).y_true, scores(sample).y_score
    clipped = np.clip(s, 1e-7, 1 - 1e-7)
    assert value(sample, "brier") == pytest.approx(reference.brier_score_loss(y, s, pos_label=1), abs=1e-12)
    assert value(sample, "log_loss") == pytest.approx(reference.log_loss(y, clipped, labels=[0, 1]), rel=1e-9)


def test_a_certain_and_wrong_score_costs_a_finite_log_loss() -> None:
    assert figures(on_test([1, 0], [0.0, 1.0]), 0.5)["log_loss"].value == pytest.approx(-math.log(1e-7), rel=1e-6)


@QUICK
@given(sample=rows(), threshold=TIED)
def test_confusion_counts_agree_with_scikit_learn_and_sum_to_n(sample: Rows, threshold: float) -> None:
    counted = confusion(scores(sample), threshold)
    (tn, fp), (fn, tp) = reference.confusion_matrix(*decided(sample, threshold), labels=[0, 1])
    assert counted == Confusion(tp=tp, fp=fp, tn=tn, fn=fn)
    assert counted.tp + counted.fp + counted.tn + counted.fn == len(sample)


def test_a_score_at_the_threshold_is_called_positive() -> None:
    assert confusion(on_test([1, 0], [0.5, 0.5]), 0.5) == Confusion(tp=1, fp=1, tn=0, fn=0)


@QUICK
@given(sample=rows(), threshold=TIED)
def test_counts_are_figures_too(sample: Rows, threshold: float) -> None:
    counted, measured = confusion(scores(sample), threshold), figures(scores(sample), threshold)
    names = ("true_positives", "false_positives", "true_negatives", "false_negatives")
    assert [measured[name].value for name in names] == [counted.tp, counted.fp, counted.tn, counted.fn]


@QUICK
@given(sample=rows(), data=st.data())
def test_the_order_of_images_changes_nothing(sample: Rows, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(sample))
    before, after = figures(scores(sample), 0.5), figures(scores(shuffled), 0.5)
    for name, figure in before.items():
        same = pytest.approx(figure.value, rel=1e-9, abs=1e-12) if figure.value is not None else None
        assert after[name].value == same
        assert (after[name].method, after[name].reason) == (figure.method, figure.reason)


@QUICK
@given(sample=rows(), threshold=TIED)
def test_a_missing_value_has_a_reason_and_no_interval(sample: Rows, threshold: float) -> None:
    for figure in figures(scores(sample), threshold).values():
        if figure.value is None:
            assert figure.reason
            assert (figure.low, figure.high, figure.method) == (None, None, None)


@QUICK
@given(sample=rows(), threshold=TIED)
def test_an_interval_contains_its_value_and_names_its_method(sample: Rows, threshold: float) -> None:
    for figure in figures(scores(sample), threshold).values():
        assert (figure.low is None) == (figure.high is None) == (figure.method is None)
        if figure.low is not None and figure.high is not None and figure.value is not None:
            least, most = (-1 if figure.metric == "mcc" else 0), (math.inf if figure.metric == "log_loss" else 1)
            assert least <= figure.low <= figure.value + 1e-12
            assert figure.value - 1e-12 <= figure.high <= most


@QUICK
@given(sample=rows())
def test_figures_cover_every_metric(sample: Rows) -> None:
    measured = figures(scores(sample), 0.5)
    assert list(measured) == list(metrics())
    assert all(figure.metric == name for name, figure in measured.items())


@pytest.mark.parametrize("metric", measures(lambda metric: metric.direction == "higher").values(), ids=lambda m: m.name)
def test_a_higher_is_better_metric_is_one_at_perfection_and_falls_with_an_error(metric: Metric) -> None:
    perfect = figures(on_test([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]), 0.5)[metric.name].value
    wrong = figures(on_test([0, 0, 1, 1], [0.1, 0.85, 0.3, 0.9]), 0.5)[metric.name].value
    assert perfect == 1
    assert wrong is not None
    assert wrong < 1


@pytest.mark.parametrize("name", ["log_loss", "brier"])
def test_a_lower_is_better_metric_rises_with_an_error(name: str) -> None:
    right = figures(on_test([0, 1], [0.1, 0.9]), 0.5)[name].value
    wrong = figures(on_test([0, 1], [0.1, 0.3]), 0.5)[name].value
    assert right is not None
    assert wrong is not None
    assert right < wrong


def test_precision_without_a_positive_call_is_missing_and_not_zero() -> None:
    measured = figures(of_counts(tp=0, fp=0, tn=5, fn=5), 0.5)
    assert measured["precision"].value is None
    assert measured["mcc"].value is None
    assert measured["precision"].reason
    assert measured["recall"].value == 0


@pytest.mark.parametrize(
    ("label", "missing"),
    [
        (1, {"specificity", "balanced_accuracy", "mcc", "auc", "average_precision"}),
        (0, {"recall", "balanced_accuracy", "mcc", "auc", "average_precision"}),
    ],
)
def test_what_needs_both_classes_is_missing_with_one(label: int, missing: set[str]) -> None:
    measured = figures(on_test([label] * 4, [0.2, 0.4, 0.6, 0.8]), 0.5)
    assert {name for name, figure in measured.items() if figure.value is None} == missing


def test_no_figure_warns_about_a_division() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for labels in ([1, 1], [0, 1]):
            assert figures(on_test(labels, [0.2, 0.2]), 0.5)["precision"].value is None


def test_an_auc_of_equal_scores_has_no_interval_and_says_why() -> None:
    figure = figures(on_test([0, 0, 1, 1], [0.5] * 4), 0.5)["auc"]
    assert (figure.value, figure.low, figure.high) == (0.5, None, None)
    assert figure.reason
    assert "DeLong" in figure.reason


def test_every_metric_has_an_interval_and_counts_have_none() -> None:
    measured = figures(on_test(*planted(50, 50)), 0.5)
    assert {name for name, figure in measured.items() if figure.method is None} == {
        name for name, metric in metrics().items() if metric.kind == "count"
    }
    assert {measured[name].method for name in ("accuracy", "precision", "recall", "specificity", "f1")} == {"Wilson"}
    assert measured["auc"].method == "DeLong, logit"


def test_attempt_6b_s_matrix_gives_its_printed_row() -> None:
    measured = figures(of_counts(tp=131, fp=6, tn=228, fn=103), 0.5)
    printed = {"accuracy": 0.7671, "precision": 0.9562, "recall": 0.5598}
    assert {name: round(measured[name].value or 0, 4) for name in printed} == printed


JACCARD_RATIO = Ratio((1, 0, 0, 0), (1, 1, 0, 1))
JACCARD: dict[str, Any] = {
    "reads": "decisions",
    "label": "Jaccard index",
    "kind": "share",
    "direction": "higher",
    "range": (0, 1),
    "depends_on_prevalence": True,
    "ratio": JACCARD_RATIO,
    "scale": "Wilson",
}
"""A complete registration."""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is registered in a test is gone after it."""
    monkeypatch.setattr(definitions, "_METRICS", dict(definitions._METRICS))


def register(name: str = "jaccard", **fields: Any) -> None:
    def value(c: Confusion) -> float | None:
        return c.tp / (c.tp + c.fp + c.fn) if c.tp + c.fp + c.fn else None

    value.__name__ = name
    record = {key: field for key, field in (JACCARD | fields).items() if field != "absent"}
    register_metric(**record)(value)


def test_a_registered_metric_is_known_by_its_names_and_has_its_figure(registry: None) -> None:
    register(aliases=("iou",))
    assert canonical("iou") == "jaccard"
    assert label_of("jaccard") == "Jaccard index"
    figure = figures(of_counts(tp=6, fp=2, tn=8, fn=4), 0.5)["jaccard"]
    assert figure.value == 0.5
    assert figure.method == "Wilson"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"label": "absent"}, "it lacks label"),
        ({"label": "absent", "range": "absent"}, "it lacks label, range"),
        ({"label": " "}, "it lacks a label"),
        ({"ratio": "absent"}, "it lacks an influence; give ratio, mean_of, or influence"),
        ({"reads": "scores"}, "it lacks an influence; give per_image, or influence"),
        ({"reads": "scores", "influence": len}, "it lacks weighted, its value under weights of the images"),
        ({"kind": "proportion"}, "its kind is 'proportion'; must be one of share, correlation, loss, count"),
        ({"direction": "up"}, "its direction is 'up'; must be one of higher, lower, none"),
        ({"direction": "none"}, "the direction 'none' is for counts"),
        ({"display": "always"}, "its display is 'always'; must be one of summary, comparison, detail"),
        ({"scale": "absent"}, "its scale is None; must be one of Wilson, Dice, square-and-add, logit, log, Fisher z"),
        ({"range": (1, 0)}, "its range is (1, 0); must be its least and its greatest value"),
        ({"range": (0, 2)}, "the scale 'Wilson' needs the range 0 to 1"),
        ({"range": (-1, 1), "scale": "log"}, "the scale 'log' needs a range that begins at 0"),
        ({"ratio": Ratio((5, 0, 0, 0), (5, 1, 0, 4))}, "the scale 'Wilson' needs a ratio with weights of 0 and 1"),
        ({"scale": "square-and-add"}, "the scale 'square-and-add' needs mean_of"),
        ({"name": "accuracy"}, "the name 'accuracy' is taken by the metric 'accuracy'"),
        ({"name": "sensitivity"}, "the name 'sensitivity' is taken by the metric 'recall'"),
        ({"aliases": ("f1",)}, "the name 'f1' is taken by the metric 'f1'"),
        ({"name": "loss"}, "the name 'loss' is taken"),
        ({"reads": "score"}, "its reads is 'score'; must be one of decisions, scores"),
        ({"colour": "red"}, "it has no field colour; the fields are label, kind, direction, range"),
        ({"range": (0,)}, "its range is (0,); must be its least and its greatest value"),
        ({"range": None}, "its range is None; must be its least and its greatest value"),
        ({"aliases": "iou"}, "its aliases are 'iou'; must be a tuple of names, such as ('iou',)"),
        ({"label": "F1"}, "the label 'F1' is taken by the metric 'f1'"),
        ({"decimals": -1}, "its decimals is -1; must be an integer of at least 0"),
        ({"ratio": Ratio((1, 0, 0), (1, 1, 0, 1))}, "its ratio has the weights (1, 0, 0); must be four integers"),  # type: ignore[arg-type]
        ({"ratio": (1, 0, 0, 0)}, "its ratio is (1, 0, 0, 0); must be a Ratio"),
        ({"ratio": "absent", "mean_of": (JACCARD_RATIO,)}, "its mean_of is"),
        ({"influence": len}, "it has ratio and influence; give one of them"),
        (
            {"ratio": Ratio((1, 0, 0, 0), (0, 1, 1, 0))},
            "the scale 'Wilson' needs a ratio with weights of 0 and 1, whose",
        ),
        ({"scale": "Dice"}, "the scale 'Dice' needs a ratio that is 2J / (1 + J) of a proportion J, such as F1"),
        (
            {"ratio": Ratio((1, 0, 0, 0), (1, 1, 0, 0))},
            "for TP 7, FP 2, TN 11 and FN 3 its function returns 0.583333, but its ratio gives 0.777778; must be equal",
        ),
        (
            {"ratio": Ratio((2, 0, 0, 0), (2, 1, 0, 1)), "scale": "Dice"},
            "for TP 7, FP 2, TN 11 and FN 3 its function returns 0.583333, but its ratio gives 0.736842; must be equal",
        ),
    ],
)
def test_an_incomplete_or_ambiguous_registration_is_refused_with_one_sentence(
    registry: None, fields: dict[str, Any], problem: str
) -> None:
    name = fields.get("name", "jaccard")
    before = find_metric(name)
    with pytest.raises(ValueError, match=rf"^the metric '{name}' cannot be registered: {re.escape(problem)}"):
        register(**fields)
    assert find_metric(name) is before


def test_a_registration_may_be_repeated_by_the_same_function(registry: None) -> None:
    register()
    register(label="Jaccard")
    assert label_of("jaccard") == "Jaccard"


def fails(_: object) -> float:
    raise ValueError("no\nsuch\nthing")


FAILURES = {
    "raised ValueError: no such thing": fails,
    "returned nan, which is not within 0 and 1": lambda _: math.nan,
    "returned 1.5, which is not within 0 and 1": lambda _: 1.5,
    "returned a str instead of a number or None": lambda _: "0.5",
    "returned a bool instead of a number or None": lambda _: True,
}


@pytest.mark.parametrize("reads", ["decisions", "scores"])
@pytest.mark.parametrize(("problem", "function"), FAILURES.items(), ids=["raises", "nan", "range", "str", "bool"])
def test_a_failing_function_gives_a_missing_figure_with_the_reason_everywhere(
    registry: None, reads: str, problem: str, function: Callable[[object], Any]
) -> None:
    parts: dict[str, Any] = {"ratio": JACCARD_RATIO} if reads == "decisions" else {"per_image": lambda y, s: abs(y - s)}
    record = {key: field for key, field in JACCARD.items() if key not in ("reads", "ratio", "scale")}
    definitions.register(Metric(name="jaccard", **{f"of_{reads}": function}, **record, **parts, scale="logit"))
    reason = f"jaccard of package {function.__module__.partition('.')[0]} {problem}"
    sample = on_test(*planted(20, 20))
    measured = figures(sample, 0.5)
    assert measured["jaccard"] == Figure.missing("jaccard", reason)
    assert measured["auc"].value is not None
    assert definitions.get_metric("jaccard").failed(measured["jaccard"])
    assert "jaccard" not in definitions.values(sample, 0.5)
    card = PairedScores((sample,), (0.5,))
    assert seed_figure("jaccard", card).reason == reason
    several = PairedScores((*card.runs, *card.runs), (0.5, 0.5))
    assert seed_figure("jaccard", several).reason == f"{reason}, for 2 of 2 seeds"
    [difference] = differences(["jaccard"], {"a": card, "b": PairedScores(card.runs, (0.4,))}, count=20).values()
    assert (difference.value, difference.reason) == (None, reason)


@pytest.mark.parametrize(
    ("influence", "problem"),
    [
        (fails, "raised ValueError: no such thing"),
        (lambda _: np.zeros(3), "returned shape (3,) from influence instead of (4,)"),
        (lambda _: "none", "returned a str from influence"),
    ],
    ids=["raises", "wrong shape", "a string"],
)
def test_a_failing_influence_gives_a_figure_without_an_interval(
    registry: None, influence: Callable[..., Any], problem: str
) -> None:
    register(ratio="absent", influence=influence)
    reason = f"jaccard of package tests {problem}"
    sample = on_test(*planted(20, 20))
    figure = figures(sample, 0.5)["jaccard"]
    assert (figure.low, figure.reason) == (None, reason)
    assert figure.value is not None
    card = PairedScores((sample, sample), (0.5, 0.5))
    assert (seed_figure("jaccard", card).low, seed_figure("jaccard", card).reason) == (None, reason)
    [difference] = differences(["jaccard"], {"a": card, "b": card}, count=20).values()
    assert (difference.low, difference.reason) == (None, reason)


def test_an_interval_without_its_value_is_left_out_with_the_reason(registry: None) -> None:
    register(reads="scores", ratio="absent", per_image=lambda y, s: abs(y - s), scale="logit")
    definitions._METRICS["jaccard"] = replace(
        definitions._METRICS["accuracy"], name="jaccard", of_decisions=lambda _: 0.01
    )
    figure = figures(on_test(*planted(50, 50, shift=3)), 0.5)["jaccard"]
    assert (figure.value, figure.low, figure.method) == (0.01, None, None)
    assert re.fullmatch(
        r"the interval of jaccard, 0\.\d+ to 0\.\d+, does not contain its value 0\.01", figure.reason or ""
    )


@QUICK
@given(sample=rows(), threshold=TIED, class_sizes=st.sampled_from(["drawn", "fixed"]), data=st.data())
def test_no_built_in_interval_misses_its_value(
    sample: Rows, threshold: float, class_sizes: Any, data: st.DataObject
) -> None:
    patients = data.draw(st.one_of(st.none(), st.tuples(*[st.sampled_from("abcdef")] * len(sample))))
    drawn = replace(scores(sample), patient=patients)
    for figure in figures(drawn, threshold, class_sizes).values():
        assert "does not contain" not in (figure.reason or "")
        assert " of package " not in (figure.reason or "")


@pytest.mark.parametrize("name", metrics())
def test_a_ratio_or_a_mean_of_ratios_is_what_the_function_computes(name: str) -> None:
    metric = metrics()[name]
    matrix = Confusion(tp=7, fp=2, tn=11, fn=3)
    if metric.ratios and metric.of_decisions is not None:
        shares = [counted[0] / counted[1] for counted in (ratio.sums(matrix) for ratio in metric.ratios)]
        assert metric.of_decisions(matrix) == pytest.approx(sum(shares) / len(shares))
    if metric.per_image is not None and metric.of_scores is not None:
        sample = on_test([0, 1, 1], [0.2, 0.4, 0.9])
        assert metric.of_scores(sample) == pytest.approx(metric.per_image(sample.y_true, sample.y_score).mean())


def test_a_metric_without_a_vectorised_form_has_the_same_replicates(registry: None) -> None:
    weighted = definitions.get_metric("mcc").of_weighted_counts
    counts = np.array([[3.0, 0, 5], [1, 0, 2], [4, 3, 0.5], [2, 1, 1]])
    plain = replace(definitions.get_metric("mcc"), weighted=None)
    with np.errstate(invalid="ignore"):
        assert plain.of_weighted_counts(counts) == pytest.approx(weighted(counts), nan_ok=True)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("recall:macro", "macro recall"),
        ("f1:weighted", "weighted F1"),
        ("auc:class:NORMAL", "AUC of NORMAL"),
        ("recall:class:{a}: b", "recall of {a}: b"),
        ("quadratic_kappa", "quadratic kappa"),
        ("weighted_loss:odd", "weighted loss:odd"),
    ],
)
def test_a_key_of_several_classes_has_the_label_of_its_metric(name: str, label: str) -> None:
    assert label_of(name) == label


def test_the_range_of_a_figure_may_depend_on_the_number_of_classes() -> None:
    assert range_of("brier") == (0, 1)
    assert range_of("brier", classes=3) == (0, 2)
    assert range_of("recall:class:NORMAL", classes=3) == (0, 1)
    assert range_of("kappa", classes=10) == (-1, 1)
    assert range_of("loss", classes=3) == (0, math.inf)
    assert range_of("recall:macro") == (-math.inf, math.inf)  # two classes have no such figure


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["auc", "loss", "a figure of an older version"])
def test_no_figure_is_infinite_or_not_a_number(name: str, number: float) -> None:
    assert out_of_range(Figure(name, number)) == f"{name} is not finite"
    assert out_of_range(Figure(name, 0.5, number, 0.6)) == f"{name} is not finite"


def test_an_impossible_figure_of_several_classes_is_named() -> None:
    assert out_of_range(Figure("brier", 1.2), classes=3) is None
    assert out_of_range(Figure("brier", 1.2)) == "brier 1.2 is not within 0 and 1"
    assert out_of_range(Figure("f1:class:NORMAL", 1.2), classes=3) == "f1:class:NORMAL 1.2 is not within 0 and 1"
    assert out_of_range(Figure("recall:macro", 0.5, 0.6, 0.4), classes=3) is not None
