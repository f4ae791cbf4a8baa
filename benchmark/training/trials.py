"""What the trials of a machine share: rounds of methods in turn, and how much the results of two methods differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Method = TypeVar("Method", bound=str)

_SETTLED = 1.05
_MAX_DIFFERENCE = 1e9


def fastest_rounds(works: Mapping[Method, Callable[[], float]], at_least: int, at_most: int) -> dict[Method, float]:
    """Measure methods in turn, so that other load slows all of them, until the two fastest rounds of each agree.

    The fastest round counts, because other load only adds time.

    Args:
        works: For each method, a function that does a round and returns its seconds.
        at_least: The number of rounds on an idle machine, two or more.
        at_most: The number of rounds on a busy machine.

    Returns:
        The seconds of the fastest round of each method.
    """
    durations: dict[Method, list[float]] = {method: [] for method in works}
    for done in range(at_most):
        if done >= at_least and all(map(_settled, durations.values())):
            break
        for method, work in works.items():
            durations[method].append(work())
    return {method: min(seconds) for method, seconds in durations.items()}


def _settled(seconds: Sequence[float]) -> bool:
    """Whether the two fastest rounds agree within 5%."""
    first, second = sorted(seconds)[:2]
    return second <= _SETTLED * first


def rms_difference(values: npt.NDArray[Any], reference: npt.NDArray[Any]) -> float:
    """Return the RMS of the differences over the RMS of `reference`.

    Args:
        values: Any shape. If one array has more rows, they do not count.
        reference: The same shape, but for the number of rows.

    Returns:
        The difference, 0 or more; a large number if it is not finite.
    """
    count = min(len(values), len(reference))
    ours, theirs = (array[:count].astype(np.float64) for array in (values, reference))
    difference = float(np.sqrt(np.mean((ours - theirs) ** 2) / np.mean(theirs**2)))
    return difference if difference < _MAX_DIFFERENCE else _MAX_DIFFERENCE  # also when it is not a number
