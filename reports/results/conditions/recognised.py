"""Identifies the published data set that runs used: by source, by the user's declaration or by file names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from benchmark.runs.run import DatasetFacts
from reports.text import listed

if TYPE_CHECKING:
    from reports.claims.model import Claims, Source


def is_data(facts: DatasetFacts, name: str, claims: Iterable[Claims] = ()) -> bool:
    """Whether a data set is the published data set `name`.

    Args:
        facts: The data set that runs used.
        name: Name of the published data set.
        claims: Claims that may describe it, in addition to the built-in ones.

    Returns:
        True where the source or the user names it, or where the file names of the test part match its description.
    """
    if name in (facts.source, facts.known_as):
        return True
    return any(source.data == name and _fits(facts, source) for source in _sources(claims))


def recognised_as(facts: DatasetFacts, claims: Iterable[Claims] = ()) -> str | None:
    """The published data set with the same file names in its test part as `facts`.

    Args:
        facts: The data set that runs used.
        claims: Claims that may describe it, in addition to the built-in ones.

    Returns:
        Its name; None where no claims describe it, and where the source itself names it.
    """
    names = (source.data for source in _sources(claims) if _fits(facts, source))
    return next((name for name in names if name is not None and name != facts.source), None)


def by_data(facts: DatasetFacts, claims: Iterable[Claims]) -> tuple[list[Claims], list[Claims]]:
    """Divide claims by whether they are about a data set.

    Args:
        facts: The data set that runs used.
        claims: The claims.

    Returns:
        The claims about these data, and all others, which include claims that name no data.
    """
    same: list[Claims] = []
    other: list[Claims] = []
    for each in claims:
        data = each.source.data
        (same if data is not None and is_data(facts, data, [each]) else other).append(each)
    return same, other


def identity_line(facts: DatasetFacts, claims: Iterable[Claims] = ()) -> str | None:
    """A line that reports how `facts` were identified as a published data set; None where they were not."""
    if facts.known_as is not None:
        return f"declared as {facts.known_as} (--data-is): published figures are compared with these images"
    name = recognised_as(facts, claims)
    if name is None:
        return None
    return (
        f"the file names of the test part are those of {name}: published figures are compared with these images; "
        "contents were not compared"
    )


def other_classes(facts: DatasetFacts, source: Source) -> str | None:
    """How the classes of `facts` differ from those that `source` declares for its data; None where they do not."""
    declared = source.recognise.classes if source.recognise is not None else None
    if declared is None or declared == facts.classes:
        return None
    if set(declared) == set(facts.classes) and len(declared) > 2:
        return None
    if set(declared) == set(facts.classes):
        return f"different positive class: measured {facts.classes[1]}, published {declared[1]}"
    return f"different classes: measured {listed(facts.classes)}, published {listed(declared)}"


def has_different_classes(facts: DatasetFacts, name: str, claims: Iterable[Claims] = ()) -> bool:
    """Whether the published data set has other classes than `facts`, or the other class as the positive one.

    Args:
        facts: The data set that runs used.
        name: Name of the published data set.
        claims: Claims that may describe it, in addition to the built-in ones.

    Returns:
        False also where no claims declare its classes.
    """
    declared = [source for source in _sources(claims) if source.data == name]
    return any(other_classes(facts, source) is not None for source in declared)


def _fits(facts: DatasetFacts, source: Source) -> bool:
    declared = source.recognise
    return (
        declared is not None
        and declared.test_names_sha256 == facts.test_names
        and (declared.classes is None or set(declared.classes) == set(facts.classes))
    )


def _sources(claims: Iterable[Claims]) -> Iterator[Source]:
    yield from (each.source for each in claims)
    yield from _built_in()


@cache
def _built_in() -> tuple[Source, ...]:
    from reports.claims.model import built_in_sources

    return built_in_sources()
