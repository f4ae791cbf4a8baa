"""Whatever fails after a training, its scores are kept and the run says which step failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.data.dataset import Dataset
from benchmark.data.decoding.prepared import prepare
from benchmark.data.sources import open_dataset
from benchmark.data.splits import make_split
from benchmark.evidence.metrics import registry as metrics
from benchmark.evidence.metrics.registry import Figure, get_metric
from benchmark.runs.execution.failure import RunState, failed_run, traceback_of
from benchmark.runs.execution.messages import Message, PreparedLost, ScoresReady
from benchmark.runs.execution.reuse import reusable_run
from benchmark.runs.history import History
from benchmark.runs.run import DatasetFacts, Job, Run, RunSpec, SplitFacts
from benchmark.runs.storage.store import TRACEBACK, Store
from reports.render.terminal.runs import runs_table, status_line
from tests.support.kept import in_this_process
from tests.support.tiny import card, finished, protocol, spec, split_facts, write_npz

STEPS = {
    "total_loss": "the loss",
    "score_in_both_modes": "the probe in both modes",
    "grey_levels": "the grey levels",
    "related_test_images": "the search for related images",
    "ms_per_image": "the timing of inference",
    "figures_of": "the figures",
    "findings": "the diagnosis",
    "now": "the record",
    "write_model": "writing the model",
}
"""What is made to fail, by its name in the worker, and what the run calls it."""


@dataclass(frozen=True)
class Trained:
    """A job whose training is done, and does not have to be repeated to fail after it."""

    job: Job
    dataset: Dataset
    fit: Callable[..., Any]
    run: Run
    store: Store


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The run that nothing failed in."""
    from benchmark.runs.execution import worker

    root = tmp_path_factory.mktemp("failure")
    dataset = open_dataset(str(write_npz(root / "tiny.npz")))
    asked = RunSpec(card=card(epochs=1), protocol=protocol(), dataset=DatasetFacts.of(dataset), seed=0)
    split = make_split(dataset, asked.protocol.sampling, asked.split_seed)
    done: list[Any] = []
    with in_this_process(root / "cache"):
        job = Job(asked, prepare(dataset, split, asked.protocol.image_size), SplitFacts.of(split))
        fit = worker.fit_job
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker, "fit_job", lambda *a, **k: done.append(fit(*a, **k)) or done[0])
            store = Store(root / "runs")
            run = worker.run_job(job, store, 2)
    assert run.status == "ok", run.error
    return Trained(job, dataset, lambda *_, **__: done[0], run, store)


