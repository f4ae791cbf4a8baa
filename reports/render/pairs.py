"""Pairs and rankings as rich renderables and as markdown lines; nothing here prints."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from benchmark.evidence.comparison.paired import Difference
from benchmark.evidence.intervals.seeds import SeedFigure
from benchmark.evidence.metrics.definitions import label_of
from reports.render.markdown.table import table
from reports.render.terminal.tables import escape, plain_table
from reports.results.pairs import Pair, Ranking
from reports.text import MISSING, interval, number, one_line

_RANK_HEADS = ["card", "mean", "95% interval", "seeds", "sd of\nseeds", "group"]


def pair_table(a: str, b: str, pairs: Sequence[Pair]) -> RenderableType:
    """Two cards: each metric, the difference, its test, and what the test set could have shown."""
    shown = _figures_table("metric", "A", "B", "A - B", "p", "Holm", "could\nshow")
    tests: dict[str, list[str]] = {}
    for pair in pairs:
        found = pair.difference
        tests.setdefault(found.test or found.reason or MISSING, []).append(label_of(pair.metric))
        shown.add_row(
            label_of(pair.metric),
            number(pair.a.value),
            number(pair.b.value),
            _difference(found),
            p_text(found.p_value),
            p_text(pair.p_adjusted),
            number(found.smallest_detectable),
        )
    seeds = pairs[0].difference.seeds if pairs else (0, 0)
    notes = dict.fromkeys(pair.difference.note for pair in pairs if pair.difference.note)
    lines = [
        *(f"{side} is {name}, {_count(n)}" for side, name, n in zip("AB", (a, b), seeds, strict=True)),
        "Test figures at threshold 0.5, means over seeds; A - B with its 95% interval. Holm: p adjusted for all rows. "
        "Could show: the smallest difference that such a test set shows four times in five.",
    ]
    by = [f"{test}: {', '.join(metrics)}" for test, metrics in tests.items()]
    below = [f"Where a card has one seed, intervals count images alone: {note}." for note in notes]
    return Group(
        *(Text(one_line(line)) for line in lines),
        shown,
        Text("Tests:"),
        *(Padding(Text(line), (0, 0, 0, 2), expand=False) for line in by),
        *map(Text, below),
    )


def ranking_table(ranking: Ranking) -> RenderableType:
    """Cards by one metric; the same letter means that no test told them apart."""
    shown = _figures_table(*_RANK_HEADS)
    for row in _rank_rows(ranking):
        shown.add_row(*map(escape, row))
    return Group(Text(_told_apart(ranking)), shown)


def ranking_markdown(ranking: Ranking) -> list[str]:
    """The same as markdown lines."""
    rows = [[f"`{row[0]}`", *row[1:]] for row in _rank_rows(ranking)]
    return ["### Which cards can be told apart", "", _told_apart(ranking), "", *table(_RANK_HEADS, rows)]


def p_text(value: float | None) -> str:
    """A p-value to three decimals."""
    if value is None:
        return MISSING
    return "<.001" if value < 0.001 else f"{value:.3f}"


def _figures_table(name: str, *figures: str) -> Table:
    """A table of names, which fold where the terminal is narrow, and of figures, which do not."""
    made = plain_table(name)
    for head in figures:
        made.add_column(head, no_wrap=True)
    return made


def _told_apart(ranking: Ranking) -> str:
    text = (
        f"By test {label_of(ranking.metric)}, paired by image: {ranking.apart} of {ranking.pairs} pairs told apart "
        "at the 5% level (Holm). Cards that share a letter were not."
    )
    if ranking.typical_detectable is not None:
        text += f" A typical pair would have had to differ by {ranking.typical_detectable:.3f} to show."
    if ranking.left_out:
        text += f" Left out, without that figure on the same images: {', '.join(ranking.left_out)}."
    return text


def _rank_rows(ranking: Ranking) -> list[list[str]]:
    return [
        [name, number(found.value), _bounds(found), str(found.seeds), number(found.spread), ranking.letters[name]]
        for name, found in ranking.figures.items()
    ]


def _bounds(found: SeedFigure) -> str:
    return MISSING if found.low is None or found.high is None else interval((found.low, found.high))


def _difference(found: Difference) -> str:
    if found.value is None:
        return MISSING
    bounds = None if found.low is None or found.high is None else (found.low, found.high)
    return f"{found.value:+z.3f} {interval(bounds, sign=True)}".rstrip()


def _count(seeds: int) -> str:
    return f"{seeds} seed" + ("" if seeds == 1 else "s")
