"""Arguments of a wrong type give one line that quotes the value and says what is right."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.config.arguments import flag, optional_text, path, real, several, text, whole
from zoo.config.errors import ConfigError


def test_right_arguments_pass() -> None:
    assert text("name", "a") == "a"
    assert optional_text("name", None) is None
    assert flag("keep", True) is True
    assert path("out", "a") == path("out", Path("a")) == Path("a")
    assert real("gib", 0.5, "GiB") == 0.5
    assert several("names", "a", str, "names") == several("names", iter(["a"]), str, "names") == ["a"]
    assert several("names", [], str, "names") == []


def test_a_whole_number_of_numpy_becomes_one_of_python() -> None:
    number = whole("jobs", np.int64(3), 1)
    assert number == 3
    assert type(number) is int


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (lambda: text("name", 3), "name: is 3; give text"),  # type: ignore[arg-type]
        (lambda: optional_text("name", 3), "name: is 3; give text or None"),  # type: ignore[arg-type]
        (lambda: flag("keep", "no"), "keep: is 'no'; give True or False"),  # type: ignore[arg-type]
        (lambda: path("out", None), "out: is None; give a folder"),  # type: ignore[arg-type]
        (lambda: real("gib", "4", "GiB"), "gib: is '4'; give GiB"),
        (lambda: real("gib", True, "GiB"), "gib: is True; give GiB"),
        (lambda: whole("jobs", 0, 1), "jobs: is 0; give a whole number, 1 or more"),
        (lambda: whole("jobs", True, 1), "jobs: is True; give a whole number"),
        (lambda: whole("jobs", 1.5, 1), "jobs: is 1.5; give a whole number"),
        (lambda: whole("jobs", 5, 1, 4), "jobs: is 5; give 1 to 4"),
        (lambda: several("names", 3, str, "names"), "names: is 3; give names"),
        (lambda: several("names", ["a", None], str, "names"), "names: is None; give names"),
        (lambda: several("names", "a", Path, "paths"), "names: is 'a'; give paths"),
        (lambda: several("names", [], str, "names", may_be_empty=False), "names: is empty; give names"),
        (lambda: text("name", ["a" * 99]), f"name: is ['{'a' * 55}...; give text"),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_are_one_line(check: Callable[[], Any], says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)) as refused:
        check()
    assert len(refused.value.lines) == 1
