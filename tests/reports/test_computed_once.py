"""Results of reports that are computed once."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reports.content_cache
from benchmark.evidence.calibration.calibrators import Calibrator, best_calibrator
from benchmark.evidence.calibration.reliability import Reliability, assess
from benchmark.evidence.scores import TestScores, ValidationScores
from reports.computed_once import KIND, computed_once
from reports.results.curves import _curves, _CurvesWithBand

ROOT = Path(__file__).parents[2]
COMPUTED: list[float] = []


@dataclass(frozen=True)
class Doubled:
    values: tuple[float, ...]
    label: str | None


def doubled(*values: float) -> Doubled:
    COMPUTED.extend(values)
    return Doubled(tuple(2 * value for value in values), None)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, in which nothing was computed."""
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path))
    COMPUTED.clear()
    return tmp_path


def test_the_same_data_are_computed_once(own_cache: Path) -> None:
    for _ in range(2):
        assert computed_once(Doubled, doubled, 0.1, 3.0) == Doubled((0.2, 6.0), None)
    assert COMPUTED == [0.1, 3.0]
    computed_once(Doubled, doubled, 0.1, 3.0 + 2**-51)
    assert COMPUTED[2:] == [0.1, 3.0 + 2**-51]
    assert len(list((own_cache / KIND).iterdir())) == 2


@given(value=st.floats(allow_nan=False))
def test_numbers_come_back_to_the_last_bit(value: float) -> None:
    first, second = (computed_once(Doubled, doubled, value) for _ in range(2))
    assert first == second == doubled(value)
    assert math.copysign(1, second.values[0]) == math.copysign(1, value)


def test_a_number_that_is_not_one_comes_back() -> None:
    computed_once(Doubled, doubled, math.nan)
    assert math.isnan(computed_once(Doubled, doubled, math.nan).values[0])


def test_other_code_computes_again_and_code_that_changes_keeps_nothing(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code in ("one", "another", None, None, "one"):
        monkeypatch.setattr(reports.content_cache, "source_digest", lambda packages, code=code: code)
        computed_once(Doubled, doubled, 1.0)
    assert COMPUTED == [1.0, 1.0, 1.0, 1.0]
    assert len(list((own_cache / KIND).iterdir())) == 2


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"[" * 100_000, b"\xff\xfe", b'{"values": [2.0]}', b'{"values": "2", "label": 1}'],
    ids=["empty", "cut", "list", "deep", "bytes", "field", "types"],
)
def test_a_damaged_file_is_computed_again(own_cache: Path, content: bytes) -> None:
    first = computed_once(Doubled, doubled, 1.0)
    [path] = (own_cache / KIND).iterdir()
    whole = path.read_bytes()
    path.write_bytes(content)
    assert computed_once(Doubled, doubled, 1.0) == first
    assert path.read_bytes() == whole


def test_a_cache_that_cannot_be_written_changes_nothing(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_cache / "file").write_text("x", encoding="utf-8")
    monkeypatch.setenv("ZOO_CACHE_DIR", str(own_cache / "file"))
    assert computed_once(Doubled, doubled, 1.0) == computed_once(Doubled, doubled, 1.0)
    assert COMPUTED == [1.0, 1.0]


def test_an_error_is_not_kept(own_cache: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            computed_once(float, _reciprocal, 0.0)
    assert not (own_cache / KIND).exists()


def _reciprocal(value: float) -> float:
    return 1 / value


@pytest.mark.parametrize("images", [12, 300])
def test_what_reports_keep_is_what_was_computed(images: int, own_cache: Path) -> None:
    val, test, constant = scores(images)
    kept: list[tuple[Any, Callable[..., Any], tuple[Any, ...]]] = [
        (Calibrator, best_calibrator, (val,)),
        (Reliability, assess, (test,)),
        (Reliability, assess, (constant,)),
        (_CurvesWithBand, _curves, ((test,), "drawn", 50)),
    ]
    for kind, compute, arguments in kept:
        computed = computed_once(kind, compute, *arguments)
        unused = replaced(compute)
        assert repr(computed_once(kind, unused, *arguments)) == repr(computed) == repr(compute(*arguments))
    assert len(list((own_cache / KIND).iterdir())) == len(kept)


def test_another_process_finds_what_was_computed(own_cache: Path) -> None:
    code = (
        "from tests.reports.test_computed_once import Calibrator, best_calibrator, computed_once, scores\n"
        "print(computed_once(Calibrator, best_calibrator, scores(40)[0]))"
    )
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
        assert done.stdout.strip() == repr(best_calibrator(scores(40)[0]))
    assert len(list((own_cache / KIND).iterdir())) == 1


def scores(images: int) -> tuple[ValidationScores, TestScores, TestScores]:
    """Scores of validation and test, and of a model that scores all images the same."""
    generator = np.random.default_rng(images)
    y_true = np.arange(images) % 2
    y_score = 1 / (1 + np.exp(-generator.normal(3 * y_true - 1.5, 2)))
    patients = tuple(f"p{number // 2}" for number in range(images))
    constant = TestScores("test", y_true, np.full(images, 0.5))
    return ValidationScores("val", y_true, y_score, patients), TestScores("test", y_true, y_score, patients), constant


def replaced(compute: Callable[..., Any]) -> Callable[..., Any]:
    """A function with the name of `compute` that must not be called."""

    def unused(*_: Any) -> Any:
        raise AssertionError("computed again")

    unused.__module__, unused.__qualname__ = compute.__module__, compute.__qualname__
    return unused
