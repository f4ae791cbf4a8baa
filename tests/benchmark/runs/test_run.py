"""Runs are records: an id of what decides the result, validated at birth, the same after a round trip."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmark.evidence.diagnosis.diagnoses import Finding
from benchmark.evidence.metrics.registry import Figure, find_metric
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.evidence.thresholds.rules import rule_names
from benchmark.runs.environment import Environment
from benchmark.runs.run import RECORD_VERSION, Run, RunSpec
from tests.support.tiny import card, finished, protocol, spec, split_facts

numbers = st.floats(allow_nan=False, allow_infinity=False)
FIGURE = {"metric": "auc", "value": 0.9, "split": "test", "decimals": 2, "location": "page 3"}


def facts(**changes: Any) -> Any:
    return spec().dataset.model_copy(update=changes)


def test_a_run_id_is_twelve_hexadecimal_digits() -> None:
    assert len(spec().run_id) == 12
    assert int(spec().run_id, 16) >= 0


def test_the_id_of_a_stored_run_stays_what_it_was_computed_with() -> None:
    assert spec(seed=3, semantics=4).run_id == "9ef5c4e0f1cd"


def test_a_copy_with_another_protocol_has_another_id() -> None:
    first = spec()
    assert first.run_id
    assert first.model_copy(update={"protocol": protocol(view_seed=7)}).run_id != first.run_id


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(spec(card=card().model_copy(update={"title": "Other"})), id="title"),
        pytest.param(spec(card=card().model_copy(update={"change": "other"})), id="change"),
        pytest.param(spec(card=card().model_copy(update={"assumptions": "Something."})), id="assumptions"),
        pytest.param(spec(card=card().model_copy(update={"extends": "attempt-1"})), id="extends"),
        pytest.param(spec(card=type(card())(**(card().model_dump() | {"published": (FIGURE,)}))), id="published"),
        pytest.param(
            spec(card=type(card())(**(card().model_dump() | {"source": {"report": "R", "section": "1"}}))), id="source"
        ),
        pytest.param(spec(protocol=protocol(name="other")), id="protocol name"),
        pytest.param(spec(protocol=protocol(title="Other")), id="protocol title"),
        pytest.param(spec(protocol=protocol(seeds=(0, 1, 2))), id="list of seeds"),
        pytest.param(spec(dataset=facts(source="there", title="other", synthetic=False)), id="dataset's place"),
    ],
)
def test_prose_and_published_figures_leave_the_run_id_alone(other: RunSpec) -> None:
    assert other != spec()
    assert other.run_id == spec().run_id


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(spec(seed=1), id="seed"),
        pytest.param(spec(semantics=spec().semantics + 1), id="semantics"),
        pytest.param(spec(dataset=facts(fingerprint="0" * 64)), id="data"),
        pytest.param(spec(protocol=protocol(image_size=48)), id="protocol"),
        pytest.param(spec(card=card("other")), id="card name"),
        pytest.param(spec(card=card(model={"filters": [5]})), id="model"),
        pytest.param(spec(card=card(epochs=3)), id="recipe"),
        pytest.param(spec(card=card(augmentation={"rotation_degrees": 1})), id="augmentation"),
    ],
)
def test_what_decides_the_result_changes_the_run_id(other: RunSpec) -> None:
    assert other.run_id != spec().run_id


@given(st.sets(st.integers(0, 2**32), min_size=2, max_size=20))
def test_every_seed_has_a_run_id_of_its_own(seeds: set[int]) -> None:
    assert len({spec(seed=seed).run_id for seed in seeds}) == len(seeds)


def test_a_spec_read_back_has_the_same_run_id() -> None:
    again = RunSpec.model_validate_json(spec(seed=3).model_dump_json())
    assert again == spec(seed=3)
    assert again.run_id == spec(seed=3).run_id


def test_a_fixed_split_is_the_same_for_all_seeds() -> None:
    fixed = protocol(split="fixed", split_seed=5)
    assert spec(seed=0, protocol=fixed).split_seed == spec(seed=1, protocol=fixed).split_seed == 5


def test_a_split_per_seed_differs_between_seeds() -> None:
    each = protocol(split="per-seed", split_seed=5)
    assert spec(seed=0, protocol=each).split_seed != spec(seed=1, protocol=each).split_seed


@pytest.mark.parametrize("lost", [{"at_half": {}}, {"costs": None}, {"threshold": None}, {"error": "but"}], ids=str)
def test_a_finished_run_has_figures_costs_and_a_threshold_and_no_error(lost: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="a finished run has figures, costs and a threshold, and no error"):
        finished(spec(), **lost)


@pytest.mark.parametrize("error", [None, ""])
def test_a_failed_run_says_why(error: str | None) -> None:
    with pytest.raises(ValidationError, match="a failed run needs an error"):
        Run(spec=spec(), status="failed", finished="2024-01-01T00:00:00+00:00", error=error, split=split_facts())


def test_a_failed_run_has_no_figures() -> None:
    run = Run.failed(spec(), "the training loss is nan", split_facts())
    assert run.status == "failed"
    assert run.figures() == run.figures("val", chosen=True) == {}


def test_a_run_has_the_id_of_its_spec() -> None:
    assert finished(spec(seed=2)).run_id == spec(seed=2).run_id


def test_a_run_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        finished(spec()).status = "failed"


def test_a_run_remembers_how_levels_are_read_and_has_the_same_id_without() -> None:
    scaled = spec().model_copy(update={"dataset": facts(levels={"16-bit": (0.0, 4095.0)})})
    again = RunSpec.model_validate_json(scaled.model_dump_json())
    assert again.dataset.reading == {"16-bit": (0.0, 4095.0)}
    assert again.run_id == spec().run_id


def test_a_record_that_says_nothing_of_levels_was_read_as_sixteen_bits() -> None:
    record = spec().model_dump(mode="json")
    del record["dataset"]["levels"]
    assert RunSpec.model_validate(record).dataset.reading == {"8-bit": (0.0, 255.0), "16-bit": (0.0, 65535.0)}


def test_an_unknown_field_of_a_record_is_refused() -> None:
    data = finished(spec()).model_dump(mode="json")
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Run.model_validate(data | {"mood": "good"})


def test_a_record_carries_its_version() -> None:
    assert finished(spec()).model_dump(mode="json")["version"] == RECORD_VERSION


def test_figures_are_of_the_test_split_at_one_half_unless_asked() -> None:
    half, chosen = ({"test": {"auc": Figure("auc", v, None, None, None, None)}} for v in (0.5, 0.6))
    run = finished(spec(), at_half=half, at_chosen=chosen)
    assert run.figures() == half["test"]
    assert run.figures("test", chosen=True) == chosen["test"]
    assert run.figures("train") == {}


def bounds_in_order(three: tuple[float | None, float | None, float | None]) -> tuple[float | None, ...]:
    value, low, high = three
    return (value, low, high) if low is None or high is None else (value, min(low, high), max(low, high))


def is_free(name: str) -> bool:
    """Whether `name` is no figure with a range of its own: any number is a value of it."""
    return name != "loss" and find_metric(name) is None


@st.composite
def runs(draw: st.DrawFn) -> Run:
    texts = st.text(max_size=20)
    values = st.tuples(st.none() | numbers, st.none() | numbers, st.none() | numbers).map(bounds_in_order)
    figures = st.dictionaries(texts.filter(is_free), st.tuples(values, st.none() | texts, texts), max_size=3).map(
        lambda held: {name: Figure(name, *three, method, reason) for name, (three, method, reason) in held.items()}
    )
    by_split = st.dictionaries(st.sampled_from(["val", "test"]), figures, min_size=1)
    shares = st.none() | st.floats(0, 1)
    environment = st.builds(
        Environment,
        versions=st.dictionaries(texts, texts, max_size=2),
        commit=st.none() | texts,
        platform=texts,
        processor=texts,
        cores=st.integers(1, 512),
        threads=st.integers(1, 512),
        memory_gib=numbers,
        weights=st.none() | texts,
    )
    return finished(
        spec(seed=draw(st.integers(0, 2**64))),
        at_half=draw(by_split),
        at_chosen=draw(by_split),
        threshold=draw(st.builds(Threshold, shares, st.sampled_from(rule_names()), st.none() | texts)),
        diagnosis=draw(st.lists(st.builds(Finding, texts, texts, texts), max_size=2).map(tuple)),
        environment=draw(st.none() | environment),
    )


@given(runs())
def test_a_finished_run_is_equal_after_a_round_trip_through_json(run: Run) -> None:
    assert Run.model_validate_json(run.model_dump_json()) == run


@given(st.text(min_size=1))
def test_a_failed_run_is_equal_after_a_round_trip_through_json(error: str) -> None:
    run = Run.failed(spec(), error, split_facts())
    assert Run.model_validate_json(run.model_dump_json(indent=1)) == run
