"""Fixtures that several test files share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """A folder of real radiographs; the test is skipped when there is none."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data" / "chest_xray"
    folder = Path(os.environ.get("ZOO_REAL_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real radiographs: {folder.name} is not beside the repository (set ZOO_REAL_DATA)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _no_trial() -> Iterator[None]:
    """Caches of tests are new: each would have the machine tried out, and the run would depend on what was found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_PREFIX", "filtered")
        yield


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
