"""Where the user's cache folder is."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_dir() -> Path:
    """ZOO_CACHE_DIR, or the platform's cache folder for zoo."""
    own = os.environ.get("ZOO_CACHE_DIR")
    return Path(own).expanduser() if own else Path(platformdirs.user_cache_dir("zoo"))
