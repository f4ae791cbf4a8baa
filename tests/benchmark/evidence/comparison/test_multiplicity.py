"""Adjusted p-values, and groups of cards that are not significantly different."""

from __future__ import annotations

from itertools import combinations
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from benchmark.evidence.comparison.multiplicity import compact_letters, holm, indistinguishable_groups

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)
NAMES = "abcdefg"
PAIRS = st.sets(st.sampled_from(list(combinations(NAMES, 2))))


@settings(max_examples=20)
@given(p_values=P_VALUES)
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    with mock.patch("gc.collect"):  # statsmodels collects garbage in every call, which takes a second
        adjusted = multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(adjusted, abs=1e-12)


@given(p_values=P_VALUES, data=st.data())
def test_holm_keeps_the_order_of_p_values_and_never_lowers_one(p_values: list[float], data: st.DataObject) -> None:
    adjusted = holm(p_values)
    for (p, a), (q, b) in combinations(zip(p_values, adjusted, strict=True), 2):
        assert a is not None
        assert b is not None
        assert p <= a <= 1
        assert p >= q or a <= b
    order = data.draw(st.permutations(range(len(p_values))))
    assert holm([p_values[k] for k in order]) == tuple(adjusted[k] for k in order)


def test_a_test_that_was_not_made_stays_missing_and_does_not_count() -> None:
    assert holm([0.01, None, 0.04]) == (0.02, None, 0.04)
    assert holm([]) == ()


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_a_number_outside_0_to_1_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="p-values"):
        holm([0.5, p])


def test_cards_without_a_significant_difference_are_one_group_and_share_a_letter() -> None:
    groups = indistinguishable_groups({"a": 0.9, "b": 0.8, "c": 0.7}, [])
    assert groups == (("a", "b", "c"),)
    assert compact_letters(groups) == {"a": "a", "b": "a", "c": "a"}


def test_the_middle_card_is_in_both_groups_when_only_best_and_worst_differ() -> None:
    groups = indistinguishable_groups({"low": 0.7, "middle": 0.8, "high": 0.9}, [("low", "high")])
    assert groups == (("high", "middle"), ("middle", "low"))
    assert compact_letters(groups) == {"high": "a", "middle": "ab", "low": "b"}


def test_the_best_card_is_first_where_lower_is_better() -> None:
    assert indistinguishable_groups({"a": 0.9, "b": 0.1}, [("a", "b")], higher_is_better=False) == (("b",), ("a",))


@given(different=PAIRS, data=st.data())
def test_groups_are_the_largest_sets_without_a_different_pair(
    different: set[tuple[str, str]], data: st.DataObject
) -> None:
    values = {name: data.draw(st.floats(0, 1)) for name in NAMES}
    forbidden = {frozenset(pair) for pair in different}

    def compatible(names: tuple[str, ...]) -> bool:
        return not any(frozenset(pair) in forbidden for pair in combinations(names, 2))

    every = [frozenset(c) for k in range(1, len(NAMES) + 1) for c in combinations(NAMES, k) if compatible(c)]
    largest = {c for c in every if not any(c < other for other in every)}
    groups = indistinguishable_groups(values, different)
    assert {frozenset(group) for group in groups} == largest
    assert len(groups) == len(largest)


@given(different=PAIRS, data=st.data())
def test_two_cards_share_a_letter_exactly_when_they_do_not_differ(
    different: set[tuple[str, str]], data: st.DataObject
) -> None:
    letters = compact_letters(indistinguishable_groups({name: data.draw(st.floats(0, 1)) for name in NAMES}, different))
    forbidden = {frozenset(pair) for pair in different}
    for x, y in combinations(NAMES, 2):
        assert bool(set(letters[x]) & set(letters[y])) == (frozenset((x, y)) not in forbidden)


@given(different=PAIRS, data=st.data())
def test_the_order_of_cards_and_pairs_changes_nothing(different: set[tuple[str, str]], data: st.DataObject) -> None:
    values = {name: data.draw(st.sampled_from([0.5, 0.6, 0.7])) for name in NAMES}
    shuffled = {name: values[name] for name in data.draw(st.permutations(NAMES))}
    reversed_pairs = [(y, x) for x, y in data.draw(st.permutations(sorted(different)))]
    assert indistinguishable_groups(shuffled, reversed_pairs) == indistinguishable_groups(values, sorted(different))


def test_a_pair_with_a_card_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="without a value: x"):
        indistinguishable_groups({"a": 0.5}, [("a", "x")])
