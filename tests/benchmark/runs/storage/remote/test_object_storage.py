"""Errors of file systems at a URI: one line with what would be right, and nothing that the file system logs."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fsspec.spec import AbstractFileSystem

from benchmark.runs.storage.remote.object_storage import ObjectStorage, Unreachable


class Refused(Exception):
    """As some file systems raise for an answer of the server."""

    code = 403


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
        ("gs", Refused("denied"), "access is refused (denied); the credentials are those of the environment (GOOGLE_"),
        (
            "s3",
            PermissionError("denied"),
            "access is refused (denied); the credentials are those of the environment (AWS",
        ),
        (
            "abfs",
            PermissionError("denied"),
            "access is refused (denied); the credentials are those of the environment or",
        ),
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
