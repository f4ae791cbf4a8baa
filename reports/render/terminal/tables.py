"""Report, runs, plan and data summary as rich renderables; nothing here prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markup import escape as _escape_markup
from rich.table import Table
from rich.text import Text

from reports.results.accounts import account_lines, patients_unknown
from reports.results.compare import difference_text, final_test_figures, published_text
from reports.results.split_faults import own_faults
from reports.text import MISSING, measured, one_line, seconds

if TYPE_CHECKING:
    from benchmark.data.checks.describe import DataSummary
    from benchmark.data.checks.leakage import Leakage
    from benchmark.evidence.metrics.definitions import Figure
    from benchmark.runs.plan import Plan
    from benchmark.runs.run import Run
    from reports.report import Report, Section
    from reports.results.compare import Comparison

_NAME = 26  # columns of the longest built-in name
_DATED = 100
_NARROW, _WIDE = 110, 170


def escape(text: str) -> str:
    """`text` as rich shows it: no markup, no control characters; line ends are kept."""
    return "\n".join(_escape_markup(one_line(line)) for line in text.split("\n"))


def status_line(run: Run, reused: bool) -> str:
    """One line about a finished run."""
    name = _named(run)
    if run.status == "failed":
        return f"{name}: FAILED: {one_line(run.error or '')}"
    figures = run.figures()
    parts = [f"{key} {measured(figures.get(key))}" for key in ("accuracy", "auc")]
    took = "reused" if reused else seconds(run.costs.seconds) if run.costs else ""
    found = "; ".join(finding.title for finding in own_faults(run.diagnosis))
    return f"{name}: test {', '.join(parts)}; {took}" + (f"; {found}" if found else "")


def comparison_tables(report: Report) -> RenderableType:
    """For every section the cards side by side, then the skipped cards."""
    parts: list[RenderableType] = []
    for section in report.sections:
        parts += [_Comparison(section), *(escape(note) for note in (*section.split_faults, *section.notes)), ""]
    parts += [f"skipped {escape(skip.card.name)}: {escape(skip.reason)}" for skip in report.skips]
    return Group(*parts)


def runs_table(runs: Sequence[Run]) -> RenderableType:
    """One row a run, in a table for each data set, protocol and stage; below each why runs failed. Ids stay whole."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(_alike(run), []).append(run)
    parts: list[RenderableType] = []
    for title, group in groups.items():
        parts += [Text(title, style="bold"), _Runs(tuple(group))]
        parts += [Text(f"{_named(run)}: failed: {one_line(run.error)}") for run in group if run.error is not None]
    return Group(*parts)


def _alike(run: Run) -> str:
    spec = run.spec
    synthetic = " (synthetic)" if spec.dataset.synthetic else ""
    trials = "; trials of a search, figures on validation" if spec.stage == "search" else ""
    return one_line(f"{spec.dataset.source}{synthetic}, protocol {spec.protocol.name}{trials}")


def _named(run: Run) -> str:
    return f"{run.spec.card.name} seed {run.spec.seed}"


