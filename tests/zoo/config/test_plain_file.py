"""Only regular files are read, and only up to a size: nothing waits for ever, nothing fills the memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmark.runs.protocol import load_protocol
from reports.claims.model import load_claims
from search_spaces.space import load_space
from tests.support.records import cards
from zoo.config.errors import ConfigError
from zoo.config.plain_file import NotPlain, read_plain
from zoo.config.strict_yaml import LARGEST_FILE
from zoo.models.catalog import load_cards

READERS = {
    "card": lambda path: load_cards([path.parent]),
    "protocol": lambda path: load_protocol(str(path)),
    "space": lambda path: load_space(str(path)),
    "claims": lambda path: load_claims(str(path), cards()),
}


@pytest.mark.parametrize("size", [0, 1, 4096, 4097])
def test_a_regular_file_is_read_up_to_the_size(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    assert read_plain(path, size) == b"x" * size
    if size:
        with pytest.raises(NotPlain, match="it has more than"):
            read_plain(path, size - 1)


def test_a_link_to_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert read_plain(tmp_path / "link", 1) == b"x"


@pytest.mark.parametrize("target", [None, "/dev/zero", "/dev/null", "."])
def test_what_is_not_a_regular_file_is_not_opened(tmp_path: Path, target: str | None) -> None:
    path = tmp_path / "file"
    if target is None:
        os.mkfifo(path)
    else:
        path.symlink_to(target)
    with pytest.raises(NotPlain, match="it is not a regular file"):
        read_plain(path, 100)


@pytest.mark.parametrize("kind", list(READERS))
@pytest.mark.parametrize("target", [None, "/dev/zero"])
def test_a_pipe_or_a_device_as_a_yaml_file_is_one_line(tmp_path: Path, kind: str, target: str | None) -> None:
    path = tmp_path / "mine.yaml"
    if target is None:
        os.mkfifo(path)
    else:
        path.symlink_to(target)
    with pytest.raises(ConfigError) as caught:
        READERS[kind](path)
    assert caught.value.lines == (f"{path}: cannot be read: it is not a regular file",)


@pytest.mark.parametrize("kind", list(READERS))
def test_a_yaml_file_beyond_the_largest_is_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("title: " + "x" * LARGEST_FILE, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        READERS[kind](path)
    assert caught.value.lines == (f"{path}: cannot be read: it has more than 1 MiB",)