@pytest.fixture
def compute(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Compute the job again, its training taken as done, into a store of the test's own."""
    from benchmark.runs.execution import worker

    monkeypatch.setattr(worker, "fit_job", trained.fit)

    def computed(
        notify: Callable[[Message], None] = lambda _: None, job: Job = trained.job, keep_models: bool = False
    ) -> Run:
        spec = job.spec.model_copy(update={"protocol": protocol(keep_models=keep_models)})
        job = replace(job, spec=spec)
        with in_this_process(tmp_path / "cache"):
            return worker.run_job(job, Store(tmp_path / "runs"), 2, notify)

    return computed


def fails(error: BaseException) -> Callable[..., Any]:
    def instead(*_: Any, **__: Any) -> Any:
        raise error

    return instead


def scores_of(run: Run, store: Store, split: Any) -> list[float]:
    return store.scores(run, split).y_score.tolist()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        *((name, KeyError("jaccard")) for name in STEPS),
        ("write_model", OSError(28, "No space left on device")),
        ("total_loss", SystemExit("no more")),
    ],
)
def test_a_step_that_fails_after_training_is_named_and_loses_nothing(
    name: str,
    error: BaseException,
    compute: Callable[..., Run],
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from benchmark.runs.execution import worker

    monkeypatch.setattr(worker, name, fails(error))
    run = compute(keep_models=name == "write_model")
    store = Store(tmp_path / "runs")
    words = " ".join(str(error).split())
    assert run.status == "failed"
    assert run.error == (
        f"{STEPS[name]} failed after training: {type(error).__name__}: {words}; "
        f"scores are kept, traceback in {TRACEBACK}"
    )
    (stored,), problems = store.runs()
    assert problems == []
    assert stored.model_copy(update={"files": {}}) == run
    for split in ("val", "test"):
        assert scores_of(run, store, split) == scores_of(trained.run, trained.store, split)
        assert store.images(run, split) == trained.store.images(trained.run, split)  # type: ignore[arg-type]
    assert store.history(run) == trained.store.history(trained.run)
    text = (store.root / run.run_id / TRACEBACK).read_text(encoding="utf-8")
    assert text.startswith("Traceback (most recent call last):")
    assert type(error).__name__ in text
    assert run.environment == trained.run.environment
    assert reusable_run(store, run.spec) is None  # the same command tries it again
    assert run.error in status_line(run, reused=False)
    assert not list(store.root.glob(".writing-*"))


def test_a_metric_of_somebody_else_that_fails_costs_no_training(
    compute: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = replace(get_metric("brier"), name="jaccard", aliases=(), of_scores=lambda _: {}["influence"])
    monkeypatch.setitem(metrics._METRICS, "jaccard", failing)
    run = compute()
    assert run.error is None
    figure = run.figures()["jaccard"]
    assert figure.value is None
    assert figure.reason is not None
    assert figure.reason.endswith("raised KeyError: 'influence'")


def test_a_figure_that_cannot_be_recorded_is_a_step_that_failed(
    compute: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark.runs.execution import worker

    monkeypatch.setattr(worker, "total_loss", lambda *_: float("inf"))
    run = compute()
    assert run.error is not None
    assert run.error.startswith("the record failed after training: ValidationError: ")
    assert "\n" not in run.error


def test_without_a_threshold_the_scores_of_validation_are_kept_and_test_stays_closed(
    compute: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark.runs.execution import worker

    monkeypatch.setattr(worker, "choose", fails(ValueError("two\nlines")))
    run = compute()
    assert run.error is not None
    assert run.error.startswith("choosing the threshold failed after training: ValueError: two lines; scores are kept")
    store = Store(tmp_path / "runs")
    assert len(store.images(run, "val")) == 20
    assert store.images(run, "test") == ()


def test_a_training_that_fails_leaves_its_traceback(
    compute: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark.runs.execution import worker

    monkeypatch.setattr(worker, "fit_job", fails(RuntimeError("a\nbuilder")))
    run = compute()
    assert run.error == f"building and training failed: RuntimeError: a builder; traceback in {TRACEBACK}"
    assert "RuntimeError" in (tmp_path / "runs" / run.run_id / TRACEBACK).read_text(encoding="utf-8")


def test_a_finished_run_is_not_replaced_by_one_that_failed(
    compute: Callable[..., Run], trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark.runs.execution import worker

    store = Store(tmp_path / "runs")
    before = finished(trained.job.spec)
    store.save(before)
    monkeypatch.setattr(worker, "write_model", fails(ValueError("no such layer")))
    run = compute(keep_models=True)
    assert run.error is not None
    assert "writing the model failed" in run.error
    assert store.runs() == ([before], [])


def test_what_is_lost_from_the_cache_is_asked_for_and_waited_for(
    compute: Callable[..., Run], trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = make_split(trained.dataset, trained.job.spec.protocol.sampling, trained.job.spec.split_seed)
    job = Job(trained.job.spec, tmp_path / "cache" / "prepared" / trained.job.folder.name, trained.job.split)
    asked: list[Message] = []

    def answer(message: Message) -> None:
        if isinstance(message, PreparedLost):
            asked.append(message)
            assert prepare(trained.dataset, split, 32, job.folder.parent) == job.folder

    run = compute(answer, job)
    assert (run.status, len(asked)) == ("ok", 1), run.error
    assert run.figures() == trained.run.figures()


def test_scores_are_told_before_anything_else_can_fail(compute: Callable[..., Run], trained: Trained) -> None:
    heard: list[Message] = []
    compute(heard.append)
    last = [message for message in heard if isinstance(message, ScoresReady)][-1]
    told = {scores.split: scores.y_score.tolist() for scores, _ in last.scores}
    assert told == {split: scores_of(trained.run, trained.store, split) for split in ("val", "test")}
    assert len(last.history) == 1


class Mute(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise ValueError("nor this")


@pytest.mark.parametrize(
    "error",
    [Mute(), ValueError("x " * 10_000), ValueError("\n\n"), ValueError("\udc80 \x1b[31m")],
    ids=["mute", "long", "empty", "no text"],
)
def test_a_record_takes_whatever_an_error_says(error: Exception, tmp_path: Path) -> None:
    store = Store(tmp_path)
    job = Job(spec(), tmp_path, split_facts())
    state = RunState(lambda _: None, step="the figures", history=History.of([{"phase": "train", "loss": 1.0}]))
    run = failed_run(job, state, error, is_plain=False)
    assert run.error is not None
    assert "\n" not in run.error
    assert len(run.error) < 700
    store.save(run, traceback=traceback_of(error))
    assert len(traceback_of(error)) < 21_000
    assert "failed after training" in str(runs_table([run]).renderables[-1])  # type: ignore[union-attr]


def test_figures_of_a_whole_run_are_what_they_were(compute: Callable[..., Run], trained: Trained) -> None:
    run = compute()
    assert run.at_half == trained.run.at_half
    assert isinstance(run.figures()["auc"], Figure)
