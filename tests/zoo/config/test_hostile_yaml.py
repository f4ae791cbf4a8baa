"""Hostile YAML files: each loader answers with one printable line per error, or with data that are in bounds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.zoo.config.test_yaml_bounds import LOADERS
from zoo.config.errors import ConfigError

TITLE = "title: Mine\n"
FILES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "must contain a mapping"),
    "a comment alone": ("# nothing\n", "must contain a mapping"),
    "a list": ("- a\n- b\n", "must contain a mapping"),
    "a text": ("just text\n", "must contain a mapping"),
    "null": ("null\n", "must contain a mapping"),
    "two documents": (f"{TITLE}---\n{TITLE}", ""),
    "ended by dots": (f"{TITLE}...\nmore: 1\n", ""),
    "of another version": ("%YAML 9.9\n---\n" + TITLE, ""),
    "with a prefix of tags": ("%TAG ! tag:example.com,2000:\n---\na: !x 1\n", "not supported"),
    "that would call os.system": ("a: !!python/object/apply:os.system ['touch pwned']\n", "not supported"),
    "that would make an object": ("a: !!python/object/new:os.PathLike {}\n", "not supported"),
    "that would import a name": ("a: !!python/name:os.system\n", "not supported"),
    "that would import a module": ("a: !!python/module:antigravity\n", "not supported"),
    "of a tuple": ("a: !!python/tuple [1, 2]\n", "not supported"),
    "of a binary": ("a: !!binary aGVsbG8=\n", "not supported"),
    "of a set": ("a: !!set {b, c}\n", "not supported"),
    "of an ordered map": ("a: !!omap [b: 1]\n", "not supported"),
    "of a timestamp": ("a: !!timestamp 2020-01-01\n", "not supported"),
    "of an unknown tag": ("a: !mine {b: 1}\n", "not supported"),
    "of a text by its tag": ("a: !!str 1\n", "not supported"),
    "a billion laughs": (
        "a: &a [x, x]\n" + "".join(f"{n}: &{n} [*{m}, *{m}]\n" for m, n in zip("abcdefgh", "bcdefghi", strict=True)),
        "aliases are not supported",
    ),
    "an alias of itself": ("a: &a\n  b: *a\n", "aliases are not supported"),
    "an alias of nothing": ("a: *nothing\n", ""),
    "a merge": ("a: {b: 1}\nc:\n  <<: {d: 1}\n", "'<<' is not supported"),
    "a key twice": (f"{TITLE}{TITLE}", "duplicated"),
    "a key twice inside": ("model: {builder: a, builder: b}\n", "duplicated"),
    "a number as key": ("1: a\n", "a key must be plain text"),
    "a truth as key": ("yes: a\n", "a key must be plain text"),
    "nothing as key": ("~: a\n", "a key must be plain text"),
    "a list as key": ("? [a, b]\n: c\n", ""),
    "a mapping as key": ("? {a: b}\n: c\n", ""),
    "an empty key": ("'': a\n", "unknown key"),
    "a key of 100,000 letters": ("k" * 100_000 + ": a\n", ""),
    "10,000 unknown keys": ("".join(f"k{number}: 1\n" for number in range(10_000)), "more errors"),
    "lists in lists without end": ("a: " + "[" * 100_000, ""),
    "mappings in mappings without end": ("a: " + "{b: " * 1000, ""),
    "blocks in blocks": ("".join(f"{' ' * number}a:\n" for number in range(400)), "nested deeper"),
    "a list that is not closed": ("a: [1, 2\n", ""),
    "a quote that is not closed": ("a: 'b\n", ""),
    "tabs": ("a:\n\tb: 1\n", ""),
    "wrong indentation": ("a:\n    b: 1\n  c: 1\n", ""),
    "a colon in a value": ("title: a: b\n", ""),
    "a wrong escape": ('a: "\\q"\n', ""),
    "half a surrogate pair": ('title: "\\uD800"\n', ""),
    "a character beyond Unicode": ('title: "\\U00110000"\n', ""),
    "a character of control": ("title: a\x07b\n", "not valid YAML"),
    "a NUL": ("title: a\x00b\n", "not valid YAML"),
    "text that turns round": ("title: 'a\u202eb'\n'\u202ekey': 1\n", "unknown key"),
    "line breaks in a key": ('"a\\nb": 1\n', "unknown key"),
    "line breaks of Unicode in a key": ('"a\\Lb\\Pc\\Nd": 1\n', "unknown key"),
    "a terminal's escape in a key": ('"\\e[31mred": 1\n', "unknown key"),
    "markup in a key": ("'<script>alert(1)</script>': 1\n", "unknown key"),
    "not UTF-8": (b"title: ni\xf1o\n", "cannot be read"),
    "UTF-16": ("title: Mine\n".encode("utf-16"), "cannot be read"),
    "a mark of the byte order": (b"\xef\xbb\xbftitle: Mine\nunknown: 1\n", "unknown key"),
    "20,000 digits": (f"a: {'9' * 20_000}\n", "characters; the longest has"),
    "20,000 hexadecimal digits": (f"a: 0x{'f' * 20_000}\n", "characters; the longest has"),
    "20,000 octal digits": (f"a: 0{'7' * 20_000}\n", "characters; the longest has"),
    "sexagesimal without end": (f"a: 1{':59' * 5000}\n", "characters; the longest has"),
    "a number beyond 64 bits": (f"a: {2**64}\n", "beyond 64 bits"),
    "an infinite number": ("a: .inf\n", "not a finite number"),
    "no number": ("a: .nan\n", "not a finite number"),
    "a power beyond floats": ("a: 1e999\n", "not a finite number"),
    "a decimal comma": ("a: {b: 0,5}\n", "decimal comma"),
    "a date that does not exist": ("a: 2020-13-41\n", "not valid YAML"),
    "a date": ("title: 2020-01-01\n", ""),
    "a value of half a MiB": (f"title: 1\nchange: {'x' * 2**19}\n", "valid string"),
    "more than a MiB": (f"title: {'x' * 2**20}\n", "MiB"),
    "JSON": ('{"title": 1, "unknown": [null, true]}', "unknown key"),
}
"""Files by what is wrong with them, each with a part of its first line; every loader refuses each."""

OTHERS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nothing": lambda path: path.symlink_to("/nowhere/at-all"),
}
"""What is no file, made at a path."""


def refusal(kind: str, path: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        LOADERS[kind](path)
    for line in caught.value.lines:
        assert len(line) < 1000
        assert len(line.splitlines()) == 1
        assert "\x1b" not in line
    return caught.value.lines


@pytest.mark.parametrize("kind", list(LOADERS))
@pytest.mark.parametrize("name", list(FILES))
def test_a_hostile_file_is_refused_line_by_line(name: str, kind: str, tmp_path: Path) -> None:
    content, says = FILES[name]
    path = tmp_path / "mine.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    lines = refusal(kind, path)
    assert any(says in line for line in lines)
    assert str(path) in lines[0]
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize("kind", list(LOADERS))
@pytest.mark.parametrize("name", list(OTHERS))
def test_what_is_no_file_is_refused_in_one_line(name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    OTHERS[name](path)
    (line,) = refusal(kind, path)
    assert "mine.yaml" in line


def test_there_are_sixty() -> None:
    assert len(FILES) + len(OTHERS) >= 60
