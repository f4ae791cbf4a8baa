"""The user's cache folder: things that can be computed again."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import platformdirs


def cache_dir() -> Path:
    """ZOO_CACHE_DIR, or the platform's cache folder for zoo."""
    own = os.environ.get("ZOO_CACHE_DIR")
    return Path(own).expanduser() if own else Path(platformdirs.user_cache_dir("zoo"))


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; empty when there is none that can be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Put `data` into `path`, whole or not at all; a cache that cannot be written is left as it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(data, file)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError:
        return
