"""A ranking in words: what the terminal, markdown and LaTeX show, as plain text."""

from __future__ import annotations

from reports.audit.figures import metric_name
from reports.results.pairs import Ranking
from reports.text import MISSING, interval, number

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
    """How many pairs differ significantly, what could have been detected, and which cards are left out."""
    text = (
        f"By test {metric_name(ranking.metric)}, paired by image: {ranking.apart} of {ranking.pairs} pairs told apart "
        "at the 5% level (Holm). Cards that share a letter were not."
    )
    if ranking.typical_detectable is not None:
        text += f" A typical pair would have had to differ by {ranking.typical_detectable:.3f} to show."
    if ranking.left_out:
        text += f" Left out, without that figure on the same images: {', '.join(ranking.left_out)}."
    return text
