"""Progress of benchmarks and searches on stderr: states of runs and an estimate of the time left."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from rich.live import Live
from rich.table import Table
from rich.text import Text

from benchmark.runs.execution.events import (
    ComputedElsewhere,
    Finished,
    Postponed,
    Preparing,
    Progressed,
    Reused,
    Started,
    Submitted,
    Waiting,
)
from reports.render.terminal.runs import status_line
from reports.render.terminal.table import escape
from reports.results.conditions.protocol_choices import protocol_lines
from reports.results.conditions.skipped import SkippedCard, by_reason
from reports.results.conditions.split_faults import fault_text
from reports.results.conditions.split_lines import split_lines, split_notes
from reports.text import listed, measured, one_line, plural
from zoo.api.output.expected_time import PlannedCost
from zoo.cli.plain_progress import Clock, Pace, can_redraw, duration, step_line
from zoo.cli.time_left import UNKNOWN, RunState, time_left

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from benchmark.data.dataset import Dataset
    from benchmark.runs.execution.events import Event
    from benchmark.runs.plan import Plan, PlannedSplit
    from benchmark.runs.run import Progress, Run
    from benchmark.runs.trial import SearchResult
    from search_spaces.space import SearchSpace
    from zoo.models.card import ModelCard

FOR_MEMORY = "other programs use the memory"
_AROUND = 4  # lines of the live view besides the runs: title, head, caption, the cursor's line


@contextmanager
def watching(
    console: Console,
    plan: Plan,
    dataset: Dataset,
    *,
    expected: str | None = None,
    notes: Sequence[str] = (),
    splits: Sequence[PlannedSplit] | None = None,
    clock: Clock = time.monotonic,
) -> Iterator[Callable[[Event], None]]:
    """Show the progress of a benchmark: a live table on a terminal, elsewhere a line when a run starts or ends and
    every half minute in between.

    Args:
        console: Where to print.
        plan: The runs.
        dataset: Their data.
        expected: The expected time of the runs that are not stored; None for that of the protocol.
        notes: Lines about the runs, to print before they start.
        splits: Their splits; None draws those of the plan.
        clock: Returns the time in seconds.

    Yields:
        The handler of the events of the runs.

    Raises:
        DataError: The data cannot be split as the protocol asks.
    """
    from benchmark.runs.plan import planned_splits

    def write(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    skipped = f"{plural(len(plan.skips), 'card')} skipped"
    write(f"{_kind(dataset)}: {dataset.title}; {plural(len(plan.specs), 'run')}, {skipped}")
    for skip in by_reason(SkippedCard(each.card.name, each.reason) for each in plan.skips):
        write(f"skipped {listed(skip.names)}: {skip.reason}")
    for line in protocol_lines(plan.specs[0].protocol, expected):
        write(line)
    for note in notes:
        write(f"note: {note}")
    view = View(plan, clock)
    splits = planned_splits(plan, dataset) if splits is None else splits
    for line in split_lines(splits, dataset.classes, len(dataset.images), plan.specs[0].protocol):
        write(line)
    for note in split_notes(splits):  # with their seeds, so that events need not repeat them
        write(f"note: {note}")
    for split in splits:
        for note in split.facts.notes:
            view.first_time(note)

    def handle(event: Event) -> None:
        view.handle(event)
        for note in event.split.notes if isinstance(event, Started) else ():
            if view.first_time(note):
                write(f"note: {note}")

    if can_redraw(console):
        with Live(view, console=console, refresh_per_second=4, transient=True):
            yield handle
        return
    pace = Pace(clock)

    def handle_in_lines(event: Event) -> None:
        handle(event)
        if isinstance(event, Progressed) and not pace.due():
            return
        line = _line(event, view)
        if line is not None:
            write(line)
            pace.restart()

    yield handle_in_lines


def _kind(dataset: Dataset) -> str:
    return "SYNTHETIC data" if dataset.synthetic else "data"


def _line(event: Event, view: View) -> str | None:
    name, count = f"{event.spec.card.name} seed {event.spec.seed_text}", f"[{view.finished}/{len(view.states)}]"
    match event:
        case Started():
            return f"{name}: started; {view.time_left()}"
        case Progressed(progress=progress):
            return f"{name}: {step_line(progress)}; {view.time_left()}"
        case Finished(run=run):
            left = f"; {view.time_left()}" if view.unfinished else ""
            return f"{count} {status_line(run, reused=False)}{_whole_time(run, view)}{left}"
        case Reused(run=run):
            return f"{count} {status_line(run, reused=True)}"
        case ComputedElsewhere(spec) if view.first_time(spec.run_id):
            return f"{spec.card.name}: another process computes this run"
        case Submitted(where=where) if view.first_time(where):
            return f"submitted: {where}"
        case Waiting():
            return f"waiting: {FOR_MEMORY}"
        case Postponed(reason=reason):
            return f"{name}: {reason}; it is tried again after the other runs"
    return None


def _whole_time(run: Run, view: View) -> str:
    """The time from start to end where the time of the run leaves much out: its start, and the writing of its model."""
    seconds = view.seconds.get(run.run_id, 0.0)
    much = run.costs is not None and seconds > 1.5 * run.costs.seconds + 10
    return f" ({duration(seconds)} with its start and storing)" if much else ""


@contextmanager
def searching(
    console: Console, space: SearchSpace, card: ModelCard, dataset: Dataset, *, clock: Clock = time.monotonic
) -> Iterator[tuple[Callable[[Event], None], Callable[[SearchResult], None]]]:
    """Show the progress of a search: a line per trial, and in between a status line on a terminal, elsewhere a line
    every half minute.

    Args:
        console: Where to print.
        space: The search space with its budget of trials.
        card: The card to tune.
        dataset: The data of the runs.
        clock: Returns the time in seconds.

    Yields:
        The handlers of the events of the runs and of each round of trials.
    """
    total = space.budget.trials
    console.print(
        f"{_kind(dataset)}: {dataset.title}; {card.name}, space {space.name}, up to {total} trials", markup=False
    )
    run_seconds: list[float] = []
    done = 0

    def left() -> str:
        if not run_seconds or done == total:
            return ""
        runs = (total - done) * space.executions * (space.folds or 1)
        return f"; about {duration(sum(run_seconds) / len(run_seconds) * runs)} left"

    pace = Pace(clock)
    with console.status(f"trial 1/{total}", spinner="line") if can_redraw(console) else nullcontext() as status:

        def on_event(event: Event) -> None:
            trial = f"trial {min(done + 1, total)}/{total}"
            match event:
                case Finished(run=run) if run.costs is not None:
                    run_seconds.append(run.costs.seconds)
                case Progressed(progress=progress) if status is not None:
                    status.update(f"{trial}: {progress.label}{left()}")
                case Progressed(progress=progress) if pace.due():
                    console.print(f"{trial}: {step_line(progress)}{left()}", markup=False, soft_wrap=True)

        def on_trial(result: SearchResult) -> None:
            nonlocal done
            for trial in result.trials[done:]:
                value = result.value(trial)
                outcome = f"failed: {trial.problem}" if value is None else f"val {result.metric} {value:.4f}"
                named = ((path.rsplit(".", 1)[-1], value) for path, value in trial.values.items())
                values = ", ".join(f"{name} {v:.3g}" if isinstance(v, float) else f"{name} {v}" for name, v in named)
                done += 1
                console.print(f"[{done}/{total}] {values}: {outcome}{left()}", markup=False, soft_wrap=True)
                pace.restart()

        yield on_event, on_trial


class View:
    """The current state of all runs, and the live table that shows it.

    Args:
        plan: The runs.
        clock: Returns the time in seconds.
    """

    def __init__(self, plan: Plan, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self.specs = {spec.run_id: spec for spec in plan.specs}
        self.states = dict.fromkeys(self.specs, "waiting")
        self.records: dict[str, Run] = {}
        self.progress: dict[str, Progress] = {}
        self.started: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        self.phase_started: dict[str, float] = {}
        self._mentioned: set[str] = set()
        self._planned = PlannedCost.of(plan.specs)

    @property
    def unfinished(self) -> int:
        """Number of runs that are neither done nor reused."""
        return sum(state not in ("done", "reused") for state in self.states.values())

    @property
    def finished(self) -> int:
        """Number of runs that are done or reused."""
        return len(self.states) - self.unfinished

    def first_time(self, text: str) -> bool:
        """Whether this is the first call with `text`, so that it is printed once."""
        new = text not in self._mentioned
        self._mentioned.add(text)
        return new

    def handle(self, event: Event) -> None:
        """Update the state of the run that `event` is about."""
        run_id = event.spec.run_id
        match event:
            case Preparing():
                self.states[run_id] = "preparing"
            case Started():
                self.states[run_id], self.started[run_id] = "started", self._clock()
            case Progressed(progress=progress):
                last = self.progress.get(run_id)
                if progress.before and (last is None or last.before != progress.before):
                    self.phase_started[run_id] = self._clock()
                self.progress[run_id] = progress
            case Finished(run=run):
                self.states[run_id], self.records[run_id] = "done", run
                if run_id in self.started:
                    self.seconds[run_id] = self._clock() - self.started[run_id]
            case Reused(run=run):
                self.states[run_id], self.records[run_id] = "reused", run
            case ComputedElsewhere():
                self.states[run_id] = "elsewhere"
            case Submitted(where=where):
                self.states[run_id] = f"submitted: {where}"
            case Waiting():
                self.states[run_id] = f"waiting: {FOR_MEMORY}"
            case Postponed():
                self.states[run_id] = "to be tried again"
                for known in (self.progress, self.started, self.phase_started):
                    known.pop(run_id, None)

    def time_left(self) -> str:
        """The estimated time left, in words."""
        if not self.started:
            return UNKNOWN
        now = self._clock()
        states = {
            run_id: RunState(
                spec,
                self.records.get(run_id),
                self.progress.get(run_id),
                self.seconds.get(run_id, now - self.started[run_id] if run_id in self.started else None),
                now - self.phase_started[run_id] if run_id in self.phase_started else None,
            )
            for run_id, spec in self.specs.items()
        }
        simultaneous = sum(state in ("preparing", "started") for state in self.states.values())
        return time_left(states, simultaneous, self._planned)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.table(console.size.height)

    def table(self, height: int) -> Table:
        """A line per run; on a small screen the active runs, the last finished and the next waiting ones.

        The caption counts the other runs. A diagnosis is cut at the end of its line: the comparison at the end of the
        benchmark prints it in full.

        Args:
            height: Lines of the screen.

        Returns:
            A table of fewer lines than the screen has.
        """
        run_ids = self._fitting(max(1, height - _AROUND))
        table = Table(box=None, pad_edge=False, title=self._title(), title_justify="left", title_style="bold")
        for name in ("card", "seed", "state", "test AUC"):
            table.add_column(name, no_wrap=True, justify="right" if name in ("seed", "test AUC") else "left")
        table.add_column("diagnosis")
        for run_id in run_ids:
            table.add_row(*self._row(run_id))
        hidden = [self._state(run_id) for run_id in self.states if run_id not in run_ids]
        if hidden:
            counts = ", ".join(f"{count} {state}" for state, count in Counter(hidden).items())
            table.caption, table.caption_justify, table.caption_style = f"not shown: {counts}", "left", ""
        return table

    def _title(self) -> str:
        failed = sum(record.status == "failed" for record in self.records.values())
        done = f"{self.finished}/{len(self.states)} done" + (f", {failed} failed" if failed else "")
        return f"{done}; {self.time_left()}"

    def _fitting(self, lines: int) -> list[str]:
        """The ids of the runs to show in `lines` lines, in the order of the plan."""
        ended = [run_id for run_id, state in self.states.items() if state in ("done", "reused")]
        waiting = [run_id for run_id, state in self.states.items() if state in ("waiting", "elsewhere")]
        running = [run_id for run_id in self.states if run_id not in (*ended, *waiting)]
        recent = sorted(ended, key=list(self.records).index, reverse=True)
        last = recent[: max(0, (lines - len(running)) // 2)]
        chosen = list(dict.fromkeys([*running, *last, *waiting, *recent]))[:lines]
        return [run_id for run_id in self.states if run_id in chosen]

    def _state(self, run_id: str) -> str:
        record = self.records.get(run_id)
        return "failed" if record is not None and record.status == "failed" else self.states[run_id]

    def _row(self, run_id: str) -> tuple[str | Text, ...]:
        spec, record, state = self.specs[run_id], self.records.get(run_id), self._state(run_id)
        if state in ("started", "preparing") and run_id in self.progress:
            progress = self.progress[run_id]
            state = f"{progress.label}  {progress.done / progress.total:.0%}"
        auc = diagnosis = ""
        if record is not None:
            auc = measured(record.figures().get("auc"))
            diagnosis = record.error or fault_text(record)
        # Only this column shrinks on a narrow terminal, and it must not wrap.
        return (
            spec.card.name,
            spec.seed_text,
            escape(state),
            auc,
            Text(one_line(diagnosis), no_wrap=True, overflow="ellipsis"),
        )
