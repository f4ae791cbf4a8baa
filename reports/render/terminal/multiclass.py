"""Renders figures and matrices of three or more classes for a terminal of any width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table

from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.registry import label_of
from benchmark.runs.cross_validation import is_unfinished
from reports.render.terminal.table import escape, plain_table
from reports.render.words import RECALL_BY_CLASS
from reports.results.comparison.leading import Leading, nothing_chosen
from reports.results.conditions.split_faults import fault_text
from reports.results.measured import decides_by_choice
from reports.results.multiclass.decision_text import undefined_figures
from reports.results.multiclass.text import (
    class_heads,
    class_rows,
    confusions,
    decision_keys,
    matrix_heads,
    matrix_rows,
    never_called,
)
from reports.text import MISSING, listed, measured, number, seconds

if TYPE_CHECKING:
    from benchmark.evidence.decisions.decide import Decision
    from benchmark.evidence.estimate import Estimate
    from benchmark.runs.run import Run
    from reports.report import Section
    from reports.results.multiclass.figures import ClassMatrix

_KEYS = ("accuracy", "recall:macro", "auc:macro")
_WIDE = 110
_NAME = 26  # columns of the longest built-in name


def multiclass_comparison(section: Section) -> RenderableType:
    """The runs of a section on three or more classes, figures by the chosen decision, recall of each class."""
    by_decision = [*_by_decision(section)]
    return Group(_Comparison(section), *by_decision, *([""] if by_decision else []), _RecallByClass(section))


@dataclass(frozen=True)
class _Comparison:
    """The runs of a section by card; a narrow terminal puts seed, time and diagnosis below the name of the card."""

    section: Section

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= _WIDE
        table = plain_table("card, what it changes", title=escape(self.section.title))
        if wide:
            longest = max(len(run.spec.card.name) for run in self.section.runs)
            table.columns[0].min_width = min(longest, _NAME)
            table.columns[0].max_width = _NAME
            table.add_column("seed", justify="right", no_wrap=True)
        for key in _KEYS:
            table.add_column(label_of(key), justify="right", no_wrap=True)
        if wide:
            table.add_column("diagnosis", overflow="fold", max_width=30)
            table.add_column("time", justify="right", no_wrap=True)
        lead = self.section.leading
        for run, first in _with_first(self.section.runs):
            table.add_row(*(_wide_row(lead, run, first) if wide else _narrow_row(lead, run, first)))
        yield table


def _wide_row(lead: Leading, run: Run, first: bool) -> list[str]:
    name = f"[bold]{escape(run.spec.card.name)}[/bold]" + (f"\n{escape(run.spec.card.change)}" if first else "")
    time = seconds(run.costs.seconds) if run.costs else MISSING
    return [name, str(run.spec.seed), *_figures(lead, run), escape(diagnosis(run)), time]


def _narrow_row(lead: Leading, run: Run, first: bool) -> list[str]:
    time = f", {seconds(run.costs.seconds)}" if run.costs else ""
    lines = [f"[bold]{escape(run.spec.card.name)}[/bold]", f"seed {run.spec.seed}{time}"]
    lines += [escape(run.spec.card.change)] if first else []
    lines += [f"diagnosis: {escape(text)}"] if (text := diagnosis(run)) else []
    return ["\n".join(lines), *_figures(lead, run)]


def _figures(lead: Leading, run: Run) -> list[str]:
    """The figures in the order of `_KEYS`."""
    return [stacked(lead, run, key) for key in _KEYS]


def stacked(lead: Leading, run: Run, key: str, *, with_interval: bool = True) -> str:
    """The leading test figure of a run above its interval, then the one by the default decisions, so that the column is
    narrow.

    Args:
        lead: Which figures lead.
        run: The run, finished or failed.
        key: Name of the metric, or its key for three or more classes.
        with_interval: Whether the leading figure has its 95% interval.

    Returns:
        Markup of rich.
    """
    text = measured(lead.of_run(run, key), with_interval=with_interval).replace(" [", "\n[")
    beside = lead.beside_run(run, key)
    if beside is None:
        return escape(text)
    gap = " " if len(lead.beside or "") < 8 else "\n"
    return escape(f"{text}\n{lead.beside}{gap}{measured(beside)}")


def diagnosis(run: Run) -> str:
    """The error of a run, or its faults and why it chose nothing on validation."""
    if run.error is not None:
        return run.error if is_unfinished(run) else f"failed: {run.error}"
    reason = None if run.spec.card.looks_at_nothing else nothing_chosen(run)
    return "; ".join(text for text in (fault_text(run), reason) if text)


def _with_first(runs: Sequence[Run]) -> Iterator[tuple[Run, bool]]:
    """Each run, and whether it is the first of its card."""
    cards: set[str] = set()
    for run in runs:
        yield run, run.spec.card.name not in cards
        cards.add(run.spec.card.name)


def _by_decision(section: Section) -> Iterator[RenderableType]:
    """A table with the test figures of each run by the decision that it chose on validation, and what they lack."""
    runs = [run for run in section.runs if decides_by_choice(run)]
    decision = runs[0].decision if runs else None
    if decision is not None:
        yield from _decided(runs, decision)
    for run in section.runs:
        if run.decision is not None and run.decision.reason is not None:
            name = f"{run.spec.card.name} seed {run.spec.seed}"
            yield escape(f"{name}: no decision chosen, so the highest score decides: {run.decision.reason}")


def _decided(runs: Sequence[Run], decision: Decision) -> Iterator[RenderableType]:
    keys = decision_keys(decision)
    # The class is in the title: with its name in every head, a narrow terminal would cut the figures.
    heads = [label_of(MeasureKey.parse(key).metric if ":class:" in key else key) for key in keys]
    of_class = "" if decision.of_class is None else f"; {listed(heads[:-1])} of {decision.of_class}"
    title = f"Test figures by the decision chosen on validation: {decision.in_words()}{of_class}"
    table = plain_table("card, seed", title=escape(title))
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for run in runs:
        figures = run.figures(chosen=True)
        cells = (measured(figures.get(key), with_interval=True).replace(" [", "\n[") for key in keys)
        table.add_row(_head(run), *map(escape, cells))
    yield table
    for run in runs:
        yield from (escape(f"{run.spec.card.name} {run.spec.seed}: {text}") for text in undefined_figures(run, keys))


@dataclass(frozen=True)
class _RecallByClass:
    """The test recall of each class by each finished run, a row per class; runs that do not fit follow below."""

    section: Section

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lead = self.section.leading
        runs = [run for run in self.section.runs if run.status == "ok"]
        longest = max(map(len, self.section.classes))
        width = max((*(len(_head(run)) for run in runs), 13 if lead.beside else 0)) + 1
        columns = max(1, (options.max_width - longest - 1) // width)
        for start in range(0, len(runs), columns):
            some = runs[start : start + columns]
            title = RECALL_BY_CLASS + (f", {lead.words}; in brackets {lead.beside}" if lead.chosen else "")
            table = plain_table("class", title=escape(title) if start == 0 else None)
            for run in some:
                table.add_column(_head(run), justify="right", no_wrap=True)
            for name in self.section.classes:
                key = str(MeasureKey("recall", of_class=name))
                table.add_row(escape(name), *(_recall(lead, run, key) for run in some))
            yield table


def _recall(lead: Leading, run: Run, key: str) -> str:
    """The leading figure of a run, and in brackets the one by the default decisions."""
    beside = lead.beside_run(run, key)
    return measured(lead.of_run(run, key)) + ("" if beside is None else f" ({measured(beside)})")


def _head(run: Run) -> str:
    return escape(f"{run.spec.card.name} {run.spec.seed}")


def class_table(figures: Mapping[str, Estimate], images: Mapping[str, int | None], width: int) -> Table:
    """A row for each class with its figures against the rest.

    Args:
        figures: Figures by key.
        images: The number of images of each class; None where it is not known.
        width: Columns of the terminal. A narrow one has the intervals below the figures, and the number of images below
            the class.

    Returns:
        The table.
    """
    first, count, *others = class_heads()
    wide = width >= _WIDE
    table = plain_table(first if wide else f"{first}, {count}")
    for head in [count, *others] if wide else others:
        table.add_column(head, justify="right", no_wrap=True)
    for name, images_of_class, *cells in class_rows(figures, images):
        if wide:
            table.add_row(*map(escape, (name, images_of_class, *cells)))
        else:
            stacked = (escape(text.replace(" [", "\n[")) for text in cells)
            table.add_row(f"{escape(name)}\n{images_of_class}", *stacked)
    return table


def matrix_lines(classes: Sequence[str], matrix: ClassMatrix, width: int) -> Iterator[RenderableType]:
    """A confusion matrix, the most frequent confusions and the classes that were never predicted.

    Args:
        classes: The names of the classes.
        matrix: The decisions.
        width: Columns of the terminal. A matrix that is wider is left out.

    Yields:
        Renderables of rich.
    """
    heads, rows = matrix_heads(classes, matrix), matrix_rows(classes, matrix)
    needed = sum(max(len(row[place]) for row in (heads, *rows)) + 1 for place in range(len(heads)))
    if needed <= width:
        table = plain_table(escape(heads[0]))
        for head in heads[1:]:
            table.add_column(escape(head), justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*map(escape, row))
        yield table
    else:
        yield f"A matrix of {number(len(classes), 0)} classes needs {needed} columns; this terminal has {width}."
    yield escape(confusions(classes, matrix))
    if never := never_called(classes, matrix):
        yield escape(f"Never predicted: {listed(never)}.")
