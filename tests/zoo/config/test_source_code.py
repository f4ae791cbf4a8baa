"""The digest of source code, and when there is none."""

from __future__ import annotations

import os
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from zoo.config import source_code
from zoo.config.source_code import source_digest

NAME = "package_of_a_test"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a package that was written before this process began."""
    folder = tmp_path / NAME
    folder.mkdir()
    for name, text in {"__init__": "", "one": "1"}.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(source_code, "_began", lambda: time.time() + 60)
    forget()
    yield folder
    sys.modules.pop(NAME, None)
    forget()


def forget() -> None:
    """Forget what another process would not know."""
    source_code._files.cache_clear()
    source_code._digest.cache_clear()


def digest() -> str | None:
    forget()
    return source_digest((NAME,))


def test_every_change_of_a_file_has_another_digest(package: Path) -> None:
    digests = [digest(), digest()]
    assert digests[0] == digests[1] is not None
    (package / "one.py").write_text("2", encoding="utf-8")
    digests.append(digest())
    (package / "two.py").write_text("", encoding="utf-8")
    digests.append(digest())
    (package / "two.py").rename(package / "three.py")
    digests.append(digest())
    assert len(set(digests)) == 4
    assert None not in digests


@pytest.mark.parametrize("old", [False, True], ids=["newer", "with the time of an older file"])
def test_code_that_changed_since_the_process_began_has_none(
    old: bool, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old and sys.platform == "win32":
        pytest.skip("Windows does not record when a file was written with an older time")
    assert source_digest((NAME,)) is not None
    monkeypatch.setattr(source_code, "_began", lambda: time.time() - 60)
    for path in package.iterdir() if old else ():
        os.utime(path, (0, 0))
    assert source_digest((NAME,)) is None


def test_a_file_that_vanishes_has_none_until_the_package_is_looked_at_again(package: Path) -> None:
    before = source_digest((NAME,))
    (package / "one.py").unlink()
    assert source_digest((NAME,)) is None
    assert digest() not in (None, before)


@pytest.mark.parametrize("name", ["__main__", "", "sys", "no_such_package"])
def test_code_without_files_has_none(name: str) -> None:
    assert source_digest((name,)) is None


def test_code_in_an_archive_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("package_in_an_archive/__init__.py", "")
    monkeypatch.syspath_prepend(tmp_path / "archive.zip")
    assert source_digest(("package_in_an_archive",)) is None
    sys.modules.pop("package_in_an_archive")


def test_this_process_began_before_now() -> None:
    assert 0 < source_code._began() < time.time()
