"""`zoo.curve` measures a card by the number of training images, as `zoo curve` does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import zoo as package
from benchmark.data.dataset import DataError
from benchmark.runs.drawn_split import draw_split
from benchmark.runs.storage.beside.chain import read_chain
from benchmark.runs.storage.store import Store
from tests.support.tiny import card, finished, protocol, write_npz, write_protocol
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo
from zoo.api import curve as module
from zoo.api.registration import registered_runs
from zoo.config.errors import ConfigError

zoo = test_zoo_cli.zoo


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("data")
    return {"data": write_npz(folder / "tiny.npz"), "protocol": write_protocol(folder / "smallest.yaml")}


def test_every_run_has_the_split_of_the_protocol_and_a_part_of_its_training_images(
    where: dict[str, Any], tmp_path: Path
) -> None:
    plan = package.plan_curve("pixels-logistic", sizes=[10, 20], draws=2, store=tmp_path / "runs", **where)
    whole = package.plan_bench("pixels-logistic", store=tmp_path / "runs", **where).plan.specs[0]
    sizes = [spec.subset.images for spec in plan.plan.specs if spec.subset is not None]
    assert sizes == [20, 10, 20, 10]
    split = draw_split(plan.dataset, whole)
    drawn_splits = [draw_split(plan.dataset, spec) for spec in plan.plan.specs]
    assert all((each.val, each.test) == (split.val, split.test) for each in drawn_splits)
    assert set(drawn_splits[1].train) < set(drawn_splits[0].train) < set(split.train)
    assert drawn_splits[2].train != drawn_splits[0].train
    assert len({spec.run_id for spec in plan.plan.specs} | {whole.run_id}) == 5
    assert not (tmp_path / "runs").exists()


def test_more_draws_and_seeds_keep_the_stored_runs(where: dict[str, Any], tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"sizes": [10, 20], "store": tmp_path / "runs", **where}
    first = package.plan_curve(card(), draws=1, **arguments)
    for spec in first.plan.specs:
        Store(tmp_path / "runs").save(finished(spec))
    more = package.plan_curve(card(), draws=3, seeds=2, **arguments)
    assert len(more.plan.specs) == 12
    assert more.reused == {spec.run_id for spec in first.plan.specs}
    assert package.plan_bench(card(), store=tmp_path / "runs", **where).reused == set()


def test_per_seed_splits_are_one_split_in_a_curve(where: dict[str, Any], tmp_path: Path) -> None:
    rules = protocol(split="per-seed")
    plan = package.plan_curve(card(), sizes=[10], draws=2, store=tmp_path / "runs", data=where["data"], protocol=rules)
    first, second = (draw_split(plan.dataset, spec) for spec in plan.plan.specs)
    assert (first.val, first.test) == (second.val, second.test)


def test_without_sizes_all_training_images_are_halved(where: dict[str, Any], tmp_path: Path) -> None:
    plan = package.plan_curve("pixels-logistic", draws=1, store=tmp_path / "runs", **where)
    assert [spec.subset.images for spec in plan.plan.specs if spec.subset is not None] == [28]  # 14 have 7 of a class


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"sizes": [10, 41, 900]}, DataError, "--sizes 41, 900: the split has 28 training images; give sizes up to 28"),
        ({"sizes": [3]}, DataError, "--sizes 3: has 1 of [^;]*; a class needs 2 training images: give 4 or more"),
        ({"sizes": []}, ConfigError, "--sizes: is empty"),
        ({"sizes": "10,20"}, ConfigError, "--sizes: give numbers"),
        ({"sizes": [0]}, ConfigError, "sizes"),
        ({"sizes": [10], "metric": "aug"}, ConfigError, "Unknown metric 'aug'"),
        ({"sizes": [10], "draws": 0}, ConfigError, "draws"),
    ],
)
def test_a_curve_that_cannot_be_is_refused_before_anything_is_written(
    where: dict[str, Any], tmp_path: Path, arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        package.curve("pixels-logistic", store=tmp_path / "runs", **where, **arguments)
    assert not (tmp_path / "runs").exists()


def test_folds_are_refused_and_those_of_auto_become_one_split(where: dict[str, Any], tmp_path: Path) -> None:
    folded = protocol(test_folds=3, sampling={"val_fraction": 0.3})
    with pytest.raises(ConfigError, match="a curve needs one test part for all sizes"):
        package.plan_curve(card(), sizes=[10], store=tmp_path / "runs", data=where["data"], protocol=folded)


def test_a_curve_is_registered_before_the_first_run_and_recorded_at_the_end(
    where: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, times = Store(tmp_path / "runs"), []

    def execute(specs, dataset, store, *, registration, **more):  # type: ignore[no-untyped-def]
        times.append(read_chain(store).registrations[-1][0].digest == registration)
        for spec in specs:
            store.save(finished(spec, registration=registration))
        return []

    monkeypatch.setattr(registered_runs, "execute_all", execute)
    monkeypatch.setattr(module, "training_size_curve", lambda runs, store, metric: None)
    plan = package.plan_curve(card(), sizes=[10, 20], draws=2, store=store, **where)
    plan.run()
    chain = read_chain(store)
    ((_, planned),) = chain.registrations
    assert times == [True]
    assert {key: each.images for key, each in planned.runs.items()} == {
        spec.run_id: spec.subset.images for spec in plan.plan.specs if spec.subset is not None
    }
    ((_, outcome),) = chain.outcomes
    assert outcome.records.keys() == planned.runs.keys()
    package.plan_curve(card(), sizes=[10, 20], draws=2, store=store, **where).run()
    assert read_chain(store).head == chain.head, "a curve that is stored adds nothing"


def test_a_probe_has_no_seeds(where: dict[str, Any], tmp_path: Path) -> None:
    plan = package.plan_curve("pixels-logistic", sizes=[10], draws=2, seeds=3, store=tmp_path / "runs", **where)
    assert len(plan.plan.specs) == 2
    assert any("every seed gives the same model" in message for message in plan.messages)


@pytest.mark.slow
def test_the_command_measures_resumes_and_keeps_out_of_other_commands(
    zoo: Zoo, where: dict[str, Any], tmp_path: Path
) -> None:
    store = tmp_path / "runs"
    command = ["curve", "pixels-logistic", "--data", where["data"], "--protocol", where["protocol"], "--store", store]
    command += ["--sizes", "10,20", "--draws", "2"]
    answer = zoo(*command, "--json")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert [point["images"] for point in document["points"]] == [10, 20]
    assert [point["runs"] for point in document["points"]] == [2, 2]
    assert "give 4 sizes or more" in document["extrapolation"]["reason"]
    again = zoo(*command, "--csv")
    assert again.err.count("reused") == 4
    assert again.out.splitlines()[1].startswith("pixels-logistic,auc,measured,10,2,2,0,")
    runs = Store(store).runs()[0]
    assert {run.split.sizes["train"] for run in runs} == {10, 20}
    assert len({run.split.sizes["test"] for run in runs}) == 1
    assert "trainings of a curve" in zoo("runs", "--store", store).out
    assert "A training of a curve: " in zoo("show", runs[0].run_id, "--store", store).out
    assert zoo("compare", "--store", store).code == 2
    assert zoo(*command[:-3], "10;20").code == 2
