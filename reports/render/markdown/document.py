"""A Report as markdown: what was found first, then the figures, then how they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from reports.figures.pictures import Picture, Pictures
from reports.findings import findings
from reports.gallery.gallery import Gallery
from reports.render.claims import claims_markdown
from reports.render.gallery_text import gallery_markdown
from reports.render.markdown.cards import cards_markdown, comparison_markdown, diagnosis_markdown
from reports.render.markdown.findings import findings_markdown
from reports.render.markdown.methods import checklists_markdown, limits_markdown, methods_markdown
from reports.render.markdown.probabilities import probabilities_markdown
from reports.render.markdown.table import cell, folded, table
from reports.render.pairs import ranking_markdown
from reports.report import Report, Section
from reports.results.compare import Comparison, difference_text, published_text
from reports.text import decimals_of, interval, number


def render(report: Report, pictures: Sequence[Pictures] = (), galleries: Mapping[str, Gallery] | None = None) -> str:
    """`report` as GitHub-flavoured markdown; `pictures` are those of its sections, in their order, and `galleries`
    those of its runs, by run id, where there are any."""
    parts = ["# Model-zoo benchmark", ""]
    if len(report.sections) > 1:
        parts += ["Figures of different data or protocols are not compared; each has a part of its own:", ""]
        parts += [*(f"- {cell(section.title)}" for section in report.sections), ""]
    for section, shown in zip_longest(report.sections, pictures[: len(report.sections)], fillvalue=None):
        if section is not None:
            parts += _section(section, shown or Pictures(), galleries or {})
    if report.skips:
        parts += ["## Cards that were not run", ""]
        parts += [f"- skipped `{skip.card.name}`: {cell(skip.reason)}" for skip in report.skips]
    return "\n".join(parts).rstrip() + "\n"


def image(picture: Picture) -> str:
    """A picture as markdown names it."""
    alt = cell(picture.alt).replace("[", "(").replace("]", ")")
    return f"![{alt}]({picture.path})"


def _section(section: Section, pictures: Pictures, galleries: Mapping[str, Gallery]) -> list[str]:
    lines = [f"## {cell(section.title)}", ""]
    lines += [line for note in section.notes for line in (f"> {cell(note)}", "")]
    lines += findings_markdown(findings(section))
    lines += comparison_markdown(section)
    if pictures.comparison is not None:
        lines += [image(pictures.comparison), ""]
    if section.ranking is not None:
        lines += [*ranking_markdown(section.ranking), ""]
    for claims in section.claims:
        lines += claims_markdown(claims)
    lines += _published(section)
    if section.probabilities:
        lines += probabilities_markdown(section.probabilities)
    lines += diagnosis_markdown(section.runs)
    shown = [galleries[run.run_id] for run in section.runs if run.run_id in galleries]
    if shown:
        lines += ["### Galleries", ""]
        lines += [line for one in shown for line in gallery_markdown(one, pictures.galleries.get(one.run_id))]
    lines += cards_markdown(section, {name: [image(one) for one in held] for name, held in pictures.cards.items()})
    lines += methods_markdown(section.methods)
    lines += limits_markdown(section)
    return lines + checklists_markdown(section)


def _published(section: Section) -> list[str]:
    """Run by run; folded where the claims above have said the same of each card."""
    heading = ["### Published and measured, run by run", ""]
    if not section.comparisons:
        return [*heading, "No card here has published figures.", ""]
    heads = ["card", "seed", "figure", "published", "measured", "difference", "data", "where"]
    lines = table(heads, map(_comparison, section.comparisons))
    if not section.claims:
        return [*heading, *lines, ""]
    return [*heading, *folded(f"{len(lines) - 2} published figures beside each run", lines)]


def _comparison(c: Comparison) -> list[str]:
    when = f", {c.published.epoch} epoch" if c.published.epoch else ""
    measured = number(c.measured, decimals_of(c.published.metric))
    return [
        f"`{c.card}`",
        str(c.seed),
        f"{c.published.split} {c.published.metric}{when}",
        f"{published_text(c)} {interval(c.published_interval)}".rstrip(),
        f"{measured} {interval(c.measured_interval)}".rstrip(),
        difference_text(c),
        "other data" if c.other_data else "same data",
        c.published.where + (f" ({c.note})" if c.note else ""),
    ]
