"""A Report as one HTML file that needs nothing beside it: no network, no other file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from benchmark.evidence.comparison.verdict import VERDICTS
from benchmark.evidence.scores import Scores
from reports import text as numbers
from reports.audit.figures import metric_name
from reports.checklists.checklist import Checklist, checklists
from reports.findings import Findings, findings
from reports.gallery.gallery import Gallery
from reports.gallery.text import SUBGROUP_HEADS, sentences, subgroup_rows, subgroup_sentences
from reports.limits import limits
from reports.render.html.cards import (
    COMPARED,
    COUNTED,
    DECIDED,
    CardView,
    ComparisonView,
    RankingView,
    card_views,
    comparison_view,
    ranking_view,
)
from reports.render.html.verdicts import ClaimsView, claims_view
from reports.report import Report, Section
from reports.results.card_figures import KEY_METRICS
from reports.results.compare import difference_text, published_text
from reports.results.methods import UNKNOWN
from reports.results.split_faults import own_faults
from reports.verdicts.report import EXPLAINED
from reports.verdicts.style import STYLES, TONES


@dataclass(frozen=True)
class Chapter:
    """What the page shows of one section; `id` begins the name of every anchor in it."""

    id: str
    section: Section
    claims: tuple[ClaimsView, ...]
    comparison: ComparisonView
    ranking: RankingView | None
    cards: tuple[CardView, ...]
    findings: Findings
    limits: tuple[str, ...]
    checklists: tuple[Checklist, ...]

    @property
    def names(self) -> frozenset[str]:
        """The cards that have a section."""
        return frozenset(view.card.name for view in self.cards)


def render(
    report: Report,
    scores: Mapping[str, Scores] | None = None,
    galleries: Mapping[str, Gallery] | None = None,
) -> str:
    """`report` as a page that opens from disk and loads nothing.

    `scores` are the test scores by run id (`html_scores.test_scores`); a card without them has no threshold slider.
    `galleries` are pictures of test images by run id, shown where there are some. The text of cards, claims and files
    is escaped; a content security policy lets no other script run than the page's own.
    """
    style, script = _asset("report.css"), _asset("report.js")
    chapters = [
        _chapter(f"part{place}", section, scores or {}, galleries or {})
        for place, section in enumerate(report.sections, 1)
    ]
    page = _environment().get_template("page.html.j2")
    return page.render(
        report=report,
        chapters=chapters,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(script),
        sliders={f"{chapter.id}-{card.card.name}": card.slider for chapter in chapters for card in chapter.cards},
    )


def _chapter(name: str, section: Section, scores: Mapping[str, Scores], galleries: Mapping[str, Gallery]) -> Chapter:
    found = findings(section)
    names = [card.card.name for card in section.cards]
    answered = (answers for _, answers in found.claims)
    return Chapter(
        id=name,
        section=section,
        claims=tuple(claims_view(*pair, names) for pair in zip(section.claims, answered, strict=True)),
        comparison=comparison_view(section),
        ranking=None if section.ranking is None else ranking_view(section.ranking),
        cards=tuple(card_views(section, scores, galleries, name)),
        findings=found,
        limits=limits(section),
        checklists=checklists(section),
    )


def _policy(script: str) -> str:
    """Nothing is loaded; styles and pictures stand in the page, and one script runs, known by its hash."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"


@cache
def _asset(name: str) -> str:
    return (resources.files("reports.render.html.templates") / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports.render.html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": numbers.number,
        "interval": numbers.interval,
        "measured": numbers.measured,
        "seconds": numbers.seconds,
        "mean_seconds": lambda values: numbers.seconds(sum(values) / len(values)) if values else numbers.MISSING,
        "published": published_text,
        "difference": difference_text,
        "is_count": numbers.is_count,
        "metric": metric_name,
        "capital": numbers.capital,
        "own_faults": own_faults,
        "p_text": numbers.p_text,
        "gallery_sentences": sentences,
        "gallery_rows": subgroup_rows,
        "subgroup_sentences": subgroup_sentences,
    }
    environment.globals |= {
        "MISSING": numbers.MISSING,
        "VERDICTS": VERDICTS,
        "STYLES": STYLES,
        "TONES": {verdict: TONES[meaning.answer] for verdict, meaning in VERDICTS.items()},
        "COMPARED": COMPARED,
        "DECIDED": DECIDED,
        "COUNTED": COUNTED,
        "KEY_METRICS": KEY_METRICS,
        "EXPLAINED": EXPLAINED,
        "UNKNOWN": UNKNOWN,
        "SUBGROUP_HEADS": SUBGROUP_HEADS,
    }
    return environment


def _shown(value: Any) -> Any:
    """Plain text with a blank for every control character, which could turn the direction of what follows; a dash for
    None."""
    if value is None:
        return numbers.MISSING
    return "".join(c if c.isprintable() else " " for c in value) if type(value) is str else value
