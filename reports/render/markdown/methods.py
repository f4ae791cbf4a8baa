"""Renders the methods, limits and checklists of a section as markdown."""

from __future__ import annotations

from collections.abc import Iterator

from reports.checklists.checklist import Checklist, checklists
from reports.limits import limits
from reports.render.markdown.table import cell, folded, table
from reports.render.words import CHECKLISTS, COSTS
from reports.report import Section
from reports.results.conditions.methods import NOT_RECORDED, UNKNOWN, Methods, RunCosts
from reports.text import number, seconds


def methods_markdown(methods: Methods) -> list[str]:
    """Lines with the flow of images and patients, the settings, then the costs."""
    lines = ["### Methods", "", "#### Flow of images", ""]
    lines += table(["split", "class", "images", "patients"], _flow(methods))
    lines += [""]
    lines += [f"- {cell(note)}" for note in methods.left_out]
    lines += [f"- {cell(f'{split}: {reason}')}" for split, reason in _reasons(methods)]
    lines += ["", "#### Settings", ""]
    for topic in dict.fromkeys(fact.topic for fact in methods.facts):
        texts = [cell(fact.text) for fact in methods.facts if fact.topic == topic]
        lines += [f"- **{topic}**: {texts[0]}"] if len(texts) == 1 else [f"- **{topic}**:"]
        lines += [f"  - {text}" for text in texts] if len(texts) > 1 else []
    lines += [""]
    if methods.costs:
        lines += folded(COSTS, table(_COST_HEADS, map(_costs, methods.costs)))
    return lines


def limits_markdown(section: Section) -> list[str]:
    """Lines with the limits of the figures."""
    return ["### Limits", "", *(f"- {cell(limit)}" for limit in limits(section)), ""]


def checklists_markdown(section: Section) -> list[str]:
    """Lines with the number of items per guideline that the program fills in, then the items."""
    filled = checklists(section)
    rows = [
        [each.guideline.name, each.guideline.title, str(len(each.items)), str(each.known), each.guideline.source]
        for each in filled
    ]
    lines = [
        "### Checklists",
        "",
        CHECKLISTS,
        "",
        *table(["guideline", "about", "items", "filled in", "source"], rows),
        "",
    ]
    for each in filled:
        lines += folded(f"{each.guideline.name}, item by item", table(["item", "part", "asks", "answer"], _items(each)))
    return lines


_COST_HEADS = [
    "card",
    "seed",
    "parameters",
    "trainable",
    "epochs",
    "per epoch",
    "in all",
    "ms per image",
    "peak MiB",
]


def _costs(c: RunCosts) -> list[str]:
    return [
        f"`{c.card}`",
        str(c.seed),
        f"{c.parameters:,}",
        f"{c.trainable:,}",
        str(c.epochs),
        "" if c.seconds_per_epoch is None else f"{c.seconds_per_epoch:.1f} s",
        seconds(c.seconds),
        number(c.inference_ms_per_image, 1),
        number(c.peak_memory_mib, 0),
    ]


def _flow(methods: Methods) -> Iterator[list[str]]:
    for row in methods.flow:
        label = "all" if row.label is None else row.label
        yield [row.split, label, _count(row.images), _count(row.patients)]


def _count(count: int | None) -> str:
    return NOT_RECORDED if count is None else str(count)


def _reasons(methods: Methods) -> list[tuple[str, str]]:
    """Notes on the rows of a split, each once."""
    return list(dict.fromkeys((row.split, row.reason) for row in methods.flow if row.reason is not None))


def _items(checklist: Checklist) -> Iterator[list[str]]:
    for filled in checklist.items:
        yield [filled.item.number, filled.item.part, filled.item.asks, filled.answer or UNKNOWN]
