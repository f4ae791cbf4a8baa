"""The plain text of a ranking, shared by the terminal, Markdown and LaTeX."""

from __future__ import annotations

from benchmark.evidence.metrics.registry import label_of
from reports.results.comparison.pairs import Ranking
from reports.text import MISSING, interval, number, plural

HEADS = ("card", "mean", "95% interval", "seeds", "sd of seeds", "group")


def rows(ranking: Ranking) -> list[list[str]]:
    """The cards, best first, as rows under `HEADS`."""
    return [
        [
            name,
            number(figure.value),
            interval(figure.bounds) or MISSING,
            str(figure.seeds),
            number(figure.spread),
            ranking.letters[name],
        ]
        for name, figure in ranking.figures.items()
    ]


def summary(ranking: Ranking) -> str:
    """The number of significant pairs, the smallest detectable difference and the cards that are left out."""
    pairs = f"{plural(ranking.pairs, 'pair')} {'differs' if ranking.pairs == 1 else 'differ'}"
    text = (
        f"By test {label_of(ranking.metric)}, paired by image: {ranking.significant} of {pairs} significantly "
        "(5% level, Holm over all pairs). Cards that share a letter do not. Comparisons with the best card alone are "
        "fewer tests and may find more."
    )
    if ranking.typical_detectable is not None:
        text += f" Differences below about {ranking.typical_detectable:.3f} would probably be missed in a typical pair."
    if ranking.left_out:
        text += f" Left out, as they lack this figure on the same images: {', '.join(ranking.left_out)}."
    return text
