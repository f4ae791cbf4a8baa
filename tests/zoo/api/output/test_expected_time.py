"""The expected time of runs: that of stored runs like them, else what `auto` expects."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.runs.expected_cost import Trainings, Workload, expected_cost
from benchmark.runs.protocol import Choice, load_protocol
from benchmark.runs.run import TrainingSubset
from benchmark.runs.storage.store import Store
from benchmark.training.machine_speed import MachineSpeed
from tests.support.records import make_run, make_spec
from zoo.api.output.expected_time import PlannedCost, expected_time
from zoo.models.catalog import load_cards

PARTS = tuple(Choice(field=f"sampling.{part}", value=400, why="a share") for part in ("train", "val", "test"))
AUTO = load_protocol("quick").model_copy(update={"name": "auto", "choices": PARTS})


@pytest.fixture(autouse=True)
def speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_SPEED", "100,1")


def planned() -> PlannedCost:
    views = AUTO.views
    assert isinstance(views, int)
    return PlannedCost(
        Workload(400, 800, AUTO.image_size, views, AUTO.max_epochs), MachineSpeed(frozen=100, training=1)
    )


def test_runs_cost_what_auto_expects_of_all_together() -> None:
    """Their sum is that of one estimate: features of frozen layers are computed once."""
    specs = [make_spec(load_cards()[name], protocol=AUTO) for name in ("small-cnn", "vgg16-probe", "vgg16-finetuned")]
    together = expected_cost(planned().work, planned().speed, Trainings.of(specs)).minutes
    assert planned().seconds(specs) == pytest.approx(60 * together)
    assert PlannedCost.of(specs) == planned()
    assert planned().seconds(specs, specs) < planned().seconds(specs)
    assert PlannedCost.of([make_spec("attempt-1")]) is None  # not a protocol of auto


def test_a_run_of_a_curve_costs_what_its_number_of_images_does() -> None:
    whole = make_spec(load_cards()["small-cnn"], protocol=AUTO)
    half = whole.model_copy(update={"stage": "curve", "subset": TrainingSubset(images=200, of=400, draw=0)})
    start = planned().seconds([make_spec(load_cards()["constant"], protocol=AUTO)])
    assert 0.4 < (planned().seconds([half]) - start) / (planned().seconds([whole]) - start) < 0.8


def test_other_seeds_take_as_long_as_stored_runs_of_their_card(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    specs = [make_spec("attempt-1", seed=seed) for seed in range(30)]
    record = make_run("attempt-1")
    assert record.costs is not None
    store.save(record.model_copy(update={"costs": record.costs.model_copy(update={"seconds": 120.0})}))
    line = "about 58 min: expected for 1 card to compute, 29 of 30 runs, as long as the stored runs took"
    assert expected_time(specs, {specs[0].run_id}, store) == line
    assert expected_time(specs, set(), store) is None  # neither a stored run nor a protocol of auto
    of_auto = [spec.model_copy(update={"protocol": AUTO}) for spec in specs]
    assert (
        expected_time(of_auto, {spec.run_id for spec in of_auto}, store) == "nothing to compute: all 30 runs are stored"
    )
    assert (expected_time(of_auto, set(), store) or "").endswith("30 of 30 runs, on an idle machine")
