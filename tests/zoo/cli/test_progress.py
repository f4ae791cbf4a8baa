"""The live view has room for what runs, and what cannot be drawn over is printed a line a run."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from benchmark.runs.execution.events import Finished, Postponed, Progressed, Started, Waiting
from benchmark.runs.plan import Plan
from benchmark.runs.protocol import Choice, load_protocol
from benchmark.runs.run import Progress, RunSpec
from search_spaces.space import load_space
from tests.support.records import make_run, make_spec
from zoo.api.output.expected_time import PlannedCost
from zoo.cli.plain_progress import SlowSteps, duration, with_progress
from zoo.cli.progress import View, searching, watching
from zoo.models.catalog import load_cards


def plan(runs: int) -> Plan:
    return Plan(tuple(make_spec("attempt-1", seed=seed) for seed in range(runs)), ())


def done(spec: RunSpec, **more: Any) -> Finished:
    return Finished(spec, make_run("attempt-1", seed=spec.seed, **more))


def screen(view: View, height: int, width: int = 80) -> list[str]:
    """The lines of a terminal of so many lines."""
    file = io.StringIO()
    Console(file=file, width=width, height=height, highlight=False).print(view)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def seeds(lines: list[str]) -> list[int]:
    return [int(line.split()[1]) for line in lines if line.startswith("attempt-1")]


@pytest.mark.parametrize("height", [8, 24, 60])
def test_the_view_fits_the_screen_and_shows_what_runs(height: int) -> None:
    view = View(plan(50))
    for spec in list(view.specs.values())[:30]:
        view.handle(done(spec))
    running = list(view.specs.values())[30:32]
    for spec in running:
        view.handle(Started(spec, make_run().split))
        view.handle(Progressed(spec, Progress(10, 400, "train 1/20")))
    lines = screen(view, height)
    assert len(lines) < height
    assert {30, 31} <= set(seeds(lines))
    assert seeds(lines) == sorted(seeds(lines))
    assert sum("train 1/20" in line for line in lines) == 2
    assert lines[0].startswith("30/50 done; ")


def test_what_is_not_shown_is_counted() -> None:
    view = View(plan(40))
    for spec in list(view.specs.values())[:10]:
        view.handle(done(spec))
    lines = screen(view, 14)
    visible = seeds(lines)
    assert {9, 10} <= set(visible)  # the last that is done, the next that waits
    hidden_done = sum(seed not in visible for seed in range(10))
    hidden_waiting = sum(seed not in visible for seed in range(10, 40))
    assert lines[-1] == f"not shown: {hidden_done} done, {hidden_waiting} waiting"
    assert not any(line.startswith("not shown") for line in screen(view, 60))


def test_a_failed_run_is_failed_and_not_done() -> None:
    view = View(plan(2))
    (first, _) = view.specs.values()
    view.handle(done(first, error="out of [memory]"))
    lines = screen(view, 24)
    assert lines[0].startswith("1/2 done, 1 failed; ")
    assert any("failed" in line and "out of [memory]" in line for line in lines)


@pytest.mark.parametrize("width", [80, 120])
def test_a_long_error_or_diagnosis_takes_one_line(width: int) -> None:
    view = View(plan(1))
    (spec,) = view.specs.values()
    view.handle(done(spec, error="words " * 60 + "\nand a second line"))
    lines = screen(view, 24, width)
    assert len(lines) == 3
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize(
    ("terminal", "variables"),
    [(False, {}), (True, {"TERM": "dumb"}), (True, {"TERM": "unknown"})],
    ids=["a pipe", "a dumb terminal", "an unknown terminal"],
)
def test_where_nothing_can_be_drawn_over_every_run_is_a_line(terminal: bool, variables: dict[str, str]) -> None:
    from benchmark.data.sources import open_dataset

    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=80, highlight=False, _environ=variables)
    planned = plan(2)
    with watching(console, planned, open_dataset("phantom")) as handle:
        for spec in planned.specs:
            handle(Started(spec, make_run().split))
            handle(done(spec))
    lines = file.getvalue().splitlines()
    assert "\x1b" not in file.getvalue()
    assert [line.split(":")[0] for line in lines[-4:]] == [
        "attempt-1 seed 0",
        "[1/2] attempt-1 seed 0",
        "attempt-1 seed 1",
        "[2/2] attempt-1 seed 1",
    ]
    assert lines[0].startswith("SYNTHETIC data: ")


class Clock:
    """A clock that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def written(minutes: float, every: float, runs: int = 1) -> list[str]:
    """What is written to a file while each run takes so many minutes and tells of its steps every so many seconds."""
    from benchmark.data.sources import open_dataset

    file, clock, planned = io.StringIO(), Clock(), plan(runs)
    console = Console(file=file, width=80, highlight=False)
    steps = round(60 * minutes / every)
    with watching(console, planned, open_dataset("phantom"), clock=clock) as handle:
        for spec in planned.specs:
            handle(Started(spec, make_run().split))
            for step in range(1, steps + 1):
                clock.now += every
                handle(Progressed(spec, Progress(step, steps, f"train {step}")))
            handle(done(spec))
    assert not set(file.getvalue()) & {"\r", "\x1b", "\b"}
    return [line for line in file.getvalue().splitlines() if " seed " in line]


