"""Remote stores in tests: a URI in memory, a local S3, and machines, each with a cache folder of its own."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest

from benchmark.runs.storage.remote.store import RemoteStore, open_store

Machine = Callable[[str], RemoteStore]
BUCKET = "bucket"

_numbers = itertools.count()


def new_uri() -> str:
    """A URI in memory that no other test uses."""
    return f"memory://bucket-{next(_numbers)}/runs"


def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> Machine:
    """Opens the store at `uri` on the machine with a name."""

    def on(name: str) -> RemoteStore:
        monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / name))
        store = open_store(uri)
        assert isinstance(store, RemoteStore)
        return store

    return on


def remote_files(uri: str) -> list[str]:
    """The names of the files at a URI in memory."""
    prefix = "/" + uri.removeprefix("memory://")
    return sorted(path.removeprefix(f"{prefix}/") for path in fsspec.filesystem("memory").find(prefix))


def remote_file(uri: str, name: str) -> Any:
    """The path of a file at a URI in memory."""
    return f"/{uri.removeprefix('memory://')}/{name}"


@contextmanager
def local_s3(patch: pytest.MonkeyPatch) -> Iterator[str]:
    """The endpoint of an S3 server in this process with one bucket, named by the environment."""
    server_module = pytest.importorskip("moto.server", reason="moto is not installed")
    s3fs = pytest.importorskip("s3fs", reason="the remote extra is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        patch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        s3fs.S3FileSystem().mkdir(BUCKET)
        yield endpoint
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()
