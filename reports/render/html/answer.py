"""The view of the summary: the first screen of a section."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.metrics.registry import label_of
from reports.glossary import TERMS, term_of
from reports.render.html.bars import Axis, Bar
from reports.summary.model import BestCard, FiguresAt, Summary
from reports.summary.text import Part, parts, word

_SENTENCES = ("comparisons", "baselines", "tuning", "resolution", "more")
_MOST_NAMED = 3
"""The largest number of cards that a sentence of the first screen names; the table has all of them."""
_TICKS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class FigureRow:
    """A figure of the best card by each way of deciding, with the word that the glossary explains."""

    word: str
    term: str | None
    estimates: tuple[SampleEstimate | None, ...]


@dataclass(frozen=True)
class AnswerView:
    """The first screen.

    Attributes:
        summary: The summary.
        label: The figure that ranks, in words; `term` is its word in the glossary.
        bar: The figure with its interval; None without a best card.
        ways: The ways of deciding: the leading one, then the other.
        rows: The figures by metric.
        sentences: The parts in sentences, such as the comparisons with the best card.
        threshold: At which threshold the best card decides; None where no rule chose one.
    """

    summary: Summary
    label: str
    term: str | None
    bar: Bar | None
    ways: tuple[FiguresAt, ...]
    rows: tuple[FigureRow, ...]
    sentences: tuple[Part, ...]
    threshold: Part | None = None


def answer_view(summary: Summary | None) -> AnswerView | None:
    """The first screen of a section; None without scores."""
    if summary is None:
        return None
    every = parts(summary, _MOST_NAMED)
    sentences = tuple(part for part in every if part.name in _SENTENCES)
    best = summary.best
    if best is None:
        return AnswerView(summary, "", None, None, (), (), sentences)
    ways = tuple(way for way in (best.leading, best.beside) if way is not None)
    keys = dict.fromkeys(key for way in ways for key in way.figures)
    rows = (FigureRow(word(key), _term(key), tuple(way.figures.get(key) for way in ways)) for key in keys)
    threshold = next((part for part in every if part.name == "threshold"), None)
    label, term = label_of(best.metric), term_of(best.metric)
    return AnswerView(summary, label, term, _bar(best), ways, tuple(rows), sentences, threshold)


def _term(key: str) -> str | None:
    name = word(key)
    return name if name in TERMS else term_of(key)


def _bar(best: BestCard) -> Bar:
    lowest = min(value for value in (best.figure.value, best.figure.low, 1.0) if value is not None)
    return Bar(_axis(lowest), best.figure.value, best.figure.bounds)


def _axis(lowest: float) -> Axis:
    """From 0.5, which is guessing, to 1; from 0 for a card that is worse than guessing."""
    return Axis(_TICKS if lowest >= _TICKS[0] else (0.0, 0.25, 0.5, 0.75, 1.0))
