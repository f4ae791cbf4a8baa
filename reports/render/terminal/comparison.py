"""Renders the comparison of cards for a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table

from benchmark.runs.command_line import store_option
from reports.render.terminal.multiclass import diagnosis, multiclass_comparison, stacked
from reports.render.terminal.summary import summary_view
from reports.render.terminal.table import escape, plain_table
from reports.results.comparison.published import difference_text, final_test_figures, published_text
from reports.text import MISSING, listed, seconds

if TYPE_CHECKING:
    from benchmark.runs.run import Run
    from reports.report import Report, Section
    from reports.results.comparison.published import Comparison

_NAME = 26  # columns of the longest built-in name
_NARROW, _WIDE = 110, 170


def comparison_tables(report: Report) -> RenderableType:
    """A table of runs per section, then the skipped cards."""
    parts: list[RenderableType] = []
    for section in report.sections:
        table = _Comparison(section) if len(section.classes) == 2 else multiclass_comparison(section)
        notes = (decisions_line(section), *section.notes)
        parts += [table, *map(escape, notes), ""]
    parts += [f"skipped {escape(listed(skip.names))}: {escape(skip.reason)}" for skip in report.skips]
    return Group(*parts)


def answers(report: Report, store: Path | str, options: Sequence[str] = ()) -> RenderableType:
    """The summary of each section, each with the command that writes the whole report on the store.

    Args:
        report: The report on the runs.
        store: The folder of their store.
        options: The options with which a report on the store opens at these runs.

    Returns:
        The summaries.
    """
    command = shlex.join(["zoo", "report", *options, *store_option(store)])
    summaries = [section.summary for section in report.sections if section.summary is not None]
    return Group(*(summary_view(summary, command) for summary in summaries))


def decisions_line(section: Section) -> str:
    """The sentence about which decisions the figures in the tables of a section are of."""
    lead = section.leading
    line = f"Test figures {lead.words}" + (f"; those {lead.beside} are below them." if lead.beside else ".")
    if lead.chosen and section.comparisons:
        line += (
            " Published figures are compared with those at the threshold of the publication, 0.5 unless it states one."
        )
    return line


@dataclass(frozen=True)
class _Comparison:
    """The runs of a section by card; figures are never cut.

    A wide terminal has separate columns for published figures, other terminals put them below the measured ones. A
    narrow terminal puts seed, time, specificity and diagnosis below the name of the card.
    """

    section: Section

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width < _NARROW:
            yield _narrow_comparison(self.section)
        else:
            published = bool(final_test_figures(self.section.comparisons))
            yield _comparison(self.section, wide=published and options.max_width >= _WIDE)


def _comparison(section: Section, wide: bool) -> Table:
    several = len({run.spec.seed for run in section.runs}) > 1
    table = plain_table("card, what it changes", title=escape(section.title))
    longest = max(len(run.spec.card.name) for run in section.runs)
    table.columns[0].min_width = min(longest, _NAME)
    table.columns[0].max_width = _NAME
    if several:
        table.add_column("seed", justify="right", no_wrap=True)
    extra = ("published", "difference") if wide else ()
    for name in ("accuracy", *extra, "recall", "specificity", "AUC", *extra):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("diagnosis", overflow="fold", max_width=30)
    table.add_column("time", justify="right", no_wrap=True)
    for run, accuracy, auc, first in _compared(section, wide):
        table.add_row(
            f"[bold]{escape(run.spec.card.name)}[/bold]" + (f"\n{escape(run.spec.card.change)}" if first else ""),
            *([str(run.spec.seed)] if several else []),
            *accuracy,
            *(_share(section, run, metric) for metric in ("recall", "specificity")),
            *auc,
            escape(diagnosis(run)),
            seconds(run.costs.seconds) if run.costs else MISSING,
        )
    return table


def _narrow_comparison(section: Section) -> Table:
    table = plain_table("card, what it changes", title=escape(section.title))
    for name in ("accuracy", "recall", "AUC"):
        table.add_column(name, justify="right", no_wrap=True)
    for run, accuracy, auc, first in _compared(section, wide=False):
        time = f", {seconds(run.costs.seconds)}" if run.costs else ""
        lines = [f"[bold]{escape(run.spec.card.name)}[/bold]", f"seed {run.spec.seed}{time}"]
        lines += [escape(run.spec.card.change)] if first else []
        if run.figures():
            lines.append(f"specificity {_share(section, run, 'specificity')}".replace("\n", ", "))
        lines += [f"diagnosis: {escape(text)}"] if (text := diagnosis(run)) else []
        table.add_row("\n".join(lines), *accuracy, _share(section, run, "recall"), *auc)
    return table


def _compared(section: Section, wide: bool) -> Iterator[tuple[Run, list[str], list[str], bool]]:
    """Each run with its cells for accuracy and AUC, and whether it is the first of its card."""
    comparisons = final_test_figures(section.comparisons)
    cards: set[str] = set()
    for run in section.runs:
        card = run.spec.card.name
        first = card not in cards
        accuracy, auc = (
            _cells(stacked(section.leading, run, metric), comparisons.get((card, metric)) if first else None, wide)
            for metric in ("accuracy", "auc")
        )
        yield run, accuracy, auc, first
        cards.add(card)


def _share(section: Section, run: Run, metric: str) -> str:
    """The share of a class that is predicted correctly."""
    return stacked(section.leading, run, metric, with_interval=False)


def _cells(value: str, comparison: Comparison | None, wide: bool) -> list[str]:
    """One figure in separate cells for measured, published and difference if `wide`, else in one cell."""
    if comparison is None:
        return [value, "", ""] if wide else [value]
    published, difference = published_text(comparison), _stack(difference_text(comparison))
    difference += f"\nover {len(comparison.seeds)} seeds" if len(comparison.seeds) > 1 else ""
    data = "different data" if comparison.other_data else ""
    if wide:
        return [value, "\n".join(filter(None, (published, data))), difference]
    return ["\n".join(filter(None, (value, f"published {published}", data, difference)))]


def _stack(text: str) -> str:
    """Put the interval below its figure, so that the column is narrow."""
    return escape(text.replace(" [", "\n["))
