"""Runs in processes of their own: repeatable, reused, honest about failures, blind to the test split."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from benchmark.data.dataset import DataError, Dataset
from benchmark.data.sources import open_dataset
from benchmark.data.splits import make_split
from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.thresholds.choice import choose_with_interval
from benchmark.runs.execution.engines import local
from benchmark.runs.execution.events import (
    ComputedElsewhere,
    Event,
    Finished,
    Postponed,
    Preparing,
    Progressed,
    Reused,
    Started,
    Waiting,
)
from benchmark.runs.execution.execute import execute_all
from benchmark.runs.execution.limits import Excess, Limits
from benchmark.runs.plan import make_plan
from benchmark.runs.protocol import Protocol
from benchmark.runs.run import DatasetFacts, Run, RunSpec
from benchmark.runs.storage.store import Store
from tests.support.tiny import card, finished, protocol, write_npz
from zoo.models.card import ModelCard

pytestmark = pytest.mark.slow

STOPPING = card(
    "stopping",
    model={"dropout": 0.3},
    epochs=12,
    early_stopping={"monitor": "val_accuracy", "patience": 2},
    augmentation={"rotation_degrees": 10, "brightness": [0.9, 1.1]},
)
KEPT = protocol(views=2, keep_models=True)
EXPLODING = card(
    "exploding", model={"l2": 10.0}, optimizer={"name": "sgd", "learning_rate": 1.0}, epochs=40, batch_size=16
)


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return open_dataset(str(write_npz(tmp_path_factory.mktemp("data") / "tiny.npz")))


@pytest.fixture(scope="module")
def other_test(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The same training and validation images with another test part."""
    return open_dataset(str(write_npz(tmp_path_factory.mktemp("other") / "tiny.npz", test_seed=2)))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def specs(dataset: Dataset, of: ModelCard, seeds: Sequence[int] = (0,), under: Protocol = KEPT) -> list[RunSpec]:
    return list(make_plan([of], under, dataset, seeds).specs)


