"""A ClaimsReport as markdown lines and as a rich renderable; nothing here prints."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from benchmark.evidence.comparison.verdict import Estimate, Verdict
from reports.render.audit import audit_markdown
from reports.render.markdown.table import cell, table
from reports.render.pairs import p_text
from reports.render.terminal.tables import escape, plain_table
from reports.text import MISSING, decimals_of, interval, number, one_line
from reports.verdicts.figures import Judgement
from reports.verdicts.report import EXPLAINED, ClaimsReport

_STYLES: dict[Verdict, str] = {
    "reproduced": "green",
    "differs": "bold yellow",
    "inconclusive": "cyan",
    "impossible": "bold red",
    "not comparable": "dim",
    "not run": "dim",
}


def claims_markdown(report: ClaimsReport) -> list[str]:
    """Verdicts first, then the audit of the published figures, then what explains the failures."""
    lines = ["### Claims", "", f"{cell(report.claims.title)}.", ""]
    lines += [f"Held against {cell(report.data)}: {_summary(report)}.", ""]
    lines += [line for note in report.notes for line in (f"> {cell(note)}", "")]
    if report.statements:
        lines += ["#### Statements", "", *table(["verdict", "statement", "why", "where"], _statements(report)), ""]
    lines += ["#### Published figures", "", *table([*_FIGURE_HEADS, "where"], _figures(report)), ""]
    lines += ["#### Audit of the published figures", "", *audit_markdown(report.audit), ""]
    if report.causes:
        lines += ["#### What moves the failures", ""]
        counted = "paired by image and counted by patient where patients are known"
        lines += [f"{_CAUSES_READ}, {counted}; p by Holm over the changes of a card.", ""]
        rows = [[f"`{card}`", *rest] for card, *rest in _causes(report)]
        lines += [*table(_CAUSE_HEADS, rows), ""]
    return lines


def claims_tables(report: ClaimsReport) -> RenderableType:
    """Statements and what explains the failures, for a terminal."""
    parts: list[RenderableType] = [
        Text(one_line(report.claims.title), style="bold"),
        Text(f"held against {one_line(report.data)}: {_summary(report)}"),
        *(Text(one_line(note)) for note in report.notes),
    ]
    if report.statements:
        shown = plain_table("verdict", "statement", "why")
        for judged in report.statements:
            verdict = Text(judged.decision.verdict, style=_STYLES[judged.decision.verdict])
            shown.add_row(verdict, escape(f"{judged.about}: {judged.claim}"), escape(_why(judged)))
        parts += [Text(""), shown]
    if report.causes:
        causes = plain_table(*_CAUSE_HEADS[:-2])
        for head in _CAUSE_HEADS[-2:]:
            causes.add_column(head, no_wrap=True)
        for row in _causes(report):
            causes.add_row(*map(escape, row))
        parts += [Text(""), Text(_CAUSES_READ), causes]
    return Group(*parts)


_FIGURE_HEADS = ["verdict", "row", "published", "measured", "difference", "why"]
_CAUSE_HEADS = ["card", "single change", "measured by", "effect", "p"]
_CAUSES_READ = f"Test {EXPLAINED} after a single change minus before it, at 0.5 but for the chosen threshold"


def _summary(report: ClaimsReport) -> str:
    counted = ", ".join(f"{verdict} {count}" for verdict, count in report.counts().items())
    return f"{len(report.figures)} figures and {len(report.statements)} statements; {counted or 'none judged'}"


def _statements(report: ClaimsReport) -> list[list[str]]:
    return [
        [
            judged.decision.verdict,
            f"`{judged.about}`: {judged.claim}" + (f" “{judged.quote}”" if judged.quote else ""),
            _why(judged),
            judged.where,
        ]
        for judged in report.statements
    ]


def _figures(report: ClaimsReport) -> list[list[str]]:
    return [
        [
            judged.decision.verdict,
            f"`{judged.about}`",
            judged.claim,
            _estimate(judged.measured, _decimals(judged)),
            _estimate(judged.difference, _decimals(judged), sign=True),
            _why(judged),
            judged.where,
        ]
        for judged in report.figures
    ]


def _causes(report: ClaimsReport) -> Iterator[list[str]]:
    for card, causes in report.causes.items():
        if not causes:
            yield [card, "none was measured", MISSING, MISSING, MISSING]
        for cause in causes:
            effect = _estimate(cause.effect, 3, sign=True)
            yield [card, cause.change, cause.other or "the same scores", effect, p_text(cause.p_adjusted)]


def _why(judged: Judgement) -> str:
    needed = judged.decision.needed
    return judged.decision.reason + (f"; about {needed:,} test images could tell" if needed else "")


def _decimals(judged: Judgement) -> int:
    return 3 if judged.published is None else decimals_of(judged.published.metric)


def _estimate(estimate: Estimate | None, decimals: int, sign: bool = False) -> str:
    if estimate is None or estimate.value is None:
        return MISSING
    value = f"{estimate.value:+z.{decimals}f}" if sign else number(estimate.value, decimals)
    bounds = None if estimate.low is None or estimate.high is None else (estimate.low, estimate.high)
    return f"{value} {interval(bounds, decimals, sign=sign)}".rstrip()
