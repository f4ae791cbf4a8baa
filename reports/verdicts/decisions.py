"""Which decisions a claim is judged by, and in what words: those at 0.5, those chosen on validation, or others."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.runs.outcome import HALF
from reports.claims.printed import Row
from reports.claims.statement import OfFigure
from reports.results.comparison.leading import depends_on_decisions, leading
from reports.results.comparison.published import published_threshold
from reports.results.measured import AnyResults, MulticlassResults
from reports.text import listed, number

_MOST_VALUES = 3


def by_chosen(assertion: OfFigure, results: AnyResults) -> bool:
    """Whether an assertion is judged by the decisions that the runs chose on validation.

    Args:
        assertion: The assertion. What its `at` leaves open, the protocol of the runs decides: its figures lead.
        results: The results of its card.

    Returns:
        False for decisions at 0.5, of three classes or more for the class with the highest score.
    """
    return leading(results.runs[0]).chosen if assertion.at is None else assertion.at == "chosen"


def decisions_in_words(assertion: OfFigure, cards: Sequence[AnyResults]) -> str | None:
    """The decisions that an assertion is judged by.

    Args:
        assertion: The assertion.
        cards: The results of its cards.

    Returns:
        A phrase such as "at threshold 0.5"; None for a figure that does not depend on decisions.
    """
    if not depends_on_decisions(assertion.key):
        return None
    if not by_chosen(assertion, cards[0]):
        return "by highest score" if isinstance(cards[0], MulticlassResults) else f"at threshold {HALF:g}"
    words = leading(cards[0].runs[0])
    if not words.chosen:
        return words.words
    which, _, aim = words.words.partition(": ")
    if isinstance(cards[0], MulticlassResults):
        return f"{which} ({aim})"
    values = [value for card in cards if (value := _values(card)) is not None]
    return f"{which} for {aim} ({' and '.join(values)})" if aim and values else words.words


def measured_at(row: Row, key: str, results: AnyResults) -> str | None:
    """The decisions of the measured counterpart of a printed figure, as the column of measured figures names them.

    Args:
        row: The row of the printed figure.
        key: The key of the figure.
        results: The results of its card.

    Returns:
        Text such as "at 0.5"; None for a figure that does not depend on decisions.
    """
    if not depends_on_decisions(key):
        return None
    threshold = published_threshold(row)
    if isinstance(results, MulticlassResults):
        return "by highest score" if threshold is not None else "by the decision chosen on validation"
    if threshold is not None:
        return f"at {threshold:g}"
    values = _values(results)
    return "at the chosen threshold" if values is None else f"at {values}, chosen on validation"


def _values(results: AnyResults) -> str | None:
    """The thresholds that runs chose on validation; None where a run chose none or each fold has its own."""
    if isinstance(results, MulticlassResults):
        return None
    values = [each for each in results.thresholds if isinstance(each, float)]
    if len(values) < len(results.thresholds):
        return None
    texts = list(dict.fromkeys(number(value) for value in sorted(values)))
    return listed(texts) if len(texts) <= _MOST_VALUES else f"{texts[0]} to {texts[-1]}"
