"""The tables of a report for a paper, as LaTeX that a document with booktabs and longtable takes in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from reports.report import Report, Section
from reports.results import ranking_text
from reports.results.pairs import Ranking
from reports.text import MISSING, estimate, one_line
from reports.verdicts.report import ClaimsReport

_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "#": r"\#",
        "%": r"\%",
        "_": r"\_",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "-": "-{}",  # no dash is made of two of them
        "`": r"\textasciigrave{}",
        "'": r"\textquotesingle{}",
        "?": "?{}",  # ?` and !` are ligatures
        "!": "!{}",
    }
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
    """Comparison, groups that cannot be told apart, claims with verdicts: a longtable each, section by section."""
    several = len(report.sections) > 1
    sections = enumerate(report.sections, start=1)
    tables = [table for number, section in sections for table in _tables(section, f"-{number}" if several else "")]
    return _template().render(tables=tables)


def escape(text: str) -> str:
    """`text` in one line so that LaTeX prints it and obeys none of it."""
    return one_line(text).translate(_SPECIAL)


def _cell(text: str) -> str:
    """A cell; a minus before a number is one, and what is missing is a dash."""
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


def _tables(section: Section, end: str) -> Iterator[_Table]:
    kind = "SYNTHETIC images" if section.synthetic else "images"
    about = f"with 95% intervals; {kind}: {section.title}."
    yield _comparison(section, f"comparison{end}", f"Test figures at threshold 0.5, {about}")
    if section.ranking is not None:
        yield _ranking(section.ranking, f"ranking{end}", about)
    for number, claims in enumerate(section.claims, start=1):
        label = f"claims{end}" if len(section.claims) == 1 else f"claims{end}-claims-{number}"
        yield _claims(claims, label, f"Claims of {claims.claims.title} and their verdicts, {about}")


def _comparison(section: Section, label: str, caption: str) -> _Table:
    rows = [
        [card.card.name, str(len(card.seeds)), *(estimate(card.at_half.get(metric)) for metric in _METRICS)]
        for card in section.cards
    ]
    columns = f"{_wrapped(0.16)}r" + "r" * len(_METRICS)
    return _Table(label, caption, columns, ["card", "seeds", *_METRICS.values()], rows)


def _ranking(ranking: Ranking, label: str, about: str) -> _Table:
    caption = (
        f"Cards by test {ranking.metric.upper()}; {ranking.significant} of {ranking.pairs} pairs differ significantly "
        f"(5% level, Holm), cards that share a letter do not, {about}"
    )
    return _Table(label, caption, "lrrrrl", ranking_text.HEADS, ranking_text.rows(ranking))


def _claims(report: ClaimsReport, label: str, caption: str) -> _Table:
    rows = [
        [
            judged.decision.verdict,
            judged.about,
            judged.claim,
            estimate(judged.measured),
            estimate(judged.difference, sign=True),
        ]
        for judged in (*report.statements, *report.figures)
    ]
    columns = f"l{_wrapped(0.12)}{_wrapped(0.26)}rr"
    return _Table(label, caption, columns, ["verdict", "about", "claim", "measured", "difference"], rows)


def _wrapped(share: float) -> str:
    """A column whose text wraps within a share of the line."""
    return rf">{{\raggedright\arraybackslash}}p{{{share}\linewidth}}"
