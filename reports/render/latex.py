"""The tables of a Report for a paper, as LaTeX that a document with booktabs and longtable takes in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from benchmark.evidence.comparison.verdict import Estimate
from benchmark.evidence.metrics.definitions import label_of
from reports.report import Report, Section
from reports.results.card_figures import summary_metrics
from reports.results.pairs import Ranking
from reports.text import interval, number, one_line
from reports.verdicts.report import ClaimsReport

_SPECIAL = {
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
_DASH = "--"
_HEAD = r"""% Tables of a report by zoo. The preamble needs
%   \usepackage[T1]{fontenc}
%   \usepackage{booktabs,longtable,array,textcomp}
% and, for signs beyond Latin ones in names and quotations, XeLaTeX or LuaLaTeX with a font that has them."""


def render(report: Report) -> str:
    """Comparison, groups that cannot be told apart, claims with verdicts: a longtable each, section by section."""
    parts = [_HEAD]
    for place, section in enumerate(report.sections, start=1):
        end = "" if len(report.sections) == 1 else f"-{place}"
        parts += _section(section, end)
    return "\n".join(parts) + "\n"


def escape(text: str) -> str:
    """`text` in one line so that LaTeX prints it and obeys none of it."""
    return "".join(_SPECIAL.get(sign, sign) for sign in one_line(text))


def _section(section: Section, end: str) -> list[str]:
    parts = [_table(f"comparison{end}", _about(section, "Test figures at threshold 0.5"), *_comparison(section))]
    if section.ranking is not None:
        parts.append(_table(f"ranking{end}", _about(section, _ranked(section.ranking)), *_ranking(section.ranking)))
    for number_, claims in enumerate(section.claims, start=1):
        which = end if len(section.claims) == 1 else f"{end}-claims-{number_}"
        title = _about(section, f"Claims of {claims.claims.title} and their verdicts")
        parts.append(_table(f"claims{which}", title, *_claims(claims)))
    return parts


def _about(section: Section, what: str) -> str:
    kind = "SYNTHETIC images" if section.synthetic else "images"
    return f"{what}, with 95% intervals; {kind}: {section.title}."


def _table(label: str, caption: str, columns: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that may break over pages. `heads` and `rows` hold plain text."""
    line = " & ".join(map(escape, heads)) + r" \\"
    return "\n".join(
        [
            "",
            r"{\footnotesize\setlength{\tabcolsep}{4pt}",
            rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}}",
            rf"\caption{{{escape(caption)}}}\label{{tab:{label}}}\\",
            r"\toprule",
            line,
            r"\midrule",
            r"\endfirsthead",
            r"\toprule",
            line,
            r"\midrule",
            r"\endhead",
            r"\bottomrule",
            r"\endlastfoot",
            *(" & ".join(_cell(text) for text in row) + r" \\" for row in rows),
            r"\end{longtable}}",
        ]
    )


def _cell(text: str) -> str:
    """A cell; a minus before a number is one, and what is missing is a dash."""
    if not text:
        return _DASH
    return re.sub(r"(?<![\w.])-\{\}(?=\d)", r"\\textminus{}", escape(text))


def _wrapped(share: float) -> str:
    """A column whose text wraps within a share of the line."""
    return rf">{{\raggedright\arraybackslash}}p{{{share}\linewidth}}"


def _comparison(section: Section) -> tuple[str, list[str], list[list[str]]]:
    metrics = summary_metrics()
    heads = ["card", "seeds", *(metric.label for metric in metrics.values())]
    rows = [
        [card.card.name, str(len(card.seeds)), *(_estimate(card.at_half.get(metric)) for metric in metrics)]
        for card in section.cards
    ]
    return f"{_wrapped(0.16)}r" + "r" * len(metrics), heads, rows


def _ranked(ranking: Ranking) -> str:
    return (
        f"Cards by test {label_of(ranking.metric)}; {ranking.apart} of {ranking.pairs} pairs told apart at the 5% "
        "level (Holm), cards that share a letter were not"
    )


def _ranking(ranking: Ranking) -> tuple[str, list[str], list[list[str]]]:
    rows = []
    for name, found in ranking.figures.items():
        bounds = None if found.low is None or found.high is None else (found.low, found.high)
        spread = "" if found.spread is None else number(found.spread)
        rows.append([name, number(found.value), interval(bounds), str(found.seeds), spread, ranking.letters[name]])
    return "lrrrrl", ["card", "mean", "interval", "seeds", "sd of seeds", "group"], rows


def _claims(report: ClaimsReport) -> tuple[str, list[str], list[list[str]]]:
    columns = f"l{_wrapped(0.12)}{_wrapped(0.26)}rr"
    heads = ["verdict", "about", "claim", "measured", "difference"]
    rows = [
        [one.decision.verdict, one.about, one.claim, _estimate(one.measured), _estimate(one.difference, sign=True)]
        for one in (*report.statements, *report.figures)
    ]
    return columns, heads, rows


def _estimate(found: Estimate | None, sign: bool = False) -> str:
    if found is None or found.value is None:
        return ""
    bounds = None if found.low is None or found.high is None else (found.low, found.high)
    value = f"{found.value:+z.3f}" if sign else number(found.value)
    return f"{value} {interval(bounds, sign=sign)}".rstrip()