@dataclass(frozen=True)
class _Runs:
    """Runs of one group; when they finished is shown where the terminal is not narrow."""

    runs: tuple[Run, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        dated = options.max_width >= _DATED
        table = plain_table()
        table.add_column("run", no_wrap=True)
        table.add_column("card", overflow="fold")
        for name in ("seed", "status", "accuracy", "AUC", "time", *(["finished (UTC)"] if dated else [])):
            table.add_column(name, no_wrap=True, justify="left" if name == "status" else "right")
        for run in self.runs:
            figures = run.figures("test" if run.spec.stage == "bench" else "val")
            table.add_row(
                run.run_id,
                escape(run.spec.card.name),
                str(run.spec.seed),
                run.status,
                measured(figures.get("accuracy")),
                measured(figures.get("auc")),
                seconds(run.costs.seconds) if run.costs else MISSING,
                *([run.finished[:16].replace("T", " ")] if dated else []),
            )
        yield table


def plan_table(plan: Plan, held: set[str], splits: Sequence[str] = ()) -> RenderableType:
    """What would run, what would be reused, what is skipped and why, after lines about the `splits`."""
    table = plain_table("card", "seed", "run", "would")
    for spec in plan.specs:
        would = "reuse" if spec.run_id in held else "run"
        table.add_row(escape(spec.card.name), str(spec.seed), spec.run_id, would)
    for skip in plan.skips:
        table.add_row(escape(skip.card.name), "", "", f"skip: {escape(skip.reason)}")
    reused = sum(spec.run_id in held for spec in plan.specs)
    return Group(
        *map(escape, splits), table, f"{len(plan.specs) - reused} to run, {reused} reused, {len(plan.skips)} skipped"
    )


def data_tables(summary: DataSummary) -> RenderableType:
    """A data summary: counts, intensity, what parts share, then what to know about it."""
    kind = " (SYNTHETIC, drawn by the program)" if summary.synthetic else ""
    table = plain_table("part", "class", title=escape(f"{summary.title}{kind}"))
    for name in ("images", "patients", "grey mean", "grey sd"):
        table.add_column(name, justify="right")
    unknown = patients_unknown(summary)
    for cell in summary.cells:
        people = MISSING if unknown else str(cell.patients)
        counts = (str(cell.images), people, f"{cell.mean_grey:.0f}", f"{cell.sd_grey:.0f}")
        table.add_row(cell.part, escape(cell.label), *counts)
    shared: list[RenderableType] = []
    if summary.leakage is not None:
        shared = ["", _leakage_table(summary.leakage, unknown)]
    facts = [
        f"positive class: {summary.classes[1]}; channels: {summary.channels}; fingerprint {summary.fingerprint[:16]}",
        *(summary.formats.lines() if summary.formats else ()),
        *(f"note: {warning}" for warning in summary.warnings),
        *filter(None, [summary.identity]),
        *_leakage_facts(summary),
        *account_lines(summary),
        *(f"left out: {problem.name}: {problem.reason}" for problem in summary.problems[:20]),
    ]
    if len(summary.problems) > 20:
        facts.append(f"left out: {len(summary.problems) - 20} more (--json lists all)")
    return Group(table, *shared, *(escape(fact) for fact in facts))


def _leakage_table(leakage: Leakage, unknown: bool) -> Table:
    """How many images of each part have a relative in the same or an earlier one."""
    table = plain_table("images of", "with a relative in", title="Leakage")
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


def _leakage_facts(summary: DataSummary) -> list[str]:
    """What the table of leakage needs to be read, and what was looked for and not found."""
    facts = [effect.line() for effect in summary.batch_effects if not effect.significant]
    leakage = summary.leakage
    if leakage is not None:
        facts.append(leakage.cutoff.line())
        facts += [f"near duplicates: {p.first} and {p.second}, {p.distance} bits apart" for p in leakage.closest[:5]]
        if leakage.near_pairs > 5:
            facts.append(f"near duplicates: {leakage.near_pairs - 5} more pairs (--json lists the closest)")
        if leakage.flat:
            facts.append(f"{leakage.flat} images are flat and not compared for near duplicates")
    return facts


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
            f"[bold]{escape(run.spec.card.name)}[/bold]" + (f"\n{escape(run.spec.card.changes)}" if first else ""),
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
        told += [escape(run.spec.card.changes)] if first else []
        told += [f"diagnosis: {escape(found)}"] if (found := _diagnosis(run)) else []
        table.add_row("\n".join(told), *accuracy, measured(run.figures().get("recall")), *auc)
    return table


def _compared(section: Section, wide: bool) -> Iterator[tuple[Run, list[str], list[str], bool]]:
    """Each run with its cells of accuracy and AUC, and whether it is the first of its card."""
    found = final_test_figures(section.comparisons)
    seen: set[str] = set()
    for run in section.runs:
        card, seed, figures = run.spec.card.name, run.spec.seed, run.figures()
        accuracy = _beside(figures.get("accuracy"), found.get((card, seed, "accuracy")), wide)
        yield run, accuracy, _beside(figures.get("auc"), found.get((card, seed, "auc")), wide), card not in seen
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
    data = "other data" if comparison.other_data else ""
    if wide:
        return [own, "\n".join(filter(None, (published, data))), apart]
    return ["\n".join(filter(None, (own, f"published {published}", data, apart)))]


def _stack(text: str) -> str:
    """The interval below its figure: a narrow column has room for it there."""
    return escape(text.replace(" [", "\n["))


def plain_table(*columns: str, title: str | None = None) -> Table:
    """A table without vertical rules; cells fold."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
