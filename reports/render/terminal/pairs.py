"""Renders comparisons of two cards, and rankings, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from benchmark.evidence.metrics.registry import label_of
from reports.render.terminal.table import escape, plain_table
from reports.results import ranking_text
from reports.results.pairs import Pair, Ranking
from reports.text import MISSING, estimate, number, one_line, p_text, plural

_PAIR_HEADS = ("A", "B", "A - B", "p", "Holm", "power\n80%")


def pair_table(a: str, b: str, pairs: Sequence[Pair]) -> RenderableType:
    """Compare two cards metric by metric.

    Args:
        a: Name of the first card.
        b: Name of the second card.
        pairs: One per metric.

    Returns:
        Figures, differences with their tests, and detectable differences.
    """
    table = plain_table("metric", whole=_PAIR_HEADS)
    tests: dict[str, list[str]] = {}
    for pair in pairs:
        difference = pair.difference
        tests.setdefault(difference.test or difference.reason or MISSING, []).append(label_of(pair.metric))
        table.add_row(
            label_of(pair.metric),
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
        "Power 80%: smaller differences would probably be missed.",
    ]
    methods = [f"{test}: {', '.join(metrics)}" for test, metrics in tests.items()]
    remarks = [f"If a card has one seed, its intervals account for images alone: {note}." for note in notes]
    return Group(
        *(Text(one_line(line)) for line in lines),
        table,
        Text("Tests:"),
        *(Padding(Text(line), (0, 0, 0, 2), expand=False) for line in methods),
        *map(Text, remarks),
    )


def ranking_table(ranking: Ranking) -> RenderableType:
    """Rank cards by one metric, best first, with their groups."""
    name, *figures = ranking_text.HEADS
    table = plain_table(name, whole=[head.replace("sd of ", "sd of\n") for head in figures])
    for row in ranking_text.rows(ranking):
        table.add_row(*map(escape, row))
    return Group(Text(ranking_text.summary(ranking)), table)
