"""A terminal that knows ASCII alone gets every command's answer."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from benchmark.runs.storage.store import Store
from tests.support.records import KAGGLE
from tests.support.stored import keep
from tests.support.tiny import run_zoo
from zoo.cli.encoding import allow_plain_output, takes_all_letters
from zoo.cli.options import print_json


def written(text: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    allow_plain_output()
    print(text, end="")
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def test_signs_are_written_plainly_and_other_letters_as_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written("– × … ó 肺", "ascii", monkeypatch) == r"- x ... \xf3 \u80ba"
    assert written("– ó 肺", "latin-1", monkeypatch) == r"- ó \u80ba"


def test_a_stream_that_takes_all_letters_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written("– ó 肺", "utf-8", monkeypatch) == "– ó 肺"
    assert takes_all_letters(io.TextIOWrapper(io.BytesIO(), encoding="UTF_16"))
    assert not takes_all_letters(io.TextIOWrapper(io.BytesIO(), encoding="cp1252"))


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_byte_that_is_no_letter_is_written_as_an_escape(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert written("ni\udcf1o-1.png", encoding, monkeypatch) == r"ni\udcf1o-1.png"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_document_with_such_a_byte_is_valid_json(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    allow_plain_output()
    print_json({"image": "ni\udcf1o-1.png"})
    stream.flush()
    assert json.loads(stream.buffer.getvalue().decode(encoding)) == {"image": "ni\udcf1o-1.png"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_document_is_valid_json_in_every_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    print_json({"título": "neumonía 肺"})
    stream.flush()
    assert json.loads(stream.buffer.getvalue().decode(encoding)) == {"título": "neumonía 肺"}  # type: ignore[attr-defined]


def test_a_table_of_the_command_line_is_printed_where_ascii_is_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    monkeypatch.setenv("PYTHONUTF8", "0")
    keep(Store(tmp_path / "runs"), "attempt-1", dataset=KAGGLE.model_copy(update={"source": "tórax"}))
    done = run_zoo("runs", cwd=tmp_path, cache=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert r"t\xf3rax, protocol quick" in done.stdout
    assert "attempt-1" in done.stdout
