"""A sentence is contradicted only where no rounding of the printed figures allows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.claims import audit_of, figure, of_kind, row, row_of


def statement(**form: Any) -> dict[str, Any]:
    return {"id": "useful", "location": "Abstract", "text": "It is useful.", "assertion": form}


def at_least(value: float, **more: Any) -> dict[str, Any]:
    return statement(at_least={"card": "one", "metric": "auc", "value": value, **more})


@pytest.mark.parametrize(
    ("said", "contradicted"),
    [
        (at_least(0.9), True),
        (at_least(0.85), False),
        (at_least(0.8549), False),  # 0.85 may be 0.8549
        (at_least(0.856), True),
        (at_least(0.9, split="val"), False),
        (statement(at_most={"card": "one", "metric": "auc", "value": 0.8}), True),
        (statement(at_most={"card": "one", "metric": "auc", "value": 0.845}), False),
        (statement(at_least={"card": "one", "metric": "recall", "value": 0.9}), False),  # is not printed
        (statement(superior={"a": "one", "b": "two", "metric": "auc"}), True),
        (statement(superior={"a": "two", "b": "one", "metric": "auc"}), False),
        (statement(superior={"a": "one", "b": "three", "metric": "auc"}), False),  # equal as printed
        (statement(superior={"a": "two", "b": "one", "metric": "log_loss"}), True),  # lower is better
        (statement(not_superior={"a": "one", "b": "two", "metric": "auc"}), False),
        (statement(any=[{"at_least": {"card": "one", "metric": "auc", "value": 0.9}}] * 2), False),
        (statement(all=[{"at_least": {"card": "one", "metric": "auc", "value": v}} for v in (0.7, 0.9)]), True),
    ],
)
def test_a_sentence_is_compared_with_the_printed_figures(
    tmp_path: Path, said: dict[str, Any], contradicted: bool
) -> None:
    rows = [
        row("one", figure("auc", 0.85, decimals=2), figure("log_loss", 0.4, decimals=2)),
        row("two", figure("auc", 0.9, decimals=2), figure("log_loss", 0.5, decimals=2)),
        row("three", figure("auc", 0.85, decimals=2)),
    ]
    done = audit_of(tmp_path, *rows, statements=[said])
    findings = of_kind(done, "sentence")
    assert [finding.severity for finding in findings] == ["contradiction"] * contradicted
    assert row_of(done, "one").outcome != "contradictory"
    if said == at_least(0.9):
        assert findings[0].statement == (
            "The sentence useful (Abstract) contradicts the printed figures: AUC of one at least 0.9; printed: 0.85 "
            "(Table of auc)."
        )
