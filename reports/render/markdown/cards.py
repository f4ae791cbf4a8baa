"""The cards of a section side by side, what was found in their runs, and each card by itself, as markdown lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from benchmark.evidence.metrics.definitions import label_of, metrics
from benchmark.runs.run import Run
from reports.render.markdown.table import cell, folded, table
from reports.report import Section
from reports.results.card_figures import CardFigures, summary_metrics
from reports.results.recipe import recipe_in_words
from reports.results.split_faults import own_faults
from reports.text import estimate, measured, number

_ABREAST = 3
"""Runs beside each other in one table of figures."""


def comparison_markdown(section: Section) -> list[str]:
    """The cards side by side, means over their seeds."""
    heads = ["card", "what it changes", "seeds", *(metric.label for metric in summary_metrics().values()), "diagnosis"]
    return [
        "### Comparison",
        "",
        "Test figures at threshold 0.5 with 95% intervals. Where a card has several seeds they are means, and the "
        "intervals count both images and seeds.",
        "",
        *table(heads, map(_compared, section.cards)),
        "",
    ]


def diagnosis_markdown(runs: Iterable[Run]) -> list[str]:
    """What went wrong in which run, with the figures that show it; faults of the split stand under Findings."""
    lines = []
    for run in runs:
        name = f"`{run.spec.card.name}` seed {run.spec.seed}"
        if run.error:
            lines.append(f"- {name}: failed: {cell(run.error)}")
        lines += [f"- {name}: {cell(f'{finding.title}: {finding.evidence}')}" for finding in own_faults(run.diagnosis)]
        if run.threshold is not None and run.threshold.value is None and run.threshold.reason:
            lines.append(f"- {name}: no threshold chosen: {cell(run.threshold.reason)}")
    return ["### Diagnosis", "", *(lines or ["Nothing found."]), ""]


def cards_markdown(section: Section, images: Mapping[str, Sequence[str]]) -> list[str]:
    """Each card by itself: recipe, what its source left open, its pictures, the figures of its runs. `images` are lines
    by card."""
    lines = ["### Cards", ""]
    for card in section.cards:
        name = card.card.name
        runs = [run for run in section.runs if run.spec.card.name == name and run.status == "ok"]
        lines += [f"#### `{name}`", "", *_about(card), ""]
        if images.get(name):
            lines += folded("Curves", images[name])
        if runs:
            lines += folded("Test figures of every run", [*_figures(runs)])
    return lines


def _compared(card: CardFigures) -> list[str]:
    found = [title + _share(count, len(card.seeds)) for title, count in card.diagnosis.items()]
    return [
        f"`{card.card.name}`",
        card.card.change,
        _seeds(card),
        *(estimate(card.at_half.get(name)) for name in summary_metrics()),
        "; ".join((*card.errors, *found)),
    ]


def _seeds(card: CardFigures) -> str:
    """How many seeds the means are of, and which are missing from them."""
    text = str(len(card.seeds))
    text += f"; {len(card.failed)} failed" if card.failed else ""
    return text + (f"; {len(card.left_out)} left out" if card.left_out else "")


def _share(count: int, runs: int) -> str:
    return "" if count == runs else f" ({count} of {runs})"


def _about(card: CardFigures) -> Iterator[str]:
    own = card.card
    yield f"{cell(own.title)}."
    yield ""
    yield f"- changes: {cell(own.change)}" + (f", against `{own.extends}`" if own.extends else "")
    yield from (f"- {topic}: {cell(text)}" for topic, text in recipe_in_words(own))
    if own.assumptions:
        yield f"- left open by the source: {cell(own.assumptions)}"
    if card.left_out:
        which = ", ".join(map(str, card.left_out))
        yield f"- left out of the means: seed {which}, of other test images or an earlier version of the card"


def _figures(runs: Sequence[Run]) -> Iterator[str]:
    """A row a metric, a column a run: at 0.5, then at the thresholds chosen on validation."""
    for title, chosen in (("At threshold 0.5", False), ("At the threshold chosen on validation", True)):
        if chosen and not any(run.at_chosen for run in runs):
            yield "No threshold was chosen: Diagnosis says why."
            return
        for start in range(0, len(runs), _ABREAST):
            abreast = runs[start : start + _ABREAST]
            yield f"{title}:"
            yield ""
            heads = ["metric", *(f"seed {run.spec.seed}" for run in abreast)]
            yield from table(heads, _rows(abreast, chosen))
            yield ""


def _rows(runs: Sequence[Run], chosen: bool) -> Iterator[list[str]]:
    yield ["threshold", *(number(_threshold(run, chosen)) for run in runs)]
    for name in ("loss", *metrics()):
        yield [
            label_of(name),
            *(measured(run.figures("test", chosen).get(name), with_interval=True) for run in runs),
        ]


def _threshold(run: Run, chosen: bool) -> float | None:
    return (run.threshold.value if run.threshold else None) if chosen else 0.5
