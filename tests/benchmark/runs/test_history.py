"""Epochs are numbers, from whatever rows they were recorded in; what was not recorded is missing and not nought."""

from __future__ import annotations

import pytest

from benchmark.runs.history import NO_HISTORY, History
from tests.support.records import HEALTHY, recorded_history


def test_text_and_numbers_are_the_same_history() -> None:
    text = {"phase": "head", "epoch": "2", "loss": "0.1", "val_loss": ""}
    number = {"phase": "head", "epoch": 2, "loss": 0.1, "val_loss": None}
    assert History.of([text]) == History.of([number])
    assert History.of([text]).rows() == [{"phase": "head", "epoch": 2, "loss": 0.1}]


def test_a_history_is_what_its_rows_say() -> None:
    history = recorded_history(HEALTHY, "head", "finetune")
    assert History.of(history.rows()) == history
    assert [epoch.step for epoch in history.epochs] == [1, 2, 3, 4, 5, 6]
    assert history.column("val_loss") == (*HEALTHY["val_loss"], *HEALTHY["val_loss"])
    assert history.column("never recorded") == (None,) * 6


def test_a_figure_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="could not convert"):
        History.of([{"loss": "low"}])


def test_a_curve_with_a_gap_is_refused_with_its_epoch() -> None:
    rows = recorded_history().rows()
    del rows[1]["val_loss"]
    with pytest.raises(ValueError, match="epoch 2 has no number for val_loss"):
        History.of(rows).curves()
    assert NO_HISTORY.curves() == {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
