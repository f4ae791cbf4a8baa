"""Whether runs saw the data that a claims file or a card is about: by the source's name, by what the user said, or by
the names of the test part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from benchmark.runs.run import DatasetFacts

if TYPE_CHECKING:
    from reports.claims.model import Claims, Source


def is_data(facts: DatasetFacts, name: str, claims: Iterable[Claims] = ()) -> bool:
    """Whether `facts` are those of the data set `name`. Recognised by what the built-in claims, or these `claims`,
    declare of it."""
    if name in (facts.source, facts.known_as):
        return True
    return any(source.data == name and _fits(facts, source) for source in _sources(claims))


def recognised_as(facts: DatasetFacts, claims: Iterable[Claims] = ()) -> str | None:
    """The data set whose test part has the names of that of `facts`; None where no claims declare it, and where the
    source itself names it."""
    names = (source.data for source in _sources(claims) if _fits(facts, source))
    return next((name for name in names if name is not None and name != facts.source), None)


def identity_line(facts: DatasetFacts, claims: Iterable[Claims] = ()) -> str | None:
    """How `facts` are recognised as a published data set, in a line; None where they are not."""
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
    """How the classes of `facts` are not those that the data of `source` are declared to have, or None."""
    declared = source.recognise.classes if source.recognise is not None else None
    if declared is None or declared == facts.classes:
        return None
    if set(declared) == set(facts.classes):
        return f"other positive class: measured {facts.classes[1]}, published {declared[1]}"
    return f"other classes: measured {' and '.join(facts.classes)}, published {' and '.join(declared)}"


def turned(facts: DatasetFacts, name: str, claims: Iterable[Claims] = ()) -> bool:
    """Whether the data set `name` is declared to have other classes, or the other one as positive, than `facts`."""
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
