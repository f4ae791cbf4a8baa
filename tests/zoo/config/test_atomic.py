"""Atomic writes: after a crash or a full disk the old version exists or the new one, and nothing else is visible."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zoo.config.atomic import atomic_file, atomic_folder, write_text
from zoo.config.leftovers import PREFIX, STALE_S, sweep

ROOT = Path(__file__).resolve().parents[3]


def write_file(path: Path, text: str) -> None:
    with atomic_file(path) as part:
        part.write_text(text)


def write_folder(path: Path, text: str) -> None:
    with atomic_folder(path) as building:
        (building / "inner").mkdir()
        (building / "inner" / "file").write_text(text)


def content(path: Path) -> str:
    return (path / "inner" / "file" if path.is_dir() else path).read_text()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow beyond 10 bytes; the process gets an OSError, as from a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


WRITERS = pytest.mark.parametrize("write", [write_file, write_folder])


@WRITERS
def test_what_was_written_gets_its_name_and_nothing_else_stays(
    write: Callable[[Path, str], None], tmp_path: Path
) -> None:
    write(tmp_path / "new", "text")
    assert content(tmp_path / "new") == "text"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@WRITERS
def test_a_full_disk_leaves_nothing(write: Callable[[Path, str], None], tmp_path: Path) -> None:
    with full_disk(), pytest.raises(OSError, match="File too large"):
        write(tmp_path / "new", "longer than that")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file_and_the_error_names_it(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with full_disk(), pytest.raises(OSError, match="File too large") as error:
        write_text(path, "longer than that")
    assert error.value.filename == str(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_replaces_the_old_one_and_a_folder_does_not(tmp_path: Path) -> None:
    for text in ("old", "new"):
        write_file(tmp_path / "file", text)
    assert content(tmp_path / "file") == "new"
    write_folder(tmp_path / "folder", "old")
    with pytest.raises(OSError, match="not empty"):
        write_folder(tmp_path / "folder", "new")
    assert content(tmp_path / "folder") == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_the_temporary_file_keeps_the_suffix(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "picture.svg") as part:
        assert part.suffix == ".svg"
        assert part.parent == tmp_path


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_do_not_depend_on_the_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write_file(tmp_path / "file", "text")
        with atomic_file(tmp_path / "secret", mode=0o600) as part:
            part.write_text("text")
        write_folder(tmp_path / "folder", "text")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"file": 0o644, "secret": 0o600, "folder": 0o755}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_killed_writer_leaves_the_old_version_and_its_leftovers_are_swept_a_day_later(
    kind: str, tmp_path: Path
) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from zoo.config.atomic import atomic_file, atomic_folder\n"
        f"with atomic_{kind}(Path(sys.argv[1])) as part:\n"
        "    (part / 'inner' if part.is_dir() else part).write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    write_file(tmp_path / "target", "old")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "target")], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.glob(f"{PREFIX}*")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["target", left.name])
    for path in (*left.glob("*"), left):
        os.utime(path, (0, path.stat().st_mtime - STALE_S - 60))
    sweep(tmp_path)
    assert content(tmp_path / "target") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
