"""Renders curves over training images as markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.figures.pictures import Picture
from reports.render.markdown.table import cell, code, image, table
from reports.render.words import TRAINING_IMAGES
from reports.results.training_size.figures import TrainingSizeCurve
from reports.results.training_size.text import answers, cells, description, heading, heads, notes


def training_size_markdown(curves: Sequence[TrainingSizeCurve], pictures: Mapping[str, Picture]) -> list[str]:
    """Render the section on training images.

    Args:
        curves: The curves of a store; without any there is no section.
        pictures: A picture of a curve by its heading.

    Returns:
        The lines.
    """
    if not curves:
        return []
    lines = [f"## {TRAINING_IMAGES}", ""]
    for curve in curves:
        lines += [f"### {cell(heading(curve, curves))}", "", cell(description(curve)), ""]
        lines += [*table(heads(curve), map(cells, curve.points)), ""]
        if (picture := pictures.get(heading(curve, curves))) is not None:
            lines += [image(picture.path, picture.alt), ""]
        lines += [*(f"- {cell(line)}" for line in (*answers(curve), *notes(curve))), ""]
    lines += [f"These runs are from {code('zoo curve')}. They are in no other figure of this report.", ""]
    return lines
