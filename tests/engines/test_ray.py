"""A run on a Ray cluster, whose node is killed in the middle."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import zoo
from benchmark.runs.execution.engines.tasks import ENGINES
from benchmark.runs.execution.events import Event, Started
from tests.support.evaluated_models import keep_models, write_elsewhere
from tests.support.tiny import environment, run_zoo, write_npz, write_protocol
from zoo.api.bench import BenchResults

pytestmark = pytest.mark.slow
CARD = "pixels-logistic"


@dataclass(frozen=True)
class Story:
    """The same run on a cluster that lost the node that computed it, and on this machine alone."""

    there: BenchResults
    started: list[str]
    here: BenchResults


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(tmp_path_factory.mktemp("cache")).items():
            patch.setenv(name, value)
        patch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        yield


@pytest.fixture(scope="module")
def story(variables: None, tmp_path_factory: pytest.TempPathFactory) -> Story:
    ray = pytest.importorskip("ray", reason="the ray extra is not installed")
    from ray.cluster_utils import Cluster
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    folder = tmp_path_factory.mktemp("story")
    data, protocol = write_npz(folder / "tiny.npz"), write_protocol(folder / "p.yaml")
    chosen: dict[str, Any] = {"data": data, "protocol": protocol, "seeds": 1}
    small = {"num_cpus": 1, "object_store_memory": 100 * 1024**2}
    cluster = Cluster()
    try:
        try:
            cluster.add_node(**small, include_dashboard=False)
            second = cluster.add_node(**small)
            cluster.wait_for_nodes()
        except Exception as error:  # Ray gives a node 30 s to start
            pytest.skip(f"no Ray cluster of two nodes can be started here: {error}")
        ray.init(address=cluster.address, log_to_driver=False)
        where = NodeAffinitySchedulingStrategy(cluster.head_node.node_id, soft=False)
        busy = ray.remote(num_cpus=1)(lambda: time.sleep(600)).options(scheduling_strategy=where).remote()
        started: list[str] = []

        def kill_second(event: Event) -> None:
            if isinstance(event, Started):
                started.append(event.spec.card.name)
                if len(started) == 1:  # on the second node, since the first one is busy
                    cluster.remove_node(second, allow_graceful=False)
                    ray.cancel(busy, force=True)

        there = zoo.bench(CARD, **chosen, store=folder / "runs", engine="ray", on_event=kill_second)
    finally:
        ray.shutdown()
        cluster.shutdown()
    return Story(there, started, zoo.bench(CARD, **chosen, store=folder / "here", cores=1))


def test_a_run_whose_node_dies_is_computed_on_another_one(story: Story) -> None:
    assert [run.status for run in story.there.runs] == ["ok"]
    assert story.started == [CARD, CARD]


def test_the_results_are_those_of_one_machine_to_the_last_bit(story: Story) -> None:
    def results(bench: BenchResults) -> list[Any]:
        return [
            (
                run.run_id,
                run.threshold,
                run.at_half,
                run.at_chosen,
                run.diagnosis,
                [bench.store.scores(run, split).y_score.tolist() for split in ("val", "test")],
            )
            for run in bench.runs
        ]

    assert results(story.there) == results(story.here)


def test_nothing_is_left_of_the_tasks(story: Story) -> None:
    assert list((story.there.store.root / ENGINES).iterdir()) == []


def test_evaluations_are_tasks_of_a_local_cluster(variables: None, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="the ray extra is not installed")
    store, other = keep_models(tmp_path), write_elsewhere(tmp_path / "other")
    unnamed = write_elsewhere(tmp_path / "unnamed", ("a", "b"))
    shutil.copytree(store.root, tmp_path / "here")
    try:
        there = zoo.evaluate_all("tiny:0", [other, unnamed], store=store, engine="ray").rows
    finally:
        ray.shutdown()
    words = ["--data", str(other), "--store", str(tmp_path / "here"), "--cores", "1", "--json"]
    here = run_zoo("evaluate", "tiny:0", *words, cwd=tmp_path, cache=tmp_path / "cache")
    [alone] = json.loads(here.stdout)["evaluations"]
    assert there[0].results is not None
    assert json.loads(json.dumps(there[0].results.to_dict()))["per_image"] == alone["per_image"]
    assert "the class a is none of the model" in (there[1].error or "")


def test_an_unknown_option_is_one_line(variables: None, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the ray extra is not installed")
    with pytest.raises(zoo.ConfigError, match="--ray colour: is unknown; give address, num_gpus, memory"):
        zoo.plan_bench("constant", engine="ray", engine_options={"colour": "red"}, store=tmp_path / "runs")