def test_a_long_run_tells_every_half_minute_where_it_is_and_what_is_left() -> None:
    started, *steps, ended = written(minutes=5, every=1)
    assert started == "attempt-1 seed 0: started; time left not known yet: no run of attempt-1 is measured"
    assert steps == [
        f"attempt-1 seed 0: train {second}, {second / 300:.0%} done; "
        + (f"about {left} left" if second > 30 else "time left not known yet: no run of attempt-1 is measured")
        for second, left in zip(
            range(30, 301, 30),
            ["", "4 min", "4 min", "3 min", "2 min", "2 min", "2 min", "60 s", "30 s", "0 s"],
            strict=True,
        )
    ]
    assert ended.startswith("[1/1] attempt-1 seed 0: ")


@pytest.mark.parametrize("every", [0.1, 7, 29])
def test_lines_about_steps_are_half_a_minute_apart(every: float) -> None:
    assert len(written(minutes=4, every=every)) <= 2 + 8


def test_a_short_run_has_its_start_and_its_end_alone() -> None:
    lines = written(minutes=0.2, every=1, runs=3)
    assert [line.split(":")[0] for line in lines] == [
        f"{mark}attempt-1 seed {seed}" for seed in range(3) for mark in ("", f"[{seed + 1}/3] ")
    ]


def test_what_is_counted_comes_as_it_is_and_is_told_now_and_then() -> None:
    clock, lines = Clock(), list[str]()

    def slowly() -> Iterator[int]:
        for number in range(100):
            clock.now += 6
            yield number

    assert list(with_progress(slowly(), 100, "predicting", lines.append, clock)) == list(range(100))
    assert lines[0] == "predicting: 5 of 100, about 10 min left"
    assert lines[-1] == "predicting: 95 of 100, about 30 s left"
    assert len(lines) == 19


def test_a_search_in_a_file_tells_every_half_minute_where_it_is() -> None:
    from benchmark.data.sources import open_dataset

    file, clock, (spec,) = io.StringIO(), Clock(), plan(1).specs
    console = Console(file=file, width=200, highlight=False)
    with searching(console, load_space("scratch_cnn"), spec.card, open_dataset("phantom"), clock=clock) as (handle, _):
        for step in range(1, 101):
            clock.now += 1
            handle(Progressed(spec, Progress(step, 100, f"train {step}")))
        ended = make_run("attempt-1")
        handle(Finished(spec, ended))
        clock.now += 30
        handle(Progressed(spec, Progress(1, 100, "train 1")))
    assert not set(file.getvalue()) & {"\r", "\x1b", "\b"}
    lines = [line for line in file.getvalue().splitlines() if line.startswith("trial ")]
    assert lines[:3] == [f"trial 1/30: train {second}, {second}% done" for second in (30, 60, 90)]
    assert lines[3].startswith("trial 1/30: train 1, 1% done; about ")


def test_runs_side_by_side_end_in_the_time_of_one() -> None:
    clock = Clock()
    view = View(plan(2), clock)
    for spec in view.specs.values():
        view.handle(Started(spec, make_run().split))
    clock.now += 100
    for spec in view.specs.values():
        view.handle(Progressed(spec, Progress(50, 100, "train")))
    assert view.time_left() == "about 2 min left"


