"""Renders comparisons of two cards, and rankings, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from benchmark.evidence.comparison.paired import NO_DIFFERENCE
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.registry import label_of
from reports.render.terminal.table import escape, plain_table
from reports.results.comparison import ranking_text
from reports.results.comparison.pairs import Pair, Ranking
from reports.results.multiclass.class_pairs import CallsOfPair, ClassComparison
from reports.text import MISSING, capital, estimate, number, one_line, p_text, plural

_PAIR_HEADS = ("A", "B", "A - B", "p", "Holm", "power\n80%")


def pair_table(a: str, b: str, pairs: Sequence[Pair], decided: str) -> RenderableType:
    """Compare two cards metric by metric.

    Args:
        a: Name of the first card.
        b: Name of the second card.
        pairs: One per metric.
        decided: How images are decided, such as "at threshold 0.5".

    Returns:
        Figures, differences with their tests, and detectable differences.
    """
    table = plain_table("metric", whole=_PAIR_HEADS)
    for pair in pairs:
        table.add_row(label_of(pair.metric), *_cells(pair))
    seeds = pairs[0].difference.seeds if pairs else (0, 0)
    notes = dict.fromkeys(pair.difference.note for pair in pairs if pair.difference.note)
    means = ", means over seeds" if max(seeds) > 1 else ""
    lines = [
        *(f"{side} is {name}, {plural(n, 'seed')}" for side, name, n in zip("AB", (a, b), seeds, strict=True)),
        f"Test figures {decided}{means}; A - B with its 95% interval. Holm: p adjusted for all rows. "
        "Power 80%: smaller differences would probably be missed.",
    ]
    remarks = [f"If a card has one seed, its intervals account for images alone: {note}." for note in notes]
    return Group(
        *(Text(one_line(line)) for line in lines),
        table,
        *_methods({label_of(pair.metric): pair for pair in pairs}),
        *map(Text, remarks),
    )


def class_table(compared: ClassComparison) -> RenderableType:
    """Compare two cards class by class.

    Args:
        compared: The comparison of the cards, which are called A and B.

    Returns:
        A row per class with its difference, then which card is right where the other is not, and how often each calls
        each class.
    """
    label = label_of(compared.metric)
    table = plain_table("class", whole=_PAIR_HEADS)
    by_class: dict[str, Pair] = {}
    for pair in compared.by_class:
        name = MeasureKey.parse(pair.metric).of_class or pair.metric
        by_class[one_line(name)] = pair
        table.add_row(escape(name), *_cells(pair))
    return Group(
        Text(f"{capital(label)} of each class against the rest. Holm: p adjusted for all {len(by_class)} classes."),
        table,
        *_methods(by_class),
        *(Text(line) for calls in compared.calls for line in _calls(calls, compared)),
    )


def _cells(pair: Pair) -> list[str]:
    return [
        number(pair.a.value),
        number(pair.b.value),
        "no difference" if pair.difference.test == NO_DIFFERENCE else estimate(pair.difference, sign=True),
        p_text(pair.difference.p_value),
        p_text(pair.p_adjusted),
        number(pair.difference.smallest_detectable),
    ]


def _methods(pairs: Mapping[str, Pair]) -> list[RenderableType]:
    """The tests, each with the names of the rows that it is of."""
    tests: dict[str, list[str]] = {}
    for name, pair in pairs.items():
        tests.setdefault(pair.difference.test or pair.difference.reason or MISSING, []).append(name)
    lines = [f"{test}: {', '.join(names)}" for test, names in tests.items()]
    return [Text("Tests:"), *(Padding(Text(line), (0, 0, 0, 2), expand=False) for line in lines)]


def _calls(calls: CallsOfPair, compared: ClassComparison) -> Iterator[str]:
    """McNemar's and Stuart-Maxwell's test of a pair of runs, and the number of decisions for each class."""
    several = len(compared.calls) > 1
    seeds = f"Seed {calls.seed_a}" if calls.seed_a == calls.seed_b else f"Seeds {calls.seed_a} and {calls.seed_b}"
    right, shares = calls.right, calls.shares
    yield (
        f"{seeds}: only A is right for {plural(right.only_a, 'image')}, only B for {right.only_b:,}: "
        f"{_p(right.p_value, calls.right_adjusted, several)} ({right.test})."
    )
    names = (*compared.classes, "no class")
    counts = zip(names, shares.calls_a, shares.calls_b, strict=False)
    by_class = ", ".join(f"{one_line(name)}: {a:,} / {b:,}" for name, a, b in counts)
    statistic = f"chi-square {shares.statistic:.2f} with {shares.df} df, " if shares.df else ""
    yield (
        f"{seeds}: images predicted as each class by A / B: {by_class}. Equal shares: {statistic}"
        f"{_p(shares.p_value, calls.shares_adjusted, several)} ({shares.test})."
    )


def _p(value: float, adjusted: float | None, several: bool) -> str:
    return f"p {p_text(value)}" + (f", Holm over seeds {p_text(adjusted)}" if several else "")


def ranking_table(ranking: Ranking) -> RenderableType:
    """Rank cards by one metric, best first, with their groups."""
    name, *figures = ranking_text.HEADS
    table = plain_table(name, whole=[head.replace("sd of ", "sd of\n") for head in figures])
    for row in ranking_text.rows(ranking):
        table.add_row(*map(escape, row))
    return Group(Text(ranking_text.summary(ranking)), table)
