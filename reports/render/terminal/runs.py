"""Renders runs for a terminal: a status line, the table of a store, and a plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from reports.render.terminal.table import Column, LongTable, escape, plain_table
from reports.results.comparison.leading import Leading, leading
from reports.results.conditions.split_faults import fault_text
from reports.results.measured import is_multiclass
from reports.text import MISSING, measured, one_line, seconds

if TYPE_CHECKING:
    from benchmark.runs.plan import Plan
    from benchmark.runs.run import Run

_BESIDE, _DATED = 88, 100
"""Columns that figures by the default decisions and the time when a run finished need."""
_STAGES = {
    "bench": "",
    "search": "; trials of a search, figures on validation",
    "curve": "; trainings of a curve, on a part of the training images",
}


def status_line(run: Run, reused: bool) -> str:
    """One line about a run that ended; `reused` if the store already had it."""
    name = _name(run)
    if run.status == "failed":
        return f"{name}: FAILED: {one_line(run.error or '')}"
    lead = leading(run)
    names = {"accuracy": "accuracy", **({"auc:macro": "macro AUC"} if is_multiclass(run) else {"auc": "auc"})}
    parts = [f"{name} {measured(lead.of_run(run, key))}{_beside(lead, run, key)}" for key, name in names.items()]
    time = "reused" if reused else seconds(run.costs.seconds) if run.costs else ""
    diagnosis = fault_text(run)
    return f"{name}: test {', '.join(parts)}; {time}" + (f"; {diagnosis}" if diagnosis else "")


def _beside(lead: Leading, run: Run, key: str) -> str:
    figure = lead.beside_run(run, key)
    return "" if figure is None else f" ({measured(figure)} {lead.beside})"


def runs_table(runs: Sequence[Run]) -> RenderableType:
    """A table of runs per data set, protocol and stage, with the errors of failed runs below it; ids are never cut."""
    groups: dict[str, list[Run]] = {}
    for run, lead in zip(runs, _leads(runs), strict=True):
        groups.setdefault(_conditions(run, lead), []).append(run)
    parts: list[RenderableType] = []
    for title, group in groups.items():
        parts += [Text(title, style="bold"), _Runs(tuple(group))]
        parts += [Text(f"{_name(run)}: failed: {one_line(run.error)}") for run in group if run.error is not None]
    return Group(*parts)


def _leads(runs: Sequence[Run]) -> Iterator[Leading]:
    """Which figures of each run lead, determined once per protocol, since many runs share one."""
    leads: dict[tuple[int, bool], Leading] = {}
    for run in runs:
        key = id(run.spec.protocol), is_multiclass(run)
        if key not in leads:
            leads[key] = leading(run)
        yield leads[key]


def _conditions(run: Run, lead: Leading) -> str:
    spec = run.spec
    synthetic = " (synthetic)" if spec.dataset.synthetic else ""
    accuracy = f"; accuracy {lead.words}" if lead.chosen else ""
    return one_line(f"{spec.dataset.source}{synthetic}, protocol {spec.protocol.name}{_STAGES[spec.stage]}{accuracy}")


def _name(run: Run) -> str:
    return f"{run.spec.card.name} seed {run.spec.seed_text}"


@dataclass(frozen=True)
class _Runs:
    """Runs of one group; a wide terminal also has accuracy by the default decisions, and when runs finished."""

    runs: tuple[Run, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        dated = options.max_width >= _DATED
        several = is_multiclass(self.runs[0])
        beside = leading(self.runs[0]).beside if options.max_width >= _BESIDE else None
        columns = [
            Column("run"),
            Column("card", folds=True),
            Column("seed", "right"),
            Column("status"),
            Column("accuracy", "right"),
            *([Column(beside, "right")] if beside else []),
            Column("macro AUC" if several else "AUC", "right"),
            Column("time", "right"),
            *([Column("finished (UTC)", "right")] if dated else []),
        ]
        rows = []
        for run, lead in zip(self.runs, _leads(self.runs), strict=True):
            split = "val" if run.spec.stage == "search" else "test"
            row = (
                run.run_id,
                one_line(run.spec.card.name),
                run.spec.seed_text,
                run.status,
                measured(lead.of_run(run, "accuracy", split)),
                *([measured(lead.beside_run(run, "accuracy", split))] if beside else []),
                measured(lead.of_run(run, "auc:macro" if several else "auc", split)),
                seconds(run.costs.seconds) if run.costs else MISSING,
                *([run.finished[:16].replace("T", " ")] if dated else []),
            )
            rows.append(row)
        yield LongTable(tuple(columns), tuple(rows))


def plan_table(plan: Plan, reusable: set[str], splits: Sequence[str] = ()) -> RenderableType:
    """Render a plan.

    Args:
        plan: The runs and the skipped cards.
        reusable: Ids of the runs that the store already has.
        splits: Lines about the splits.

    Returns:
        The lines, then a table of the runs to run, to reuse and to skip.
    """
    table = plain_table("card", "seed", "run", "would")
    for spec in plan.specs:
        would = "reuse" if spec.run_id in reusable else "run"
        table.add_row(escape(spec.card.name), spec.seed_text, spec.run_id, would)
    for skip in plan.skips:
        table.add_row(escape(skip.card.name), "", "", f"skip: {escape(skip.reason)}")
    reused = sum(spec.run_id in reusable for spec in plan.specs)
    return Group(
        *map(escape, splits), table, f"{len(plan.specs) - reused} to run, {reused} reused, {len(plan.skips)} skipped"
    )
