"""CSV files: what was written comes back, and no cell of text is a formula."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from reports.render.csv_text import csv_text

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12)


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.lists(st.lists(TEXT | st.sampled_from(STARTS).map(lambda s: f"{s}1"), min_size=2, max_size=2), max_size=4))
def test_text_comes_back_and_never_starts_a_formula(rows: list[list[str]]) -> None:
    back = read(csv_text(("a", "=b"), rows))
    assert back[0] == ["a", "'=b"]
    for row, found in zip(rows, back[1:], strict=True):
        assert [cell.removeprefix("'") for cell in found] == [cell.removeprefix("'") for cell in row]
        assert not [cell for cell in found if cell.startswith(STARTS)]


@given(st.floats(allow_nan=False), st.integers())
def test_numbers_are_numbers_in_full_also_below_zero(real: float, whole: int) -> None:
    (_, (first, second, third)) = read(csv_text(("a", "b", "c"), [(real, whole, None)]))
    assert float(first) == real
    assert int(second) == whole
    assert third == ""
