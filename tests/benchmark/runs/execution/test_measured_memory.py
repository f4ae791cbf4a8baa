"""The memory that engines declare: what runs of the kind have needed, with a margin."""

from __future__ import annotations

import pytest

from benchmark.runs.execution.measured_memory import memory_after_excess, memory_by_kind, memory_kind
from benchmark.runs.run import Run
from tests.support.tiny import card, finished, protocol, spec, split_facts


def of_peak(mib: float, **changes: object) -> Run:
    run = finished(spec(**changes))
    assert run.costs is not None
    return run.model_copy(update={"costs": run.costs.model_copy(update={"peak_memory_mib": mib})})


def test_the_highest_peak_of_a_kind_is_declared_with_a_quarter_and_a_gib_more() -> None:
    declared = memory_by_kind([of_peak(1000), of_peak(2000, seed=1), of_peak(900, seed=2)])
    assert declared == {memory_kind(spec(seed=7)): 3584}  # 2000 x 1.25 + 1024 = 3524, rounded up to 512


@pytest.mark.parametrize(
    "changes",
    [
        {"card": card(batch_size=32)},
        {"card": card(model={"filters": [8]})},
        {"card": card(optimizer={"name": "sgd", "learning_rate": 0.01})},
        {"protocol": protocol(image_size=64)},
        {"protocol": protocol(precision="bfloat16")},
    ],
)
def test_what_decides_memory_is_another_kind(changes: dict[str, object]) -> None:
    assert memory_kind(spec(**changes)) != memory_kind(spec())


def test_what_does_not_is_the_same_kind() -> None:
    other = card("other", epochs=9, optimizer={"name": "adam", "learning_rate": 0.5})
    assert memory_kind(spec(3, card=other)) == memory_kind(spec())


def test_after_a_run_that_exceeded_its_memory_more_is_declared() -> None:
    excess = Run.failed(spec(), "ended", split_facts()).model_copy(update={"memory_limit_mib": 4096.0})
    assert memory_by_kind([of_peak(1000), excess]) == {memory_kind(spec()): 6144}
    assert memory_after_excess(4096) == 6144
    assert memory_by_kind([Run.failed(spec(), "another reason", split_facts())]) == {}


def test_a_record_has_the_limit_only_if_it_was_exceeded() -> None:
    run = Run.failed(spec(), "ended", split_facts())
    assert "memory_limit_mib" not in run.model_dump()
    excess = run.model_copy(update={"memory_limit_mib": 512.0})
    assert Run.model_validate_json(excess.model_dump_json()).memory_limit_mib == 512.0
