"""Which images belong to one patient, read from file names by a declared pattern."""

from __future__ import annotations

import re

from benchmark.data.dataset import DataError

PUBLIC_CHEST_XRAY = (
    r"(?P<series>IM|NORMAL2)-(?:IM-)?(?P<number>\d+)-\d+(?:-\d+)?\.|"
    r"person(?P<person>\d+)_(?P<kind>bacteria|virus)_\d+(?:_\d+)?\."
)
"""File names of the public paediatric chest X-ray set. Its patient numbers start anew in each of the series bacteria,
virus, IM and NORMAL2, so that a number alone joins different children."""


def compile_pattern(pattern: str | None) -> re.Pattern[str]:
    """`pattern`, or the public set's; the values of its named groups, together, are the patient's key.

    Raises DataError when it is not a regular expression with a named group.
    """
    try:
        compiled = re.compile(PUBLIC_CHEST_XRAY if pattern is None else pattern)
    except re.error as error:
        raise DataError(f"--patients '{pattern}': not a regular expression: {error}") from error
    if not compiled.groupindex:
        raise DataError(f"--patients '{pattern}': needs a named group for the patient, such as (?P<patient>\\d+)")
    return compiled


def patient_key(filename: str, pattern: re.Pattern[str]) -> str | None:
    """The patient's key in `filename`, or None when the name does not match from its start."""
    match = pattern.match(filename)
    if match is None:
        return None
    key = "-".join(f"{name}={value}" for name, value in sorted(match.groupdict().items()) if value)
    return key or None
