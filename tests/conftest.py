"""Fixtures that several test files share."""

from __future__ import annotations

import os
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


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
