"""The cards of each section side by side, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table

from reports.render.terminal.table import escape, plain_table
from reports.results.compare import difference_text, final_test_figures, published_text
from reports.results.split_faults import own_faults
from reports.text import MISSING, measured, seconds

if TYPE_CHECKING:
    from benchmark.evidence.metrics.definitions import Figure
    from benchmark.runs.run import Run
    from reports.report import Report, Section
    from reports.results.compare import Comparison

_NAME = 26  # columns of the longest built-in name
_NARROW, _WIDE = 110, 170


def comparison_tables(report: Report) -> RenderableType:
    """For every section the cards side by side, then the skipped cards."""
    parts: list[RenderableType] = []
    for section in report.sections:
        parts += [_Comparison(section), *(escape(note) for note in (*section.split_faults, *section.notes)), ""]
    parts += [f"skipped {escape(skip.card.name)}: {escape(skip.reason)}" for skip in report.skips]
    return Group(*parts)


@dataclass(frozen=True)
class _Comparison:
    """The cards of a section side by side. A wide terminal has published figures in columns of their own, others below
    the measured ones; a narrow one has seed, time and diagnosis below the card's name. Figures are never cut."""

    section: Section

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width < _NARROW:
            yield _narrow_comparison(self.section)
        else:
            yield _comparison(self.section, wide=options.max_width >= _WIDE)


def _comparison(section: Section, wide: bool) -> Table:
    several = len({run.spec.seed for run in section.runs}) > 1
    table = plain_table("card, what it changes", title=escape(section.title))
    longest = max(len(run.spec.card.name) for run in section.runs)
    table.columns[0].min_width = min(longest, _NAME)
    table.columns[0].max_width = _NAME
    if several:
        table.add_column("seed", justify="right", no_wrap=True)
    aside = ("published", "difference") if wide else ()
    for name in ("accuracy", *aside, "recall", "AUC", *aside):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("diagnosis", overflow="fold", max_width=30)
    table.add_column("time", justify="right", no_wrap=True)
    for run, accuracy, auc, first in _compared(section, wide):
        table.add_row(
            f"[bold]{escape(run.spec.card.name)}[/bold]" + (f"\n{escape(run.spec.card.change)}" if first else ""),
            *([str(run.spec.seed)] if several else []),
            *accuracy,
            measured(run.figures().get("recall")),
            *auc,
            escape(_diagnosis(run)),
            seconds(run.costs.seconds) if run.costs else MISSING,
        )
    return table


def _narrow_comparison(section: Section) -> Table:
    table = plain_table("card, what it changes", title=escape(section.title))
    for name in ("accuracy", "recall", "AUC"):
        table.add_column(name, justify="right", no_wrap=True)
    for run, accuracy, auc, first in _compared(section, wide=False):
        took = f", {seconds(run.costs.seconds)}" if run.costs else ""
        told = [f"[bold]{escape(run.spec.card.name)}[/bold]", f"seed {run.spec.seed}{took}"]
        told += [escape(run.spec.card.change)] if first else []
        told += [f"diagnosis: {escape(found)}"] if (found := _diagnosis(run)) else []
        table.add_row("\n".join(told), *accuracy, measured(run.figures().get("recall")), *auc)
    return table


def _compared(section: Section, wide: bool) -> Iterator[tuple[Run, list[str], list[str], bool]]:
    """Each run with its cells of accuracy and AUC, and whether it is the first of its card."""
    comparisons = final_test_figures(section.comparisons)
    seen: set[str] = set()
    for run in section.runs:
        card, figures = run.spec.card.name, run.figures()
        first = card not in seen
        accuracy, auc = (
            _beside(figures.get(metric), comparisons.get((card, metric)) if first else None, wide)
            for metric in ("accuracy", "auc")
        )
        yield run, accuracy, auc, first
        seen.add(card)


def _diagnosis(run: Run) -> str:
    if run.error is not None:
        return f"failed: {run.error}"
    return "; ".join(finding.title for finding in own_faults(run.diagnosis))


def _beside(figure: Figure | None, comparison: Comparison | None, wide: bool) -> list[str]:
    """The cells of one figure: measured, published, difference; or all in one."""
    own = _stack(measured(figure, with_interval=True))
    if comparison is None:
        return [own, "", ""] if wide else [own]
    published, apart = published_text(comparison), _stack(difference_text(comparison))
    apart += f"\nover {len(comparison.seeds)} seeds" if len(comparison.seeds) > 1 else ""
    data = "other data" if comparison.other_data else ""
    if wide:
        return [own, "\n".join(filter(None, (published, data))), apart]
    return ["\n".join(filter(None, (own, f"published {published}", data, apart)))]


def _stack(text: str) -> str:
    """The interval below its figure: a narrow column has room for it there."""
    return escape(text.replace(" [", "\n["))
