"""Where a store is: a folder, or a URI whose content is mirrored in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from zoo.config.cache_dir import cache_dir

FOLDER = "stores"
"""The folder of the cache with the mirrors. `zoo cache --clear` keeps it: it may contain runs that were never sent."""

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # one letter is a drive
_FLATTENED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^/]")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def is_uri(text: str) -> bool:
    """Whether a store is given by a URI, such as `s3://bucket/runs`, and not by a folder."""
    return _URI.match(text) is not None


def is_flattened_uri(text: str) -> bool:
    """Whether `text` is what a path makes of a URI: `s3:/bucket/runs`."""
    return _FLATTENED.match(text) is not None


def mirror_folder(uri: str) -> Path:
    """The folder that mirrors a store.

    Args:
        uri: The URI of the store.

    Returns:
        A folder of the cache, of its own for each URI and each server that the environment names.
    """
    endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "")
    digest = hashlib.sha256(f"{uri}\n{endpoint}".encode()).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", uri).strip("-.")[:60]
    return cache_dir() / FOLDER / f"{readable}-{digest}"
