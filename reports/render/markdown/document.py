"""Renders a report as markdown: the answer, figures, methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from reports.figures.pictures import Picture, Pictures
from reports.findings import findings
from reports.gallery.gallery import Gallery
from reports.render.markdown.cards import cards_markdown, comparison_markdown, diagnosis_markdown
from reports.render.markdown.claims import claims_markdown
from reports.render.markdown.findings import findings_markdown
from reports.render.markdown.gallery import gallery_markdown
from reports.render.markdown.image_errors import image_errors_markdown
from reports.render.markdown.label_errors import label_errors_markdown
from reports.render.markdown.methods import checklists_markdown, limits_markdown, methods_markdown
from reports.render.markdown.multiclass import decision_markdown, multiclass_calibration_markdown
from reports.render.markdown.outside import outside_markdown
from reports.render.markdown.probabilities import probabilities_markdown
from reports.render.markdown.ranking import ranking_markdown
from reports.render.markdown.shortcuts import shortcuts_markdown
from reports.render.markdown.summary import summary_markdown
from reports.render.markdown.table import cell, code, folded, image, table
from reports.render.markdown.training_size import training_size_markdown
from reports.render.words import PUBLISHED, SKIPPED
from reports.report import Report, Section, title
from reports.results.comparison.published import Comparison, difference_text, published_text
from reports.text import MISSING, decimals_of, estimate, interval, plural


def render(
    report: Report,
    pictures: Sequence[Pictures] = (),
    galleries: Mapping[str, Gallery] | None = None,
    curves: Mapping[str, Picture] | None = None,
) -> str:
    """Render a report as GitHub-flavoured markdown.

    Args:
        report: The report.
        pictures: Paths of the pictures of each section; none for a report without pictures.
        galleries: Galleries by run id.
        curves: The picture of each curve over training images by its heading.

    Returns:
        The document.
    """
    parts = [f"# {cell(title(report))}", ""]
    if len(report.sections) > 1:
        parts += ["Figures of different data or protocols are not comparable; each has its own part:", ""]
        parts += [*(f"- {cell(section.title)}" for section in report.sections), ""]
    for section, images in zip_longest(report.sections, pictures[: len(report.sections)], fillvalue=None):
        if section is not None:
            parts += _section(section, images or Pictures(), galleries or {})
    parts += training_size_markdown(report.training_sizes, curves or {})
    if report.skips:
        parts += [f"## {SKIPPED}", ""]
        parts += [f"- {', '.join(map(code, skip.names))}: {cell(skip.reason)}" for skip in report.skips]
    return "\n".join(parts).rstrip() + "\n"


def _section(section: Section, pictures: Pictures, galleries: Mapping[str, Gallery]) -> list[str]:
    lines = [f"## {cell(section.title)}", ""]
    lines += [line for note in section.notes for line in (f"> {cell(note)}", "")]
    lines += summary_markdown(section)
    lines += findings_markdown(findings(section))
    lines += comparison_markdown(section)
    if pictures.comparison is not None:
        lines += [image(pictures.comparison.path, pictures.comparison.alt), ""]
    for claims in section.claims:
        lines += claims_markdown(claims)
    if section.comparisons:
        lines += _published(section)
    if section.probabilities:
        lines += probabilities_markdown(section.probabilities)
    if section.multiclass is not None:
        lines += [*decision_markdown(section), *multiclass_calibration_markdown(section)]
    lines += shortcuts_markdown(section)
    lines += label_errors_markdown(section)
    lines += image_errors_markdown(section)
    lines += outside_markdown(section.outside)
    if section.ranking is not None:
        lines += [*ranking_markdown(section.ranking), ""]
    lines += diagnosis_markdown(section.runs)
    galleries_here = [galleries[run.run_id] for run in section.runs if run.run_id in galleries]
    if galleries_here:
        lines += ["### Galleries", ""]
        for gallery in galleries_here:
            lines += gallery_markdown(gallery, pictures.galleries.get(gallery.run_id))
    curves = {name: [image(each.path, each.alt) for each in images] for name, images in pictures.cards.items()}
    lines += cards_markdown(section, curves)
    lines += methods_markdown(section.methods)
    lines += limits_markdown(section)
    return lines + checklists_markdown(section)


def _published(section: Section) -> list[str]:
    """Published figures card by card, folded if there are claims, which repeat them."""
    heading = [f"### {PUBLISHED}", ""]
    heads = ["card", "seeds", "figure", "published", "measured", "difference", "data", "where"]
    lines = table(heads, map(_comparison, section.comparisons))
    if not section.claims:
        return [*heading, *lines, ""]
    return [*heading, *folded(f"{plural(len(lines) - 2, 'published figure')} and the measured ones", lines)]


def _comparison(c: Comparison) -> list[str]:
    when = f", {c.published.epoch} epoch" if c.published.epoch else ""
    return [
        f"`{c.card}`",
        ", ".join(map(str, c.seeds)) or MISSING,
        f"{c.published.split} {c.published.key}{when}",
        f"{published_text(c)} {interval(c.published_interval)}".rstrip(),
        estimate(c.measured, decimals_of(c.published.metric)),
        difference_text(c),
        "different data" if c.other_data else "same data",
        c.published.location + (f" ({c.note})" if c.note else ""),
    ]
