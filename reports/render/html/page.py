"""Renders a report as one self-contained HTML file, without network or other files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from benchmark.evidence.comparison.verdict import VERDICTS
from benchmark.evidence.metrics.registry import label_of, metrics
from benchmark.evidence.scores import AnyScores
from reports import text
from reports.checklists.checklist import Checklist, checklists
from reports.findings import AnsweredClaims, Findings, findings
from reports.gallery.gallery import Gallery
from reports.gallery.text import failures_head, sentences, subgroup_heads, subgroup_rows, subgroup_sentences
from reports.glossary import term_of
from reports.limits import limits
from reports.render import words
from reports.render.html.answer import AnswerView, answer_view
from reports.render.html.cards import CardView, card_views, slider_metrics
from reports.render.html.class_switch import SLIDER_METRICS
from reports.render.html.comparison import ComparisonView, RankingView, best_first, comparison_view, ranking_view
from reports.render.html.image_table import ImagesView, gallery_places, images_view
from reports.render.html.multiclass import ClassesView, classes_view, is_multiclass
from reports.render.html.terms import Term, chapter_terms
from reports.render.html.together import TogetherView, together_view
from reports.render.html.training_size import training_size_views
from reports.render.html.verdicts import ClaimsView, claims_view
from reports.report import Report, Section, title
from reports.results.comparison import ranking_text
from reports.results.comparison.published import difference_text, published_text
from reports.results.conditions.methods import UNKNOWN
from reports.results.conditions.split_faults import BY_DESIGN, own_faults
from reports.results.images import label_errors_text, shortcuts_text
from reports.results.outside import text as outside_text
from reports.summary.explained import GLOSSARY
from reports.summary.labels import labels
from reports.summary.text import compared_cards
from reports.verdicts.report import EXPLAINED
from reports.verdicts.style import STYLES, TONES


@dataclass(frozen=True)
class Chapter:
    """One section of the report.

    Attributes:
        id: The prefix of its anchors.
        heading: The data in words; `tested` is the test and the protocol.
        order: The names of the cards, best first; `titles` are by name.
        answer: The first screen; None without scores.
        together: The charts with all cards; None with fewer than two cards with scores.
        images: The test images by card; None without scores.
        classwise: What only three or more classes have; None for two.
        terms: The explained words.
        places: Ids of gallery entries by run id, group and position; `links` are by the name of the image.
    """

    id: str
    section: Section
    heading: str
    tested: str
    order: tuple[str, ...]
    titles: Mapping[str, str]
    answer: AnswerView | None
    claims: tuple[ClaimsView, ...]
    comparison: ComparisonView
    together: TogetherView | None
    images: ImagesView | None
    ranking: RankingView | None
    cards: tuple[CardView, ...]
    findings: Findings
    limits: tuple[str, ...]
    checklists: tuple[Checklist, ...]
    classwise: ClassesView | None
    terms: Mapping[str, Term]
    places: Mapping[tuple[str, str, int], str]
    links: Mapping[str, str]

    @property
    def names(self) -> frozenset[str]:
        """The cards that have a section."""
        return frozenset(view.card.name for view in self.cards)


def render(
    report: Report,
    scores: Mapping[str, AnyScores] | None = None,
    galleries: Mapping[str, Gallery] | None = None,
) -> str:
    """Render a report as a page that opens from disk and loads nothing.

    Text of cards, claims and files is escaped. A content security policy allows only the script of the page.

    Args:
        report: The report.
        scores: Test scores by run id, from `scores.test_scores`; a card without them has no threshold slider and no
            class switch.
        galleries: Galleries by run id.

    Returns:
        The page.
    """
    chapters = [
        _chapter(f"part{number}", section, scores or {}, galleries or {})
        for number, section in enumerate(report.sections, 1)
    ]
    classwise = {chapter.id: chapter.classwise for chapter in chapters if chapter.classwise is not None}
    sheets = ("report.css", "answer.css", "planes.css", *(("multiclass.css",) if classwise else ()))
    style = "".join(map(_asset, sheets)) + _together_style(chapters)
    panels = {
        f"{part}-{view.name}": view.panel for part, views in classwise.items() for view in views.cards if view.panel
    }
    script = _script(multiclass=bool(panels))
    page = _environment().get_template("page.html.j2")
    return page.render(
        report=report,
        chapters=chapters,
        training_sizes=training_size_views(report.training_sizes),
        title=text.capital(title(report)),
        style=Markup(style),
        script=Markup(script),
        policy=_policy(script),
        sliders={f"{chapter.id}-{card.card.name}": card.slider for chapter in chapters for card in chapter.cards},
        panels={
            key: {"classes": [_printable(name) for name in panel.classes], "runs": panel.runs}
            for key, panel in panels.items()
        },
    )


def _chapter(name: str, section: Section, scores: Mapping[str, AnyScores], galleries: Mapping[str, Gallery]) -> Chapter:
    summary = findings(section)
    order = best_first(section)
    titles = {card: label.title for card, label in labels(card.card for card in section.cards).items()}
    classwise = classes_view(section, scores) if is_multiclass(section) else None
    of_section = [galleries[run.run_id] for run in section.runs if run.run_id in galleries]
    links, places = gallery_places(of_section, name)
    heading, tested = _heading(section)
    return Chapter(
        id=name,
        section=section,
        heading=heading,
        tested=tested,
        order=order,
        titles=titles,
        answer=answer_view(section.summary),
        claims=tuple(claims_view(*pair, order) for pair in zip(section.claims, _answers(summary), strict=True)),
        comparison=comparison_view(section, order, titles),
        together=together_view(section, order, titles),
        images=images_view(section, order, links, titles),
        ranking=None if section.ranking is None else ranking_view(section.ranking, titles),
        cards=tuple(card_views(section, order, scores, galleries, name, classwise)),
        findings=summary,
        limits=limits(section),
        checklists=checklists(section),
        classwise=classwise,
        terms=chapter_terms(section, name),
        places=places,
        links=links,
    )


def _answers(results: Findings) -> list[tuple[AnsweredClaims, ...]]:
    return [answers for _, answers in results.claims]


def _heading(section: Section) -> tuple[str, str]:
    """The data in words, and the test and the protocol."""
    if section.summary is None:
        return text.capital(section.title), ""
    heading = section.summary.heading
    return text.capital(heading.data), f"{text.capital(heading.tested)}. {text.capital(heading.protocol)}."


def _together_style(chapters: Sequence[Chapter]) -> str:
    """The style of the charts with all cards, with rules for as many cards as the largest of them has."""
    cards = max((len(chapter.together.series) for chapter in chapters if chapter.together is not None), default=0)
    return _environment().get_template("together.css").render(cards=cards) if cards else ""


def _policy(script: str) -> str:
    """A policy that loads nothing, and allows inline styles, inline pictures and the one script, by its hash."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"


