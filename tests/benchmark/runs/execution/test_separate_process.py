"""A function that is called in a separate process costs only its result where it fails."""

from __future__ import annotations

import math
import multiprocessing
import os
import time

import pytest

from benchmark.runs.execution.separate_process import call_in_process

CONTEXT = multiprocessing.get_context("spawn")


def test_the_result_comes_back() -> None:
    assert call_in_process(CONTEXT, math.gcd, (12, 18), 60.0) == 6


@pytest.mark.parametrize(
    ("function", "arguments", "limit_s"),
    [(math.sqrt, (-1.0,), 60.0), (os._exit, (3,), 60.0), (time.sleep, (60.0,), 0.2)],
    ids=["raises", "crashes", "hangs"],
)
def test_a_failure_is_none(function: object, arguments: tuple[object, ...], limit_s: float) -> None:
    assert call_in_process(CONTEXT, function, arguments, limit_s) is None  # type: ignore[arg-type]
