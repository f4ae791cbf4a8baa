"""Runs for a terminal: one line about each as it ends, the table of a store, and a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from reports.render.terminal.table import escape, plain_table
from reports.results.split_faults import own_faults
from reports.text import MISSING, measured, one_line, seconds

if TYPE_CHECKING:
    from benchmark.runs.plan import Plan
    from benchmark.runs.run import Run

_DATED = 100


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
