"""Results in notebooks: text from files and images is never markup."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from zoo.api.output.tables import frame, html_table
from zoo.config.errors import ConfigError

HOSTILE = "<script>alert('x')</script>\n&"


def test_every_text_of_a_table_is_escaped() -> None:
    text = html_table(HOSTILE, [HOSTILE], [[HOSTILE]], [HOSTILE])
    assert "<script>" not in text
    assert text.count("&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp;") == 4


def test_missing_is_empty_and_zero_is_zero() -> None:
    assert "<td></td><td>0</td>" in html_table("", ["a", "b"], [[None, 0]])


def test_a_frame_without_rows_has_its_columns() -> None:
    assert list(frame([], ["a", "b"]).columns) == ["a", "b"]


def test_without_pandas_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pandas":
            raise ModuleNotFoundError("no pandas")
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"zoo-bench\[frames\]"):
        frame([])
