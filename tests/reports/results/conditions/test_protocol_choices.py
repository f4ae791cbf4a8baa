"""The lines about a protocol of `auto`, before a benchmark and before a curve, which has none of its folds."""

from __future__ import annotations

from benchmark.runs.protocol import Choice, Protocol
from reports.results.conditions.protocol_choices import protocol_lines, time_lines

CHOICES = (
    Choice(field="sampling.train", value=256, why="all others"),
    Choice(field="sampling.val", value=64, why="a share"),
    Choice(field="sampling.test", value=80, why="every image once, in 5 folds"),
    Choice(field="test_folds", value=5, why="one test part is too small"),
    Choice(field="views", value=2, why="the most that fits"),
    Choice(field="minutes", value=10, why="expected for 6 cards"),
)
AUTO = Protocol(name="auto", title="Fits", image_size=64, test_folds=5, choices=CHOICES)


def test_a_benchmark_names_its_folds_and_the_time_of_its_cards() -> None:
    lines = protocol_lines(AUTO)
    assert "  test_folds 5: one test part is too small" in lines
    assert lines[-1] == "  about 10 min: expected for 6 cards"


def test_a_curve_names_only_what_is_true_of_it() -> None:
    """It has one split, and its own runs with their own time."""
    expected = "about 4 min: expected for 1 card to compute, 20 of 20 runs, on an idle machine"
    lines = protocol_lines(AUTO.model_copy(update={"test_folds": None}), expected)
    assert not any("folds" in line or "6 cards" in line for line in lines)
    assert lines[-2:] == ["  views 2: the most that fits", f"  {expected}"]


def test_a_protocol_that_nobody_chose_has_no_line_but_that_of_the_time() -> None:
    assert protocol_lines(AUTO.model_copy(update={"choices": ()}), "about 4 min") == []
    assert time_lines("about 4 min") == ["time: about 4 min"]
    assert time_lines(None) == []