def finished_in(seconds: float, epochs: int, card: str) -> Finished:
    record = make_run(load_cards()[card])
    assert record.costs is not None
    costs = record.costs.model_copy(update={"seconds": seconds, "epochs": epochs})
    return Finished(record.spec, record.model_copy(update={"costs": costs}))


def cards(*names: str) -> Plan:
    return Plan(tuple(make_spec(load_cards()[name]) for name in names), ())


def test_many_cards_without_a_measure_are_counted() -> None:
    view = View(cards("pixels-logistic", "small-cnn", "vgg16-frozen", "vgg16-probe", "attempt-7"), Clock())
    probe, network, *_ = view.specs.values()
    view.handle(Started(probe, make_run().split))
    view.handle(finished_in(90, 0, "pixels-logistic"))
    view.handle(Started(network, make_run().split))
    view.handle(Progressed(network, Progress(50, 100, "train")))
    assert view.time_left() == "time left not known yet: no run of vgg16-frozen and 2 other cards is measured"


def test_a_probe_is_no_measure_of_the_epochs_of_a_network() -> None:
    clock = Clock()
    view = View(cards("pixels-logistic", "small-cnn", "vgg16-frozen"), clock)
    first, network, _ = view.specs.values()
    view.handle(Started(first, make_run().split))
    view.handle(finished_in(90, 0, "pixels-logistic"))
    assert view.time_left() == "time left not known yet: no run of small-cnn and vgg16-frozen is measured"
    view.handle(Started(network, make_run().split))
    view.handle(Progressed(network, Progress(50, 100, "train")))
    unknown = "time left not known yet: no run of vgg16-frozen is measured"
    assert view.time_left() == unknown
    clock.now += 100
    assert view.time_left() == unknown  # no lower bound: vgg16-frozen may take a hundred times as long
    view.handle(finished_in(300, 20, "small-cnn"))
    assert view.time_left() == unknown


def test_a_kind_without_a_measure_takes_as_long_as_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_SPEED", "100,1")
    sizes = [Choice(field=f"sampling.{part}", value=600, why="all") for part in ("train", "val", "test")]
    auto = load_protocol("quick").model_copy(update={"name": "auto", "choices": tuple(sizes)})
    first, frozen = (make_spec(load_cards()[name], protocol=auto) for name in ("pixels-logistic", "vgg16-frozen"))
    clock = Clock()
    view = View(Plan((first, frozen), ()), clock)
    planned = PlannedCost.of([frozen])
    assert planned is not None
    seconds = planned.seconds([frozen])
    view.handle(Started(first, make_run().split))
    view.handle(Finished(first, finished_in(90, 0, "pixels-logistic").run))
    of_plan = "as planned for vgg16-frozen on an idle machine"
    assert view.time_left() == f"about {duration(seconds)} left, {of_plan}"
    view.handle(Started(frozen, make_run().split))
    clock.now += seconds - 5
    assert view.time_left() == f"about 5 s left, {of_plan}"
    clock.now += 10
    assert view.time_left() == "time left not known yet: vgg16-frozen: longer than planned so far"


def test_runs_that_took_different_times_give_a_range() -> None:
    card = load_cards()["small-cnn"]
    view = View(Plan(tuple(make_spec(card, seed=seed) for seed in range(4)), ()), Clock())
    for spec, minutes in zip(list(view.specs.values())[:2], (2, 4), strict=True):
        view.handle(Started(spec, make_run().split))
        record = make_run(card, seed=spec.seed)
        assert record.costs is not None
        costs = record.costs.model_copy(update={"seconds": 60.0 * minutes, "epochs": 3})  # both stopped early
        view.handle(Finished(spec, record.model_copy(update={"costs": costs})))
    assert view.time_left() == "4 min to 8 min left"


def test_a_first_run_of_its_kind_leaves_time_to_write_its_model() -> None:
    clock = Clock()
    view = View(cards("vgg16-probe", "small-cnn"), clock)
    probe, network = view.specs.values()
    view.handle(Started(probe, make_run().split))
    clock.now += 110
    view.handle(finished_in(20, 0, "vgg16-probe"))
    view.handle(Started(network, make_run().split))
    clock.now += 60
    view.handle(Progressed(network, Progress(100, 100, "train")))
    assert view.time_left() == "0 s to 2 min left"  # 90 s, as the probe took outside of its record


