"""Results that take long in a report, computed once: the next report of the same runs reads them from the cache."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

from reports.content_cache import ContentCache

KIND = "results"
MOST = 3000
"""Most results in the cache, about 50 MiB."""

_Result = TypeVar("_Result")


def computed_once(kind: Any, compute: Callable[..., _Result], *data: Any) -> _Result:
    """Compute a result, or read it from the cache if the same code computed it from the same data before.

    Args:
        kind: The type of the result: dataclasses, collections, texts and numbers, which JSON reproduces exactly.
        compute: A function of `reports` or `benchmark.evidence` whose result follows from `data` alone.
        data: Its arguments, which can be pickled.

    Returns:
        What `compute` returns.
    """
    results = ContentCache(KIND, ".json", MOST)
    path = results.path(f"{compute.__module__}.{compute.__qualname__}", data)
    adapter: TypeAdapter[_Result] = _adapter(kind)
    with suppress(ValueError, RecursionError):  # missing or damaged
        return adapter.validate_python(json.loads(results.read(path)))
    result = compute(*data)
    results.write(path, json.dumps(adapter.dump_python(result)))
    return result


@cache
def _adapter(kind: Any) -> Any:
    return TypeAdapter(kind)
