"""Two cards against each other, and rankings, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from reports.audit.figures import metric_name
from reports.render.terminal.table import escape, plain_table
from reports.results import ranking_text
from reports.results.pairs import Pair, Ranking
from reports.text import MISSING, estimate, number, one_line, p_text, plural

_PAIR_HEADS = ("A", "B", "A - B", "p", "Holm", "could\nshow")


def pair_table(a: str, b: str, pairs: Sequence[Pair]) -> RenderableType:
    """Two cards: each metric, the difference, its test, and what the test set could have shown.

    Args:
        a: Name of the first card of each pair.
        b: Name of the second.
        pairs: One for each metric.
    """
    table = plain_table("metric", whole=_PAIR_HEADS)
    tests: dict[str, list[str]] = {}
    for pair in pairs:
        difference = pair.difference
        tests.setdefault(difference.test or difference.reason or MISSING, []).append(metric_name(pair.metric))
        table.add_row(
            metric_name(pair.metric),
            number(pair.a.value),
            number(pair.b.value),
            estimate(difference, sign=True),
            p_text(difference.p_value),
            p_text(pair.p_adjusted),
            number(difference.smallest_detectable),
        )
    seeds = pairs[0].difference.seeds if pairs else (0, 0)
    notes = dict.fromkeys(pair.difference.note for pair in pairs if pair.difference.note)
    lines = [
        *(f"{side} is {name}, {plural(n, 'seed')}" for side, name, n in zip("AB", (a, b), seeds, strict=True)),
        "Test figures at threshold 0.5, means over seeds; A - B with its 95% interval. Holm: p adjusted for all rows. "
        "Could show: the smallest difference that such a test set shows four times in five.",
    ]
    by = [f"{test}: {', '.join(metrics)}" for test, metrics in tests.items()]
    below = [f"Where a card has one seed, intervals count images alone: {note}." for note in notes]
    return Group(
        *(Text(one_line(line)) for line in lines),
        table,
        Text("Tests:"),
        *(Padding(Text(line), (0, 0, 0, 2), expand=False) for line in by),
        *map(Text, below),
    )


def ranking_table(ranking: Ranking) -> RenderableType:
    """Cards by one metric, best first, with their groups."""
    name, *figures = ranking_text.HEADS
    table = plain_table(name, whole=[head.replace("sd of ", "sd of\n") for head in figures])
    for row in ranking_text.rows(ranking):
        table.add_row(*map(escape, row))
    return Group(Text(ranking_text.summary(ranking)), table)
