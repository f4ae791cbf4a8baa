"""A threshold rule picks the best of all cuts, by brute force and by scikit-learn, and takes values it can use."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score, matthews_corrcoef, roc_curve

from benchmark.evidence.metrics.registry import Confusion, confusion
from benchmark.evidence.thresholds import rules
from benchmark.evidence.thresholds.choice import choose_with_interval
from benchmark.evidence.thresholds.intervals import bootstrap
from benchmark.evidence.thresholds.rules import (
    UNUSED,
    Range,
    Rule,
    get_rule,
    register_rule,
    rule_names,
    threshold_rule,
)
from benchmark.runs.protocol import ThresholdRule
from tests.support.records import on_test, on_val, planted

QUICK = settings(deadline=None, max_examples=60)
SCORES = st.one_of(st.integers(0, 6).map(lambda k: k / 6), st.floats(0, 1, width=32))
Rows = list[tuple[int, float]]


def of_both(rows: Rows) -> bool:
    """Whether both classes are there, and more than one score."""
    return len({label for label, _ in rows}) == 2 and len({score for _, score in rows}) > 1


ROWS = st.lists(st.tuples(st.integers(0, 1), SCORES), min_size=2, max_size=30).filter(of_both)
VALUES = {
    "cost": st.sampled_from([1e-9, 0.2, 1.0, 2.5, 5.0, 1e9]),
    "sensitivity": st.sampled_from([0.01, 0.5, 0.9, 1.0]),
    "specificity": st.sampled_from([0.01, 0.5, 0.9, 1.0]),
}
SEARCHING = sorted(set(rule_names()) - {"fixed"})
BOTH_CALLED = ("youden", "mcc", "prevalence")


def usual(rule: str) -> float:
    """A value that `rule` can use."""
    return {"cost": 5.0, "sensitivity": 0.9, "specificity": 0.9}.get(rule, 0.5)


def signed_square_of_mcc(c: Confusion) -> Fraction:
    above = c.tp * c.tn - c.fp * c.fn
    return Fraction(above * abs(above), (c.tp + c.fp) * (c.tp + c.fn) * (c.tn + c.fp) * (c.tn + c.fn))


# Exact: what is equal here is equal, and what differs by one image differs.
Ranked = tuple[Fraction | int, ...]
ORACLES: dict[str, Callable[[Confusion, Fraction], Ranked | None]] = {
    "youden": lambda c, v: (Fraction(c.tp, c.tp + c.fn) + Fraction(c.tn, c.tn + c.fp),),
    "f1": lambda c, v: (Fraction(2 * c.tp, 2 * c.tp + c.fp + c.fn),),
    "mcc": lambda c, v: (signed_square_of_mcc(c),),
    "cost": lambda c, v: (-v * c.fn - c.fp,),
    "sensitivity": lambda c, v: (c.tn, c.tp) if c.tp >= v * (c.tp + c.fn) else None,
    "specificity": lambda c, v: (c.tp, c.tn) if c.tn >= v * (c.tn + c.fp) else None,
    "prevalence": lambda c, v: (-abs(c.fp - c.fn),),
}


def counted(rows: Rows, cut: float) -> Confusion:
    """Decisions when scores from `cut` on are positive, counted one by one."""
    return Confusion(
        tp=sum(label == 1 and score >= cut for label, score in rows),
        fp=sum(label == 0 and score >= cut for label, score in rows),
        tn=sum(label == 0 and score < cut for label, score in rows),
        fn=sum(label == 1 and score < cut for label, score in rows),
    )


def all_cuts(rows: Rows, rule: str) -> list[float]:
    """Halfway between any two neighbouring scores, and halfway to 0 and 1 where one class may be called."""
    distinct = sorted({score for _, score in rows})
    ends = [] if rule in BOTH_CALLED else [(0.0, distinct[0]), (distinct[-1], 1.0)][: 2 if distinct[-1] < 1 else 1]
    return [(low + high) / 2 for low, high in [*itertools.pairwise(distinct), *ends]]


@pytest.mark.parametrize("rule", SEARCHING)
@QUICK
@given(rows=ROWS, data=st.data())
def test_a_rule_finds_the_best_of_all_cuts_and_the_nearest_to_one_half_among_equals(
    rule: str, rows: Rows, data: st.DataObject
) -> None:
    value = data.draw(VALUES.get(rule, st.just(UNUSED)))
    ranked = [(ORACLES[rule](counted(rows, cut), Fraction(str(value))), cut) for cut in all_cuts(rows, rule)]
    possible = [(found, cut) for found, cut in ranked if found is not None]
    chosen, reason = get_rule(rule).best_cut(on_val([label for label, _ in rows], [score for _, score in rows]), value)
    if not possible:
        assert chosen is None
        assert reason is not None
        return
    best = max(found for found, _ in possible)
    equals = [cut for found, cut in possible if found == best]
    assert chosen in equals
    assert chosen is not None
    assert abs(chosen - 0.5) == min(abs(cut - 0.5) for cut in equals)


@pytest.mark.parametrize("rule", SEARCHING)
@QUICK
@given(rows=ROWS, data=st.data())
def test_the_order_of_images_changes_nothing(rule: str, rows: Rows, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))
    found = [get_rule(rule).best_cut(on_val(*zip(*images, strict=True)), usual(rule)) for images in (rows, shuffled)]
    assert found[0] == found[1]


@pytest.mark.parametrize("rule", SEARCHING)
@QUICK
@given(rows=ROWS, data=st.data())
def test_a_resample_by_weights_has_the_cut_of_the_images_themselves(rule: str, rows: Rows, data: st.DataObject) -> None:
    times = st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows))
    samples = data.draw(st.lists(times, min_size=1, max_size=4))
    found = get_rule(rule).best_cuts(on_val(*zip(*rows, strict=True)), usual(rule), np.array(samples, dtype=float))
    for cut, counts in zip(found, samples, strict=True):
        images = [row for row, count in zip(rows, counts, strict=True) for _ in range(count)]
        expected = (
            get_rule(rule).best_cut(on_val(*zip(*images, strict=True)), usual(rule))[0] if of_both(images) else None
        )
        assert cut == pytest.approx(math.nan if expected is None else expected, abs=0, nan_ok=True)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("rule", "figure"),
    [
        ("f1", f1_score),
        ("mcc", matthews_corrcoef),
        ("cost", lambda y, called: -np.dot([5, 1], confusion_matrix(y, called).ravel()[[2, 1]])),
    ],
)
def test_no_score_as_a_cut_beats_the_rule_by_scikit_learn_s_count(
    rule: str, figure: Callable[..., float], seed: int
) -> None:
    labels, drawn = planted(50, 30, shift=1.0, seed=seed)
    y, scores = np.array(labels), np.array(drawn)
    chosen, _ = get_rule(rule).best_cut(on_val(labels, drawn), usual(rule))
    best = max(figure(y, scores >= cut) for cut in [*drawn, 1.0])
    assert figure(y, scores >= chosen) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_sensitivity_specificity_and_youden_lie_on_scikit_learn_s_roc_curve_where_they_should(seed: int) -> None:
    labels, drawn = planted(50, 30, shift=1.0, seed=seed)
    fpr, tpr, _ = roc_curve(labels, drawn, drop_intermediate=False)
    val = on_val(labels, drawn)

    def rates(rule: str) -> tuple[float, float]:
        chosen, _ = get_rule(rule).best_cut(val, usual(rule))
        assert chosen is not None
        c = confusion(val, chosen)
        return c.fp / (c.fp + c.tn), c.tp / (c.tp + c.fn)

    assert rates("sensitivity")[0] == pytest.approx(min(fpr[tpr >= 0.9]))
    assert rates("specificity")[1] == pytest.approx(max(tpr[fpr <= 0.1 + 1e-12]))
    assert rates("youden")[1] - rates("youden")[0] == pytest.approx(max(tpr - fpr))


def test_a_false_negative_that_costs_more_never_raises_the_cut() -> None:
    val = on_val(*planted(50, 50, shift=1.0))
    cuts = [get_rule("cost").best_cut(val, value)[0] or 0 for value in (0.01, 0.2, 1, 5, 100)]
    assert cuts == sorted(cuts, reverse=True)
    assert cuts[0] > cuts[-1]


def test_one_false_positive_for_one_false_negative_makes_the_least_errors() -> None:
    labels, drawn = planted(40, 40, shift=1.0)
    chosen, _ = get_rule("cost").best_cut(on_val(labels, drawn), 1)
    errors = [np.sum((np.array(drawn) >= cut) != np.array(labels)) for cut in (chosen, *drawn)]
    assert errors[0] == min(errors)


def test_scores_that_mislead_leave_the_best_f1_to_calling_all_images_positive() -> None:
    chosen, _ = get_rule("f1").best_cut(on_val([1, 1, 0, 0], [0.2, 0.3, 0.7, 0.8]), UNUSED)
    assert chosen == pytest.approx(0.1)


@pytest.mark.parametrize("rule", BOTH_CALLED)
@QUICK
@given(rows=ROWS)
def test_a_rule_of_agreement_calls_both_classes_even_when_scores_mislead(rule: str, rows: Rows) -> None:
    val = on_val(*zip(*rows, strict=True))
    chosen, _ = get_rule(rule).best_cut(val, UNUSED)
    assert chosen is not None
    c = confusion(val, chosen)
    assert c.tp + c.fp
    assert c.tn + c.fn


def test_full_sensitivity_is_always_within_reach() -> None:
    val = on_val([1, 0, 1], [0.0, 0.5, 1.0])
    assert get_rule("sensitivity").best_cut(val, 1) == (0.0, None)


def test_a_specificity_out_of_reach_for_negatives_that_score_1_is_refused_with_the_reason() -> None:
    val = on_val([0, 0, 1, 1], [0.2, 1.0, 0.7, 1.0])
    assert get_rule("specificity").best_cut(val, 0.5)[0] == pytest.approx(0.45)
    assert get_rule("specificity").best_cut(val, 0.6) == (
        None,
        "no threshold up to 1 gives the validation split a specificity of 0.6",
    )


def test_as_many_images_are_called_positive_as_there_are_positives() -> None:
    val = on_val(*planted(70, 30, shift=1.0))
    chosen, _ = get_rule("prevalence").best_cut(val, UNUSED)
    assert chosen is not None
    assert int(np.sum(val.y_score >= chosen)) == 30


def test_neighbours_without_room_between_them_are_still_parted() -> None:
    low = 0.3
    high = math.nextafter(low, 1)
    for rule in SEARCHING:
        assert get_rule(rule).best_cut(on_val([0, 1], [low, high]), usual(rule)) == (high, None)


def test_the_reason_names_the_split() -> None:
    assert get_rule("f1").best_cut(on_test([1, 1], [0.2, 0.4]), UNUSED) == (None, "the test split lacks a class")
    assert get_rule("f1").best_cut(on_test([0, 1], [0.2, 0.2]), UNUSED) == (None, "all test scores are the same")


@pytest.mark.parametrize(
    ("rule", "value", "says"),
    [
        ("cost", 0, "rule cost takes a value above 0"),
        ("cost", -1, "rule cost takes a value above 0"),
        ("cost", math.inf, "rule cost takes a value above 0"),
        ("cost", math.nan, "rule cost takes a value above 0"),
        ("cost", None, "rule cost needs a value above 0"),
        ("fixed", 1.5, "rule fixed takes a value from 0 to 1"),
        ("sensitivity", 0, "rule sensitivity takes a value above 0, at most 1"),
        ("sensitivity", 95, "rule sensitivity takes a value above 0, at most 1"),
        ("specificity", None, "rule specificity needs a value above 0, at most 1"),
        ("youden", 0.7, "rule youden takes no value"),
        ("prevalence", 0.15, "rule prevalence takes no value"),
        ("yuoden", None, "unknown threshold rule 'yuoden'; known: cost, f1, fixed, mcc"),
    ],
)
def test_a_value_that_a_rule_cannot_use_is_refused_in_one_line(rule: str, value: float | None, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        get_rule(rule).parameter(value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rule", rule_names())
def test_a_rule_that_takes_no_value_carries_the_one_that_stored_protocols_hold(rule: str) -> None:
    registered = get_rule(rule)
    if registered.value is None:
        assert registered.parameter() == registered.parameter(UNUSED) == 0.5


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_ends_of_a_closed_range_are_in_it(value: float) -> None:
    assert value in Range(0, 1)
    assert get_rule("fixed").parameter(value) == value
    assert get_rule("fixed").parameter() == 0.5


def test_a_range_says_what_it_holds() -> None:
    said = [str(r) for r in (Range(0, 1), Range(2), Range(0, open_low=True), Range(0, 1, open_low=True))]
    assert said == ["from 0 to 1", "from 2", "above 0", "above 0, at most 1"]


@pytest.mark.parametrize("name", ["youden", "fixed"])
def test_a_name_that_is_taken_cannot_be_registered_again(name: str) -> None:
    with pytest.raises(ValueError, match=f"threshold rule '{name}' is registered twice; rename one"):
        threshold_rule(name, optimises="true positives", interval=bootstrap)(lambda cuts, value: cuts.tp)


COMPLETE = Rule("most", "true positives", bootstrap, objective=lambda cuts, value: cuts.tp)


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ({"name": ""}, "threshold rule '' has no name"),
        ({"optimises": ""}, "threshold rule 'most' has no text for what it optimises"),
        ({"interval": None}, "threshold rule 'most' has no interval function"),
        ({"objective": None}, "threshold rule 'most' has no objective or value"),
    ],
)
def test_an_incomplete_registration_is_refused_in_one_line(missing: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        register_rule(dataclasses.replace(COMPLETE, **missing))
    assert "\n" not in str(caught.value)
    assert "most" not in rule_names()


def test_a_foreign_rule_chooses_with_its_own_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_RULES", dict(rules._RULES))
    threshold_rule("most", optimises="true positives", interval=lambda choice: (0.0, choice.threshold))(
        lambda cuts, value: cuts.tp
    )
    chosen = choose_with_interval(on_val(*planted(20, 20)), "most")
    assert (chosen.low, chosen.high) == (0.0, chosen.value)
    assert ThresholdRule.parse("most").in_words() == "most, chosen on validation scores alone"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fixed=0.4", "fixed at 0.4"),
        ("youden", "youden, chosen on validation scores alone"),
        ("cost=5", "cost 5, chosen on validation scores alone"),
    ],
)
def test_a_rule_has_its_words_for_prose(text: str, words: str) -> None:
    assert ThresholdRule.parse(text).in_words() == words
