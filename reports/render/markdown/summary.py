"""Renders the summary of a section as markdown, on one printed page."""

from __future__ import annotations

from collections.abc import Iterator

from reports.render.markdown.table import cell, code, table
from reports.report import Section
from reports.summary.explained import GLOSSARY, explanations
from reports.summary.model import BestCard, Summary
from reports.summary.text import Part, best_sentence, decision_text, heading_lines, parts, weakest_sentence, word
from reports.text import capital, decimals_of, estimate

_MOST_CARDS = 6


def summary_markdown(section: Section) -> list[str]:
    """Lines with the answer of a section; empty without a summary."""
    summary = section.summary
    if summary is None:
        return []
    lines = [line for text in heading_lines(summary.heading)[1:] for line in (cell(text), "")]
    for part in parts(summary, _MOST_CARDS):
        lines += [f"### {part.title}", "", *_part(part, summary), ""]
    for sentence in summary.claims:
        text, _, command = sentence.rpartition(": ")
        lines += [f"{cell(text)}: `{command}`", ""]
    words = explanations(summary, section.classes)
    if words:
        lines += ["### What the words mean", "", *(f"- **{cell(each.word)}**: {cell(each.text)}." for each in words)]
        lines += ["", f"The glossary of the documentation, `{GLOSSARY}`, has more.", ""]
    return lines


def _part(part: Part, summary: Summary) -> Iterator[str]:
    if part.name == "best" and summary.best is not None:
        yield from _best(summary.best)
    elif part.name == "next":
        yield from (f"- {cell(capital(step.purpose))}: {code(step.command)}" for step in summary.next_steps)
    else:
        yield from (f"- {cell(sentence)}" for sentence in part.sentences)


def _best(best: BestCard) -> Iterator[str]:
    """The best card, and a table of its figures by each way of deciding."""
    yield f"**{cell(best_sentence(best))}**"
    yield ""
    ways = [at for at in (best.leading, best.beside) if at is not None]
    keys = dict.fromkeys(key for at in ways for key in at.figures)
    rows = ([word(key), *(estimate(at.figures.get(key), decimals_of(key)) for at in ways)] for key in keys)
    yield from table(["test figure", *map(decision_text, ways)], rows)
    yield from (f"\n{cell(capital(decision_text(at)))}: no figures: {cell(at.reason)}." for at in ways if at.reason)
    if best.weakest is not None:
        yield from ("", cell(weakest_sentence(best.weakest)))
