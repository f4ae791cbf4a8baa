"""What killed processes left in the cache and beside an export is swept once it is a day old."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.data.cache import read_json, write_json
from zoo.config.leftovers import STALE_S, remove_stale


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds, time.time() - seconds), follow_symlinks=False)


def a_file(path: Path) -> None:
    path.write_text("half")


def a_link(path: Path) -> None:
    path.symlink_to(path.with_name("mine"), target_is_directory=True)


@pytest.mark.parametrize("make", [a_file, a_link, Path.mkdir])
def test_what_is_a_day_old_is_removed_and_what_is_younger_stays(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("kept")
    left = tmp_path / ".left"
    make(left)
    age(left, STALE_S - 60)
    remove_stale(left)
    assert os.path.lexists(left)
    age(left, STALE_S + 60)
    remove_stale(left)
    assert not os.path.lexists(left)
    assert (tmp_path / "mine" / "file").read_text() == "kept"


def test_what_is_gone_already_is_no_error(tmp_path: Path) -> None:
    remove_stale(tmp_path / "gone")
    assert not list(tmp_path.iterdir())


def test_half_written_scans_are_swept_by_the_next_one(tmp_path: Path) -> None:
    left = tmp_path / ".writing-abc"
    left.write_text('{"half": ')
    age(left, STALE_S + 60)
    write_json(tmp_path / "scan.json", {"a": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan.json"]
    assert read_json(tmp_path / "scan.json") == {"a": 1}
