"""By what a published data set is known again, whatever its folder is called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def names_digest(names: Iterable[str]) -> str | None:
    """SHA-256 of the sorted `names`, joined by newlines, in hexadecimal; None where there are none."""
    lines = sorted(names)
    if not lines:
        return None
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
