"""Errors of file systems at a URI: one line with what would be right, and nothing that the file system logs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from fsspec.spec import AbstractFileSystem

from benchmark.runs.storage.remote.object_storage import ObjectStorage, Unreachable
from zoo.config.errors import ConfigError


class Refused(Exception):
    """An error with the status of an HTTP response."""

    status_code = 403


class Failing(AbstractFileSystem):
    """A file system whose listings log an error with its traceback, as gcsfs does, and raise it."""

    cachable = False

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def find(self, *_: Any, **__: Any) -> Any:
        try:
            raise self.error
        except Exception:
            logging.getLogger(f"{__name__.partition('.')[0]}.retry").exception("out of retries")
            raise


@pytest.mark.parametrize(
    ("scheme", "error", "says"),
    [
        ("abfs", Refused("denied"), "access is refused (denied); the credentials are those of the environment or"),
        ("gs", OSError("Forbidden: b/o"), "access is refused (Forbidden: b/o); the credentials are those of the env"),
        ("gs", FileNotFoundError("b/bucket"), "not found: b/bucket; create the bucket first, or correct the URI"),
        ("gs", OSError("no\nroute"), "cannot be reached: no route"),
    ],
)
def test_an_error_is_one_line_and_says_what_would_be_right(
    scheme: str, error: Exception, says: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.NOTSET, "tests")  # the store changes it, and this restores it
    uri = f"{scheme}://bucket/runs"
    monkeypatch.setattr("fsspec.core.url_to_fs", lambda _: (Failing(error), "bucket/runs"))
    storage = ObjectStorage(uri)
    with pytest.raises(Unreachable) as caught:
        storage.names("commits")
    assert str(caught.value).startswith(f"--store {uri}: {says}")
    assert str(caught.value).isprintable()
    assert not caplog.records


def test_refused_access_names_the_variables_of_the_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsspec.core.url_to_fs", lambda _: (Failing(PermissionError("denied")), "bucket/runs"))
    monkeypatch.setattr(Failing, "__module__", "gcsfs.core")
    with pytest.raises(Unreachable, match=r"those of the environment \(GOOGLE_APPLICATION_CREDENTIALS\) or ~/.config"):
        ObjectStorage("gs://bucket/runs").names("commits")


def test_a_local_file_that_cannot_be_written_is_no_error_of_the_server(tmp_path: Path) -> None:
    storage = ObjectStorage("memory://local-files/runs")
    assert storage.create("model", b"0")
    with pytest.raises(OSError, match=str(tmp_path)) as caught:
        storage.fetch("model", tmp_path)
    assert not isinstance(caught.value, ConfigError)
    with pytest.raises(FileNotFoundError, match="missing"):
        storage.write({"model": tmp_path / "missing"})