def _script(*, multiclass: bool) -> str:
    """The script of the page; the part for three or more classes only where there are any."""
    return _environment().get_template("report.js").render(multiclass=multiclass) + "\n"


@cache
def _asset(name: str) -> str:
    return (resources.files("reports.render.html.templates") / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports.render.html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": text.number,
        "probability": text.probability,
        "interval": text.interval,
        "measured": text.measured,
        "seconds": text.seconds,
        "mean_seconds": lambda values: text.seconds(sum(values) / len(values)) if values else text.MISSING,
        "published": published_text,
        "difference": difference_text,
        "decimals_of": text.decimals_of,
        "metric": label_of,
        "term_of": term_of,
        "capital": text.capital,
        "own_faults": lambda run: own_faults(run.diagnosis, run.spec.card),
        "p_text": text.p_text,
        "ranking_summary": ranking_text.summary,
        "shortcut_sentences": shortcuts_text.sentences,
        "fact_rows": shortcuts_text.fact_rows,
        "gain_rows": shortcuts_text.gain_rows,
        "gallery_sentences": sentences,
        "gallery_heads": subgroup_heads,
        "gallery_rows": subgroup_rows,
        "failures_head": failures_head,
        "subgroup_sentences": subgroup_sentences,
        "outside_heading": outside_text.heading,
        "outside_sentences": outside_text.sentences,
        "recalibration_sentences": outside_text.recalibration_sentences,
    }
    environment.globals |= {
        "GLOSSARY": GLOSSARY,
        "FACT_HEADS": shortcuts_text.FACT_HEADS,
        "GAIN_HEADS": shortcuts_text.GAIN_HEADS,
        "LABELS": label_errors_text,
        "OUTSIDE": outside_text,
        "compared_cards": compared_cards,
        "MISSING": text.MISSING,
        "VERDICTS": VERDICTS,
        "STYLES": STYLES,
        "TONES": {verdict: TONES[meaning.answer] for verdict, meaning in VERDICTS.items()},
        "slider_metrics": slider_metrics,
        "class_slider_metrics": lambda: slider_metrics(SLIDER_METRICS),
        "metrics": metrics,
        "EXPLAINED": EXPLAINED,
        "words": words,
        "BY_DESIGN": BY_DESIGN,
        "UNKNOWN": UNKNOWN,
    }
    return environment


def _printable(value: Any) -> Any:
    """Replace control characters, which could change the direction of text, by blanks, and None by a dash."""
    if value is None:
        return text.MISSING
    if type(value) is not str or value.isprintable():
        return value
    return "".join(c if c.isprintable() else " " for c in value)
