"""Cheap kinds of training come first, and nothing else changes the order."""

from __future__ import annotations

from benchmark.runs.execution.order import Cost, cheap_first, cost_of
from tests.support.records import make_spec
from zoo.models.catalog import load_cards


def test_the_starter_cards_run_from_seconds_to_minutes() -> None:
    names = ("constant", "pixels-logistic", "small-cnn", "vgg16-finetuned", "vgg16-frozen", "vgg16-probe")
    specs = [make_spec(load_cards()[name], seed=seed) for name in names for seed in (1, 0)]
    ordered = cheap_first(specs)
    assert list(dict.fromkeys(spec.card.name for spec in ordered)) == [
        "constant",
        "pixels-logistic",
        "vgg16-probe",
        "vgg16-frozen",
        "small-cnn",
        "vgg16-finetuned",
    ]
    assert [spec.seed for spec in ordered] == [1, 0] * len(names)
    assert sorted(map(id, ordered)) == sorted(map(id, specs))


def test_a_second_phase_without_unfrozen_layers_trains_the_head_alone() -> None:
    card = load_cards()["vgg16-finetuned"]
    model = {"builder": card.model.builder, **card.model.params, "unfreeze_layers": 0}
    frozen = card.model_copy(update={"model": type(card.model).model_validate(model)})
    assert cost_of(make_spec(frozen)) == Cost.HEAD
    assert cost_of(make_spec(card)) == Cost.FINETUNED