def test_another_seed_is_expected_at_the_pace_of_the_first() -> None:
    view = View(Plan(tuple(make_spec(load_cards()["small-cnn"], seed=seed) for seed in (0, 1)), ()), Clock())
    (first, second) = view.specs.values()
    view.handle(Started(first, make_run().split))
    epochs = second.protocol.budgeted(second.card).recipe.epochs  # type: ignore[union-attr]
    view.handle(finished_in(60 * epochs, epochs, "small-cnn"))
    assert view.time_left() == f"about {epochs} min left"


def test_fine_tuning_is_expected_at_its_own_pace_and_not_at_that_of_the_head_or_of_another_card() -> None:
    card = load_cards()["vgg16-finetuned"]
    clock = Clock()
    view = View(Plan(tuple(make_spec(card, seed=seed) for seed in (0, 1)), ()), clock)
    first, second = view.specs.values()
    view.handle(Started(first, make_run().split))
    clock.now += 60
    view.handle(Progressed(first, Progress(40, 100, "train 4/4")))
    assert view.time_left().startswith("time left not known yet")
    view.handle(Progressed(first, Progress(41, 100, "finetune 1/6", before=40)))
    clock.now += 100
    view.handle(Progressed(first, Progress(50, 100, "finetune 1/6", before=40)))
    assert view.time_left() == "about 19 min left"  # 500 s of this run, 660 s of the other
    ended = make_run(card)
    view.handle(Finished(second, ended.model_copy(update={"spec": second})))
    assert view.time_left() == "about 8 min left"


def probes(clock: Clock, runs: int, done_in: float) -> View:
    """A view of folds of a probe, of which the first took so many seconds and the second has just started."""
    card = load_cards()["vgg16-probe"]
    view = View(Plan(tuple(make_spec(card, seed=seed) for seed in range(runs)), ()), clock)
    first, second, *_ = view.specs.values()
    view.handle(Started(first, make_run().split))
    clock.now += done_in
    record = make_run(card)
    assert record.costs is not None
    costs = record.costs.model_copy(update={"seconds": min(15.0, done_in), "epochs": 0})
    view.handle(Finished(first, record.model_copy(update={"costs": costs})))
    view.handle(Started(second, make_run().split))
    return view


def test_a_run_without_steps_uses_up_its_expected_time() -> None:
    clock = Clock()
    view = probes(clock, runs=3, done_in=20)
    assert view.time_left() == "about 40 s left"
    clock.now += 15
    assert view.time_left() == "about 25 s left"


def test_an_overdue_run_does_not_promise_the_past_pace() -> None:
    clock = Clock()
    view = probes(clock, runs=2, done_in=17)
    clock.now += 160
    assert view.time_left() == "time left not known: vgg16-probe takes longer than expected, 3 min so far"
    clock = Clock()
    view = probes(clock, runs=3, done_in=20)
    clock.now += 60
    assert view.time_left() == "at least 60 s left: vgg16-probe takes longer than expected, 60 s so far"


def test_the_time_of_a_run_is_from_its_start_to_its_end() -> None:
    assert probes(Clock(), runs=2, done_in=80).time_left() == "about 80 s left"  # 15 s of them in its own record


def test_waiting_for_memory_and_a_second_attempt_have_a_line_each() -> None:
    from benchmark.data.sources import open_dataset

    file, planned = io.StringIO(), plan(1)
    (spec,) = planned.specs
    with watching(Console(file=file, width=80, highlight=False), planned, open_dataset("phantom")) as handle:
        handle(Waiting(spec))
        handle(Started(spec, make_run().split))
        handle(Postponed(spec, "ended at 9.0 GiB of memory"))
    lines = file.getvalue().splitlines()
    assert lines[-3] == "waiting: other programs use the memory"
    assert lines[-1] == "attempt-1 seed 0: ended at 9.0 GiB of memory; it is tried again after the other runs"


def test_a_command_names_its_steps_only_once_it_is_slow() -> None:
    lines: list[str] = []
    with SlowSteps(lines.append, delay=600) as steps:
        steps("reading")
    assert lines == []
    became_slow = threading.Event()

    def write(line: str) -> None:
        lines.append(line)
        became_slow.set()

    with SlowSteps(write, delay=0.01) as steps:
        steps("reading")
        assert became_slow.wait(60)
        steps("writing")
    assert lines == ["reading", "writing"]
