"""Renders the comparison of cards, their diagnosis and each card as markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from benchmark.evidence.metrics.registry import label_of
from benchmark.runs.cross_validation import is_unfinished
from benchmark.runs.run import Run
from reports.render.markdown.multiclass import multiclass_card_markdown, recall_by_class_markdown
from reports.render.markdown.table import cell, folded, table
from reports.render.words import NO_FAULT
from reports.report import Section
from reports.results.comparison.card_figures import CardFigures, failures, known_figures, summary_measures
from reports.results.comparison.leading import Leading, leading, nothing_chosen
from reports.results.conditions.recipe import recipe_in_words
from reports.results.conditions.split_faults import BY_DESIGN, own_faults
from reports.results.measured import is_multiclass
from reports.results.multiclass.figures import ARGMAX
from reports.results.multiclass.text import overall_keys
from reports.text import capital, measured, probability

_RUNS_PER_TABLE = 3


def comparison_markdown(section: Section) -> list[str]:
    """Lines with a table of all cards, means over their seeds."""
    measures = {key: measure.label for key, measure in summary_measures(section.runs[0]).items()}
    heads = ["card", "what it changes", "seeds", *measures.values(), "diagnosis"]
    several, lead = len(section.classes) > 2, section.leading
    means = "; means over seeds" if any(len(card.seeds) > 1 for card in section.cards) else ""
    beside = f" In brackets: {lead.beside}." if lead.beside else ""
    return [
        "### Comparison",
        "",
        f"{cell(f'Test figures {lead.words}')}{means}, with 95% intervals.{beside} The intervals account "
        "for images and, if a card has several, for seeds.",
        "",
        *table(heads, (_comparison_row(lead, card, measures) for card in section.cards)),
        "",
        *(recall_by_class_markdown(section) if several else []),
    ]


def diagnosis_markdown(runs: Iterable[Run]) -> list[str]:
    """Lines with the errors and faults of each run; Findings lists faults of the split."""
    lines = []
    for run in runs:
        name = f"`{run.spec.card.name}` seed {run.spec.seed}"
        if run.error:
            lines.append(f"- {name}: {'' if is_unfinished(run) else 'failed: '}{cell(run.error)}")
        if run.spec.card.looks_at_nothing:
            lines.append(f"- {name}: {BY_DESIGN}")
            continue
        faults = own_faults(run.diagnosis, run.spec.card)
        lines += [f"- {name}: {cell(f'{finding.title}: {finding.evidence}')}" for finding in faults]
        if (reason := nothing_chosen(run)) is not None:
            lines.append(f"- {name}: {cell(reason)}")
    return ["### Diagnosis", "", *(lines or [NO_FAULT]), ""]


def cards_markdown(section: Section, images: Mapping[str, Sequence[str]]) -> list[str]:
    """Lines with the recipe, the pictures and the figures of each card.

    Args:
        section: The section of the report.
        images: Lines with the pictures of each card, by its name.

    Returns:
        The lines.
    """
    lines = ["### Cards", ""]
    for card in section.cards:
        name = card.card.name
        runs = [run for run in section.runs if run.spec.card.name == name and run.status == "ok"]
        lines += [f"#### `{name}`", "", *_about(card, section), ""]
        if images.get(name):
            lines += folded("Curves", images[name])
        if len(section.classes) > 2:
            lines += multiclass_card_markdown(section, card)
        if runs:
            lines += folded("Test figures per run", [*_figures(runs)])
    return lines


def _comparison_row(lead: Leading, card: CardFigures, keys: Iterable[str]) -> list[str]:
    faults = [title + _share(count, len(card.seeds)) for title, count in card.diagnosis.items()]
    return [
        f"`{card.card.name}`",
        card.card.change,
        _seeds(card),
        *(lead.card_text(card, key) for key in keys),
        "; ".join((*card.pending, *card.errors, *faults, *([BY_DESIGN] if card.card.looks_at_nothing else []))),
    ]


def _seeds(card: CardFigures) -> str:
    """The number of seeds behind the means, and how many are missing."""
    text = str(len(card.seeds))
    text += f"; {len(card.failed)} failed" if card.failed else ""
    return text + (f"; {len(card.left_out)} left out" if card.left_out else "")


def _share(count: int, runs: int) -> str:
    return "" if count == runs else f" ({count} of {runs})"


def _about(card: CardFigures, section: Section) -> Iterator[str]:
    model_card = section.runs[0].spec.protocol.budgeted(card.card)
    yield f"{cell(model_card.title)}."
    yield ""
    yield f"- change: {cell(model_card.change)}" + (
        f", compared with `{model_card.extends}`" if model_card.extends else ""
    )
    yield from (f"- {topic}: {cell(text)}" for topic, text in recipe_in_words(model_card, len(section.classes)))
    if model_card.assumptions:
        yield f"- assumptions: {cell(model_card.assumptions)}"
    if card.left_out:
        seeds = ", ".join(map(str, card.left_out))
        yield f"- left out of the means: seed {seeds}, with different test images or an earlier version of the card"


def _figures(runs: Sequence[Run]) -> Iterator[str]:
    """Tables with a row per metric and a column per run: the leading figures, then those by the default decisions."""
    for sentence in failures(runs):
        yield from (cell(sentence), "")
    several, lead = is_multiclass(runs[0]), leading(runs[0])
    default = f"For {ARGMAX}" if several else "At threshold 0.5"
    titles = [(capital(lead.words), True), (default, False)] if lead.chosen else [(default, False)]
    for title, chosen in titles:
        if chosen and not any(nothing_chosen(run) is None for run in runs):
            yield from (f"No {'decision' if several else 'threshold'} was chosen; see Diagnosis.", "")
            continue
        for start in range(0, len(runs), _RUNS_PER_TABLE):
            columns = runs[start : start + _RUNS_PER_TABLE]
            yield cell(f"{title}:")
            yield ""
            heads = ["metric", *(f"seed {run.spec.seed}" for run in columns)]
            yield from table(heads, _rows(columns, chosen))
            yield ""


def _rows(runs: Sequence[Run], chosen: bool) -> Iterator[list[str]]:
    if not is_multiclass(runs[0]):
        yield ["threshold", *(probability(_threshold(run, chosen)) for run in runs)]
    names = known_figures(runs[0])
    for name in ("loss", *(overall_keys(names) if is_multiclass(runs[0]) else names)):
        yield [
            label_of(name),
            *(measured(run.figures("test", chosen).get(name), with_interval=True) for run in runs),
        ]


def _threshold(run: Run, chosen: bool) -> float | None:
    return (run.threshold.value if run.threshold else None) if chosen else 0.5
