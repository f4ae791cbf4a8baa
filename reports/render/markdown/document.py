"""A Report as markdown: what was found first, then the figures, then how they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from reports.figures.pictures import Pictures
from reports.findings import findings
from reports.gallery.gallery import Gallery
from reports.render.markdown.cards import cards_markdown, comparison_markdown, diagnosis_markdown
from reports.render.markdown.claims import claims_markdown
from reports.render.markdown.findings import findings_markdown
from reports.render.markdown.gallery import gallery_markdown
from reports.render.markdown.methods import checklists_markdown, limits_markdown, methods_markdown
from reports.render.markdown.probabilities import probabilities_markdown
from reports.render.markdown.ranking import ranking_markdown
from reports.render.markdown.table import cell, folded, image, table
from reports.report import Report, Section
from reports.results.compare import Comparison, difference_text, published_text
from reports.text import MISSING, decimals_of, estimate, interval


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


def _section(section: Section, pictures: Pictures, galleries: Mapping[str, Gallery]) -> list[str]:
    lines = [f"## {cell(section.title)}", ""]
    lines += [line for note in section.notes for line in (f"> {cell(note)}", "")]
    lines += findings_markdown(findings(section))
    lines += comparison_markdown(section)
    if pictures.comparison is not None:
        lines += [image(pictures.comparison.path, pictures.comparison.alt), ""]
    if section.ranking is not None:
        lines += [*ranking_markdown(section.ranking), ""]
    for claims in section.claims:
        lines += claims_markdown(claims)
    lines += _published(section)
    if section.probabilities:
        lines += probabilities_markdown(section.probabilities)
    lines += diagnosis_markdown(section.runs)
    galleries_here = [galleries[run.run_id] for run in section.runs if run.run_id in galleries]
    if galleries_here:
        lines += ["### Galleries", ""]
        for gallery in galleries_here:
            lines += gallery_markdown(gallery, pictures.galleries.get(gallery.run_id))
    curves = {name: [image(each.path, each.alt) for each in drawn] for name, drawn in pictures.cards.items()}
    lines += cards_markdown(section, curves)
    lines += methods_markdown(section.methods)
    lines += limits_markdown(section)
    return lines + checklists_markdown(section)


def _published(section: Section) -> list[str]:
    """Card by card; folded where the claims above have said the same."""
    heading = ["### Published and measured", ""]
    if not section.comparisons:
        return [*heading, "No card here has published figures.", ""]
    heads = ["card", "seeds", "figure", "published", "measured", "difference", "data", "where"]
    lines = table(heads, map(_comparison, section.comparisons))
    if not section.claims:
        return [*heading, *lines, ""]
    return [*heading, *folded(f"{len(lines) - 2} published figures beside those measured", lines)]


def _comparison(c: Comparison) -> list[str]:
    when = f", {c.published.epoch} epoch" if c.published.epoch else ""
    return [
        f"`{c.card}`",
        ", ".join(map(str, c.seeds)) or MISSING,
        f"{c.published.split} {c.published.metric}{when}",
        f"{published_text(c)} {interval(c.published_interval)}".rstrip(),
        estimate(c.measured, decimals_of(c.published.metric)),
        difference_text(c),
        "other data" if c.other_data else "same data",
        c.published.location + (f" ({c.note})" if c.note else ""),
    ]
