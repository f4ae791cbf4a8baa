"""Many comparisons at once: adjusted p-values, and the groups of cards that cannot be told apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from string import ascii_lowercase


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Step-down adjusted p-values (Holm 1979) in the order given, for the family of all of them.

    None stands for a test that could not be made: it stays None and does not count. Raises ValueError for a p-value
    outside 0 to 1.
    """
    made = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    if not all(0 <= p <= 1 for p, _ in made):
        raise ValueError("p-values must be within 0 and 1")
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(made):
        largest = max(largest, min(1.0, (len(made) - rank) * p))
        adjusted[place] = largest
    return tuple(adjusted)


def groups(
    values: Mapping[str, float], apart: Iterable[tuple[str, str]], *, higher_is_better: bool = True
) -> tuple[tuple[str, ...], ...]:
    """The largest groups of cards of which no two were told apart, best card first.

    `values` holds each card's figure, `apart` the pairs that a test told apart, in either order. A card may stand in
    several groups: that A is like B and B like C says nothing of A and C. Groups are the maximal cliques of the graph
    of pairs not told apart (Bron and Kerbosch 1973), each sorted by value and then by name, whatever the order of the
    cards. Raises ValueError for a pair of unknown cards.
    """
    pairs = {frozenset(pair) for pair in apart}
    if unknown := sorted({name for pair in pairs for name in pair} - set(values)):
        raise ValueError(f"told apart, but without a value: {', '.join(unknown)}")
    sign = -1 if higher_is_better else 1
    ranked = sorted(values, key=lambda name: (sign * values[name], name))
    place = {name: number for number, name in enumerate(ranked)}
    like = {
        name: {other for other in ranked if other != name and frozenset((name, other)) not in pairs} for name in ranked
    }
    found = [tuple(sorted(clique, key=place.__getitem__)) for clique in _cliques(set(), set(ranked), set(), like)]
    return tuple(sorted(found, key=lambda clique: [place[name] for name in clique]))


def letters(found: Sequence[Collection[str]]) -> dict[str, str]:
    """The compact letter display (Piepho 2004) of `groups`: cards that share a letter were not told apart."""
    shown: dict[str, str] = {}
    for number, group in enumerate(found):
        for name in group:
            shown[name] = shown.get(name, "") + _letter(number)
    return shown


def _letter(number: int) -> str:
    again, place = divmod(number, len(ascii_lowercase))
    return ascii_lowercase[place] + (str(again) if again else "")


def _cliques(
    clique: set[str], candidates: set[str], done: set[str], like: Mapping[str, set[str]]
) -> Iterable[set[str]]:
    if not candidates and not done:
        if clique:
            yield clique
        return
    pivot = max(sorted(candidates | done), key=lambda name: len(candidates & like[name]))
    for name in sorted(candidates - like[pivot]):
        yield from _cliques(clique | {name}, candidates & like[name], done & like[name], like)
        candidates = candidates - {name}
        done = done | {name}
