"""The location of the user's cache folder."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_dir() -> Path:
    """ZOO_CACHE_DIR, or the platform's cache folder for zoo."""
    folder = os.environ.get("ZOO_CACHE_DIR")
    return Path(folder).expanduser() if folder else Path(platformdirs.user_cache_dir("zoo"))