@dataclass(frozen=True)
class Done:
    """A store, the runs that were computed into it, and what was heard on the way."""

    store: Store
    runs: list[Run]
    events: list[Event]

    def scores(self, number: int, split: Any) -> list[float]:
        return self.store.scores(self.runs[number], split).y_score.tolist()

    def epochs(self, number: int) -> list[dict[str, Any]]:
        rows = self.store.history(self.runs[number]).rows()
        return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]

    def weights(self, number: int) -> dict[str, list[float]]:
        """Every array in the kept model, read without Keras."""
        path = self.store.root / self.runs[number].run_id / "model.keras"
        found: dict[str, list[float]] = {}

        def keep(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                found[name] = np.asarray(item).ravel().tolist()

        with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            file.visititems(keep)
        return found


def compute(wanted: Sequence[RunSpec], dataset: Dataset, root: Path, jobs: int = 1) -> Done:
    store, events = Store(root), list[Event]()
    return Done(store, execute_all(wanted, dataset, store, jobs=jobs, on_event=events.append), events)


@pytest.fixture(scope="module")
def one(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Done:
    return compute(specs(dataset, STOPPING, (0, 1)), dataset, tmp_path_factory.mktemp("one") / "runs")


@pytest.fixture(scope="module")
def two(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Done:
    return compute(specs(dataset, STOPPING, (0, 1)), dataset, tmp_path_factory.mktemp("two") / "runs", jobs=2)


@pytest.fixture(scope="module")
def elsewhere(other_test: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Done:
    return compute(specs(other_test, STOPPING), other_test, tmp_path_factory.mktemp("elsewhere") / "runs")


def test_runs_finish_in_the_order_asked_for(one: Done) -> None:
    assert [(run.status, run.spec.seed) for run in one.runs] == [("ok", 0), ("ok", 1)]
    assert one.store.runs() == (one.runs, [])


def test_a_run_says_what_happens_to_it(one: Done) -> None:
    run = one.runs[0]
    first, second, *steps, last = [event for event in one.events if event.spec.seed == 0]
    assert (first, second, last) == (Preparing(run.spec), Started(run.spec, run.split), Finished(run.spec, run))
    progress = [step.progress for step in steps if isinstance(step, Progressed)]
    assert len(progress) == len(steps) > 0
    assert all(0 < at.done <= at.total for at in progress)


def test_a_finished_run_knows_its_data_costs_and_environment(one: Done, dataset: Dataset) -> None:
    run = one.runs[0]
    assert run.spec.dataset == DatasetFacts.of(dataset)
    assert run.split.sizes == {"train": 40, "val": 20, "test": 20}
    assert run.costs is not None
    assert run.costs.epochs == len(one.epochs(0))
    assert run.costs.trainable_parameters == run.costs.parameters > 0
    assert {"start", "data", "training", "features", "scoring", "figures"} == set(run.costs.stages)
    assert all(seconds >= 0 for seconds in run.costs.stages.values())
    assert run.costs.stages["features"] == 0  # nothing is frozen
    assert run.environment is not None
    assert {"keras", "backend", "python", "zoo", "numpy"} <= set(run.environment.versions)
    assert (run.environment.prefix, run.environment.prefix_reason) == (None, None)


def test_figures_and_threshold_follow_from_the_stored_scores(one: Done) -> None:
    for run in one.runs:
        val, test = one.store.scores(run, "val"), one.store.scores(run, "test")
        assert run.threshold == choose_with_interval(val)
        assert run.threshold is not None
        assert run.threshold.value is not None
        for chosen, threshold in ((False, 0.5), (True, run.threshold.value)):
            stored = run.figures("test", chosen)
            assert {name: stored[name] for name in stored if name != "loss"} == figures(
                test, threshold, run.spec.protocol.class_sizes
            )


def test_every_image_of_both_splits_has_its_score(one: Done, dataset: Dataset) -> None:
    split = make_split(dataset, KEPT.sampling, KEPT.split_seed)
    for name, images in (("val", split.val), ("test", split.test)):
        scores = one.store.scores(one.runs[0], name)
        assert scores.y_true.tolist() == [image.label for image in images]
        assert scores.patient == tuple(image.patient for image in images)


def test_the_easy_difference_is_learned(one: Done) -> None:
    assert all((run.figures()["auc"].value or 0) > 0.8 for run in one.runs)


def test_the_same_spec_gives_the_same_bits_in_another_store_and_with_other_jobs(one: Done, two: Done) -> None:
    assert [run.run_id for run in one.runs] == [run.run_id for run in two.runs]
    for number in (0, 1):
        assert one.scores(number, "val") == two.scores(number, "val")
        assert one.scores(number, "test") == two.scores(number, "test")
        assert one.epochs(number) == two.epochs(number)
        assert one.weights(number) == two.weights(number)
        assert one.runs[number].at_chosen == two.runs[number].at_chosen


def test_two_seeds_are_two_trainings_on_the_same_images(one: Done) -> None:
    first, second = (one.store.scores(run, "test") for run in one.runs)
    assert first.patient == second.patient
    assert one.scores(0, "test") != one.scores(1, "test")
    assert one.weights(0) != one.weights(1)


def test_the_other_data_differ_in_their_test_part_alone(dataset: Dataset, other_test: Dataset) -> None:
    ours, theirs = (make_split(each, KEPT.sampling, KEPT.split_seed) for each in (dataset, other_test))
    assert (ours.train, ours.val) == (theirs.train, theirs.val)
    assert not {image.digest for image in ours.test} & {image.digest for image in theirs.test}
    assert dataset.read(ours.train, 32).tolist() == other_test.read(theirs.train, 32).tolist()


def test_early_stopping_is_at_work_where_the_test_split_could_reach_it(one: Done) -> None:
    assert 1 < len(one.epochs(0)) < STOPPING.recipe.epochs


def test_nothing_that_is_fitted_or_chosen_has_seen_the_test_split(one: Done, elsewhere: Done) -> None:
    assert one.epochs(0) == elsewhere.epochs(0)
    assert one.scores(0, "val") == elsewhere.scores(0, "val")
    assert one.runs[0].threshold == elsewhere.runs[0].threshold
    assert one.runs[0].figures("val") == elsewhere.runs[0].figures("val")
    assert one.weights(0)
    assert one.weights(0) == elsewhere.weights(0)
    assert one.scores(0, "test") != elsewhere.scores(0, "test")


def test_what_the_store_holds_is_not_computed_again(one: Done, dataset: Dataset) -> None:
    again = compute([run.spec for run in one.runs], dataset, one.store.root)
    assert again.events == [Reused(run.spec, run) for run in one.runs]
    assert again.runs == one.runs


def test_a_killed_worker_is_a_failed_run_that_is_tried_again(dataset: Dataset, store: Store) -> None:
    def kill(event: Event) -> None:
        if isinstance(event, Progressed):
            for process in multiprocessing.active_children():
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)

    wanted = specs(dataset, card(epochs=60), under=protocol())
    [run] = execute_all(wanted, dataset, store, on_event=kill)
    assert run.status == "failed"
    assert run.error is not None
    assert "SIGKILL" in run.error
    assert store.runs() == ([run], [])
    assert not list(store.root.glob(".writing-*"))
    [again] = execute_all(wanted, dataset, store)
    assert again.status == "ok"
    assert store.runs() == ([again], [])


def test_a_run_waits_for_memory_and_one_that_was_ended_is_tried_again_last(
    dataset: Dataset, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, ended, events = iter([False, False]), list[str](), list[Event]()

    def exceeding(pids: dict[str, int], limits: Limits) -> dict[str, Excess]:
        new = [run_id for run_id in pids if not ended]
        ended.extend(new)
        return {run_id: Excess("ended: no memory", may_fit=True) for run_id in new}

    monkeypatch.setattr(local, "has_room", lambda: next(room, True))
    monkeypatch.setattr(local, "exceeding_memory", exceeding)
    monkeypatch.setattr(local, "_RETRY_S", 0.01)
    wanted = specs(dataset, card(epochs=60), (0, 1), under=protocol())
    runs = execute_all(wanted, dataset, store, on_event=events.append)
    first, second = (run_spec.run_id for run_spec in wanted)
    assert [run.status for run in runs] == ["ok", "ok"]
    assert ended == [first]
    kinds = (Waiting, Started, Postponed, Finished)
    assert [(type(each), each.spec.run_id) for each in events if isinstance(each, kinds)] == [
        (Waiting, first),
        (Started, first),
        (Postponed, first),
        (Started, second),
        (Finished, second),
        (Started, first),
        (Finished, first),
    ]


def test_a_run_that_is_ended_for_memory_twice_has_failed_and_no_wait_is_endless(
    dataset: Dataset, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "has_room", lambda: False)
    monkeypatch.setattr(local, "_LONGEST_WAIT_S", 0.0)
    monkeypatch.setattr(
        local, "exceeding_memory", lambda pids, _: dict.fromkeys(pids, Excess("ended: no memory", may_fit=True))
    )
    events: list[Event] = []
    [run] = execute_all(specs(dataset, card(epochs=60), under=protocol()), dataset, store, on_event=events.append)
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.startswith("ended: no memory during ")
    kinds = (Started, Postponed, Finished)
    order = [type(each) for each in events if isinstance(each, kinds)]
    assert order == [Started, Postponed, Started, Finished]


def test_a_training_that_diverges_is_a_failed_run_that_names_the_epoch(dataset: Dataset, store: Store) -> None:
    wanted = [*specs(dataset, EXPLODING), *specs(dataset, card())]
    failed, other = execute_all(wanted, dataset, store)
    assert failed.status == "failed"
    assert failed.error is not None
    assert "the training loss is" in failed.error
    assert "phase 'train', epoch " in failed.error
    assert "\n" not in failed.error
    assert failed.environment is not None
    assert other.status == "ok"
    assert store.get(failed) == failed


def test_a_run_that_another_process_computes_is_waited_for(dataset: Dataset, store: Store) -> None:
    [wanted] = specs(dataset, card())
    theirs = finished(wanted)
    events: list[Event] = []
    with ExitStack() as claim:
        assert claim.enter_context(store.claim(wanted.run_id))

        def watch(event: Event) -> None:
            events.append(event)
            if isinstance(event, ComputedElsewhere):
                Store(store.root).save(theirs, write_model=lambda path: path.write_bytes(b"a model"))
                claim.close()

        assert execute_all([wanted], dataset, store, on_event=watch) == [store.get(theirs)]
    assert [type(event) for event in events] == [ComputedElsewhere, Reused]


def test_data_that_cannot_be_split_as_asked_start_no_run(tmp_path: Path, store: Store) -> None:
    generator = np.random.default_rng(0)
    parts = {"train": [0] * 9 + [1], "val": [0, 1], "test": [0, 1]}
    arrays: dict[str, Any] = {}
    for part, labels in parts.items():
        arrays[f"{part}_images"] = generator.integers(0, 256, (len(labels), 32, 32), dtype=np.uint8)
        arrays[f"{part}_labels"] = np.array(labels)
    np.savez(tmp_path / "poor.npz", **arrays)
    poor = open_dataset(str(tmp_path / "poor.npz"))
    under = protocol(sampling={"min_val": 100})
    with pytest.raises(DataError, match="train and val need patients of both classes"):
        execute_all(specs(poor, card(), under=under), poor, store)
    assert store.runs() == ([], [])
    with store.claim(specs(poor, card(), under=under)[0].run_id) as mine:
        assert mine


def test_a_run_kept_without_its_model_is_run_again_where_models_are_kept(dataset: Dataset, store: Store) -> None:
    [wanted] = specs(dataset, card())
    store.save(finished(wanted))
    [run] = execute_all([wanted], dataset, store)
    assert store.has_model(run)
