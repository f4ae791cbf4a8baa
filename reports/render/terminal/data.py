"""Renders a data summary for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table

from reports.render.terminal.table import escape, plain_table
from reports.results.conditions.accounts import account_lines, patients_unknown
from reports.results.images.shortcuts_text import unjudged_line
from reports.text import MISSING, plural

if TYPE_CHECKING:
    from benchmark.data.checks.describe import DataSummary
    from benchmark.data.checks.leakage import Leakage
    from benchmark.data.checks.shortcuts import Shortcut

_MOST_CLASSES = 5
"""With more classes, a table has no column for each."""


def data_tables(summary: DataSummary) -> RenderableType:
    """Tables of counts, grey levels and leakage, then remarks."""
    kind = " (SYNTHETIC, drawn by the program)" if summary.synthetic else ""
    table = plain_table("part", "class", title=escape(f"{summary.title}{kind}"))
    several = len(summary.classes) > 2
    for name in ("images", *(["share"] if several else []), "patients", "grey mean", "grey sd"):
        table.add_column(name, justify="right")
    unknown = patients_unknown(summary)
    sizes = Counter[str]()
    for cell in summary.cells:
        sizes[cell.part] += cell.images
    for cell, after in zip_longest(summary.cells, summary.cells[1:]):
        people = MISSING if unknown else str(cell.patients)
        share = [f"{cell.images / sizes[cell.part]:.1%}"] if several else []
        counts = (str(cell.images), *share, people, f"{cell.mean_grey:.0f}", f"{cell.sd_grey:.0f}")
        table.add_row(cell.part, escape(cell.label), *counts)
        if several and after is not None and after.part != cell.part:
            table.add_section()
    further: list[RenderableType] = []
    if summary.groups:
        further = ["", _group_table(summary, unknown)]
    if summary.leakage is not None:
        further += ["", _leakage_table(summary.leakage, unknown)]
    if any(shortcut.auc is not None for shortcut in summary.shortcuts):
        further += ["", _shortcut_table(summary.shortcuts)]
    facts = [
        f"{_classes(summary)}; channels: {summary.channels}; fingerprint {summary.fingerprint[:16]}",
        *(summary.formats.lines() if summary.formats else ()),
        *_columns(summary),
        *(f"note: {warning}" for warning in summary.warnings),
        *filter(None, [summary.identity]),
        *_leakage_facts(summary),
        *filter(None, [unjudged_line(summary.shortcuts)]),
        *account_lines(summary),
        *(f"left out: {problem.name}: {problem.reason}" for problem in summary.problems[:20]),
    ]
    if len(summary.problems) > 20:
        facts.append(f"left out: {len(summary.problems) - 20} more (--json lists all)")
    return Group(table, *further, *(escape(fact) for fact in facts))


def _classes(summary: DataSummary) -> str:
    """The positive class of two, or how many classes there are, and whether their order is a scale."""
    if len(summary.classes) == 2:
        return f"positive class: {summary.classes[1]}"
    count = f"{len(summary.classes)} classes"
    return f"{count}, ordered: {' < '.join(summary.classes)}" if summary.ordered else count


def _columns(summary: DataSummary) -> list[str]:
    """The further facts about images, with their numbers of values."""
    columns = [f"{name} ({plural(count, 'value')})" for name, count in summary.attributes.items()]
    return [f"columns: {', '.join(columns)}"] if columns else []


def _group_table(summary: DataSummary, unknown: bool) -> Table:
    """How many images of each class have each value of a column; with many classes, how many images."""
    several = len(summary.classes) > _MOST_CLASSES
    table = plain_table("column", "value", title="Classes by column")
    shares = [f"share of {escape(summary.classes[1])}"] if len(summary.classes) == 2 else []
    for name in (*(["images"] if several else map(escape, summary.classes)), *shares, "patients", "grey mean"):
        table.add_column(name, justify="right")
    previous = ""
    for group in summary.groups:
        total = sum(group.images)
        counts = [str(total)] if several else [str(count) for count in group.images]
        share = [f"{group.images[1] / total:.0%}"] if shares else []
        people = MISSING if unknown else str(group.patients)
        name = "" if group.attribute == previous else escape(group.attribute)
        table.add_row(name, escape(group.value) or MISSING, *counts, *share, people, f"{group.mean_grey:.0f}")
        previous = group.attribute
    return table


def _leakage_table(leakage: Leakage, unknown: bool) -> Table:
    """How many images of each part are related to an image of the same or an earlier part."""
    table = plain_table("images of", "related to", title="Leakage")
    for name in ("images", "same patient", "identical", "near duplicate"):
        table.add_column(name, justify="right")
    for overlap in leakage.overlaps:
        inside = overlap.part == overlap.other
        counts = (overlap.images, None if unknown else overlap.same_patient, overlap.identical, overlap.near_duplicate)
        table.add_row(
            overlap.part,
            f"{overlap.other} itself" if inside else overlap.other,
            *("-" if count is None else str(count) for count in counts),
        )
    return table


def _shortcut_table(shortcuts: Sequence[Shortcut]) -> Table:
    """How well each group of facts alone distinguishes the classes."""
    unit = shortcuts[0].unit
    table = plain_table("facts alone", title="Do facts without content distinguish the classes? (test part left out)")
    for name in ("AUC", "95% interval", f"shuffled {unit}", "notable"):
        table.add_column(name, justify="right")
    table.add_column("what differs most")
    for each in shortcuts:
        if each.auc is None:
            continue
        ends = MISSING if each.low is None or each.high is None else f"{each.low:.3f} to {each.high:.3f}"
        chance = MISSING if each.chance is None else f"{each.chance:.3f}"
        table.add_row(each.facts, f"{each.auc:.3f}", ends, chance, each.verdict(), escape(each.detail or ""))
    return table


def _leakage_facts(summary: DataSummary) -> list[str]:
    """How the leakage table was computed, and checks without a result."""
    facts = [effect.line() for effect in summary.batch_effects if not effect.significant]
    leakage = summary.leakage
    if leakage is not None:
        facts.append(leakage.cutoff.line())
        facts += [f"near duplicates: {p.first} and {p.second}, {p.distance} bits apart" for p in leakage.closest[:5]]
        if leakage.near_pairs > 5:
            facts.append(f"near duplicates: {leakage.near_pairs - 5} more pairs (--json lists the closest)")
        if leakage.flat:
            facts.append(f"{leakage.flat} images are of one grey level and were not compared for near duplicates")
    return facts
