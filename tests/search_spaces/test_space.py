"""Search spaces are strict data, and values make cards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.evidence.metrics.multiclass import multiclass_metrics
from search_spaces.space import (
    SearchSpace,
    check_paths,
    fitting_space,
    load_space,
    trial_card,
    winner_yaml,
    with_overrides,
)
from tests.support import tiny
from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import validate, write_yaml
from zoo.models.catalog import load_cards

CARDS = load_cards()
RATE = "recipe.finetune.learning_rate"


def lines_of(**changes: Any) -> list[str]:
    data = {
        "name": "mine",
        "title": "Mine",
        "parameters": {"model.dropout": {"kind": "float", "low": 0.1, "high": 0.5}},
    }
    with pytest.raises(ConfigError) as caught:
        validate(SearchSpace, data | changes, "mine.yaml")
    return list(caught.value.lines)


@pytest.mark.parametrize("name", ["application", "vgg16_finetune", "vgg16_head", "scratch_cnn"])
def test_the_built_in_spaces_load(name: str) -> None:
    assert load_space(name).name == name


@pytest.mark.parametrize(
    ("card", "space"),
    [
        ("attempt-7", "vgg16_finetune"),
        ("attempt-6b", "vgg16_head"),
        ("attempt-1", "scratch_cnn"),
        ("squeezenet-finetuned", "application"),
        ("densenet121-finetuned", "application"),
    ],
)
def test_the_first_space_that_fits_is_taken(card: str, space: str) -> None:
    assert fitting_space(CARDS[card]).name == space


def test_every_built_in_space_makes_cards_at_its_corners() -> None:
    for card, name in (
        ("attempt-7", "vgg16_finetune"),
        ("attempt-6b", "vgg16_head"),
        ("attempt-1", "scratch_cnn"),
        ("efficientnet-lite0-finetuned", "application"),
    ):
        for end in (0, -1):
            values = {
                path: parameter.options()[end] if parameter.options() else (parameter.low, parameter.high)[end]
                for path, parameter in load_space(name).parameters.items()
            }
            made = trial_card(CARDS[card], values)
            assert made.identity() != CARDS[card].identity()
            assert made.published == ()


def test_an_unknown_space_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean vgg16_head"):
        load_space("vgg16_hed")


def test_a_path_that_the_card_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"recipe\.finetune\.learning_rate: card attempt-6b has no such parameter"):
        check_paths(CARDS["attempt-6b"], load_space("vgg16_finetune"))


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ({"kind": "float"}, "float needs low and high"),
        ({"kind": "float", "low": 1.0, "high": 0.5}, "low must be below high"),
        ({"kind": "float", "low": 0.0, "high": 0.5, "scale": "log"}, "a log scale needs low above 0"),
        ({"kind": "int", "low": 0.5, "high": 3.0}, "whole numbers"),
        ({"kind": "choice"}, "choice needs values"),
        ({"kind": "boolean", "values": [1]}, "boolean takes no values"),
        ({"kind": "choice", "values": [1], "low": 0.0}, "choice takes no low or high"),
        (
            {"kind": "float", "low": 1e-4, "high": 0.1, "step": 0.001, "scale": "log"},
            "parameters.model.dropout.step: on a log scale a step is a factor above 1, such as 2; it is 0.001",
        ),
        (
            {"kind": "int", "low": 1, "high": 10, "step": 1, "scale": "log"},
            "parameters.model.dropout.step: on a log scale a step is a factor above 1, such as 2; it is 1",
        ),
        ({"kind": "int", "low": 1, "high": 10**10}, "model.dropout.high: input should be less than or equal to"),
        ({"kind": "choice", "values": [0.1] * 1001}, "at most 1000 items"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(parameter: dict[str, Any], says: str) -> None:
    [line] = lines_of(parameters={"model.dropout": parameter})
    assert says in line


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"objective": "aux"}, "Did you mean auc"),
        ({"objective": "sensitvity"}, "Did you mean sensitivity"),
        ({"objective": "tp"}, "unknown metric 'true_positives'"),
        ({"seed": 2**32}, "seed"),
        ({"executions": 200_000}, "executions"),
        ({"budget": {"trials": 10**9}}, "budget.trials"),
        (
            {"tuner": "grid", "parameters": {"model.l2": {"kind": "float", "low": 0, "high": 1, "step": 1e-9}}},
            "values, more than 10000",
        ),
        ({"tuner": "genetic"}, "tuner"),
        ({"seed": -1}, "seed"),
        ({"parameters": {}}, "parameters"),
        ({"parameters": {"dropout": {"kind": "boolean"}}}, "must be a path in the card"),
        ({"parameters": {"model.l2": {"kind": "boolean", "when": {"model.pooling": ["max"]}}}}, "listed above it"),
        ({"budget": {"trails": 3}}, "Did you mean trials"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(changes: dict[str, Any], says: str) -> None:
    assert any(says in line for line in lines_of(**changes))


@pytest.mark.parametrize(
    ("values", "right"), [([16], False), ([8], True), ([64], True), ([8, 64], True), ([8, 16], False), ([], True)]
)
def test_on_a_log_scale_a_condition_names_what_multiplying_gives(values: list[int], right: bool) -> None:
    parameters = {
        "recipe.batch_size": {"kind": "int", "low": 8, "high": 64, "step": 8, "scale": "log"},
        "model.dropout": {"kind": "float", "low": 0.1, "high": 0.5, "when": {"recipe.batch_size": values}},
    }
    if right:
        space = validate(SearchSpace, {"name": "mine", "title": "Mine", "parameters": parameters}, "mine.yaml")
        assert list(space.parameters["recipe.batch_size"].options()) == [8, 64]
    else:
        [line] = lines_of(parameters=parameters)
        assert f"parameters.model.dropout.when.recipe.batch_size: {values} are not among its [8, 64]" in line


def test_of_many_values_the_first_and_the_last_are_named() -> None:
    parameters = {
        "recipe.batch_size": {"kind": "int", "low": 1, "high": 10**9},
        "model.dropout": {"kind": "float", "low": 0.1, "high": 0.5, "when": {"recipe.batch_size": [0]}},
    }
    [line] = lines_of(parameters=parameters)
    assert "[0] are not among its [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ..., 1000000000]" in line


@pytest.mark.parametrize(
    ("said", "meant"), [("sensitivity", "recall"), ("roc_auc", "auc"), ("f1_score", "f1"), ("brier_score", "brier")]
)
def test_an_objective_may_bear_another_name_of_the_field(said: str, meant: str) -> None:
    data = {
        "name": "mine",
        "title": "Mine",
        "objective": said,
        "parameters": {"model.dropout": {"kind": "float", "low": 0.1, "high": 0.5}},
    }
    assert validate(SearchSpace, data, "mine.yaml").objective == meant


def test_the_direction_is_the_metrics_own() -> None:
    space = load_space("vgg16_head")
    assert space.direction == "higher"
    assert space.model_copy(update={"objective": "log_loss"}).direction == "lower"


def test_what_the_caller_declares_stands_for_the_spaces_own() -> None:
    changed = with_overrides(load_space("vgg16_finetune"), tuner="grid", trials=3, executions=2)
    assert (changed.tuner, changed.budget.trials, changed.executions) == ("grid", 3, 2)
    assert with_overrides(load_space("vgg16_finetune")) == load_space("vgg16_finetune")
    with pytest.raises(ConfigError, match="Did you mean random"):
        with_overrides(load_space("vgg16_finetune"), tuner="randm")


def test_no_layer_to_unfreeze_is_a_card_too() -> None:
    made = trial_card(CARDS["attempt-7"], {"model.unfreeze_layers": 0, RATE: 1e-4})
    assert made.model.params["unfreeze_layers"] == 0
    assert made.recipe.finetune is not None


@pytest.mark.parametrize(
    ("card", "parameters", "layers"),
    [
        ("attempt-7", {"model.unfreeze_layers": {"kind": "int", "low": 0, "high": 4}}, (0, 1, 2, 3, 4)),
        ("attempt-7", {"model.dense_units": {"kind": "int", "low": 8, "high": 16}}, ()),
        ("attempt-1", {"model.unfreeze_layers": {"kind": "int", "low": 0, "high": 4}}, ()),
    ],
)
def test_a_space_says_how_many_layers_its_trials_may_unfreeze(
    card: str, parameters: dict[str, Any], layers: tuple[int, ...]
) -> None:
    space = validate(SearchSpace, {"name": "mine", "title": "Mine", "parameters": parameters}, "mine.yaml")
    assert space.unfrozen(CARDS[card]) == layers


def test_values_that_make_no_card_are_told() -> None:
    with pytest.raises(ConfigError, match=r": model\.unfreeze_layers needs recipe\.finetune"):
        trial_card(CARDS["attempt-6b"], {"model.unfreeze_layers": 2})
    with pytest.raises(ConfigError, match="dropout"):
        trial_card(CARDS["attempt-7"], {"model.dropout": 2.0})


def test_the_winning_card_extends_the_tuned_one_and_means_the_trial(tmp_path: Path) -> None:
    values = {"model.unfreeze_layers": 3, RATE: 1e-4}
    made = winner_yaml(CARDS["attempt-7"], values, space="s", objective="val auc .9", epochs=4)
    (tmp_path / "tuned.yaml").write_text(write_yaml(made), encoding="utf-8")
    card = load_cards([tmp_path])["tuned"]
    trial = trial_card(CARDS["attempt-7"], values)
    assert card.extends == "attempt-7"
    assert card.model == trial.model
    assert card.recipe.finetune is not None
    assert (card.recipe.epochs, card.recipe.finetune.epochs, card.recipe.finetune.learning_rate) == (4, 4, 1e-4)
    assert made.keys() == {"extends", "title", "change", "assumptions", "model", "recipe"}


THREE = ("NORMAL", "bacteria", "virus")


def space_for(objective: str) -> SearchSpace:
    parameters = {"model.dropout": {"kind": "float", "low": 0.1, "high": 0.5}}
    data = {"name": "mine", "title": "Mine", "objective": objective, "parameters": parameters}
    return validate(SearchSpace, data, "mine.yaml")


@pytest.mark.parametrize(
    ("objective", "key", "direction"),
    [
        ("auc", "auc:macro", "higher"),
        ("recall", "recall:macro", "higher"),
        ("recall:class:virus", "recall:class:virus", "higher"),
        ("f1:weighted", "f1:weighted", "higher"),
        ("balanced_accuracy", "balanced_accuracy", "higher"),
        ("kappa", "kappa", "higher"),
        ("log_loss", "log_loss", "lower"),
        ("brier", "brier", "lower"),
    ],
)
def test_an_objective_of_several_classes_is_a_figure_of_their_runs(objective: str, key: str, direction: str) -> None:
    space = space_for(objective).for_classes(THREE)
    assert (space.objective, space.direction) == (key, direction)
    assert space.for_classes(THREE) == space
    assert key in multiclass_metrics(THREE)


@pytest.mark.parametrize("objective", ["auc", "recall", "balanced_accuracy", "log_loss"])
def test_an_objective_of_two_classes_stays_as_it_is(objective: str) -> None:
    space = space_for(objective)
    assert space.for_classes(("NORMAL", "PNEUMONIA")) is space


@pytest.mark.parametrize(
    ("objective", "classes", "problem"),
    [
        ("auc:macro", ("A", "B"), "auc:macro is for three or more classes; for A and B use auc"),
        ("kappa", ("A", "B"), "kappa is for three or more classes; for A and B use auc"),
        ("recall:class:viris", THREE, "unknown class 'viris'. Did you mean virus?"),
    ],
)
def test_an_objective_for_other_classes_is_refused(objective: str, classes: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        space_for(objective).for_classes(classes)
    assert problem in str(caught.value)
    assert str(caught.value).startswith("space mine: objective: ")


@pytest.mark.parametrize(("warmup", "expected"), [(6, 0.5), (3, None), (0.2, None)])
def test_a_warm_up_longer_than_the_capped_epochs_takes_half_of_them(warmup: float, expected: float | None) -> None:
    base = tiny.card(epochs=10, warmup=warmup)
    made = winner_yaml(base, {"recipe.batch_size": 8}, space="s", objective="val auc .9", epochs=4)
    assert made["recipe"].get("warmup") == expected
    assert made["recipe"]["epochs"] == 4
