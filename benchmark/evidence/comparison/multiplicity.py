"""Multiple comparisons: adjusted p-values, and groups of cards that are not significantly different."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from string import ascii_lowercase


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Return step-down adjusted p-values of one family of tests (Holm 1979).

    Args:
        p_values: In [0, 1]; None for a test that could not be made, which does not count in the family.

    Returns:
        Adjusted p-values in the same order, None where the p-value is None.

    Raises:
        ValueError: If a p-value is outside 0 to 1.
    """
    ascending = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    if not all(0 <= p <= 1 for p, _ in ascending):
        raise ValueError("p-values must be within 0 and 1")
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(ascending):
        largest = max(largest, min(1.0, (len(ascending) - rank) * p))
        adjusted[index] = largest
    return tuple(adjusted)


def indistinguishable_groups(
    values: Mapping[str, float], different: Iterable[tuple[str, str]], *, higher_is_better: bool = True
) -> tuple[tuple[str, ...], ...]:
    """Return the largest groups of cards in which no two are significantly different.

    The groups are the maximal cliques (Bron and Kerbosch 1973) of the graph whose edges are the pairs that are not
    significantly different. A card may be in several groups: if A does not differ from B, nor B from C, A may still
    differ from C.

    Args:
        values: The figure of each card.
        different: The significantly different pairs, in either order.
        higher_is_better: Whether the card with the highest figure comes first.

    Returns:
        Groups, best card first, sorted by value and then by name.

    Raises:
        ValueError: If a pair names a card that is not in `values`.
    """
    pairs = {frozenset(pair) for pair in different}
    if unknown := sorted({name for pair in pairs for name in pair} - set(values)):
        raise ValueError(f"pairs name cards without a value: {', '.join(unknown)}")
    sign = -1 if higher_is_better else 1
    ranked = sorted(values, key=lambda name: (sign * values[name], name))
    rank = {name: index for index, name in enumerate(ranked)}
    neighbours = {
        name: {other for other in ranked if other != name and frozenset((name, other)) not in pairs} for name in ranked
    }
    cliques = [
        tuple(sorted(clique, key=rank.__getitem__)) for clique in _cliques(set(), set(ranked), set(), neighbours)
    ]
    return tuple(sorted(cliques, key=lambda clique: [rank[name] for name in clique]))


def compact_letters(groups: Sequence[Collection[str]]) -> dict[str, str]:
    """Return the compact letter display (Piepho 2004): the letters of each card, one per group that it is in."""
    letters: dict[str, str] = {}
    for index, group in enumerate(groups):
        for name in group:
            letters[name] = letters.get(name, "") + _letter(index)
    return letters


def _letter(index: int) -> str:
    cycle, letter = divmod(index, len(ascii_lowercase))
    return ascii_lowercase[letter] + (str(cycle) if cycle else "")


def _cliques(
    clique: set[str], candidates: set[str], excluded: set[str], neighbours: Mapping[str, set[str]]
) -> Iterable[set[str]]:
    if not candidates and not excluded:
        if clique:
            yield clique
        return
    pivot = max(sorted(candidates | excluded), key=lambda name: len(candidates & neighbours[name]))
    for name in sorted(candidates - neighbours[pivot]):
        yield from _cliques(clique | {name}, candidates & neighbours[name], excluded & neighbours[name], neighbours)
        candidates = candidates - {name}
        excluded = excluded | {name}
