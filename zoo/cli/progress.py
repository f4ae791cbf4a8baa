"""The live view of a benchmark on stderr: what runs, what is done, and an honest time left."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from rich.live import Live
from rich.table import Table
from rich.text import Text

from benchmark.runs.execution.events import ComputedElsewhere, Finished, Preparing, Progressed, Reused, Started
from reports.render.terminal.runs import status_line
from reports.render.terminal.table import escape
from reports.results.split_faults import own_faults
from reports.results.split_lines import split_lines, split_notes
from reports.text import measured, one_line
from zoo.cli.plain_progress import Clock, Pace, can_redraw, duration, step_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from benchmark.data.dataset import Dataset
    from benchmark.runs.execution.events import Event
    from benchmark.runs.plan import Plan
    from benchmark.runs.run import Progress, Run, RunSpec
    from benchmark.runs.trial import SearchResult
    from search_spaces.space import SearchSpace
    from zoo.models.card import ModelCard

_AROUND = 4  # lines of the live view that are no run: title, head, what is not shown, the cursor's


@contextmanager
def watching(
    console: Console, plan: Plan, dataset: Dataset, *, clock: Clock = time.monotonic
) -> Iterator[Callable[[Event], None]]:
    """A handler of events that keeps a live table on a terminal. Elsewhere it prints a line when a run starts and when
    it ends, and in between how far it is, now and then. Raises DataError when the data cannot be split as the protocol
    asks."""
    from benchmark.runs.plan import planned_splits

    kind = "SYNTHETIC data" if dataset.synthetic else "data"
    console.print(f"{kind}: {dataset.title}; {len(plan.specs)} runs, {len(plan.skips)} cards skipped", markup=False)
    for skip in plan.skips:
        console.print(f"skipped {skip.card.name}: {skip.reason}", markup=False)
    view = View(plan, clock)
    splits = planned_splits(plan, dataset)
    for line in split_lines(splits, dataset.classes, len(dataset.images)):
        console.print(line, markup=False, soft_wrap=True)
    for note in split_notes(splits):
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    for split in splits:
        for note in split.facts.notes:
            view.first_time(note)

    def warn(event: Event) -> None:
        for note in event.split.notes if isinstance(event, Started) else ():
            if view.first_time(note):
                console.print(f"note: {note}", markup=False, soft_wrap=True)

    if not can_redraw(console):
        pace = Pace(clock)

        def tell(line: str) -> None:
            console.print(line, markup=False, soft_wrap=True)
            pace.restart()

        def plain(event: Event) -> None:
            view.handle(event)
            warn(event)
            name, count = f"{event.spec.card.name} seed {event.spec.seed}", f"[{view.finished}/{len(plan.specs)}]"
            match event:
                case Started():
                    tell(f"{name}: started; {view.time_left()}")
                case Progressed(progress=progress) if pace.due():
                    tell(f"{name}: {step_line(progress)}; {view.time_left()}")
                case Finished(run=run):
                    left = f"; {view.time_left()}" if view.waiting else ""
                    tell(f"{count} {status_line(run, reused=False)}{left}")
                case Reused(run=run):
                    tell(f"{count} {status_line(run, reused=True)}")
                case ComputedElsewhere(spec) if view.first_time(spec.run_id):
                    tell(f"{spec.card.name}: another process computes it")

        yield plain
        return
    with Live(view, console=console, refresh_per_second=4, transient=True):

        def lively(event: Event) -> None:
            view.handle(event)
            warn(event)

        yield lively


@contextmanager
def searching(
    console: Console, space: SearchSpace, card: ModelCard, dataset: Dataset, *, clock: Clock = time.monotonic
) -> Iterator[tuple[Callable[[Event], None], Callable[[SearchResult], None]]]:
    """Handlers of a search's events and rounds: a line a trial everywhere, and in between a status line on a terminal,
    elsewhere a line now and then."""
    kind = "SYNTHETIC data" if dataset.synthetic else "data"
    total = space.budget.trials
    console.print(f"{kind}: {dataset.title}; {card.name}, space {space.name}, up to {total} trials", markup=False)
    computed: list[float] = []
    at = {"done": 0}

    def left() -> str:
        trials = total - at["done"]
        if not computed or not trials:
            return ""
        return (
            f"; about {duration(sum(computed) / len(computed) * space.executions * (space.folds or 1) * trials)} left"
        )

    pace = Pace(clock)
    with console.status(f"trial 1/{total}", spinner="line") if can_redraw(console) else nullcontext() as status:

        def on_event(event: Event) -> None:
            trial = f"trial {min(at['done'] + 1, total)}/{total}"
            match event:
                case Finished(run=run) if run.costs is not None:
                    computed.append(run.costs.seconds)
                case Progressed(progress=progress) if status is not None:
                    status.update(f"{trial}: {progress.label}{left()}")
                case Progressed(progress=progress) if pace.due():
                    console.print(f"{trial}: {step_line(progress)}{left()}", markup=False, soft_wrap=True)

        def on_trial(result: SearchResult) -> None:
            for trial in result.trials[at["done"] :]:
                value = result.value(trial)
                shown = f"failed: {trial.problem}" if value is None else f"val {result.metric} {value:.4f}"
                told = ", ".join(
                    f"{path.rsplit('.', 1)[-1]} {v:.3g}" if isinstance(v, float) else f"{path.rsplit('.', 1)[-1]} {v}"
                    for path, v in trial.values.items()
                )
                at["done"] += 1
                console.print(f"[{at['done']}/{total}] {told}: {shown}{left()}", markup=False, soft_wrap=True)
                pace.restart()

        yield on_event, on_trial


class View:
    """What is known of the runs at one moment."""

    def __init__(self, plan: Plan, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self.specs = {spec.run_id: spec for spec in plan.specs}
        self.states = dict.fromkeys(self.specs, "waiting")
        self.records: dict[str, Run] = {}
        self.progress: dict[str, Progress] = {}
        self.started: dict[str, float] = {}
        self._mentioned: set[str] = set()

    @property
    def waiting(self) -> int:
        return sum(state not in ("done", "reused") for state in self.states.values())

    @property
    def finished(self) -> int:
        return len(self.states) - self.waiting

    def first_time(self, what: str) -> bool:
        new = what not in self._mentioned
        self._mentioned.add(what)
        return new

    def handle(self, event: Event) -> None:
        run_id = event.spec.run_id
        match event:
            case Preparing():
                self.states[run_id] = "preparing"
            case Started():
                self.states[run_id], self.started[run_id] = "started", self._clock()
            case Progressed(progress=progress):
                self.progress[run_id] = progress
            case Finished(run=run):
                self.states[run_id], self.records[run_id] = "done", run
            case Reused(run=run):
                self.states[run_id], self.records[run_id] = "reused", run
            case ComputedElsewhere():
                self.states[run_id] = "elsewhere"

    def time_left(self) -> str:
        """The estimate in words. A run not started is taken to cost what its builder's epochs cost so far."""
        if not self.started:
            return "time left not known yet"
        per_epoch: dict[str, list[float]] = defaultdict(list)
        for run_id, record in self.records.items():
            if record.costs is not None:
                builder = self.specs[run_id].card.model.builder
                per_epoch[builder].append(record.costs.seconds / max(1, record.costs.epochs))
        seconds, guessed = 0.0, False
        everything = [value for values in per_epoch.values() for value in values]
        for run_id, state in self.states.items():
            if state in ("done", "reused"):
                continue
            done = self.progress.get(run_id)
            spec = self.specs[run_id]
            own = per_epoch[spec.card.model.builder]
            if done is not None and done.done > 0.1 * done.total and run_id in self.started:
                spent = self._clock() - self.started[run_id]
                seconds += spent / done.done * (done.total - done.done)
            elif own or everything:
                guessed = guessed or not own
                known = own or everything
                seconds += sum(known) / len(known) * _epochs(spec)
            else:
                return "time left not known yet"
        # The pace of a run was measured beside the others that run, so that so many of them end in its time.
        together = max(1, sum(state in ("preparing", "started") for state in self.states.values()))
        return f"{'at least ' if guessed else ''}about {duration(seconds / together)} left"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.table(console.size.height)

    def table(self, height: int) -> Table:
        """The runs, one line each. Where a screen of `height` lines has no room for all, those that run are shown, the
        last that are done and the next that wait; the rest are counted. Diagnoses end where the line does: the
        comparison at the end has them whole."""
        shown = self._fitting(max(1, height - _AROUND))
        table = Table(box=None, pad_edge=False, title=self._title(), title_justify="left", title_style="bold")
        for name in ("card", "seed", "state", "test AUC"):
            table.add_column(name, no_wrap=True, justify="right" if name in ("seed", "test AUC") else "left")
        table.add_column("diagnosis")
        for run_id in shown:
            table.add_row(*self._row(run_id))
        hidden = [self._state(run_id) for run_id in self.states if run_id not in shown]
        if hidden:
            counts = ", ".join(f"{count} {state}" for state, count in Counter(hidden).items())
            table.caption, table.caption_justify, table.caption_style = f"not shown: {counts}", "left", ""
        return table

    def _title(self) -> str:
        failed = sum(record.status == "failed" for record in self.records.values())
        done = f"{self.finished}/{len(self.states)} done" + (f", {failed} failed" if failed else "")
        return f"{done}; {self.time_left()}"

    def _fitting(self, room: int) -> list[str]:
        """As many ids as there is room for, in the order of the plan."""
        ended = [run_id for run_id, state in self.states.items() if state in ("done", "reused")]
        waiting = [run_id for run_id, state in self.states.items() if state in ("waiting", "elsewhere")]
        running = [run_id for run_id in self.states if run_id not in (*ended, *waiting)]
        recent = sorted(ended, key=list(self.records).index, reverse=True)
        last = recent[: max(0, (room - len(running)) // 2)]
        kept = list(dict.fromkeys([*running, *last, *waiting, *recent]))[:room]
        return [run_id for run_id in self.states if run_id in kept]

    def _state(self, run_id: str) -> str:
        record = self.records.get(run_id)
        return "failed" if record is not None and record.status == "failed" else self.states[run_id]

    def _row(self, run_id: str) -> tuple[str | Text, ...]:
        spec, record, state = self.specs[run_id], self.records.get(run_id), self._state(run_id)
        if state in ("started", "preparing") and run_id in self.progress:
            at = self.progress[run_id]
            state = f"{at.label}  {at.done / at.total:.0%}"
        auc = found = ""
        if record is not None:
            auc = measured(record.figures().get("auc"))
            found = record.error or "; ".join(finding.title for finding in own_faults(record.diagnosis))
        # The one column that gives way to the others, and does so without a second line.
        diagnosis = Text(one_line(found), no_wrap=True, overflow="ellipsis")
        return spec.card.name, str(spec.seed), escape(state), auc, diagnosis


def _epochs(spec: RunSpec) -> int:
    recipe = spec.protocol.budgeted(spec.card).recipe
    tune = recipe.finetune
    return recipe.epochs + (tune.epochs if tune else 0)
