"""Keys of figures and the strings that they are written as."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.evidence.metrics.keys import AVERAGES, MeasureKey


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("accuracy", MeasureKey("accuracy")),
        ("recall:macro", MeasureKey("recall", "macro")),
        ("f1:weighted", MeasureKey("f1", "weighted")),
        ("precision:micro", MeasureKey("precision", "micro")),
        ("recall:class:NORMAL", MeasureKey("recall", of_class="NORMAL")),
        ("recall:class:macro", MeasureKey("recall", of_class="macro")),
        ("recall:class:grade: 2", MeasureKey("recall", of_class="grade: 2")),
    ],
)
def test_a_string_and_its_key_are_the_same(text: str, key: MeasureKey) -> None:
    assert MeasureKey.parse(text) == key
    assert str(key) == text


@given(st.text(alphabet="abc_", min_size=1), st.one_of(st.sampled_from(AVERAGES), st.text(min_size=1)), st.booleans())
def test_every_key_survives_its_string(metric: str, part: str, average: bool) -> None:
    key = MeasureKey(metric, part) if average and part in AVERAGES else MeasureKey(metric, of_class=part)  # type: ignore[arg-type]
    assert MeasureKey.parse(str(key)) == key


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must be a name"),
        (":macro", "must be a name"),
        ("recall:", "use recall, recall:macro"),
        ("recall:mean", "or recall:class:NAME"),
        ("recall:macro:NORMAL", "'recall:macro:NORMAL' is not a figure"),
        ("recall:class", "lacks the name of its class"),
        ("recall:class:", "lacks the name of its class"),
    ],
)
def test_other_strings_are_refused_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refusal:
        MeasureKey.parse(text)
    assert "\n" not in str(refusal.value)


def test_a_key_is_not_both_an_average_and_of_one_class() -> None:
    with pytest.raises(ValueError, match="not both"):
        MeasureKey("recall", "macro", "NORMAL")
    with pytest.raises(ValueError, match="must be one of macro, weighted, micro"):
        MeasureKey("recall", "mean")  # type: ignore[arg-type]
