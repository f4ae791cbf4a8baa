"""Renders the tables of a report as LaTeX for a paper, with booktabs and longtable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from benchmark.evidence.estimate import SampleEstimate
from reports.render.words import RANKING, SHORTCUTS
from reports.report import Report, Section
from reports.results.comparison import ranking_text
from reports.results.comparison.card_figures import CardFigures, summary_measures
from reports.results.comparison.leading import Leading
from reports.results.images import shortcuts_text
from reports.results.images.shortcuts import ShortcutBaseline
from reports.results.multiclass.text import CLASS_METRICS, class_heads, class_rows
from reports.text import MISSING, estimate, one_line
from reports.verdicts.text import measured

_NAMED = {
    "\\": "backslash",
    "^": "asciicircum",
    "~": "asciitilde",
    "<": "less",
    ">": "greater",
    "|": "bar",
    '"': "quotedbl",
    "`": "asciigrave",
    "'": "quotesingle",
}
_SPECIAL = str.maketrans(
    {sign: f"\\{sign}" for sign in "{}$&#%_"}
    | {sign: rf"\text{name}{{}}" for sign, name in _NAMED.items()}
    | {sign: f"{sign}{{}}" for sign in "-?!"}  # or --, ?` and !` would be ligatures
)
_METRICS = {"accuracy": "accuracy", "recall": "recall", "specificity": "specificity", "auc": "AUC"}


@dataclass(frozen=True)
class _Table:
    """A table that may break over pages. `columns` is LaTeX, all else plain text."""

    label: str
    caption: str
    columns: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def render(report: Report) -> str:
    """Render the comparison, the classes, the ranking and the claims as a longtable each, section by section."""
    several = len(report.sections) > 1
    sections = enumerate(report.sections, start=1)
    tables = [table for number, section in sections for table in _tables(section, f"-{number}" if several else "")]
    return _template().render(tables=tables)


def escape(text: str) -> str:
    """`text` on one line, with all special characters of LaTeX escaped."""
    return one_line(text).translate(_SPECIAL)


def _cell(text: str) -> str:
    """A cell: a minus sign before a number, a dash for a missing value."""
    if text in ("", MISSING):
        return "--"
    return re.sub(r"(?<![\w.])-\{\}(?=\d)", r"\\textminus{}", escape(text))


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("reports.render", ""),
        undefined=StrictUndefined,
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"tex": escape, "cell": _cell}
    return environment.get_template("report.tex.j2")


def _tables(section: Section, suffix: str) -> Iterator[_Table]:
    kind = "SYNTHETIC images" if section.synthetic else "images"
    about = f"with 95% intervals; {kind}: {section.title}."
    several, lead = len(section.classes) > 2, section.leading
    decided = lead.words + (f" (in brackets {lead.beside})" if lead.beside else "")
    columns = {key: each.label for key, each in summary_measures(section.runs[0]).items()} if several else _METRICS
    yield _Table(
        f"comparison{suffix}",
        f"Test figures {decided}, {about}",
        f"{_wrapped(0.16)}r" + "r" * len(columns),
        ["card", "seeds", *columns.values()],
        [
            [card.card.name, str(len(card.seeds)), *(lead.card_text(card, metric) for metric in columns)]
            for card in section.cards
        ],
    )
    if several:
        yield _Table(
            f"classes{suffix}",
            f"Test figures of each class against the rest, {lead.words}, {about}",
            f"{_wrapped(0.16)}{_wrapped(0.14)}r" + "r" * len(CLASS_METRICS),
            ["card", *class_heads()],
            [
                [card.card.name, *row]
                for card in section.cards
                if card.at_half
                for row in class_rows(_of_classes(lead, card), section.test_images)
            ],
        )
    if (baseline := section.shortcuts) is not None:
        yield from _shortcuts(baseline, suffix, about)
    if (ranking := section.ranking) is not None:
        caption = f"{RANKING}, {about} {ranking_text.summary(ranking)}"
        yield _Table(f"ranking{suffix}", caption, "lrrrrl", ranking_text.HEADS, ranking_text.rows(ranking))
    for index, report in enumerate(section.claims, start=1):
        yield _Table(
            f"claims{suffix}" if len(section.claims) == 1 else f"claims{suffix}-claims-{index}",
            f"Claims of {report.claims.title} and their verdicts, {about}",
            f"l{_wrapped(0.12)}{_wrapped(0.26)}rr",
            ["verdict", "about", "claim", "measured", "difference"],
            [
                [
                    claim.decision.verdict,
                    claim.about,
                    claim.claim,
                    measured(claim),
                    estimate(claim.difference, sign=True),
                ]
                for claim in (*report.statements, *report.figures)
            ],
        )


def _shortcuts(baseline: ShortcutBaseline, suffix: str, about: str) -> Iterator[_Table]:
    """The facts that need no content, and what each card adds over the strongest of them."""
    if rows := shortcuts_text.fact_rows(baseline.shortcuts):
        caption = f"{SHORTCUTS} Judged on train and validation, {about}"
        columns = f"{_wrapped(0.14)}rrr{_wrapped(0.16)}{_wrapped(0.28)}"
        yield _Table(f"shortcuts{suffix}", caption, columns, shortcuts_text.FACT_HEADS, rows)
    if baseline.test is not None and (rows := shortcuts_text.gain_rows(baseline)):
        facts = f"{', '.join(baseline.scored)} (test AUC {estimate(baseline.test)})"
        caption = f"What each card adds over the strongest facts without content, {facts}, {about}"
        yield _Table(f"shortcut-gains{suffix}", caption, "lrrrr", shortcuts_text.GAIN_HEADS, rows)


def _of_classes(lead: Leading, card: CardFigures) -> dict[str, SampleEstimate | None]:
    return {key: lead.of_card(card, key) for key in card.at_half}


def _wrapped(share: float) -> str:
    """A column whose text wraps within `share` of the line."""
    return rf">{{\raggedright\arraybackslash}}p{{{share}\linewidth}}"
