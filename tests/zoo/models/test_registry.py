"""The registry of builders: a decorator whose signature is the schema, a lookup, a list."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, PositiveInt

from zoo import load_cards
from zoo.config.errors import ConfigError
from zoo.models import registry
from zoo.models.registry import (
    PretrainedWeights,
    Unfreeze,
    build,
    builder_names,
    complete_params,
    find_weights,
    get_builder,
    outputs_for,
    register_builder,
    supports_classes,
)

ROOT = Path(__file__).resolve().parents[3]
Shape = tuple[int, int, int]


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    builder_names()
    monkeypatch.setattr(registry, "_BUILDERS", dict(registry._BUILDERS))


def toy(
    input_shape: Shape,
    *,
    width: PositiveInt,
    depth: Annotated[int, Field(ge=1, le=9)] = 2,
    sizes: tuple[int, ...] = (3, 5),
    kind: Literal["flat", "tall"] = "flat",
    rate: float | None = None,
) -> Any:
    """Makes a toy.

    It is only a record of how it was called.
    """
    return {"shape": input_shape, "width": width, "depth": depth, "sizes": sizes, "kind": kind, "rate": rate}


def test_the_built_in_families_are_registered() -> None:
    assert {"scratch_cnn", "vgg16"} <= set(builder_names())
    assert list(builder_names()) == sorted(builder_names())


@pytest.mark.parametrize("name", builder_names())
def test_every_builder_explains_itself_in_a_line(name: str) -> None:
    builder = get_builder(name)
    assert builder.name == name
    assert builder.summary.endswith(".")
    assert "\n" not in builder.summary


def test_every_card_names_a_registered_builder() -> None:
    assert {card.model.builder for card in load_cards().values()} <= set(builder_names())


def test_the_decorator_returns_the_function_and_registers_it() -> None:
    assert register_builder("toy")(toy) is toy
    assert "toy" in builder_names()
    assert get_builder("toy").function is toy
    assert get_builder("toy").summary == "Makes a toy."


def test_a_builder_without_documentation_has_an_empty_summary() -> None:
    @register_builder("mute")
    def mute(input_shape: Shape) -> None: ...

    assert get_builder("mute").summary == ""


def test_a_name_taken_by_another_function_is_refused() -> None:
    def other(input_shape: Shape) -> None: ...

    register_builder("toy")(toy)
    with pytest.raises(ValueError, match=f"'toy' is already registered by {__name__}"):
        register_builder("toy")(other)
    assert get_builder("toy").function is toy


def test_the_same_function_may_be_registered_again() -> None:
    register_builder("toy", minimum_size=3)(toy)
    register_builder("toy", minimum_size=4)(toy)
    assert get_builder("toy").minimum_size({}) == 4


def test_a_parameter_must_be_keyword_only() -> None:
    def loose(input_shape: Shape, width: int = 3) -> None: ...

    with pytest.raises(ValueError, match="'loose': parameter 'width' must be keyword-only"):
        register_builder("loose")(loose)
    assert "loose" not in builder_names()


def test_open_ended_parameters_are_refused() -> None:
    def open_ended(input_shape: Shape, **anything: int) -> None: ...

    with pytest.raises(ValueError, match="parameter 'anything' must be keyword-only"):
        register_builder("open_ended")(open_ended)


def test_the_signature_is_the_schema() -> None:
    register_builder("toy")(toy)
    schema = get_builder("toy").parameters.model_json_schema()
    assert set(schema["properties"]) == {"width", "depth", "sizes", "kind", "rate"}
    assert schema["required"] == ["width"]
    assert schema["properties"]["depth"]["maximum"] == 9
    assert schema["properties"]["kind"]["enum"] == ["flat", "tall"]
    assert schema["additionalProperties"] is False


def test_defaults_are_filled_in_as_plain_json() -> None:
    register_builder("toy")(toy)
    assert complete_params("toy", {"width": 4}, "here") == {
        "width": 4,
        "depth": 2,
        "sizes": [3, 5],
        "kind": "flat",
        "rate": None,
    }


def test_completing_twice_changes_nothing() -> None:
    register_builder("toy")(toy)
    once = complete_params("toy", {"width": 4, "sizes": [1], "rate": 0.5}, "here")
    assert complete_params("toy", once, "here") == once


def test_every_wrong_parameter_is_told_at_once() -> None:
    register_builder("toy")(toy)
    with pytest.raises(ConfigError) as caught:
        complete_params("toy", {"depth": 10, "sizes": [1, "x"], "kind": "wide", "rat": 1.0}, "here")
    problems = dict(line.removeprefix("here: ").split(": ", 1) for line in caught.value.lines)
    assert set(problems) == {"width", "depth", "sizes.1", "kind", "rat"}
    assert problems["width"] == "field required"
    assert problems["rat"] == "unknown key. Did you mean rate?"


@pytest.mark.parametrize("ask", [get_builder, lambda name: complete_params(name, {}, "x")])
def test_an_unknown_builder_is_answered_with_the_nearest_one(ask: Any) -> None:
    with pytest.raises(ConfigError, match=r"nknown builder 'vgg61'\. Did you mean vgg16\?"):
        ask("vgg61")
    with pytest.raises(ConfigError, match=r"Known: .*\. The package that provides 'edgenet' may not be installed\.$"):
        ask("edgenet")


def test_a_builder_is_called_with_the_shape_and_every_parameter() -> None:
    register_builder("toy")(toy)
    assert build("toy", {"width": 4, "sizes": [1, 2]}, (8, 9, 3)) == {
        "shape": (8, 9, 3),
        "width": 4,
        "depth": 2,
        "sizes": (1, 2),
        "kind": "flat",
        "rate": None,
    }


def test_building_with_wrong_parameters_is_a_configuration_error() -> None:
    register_builder("toy")(toy)
    with pytest.raises(ConfigError, match="toy: width: input should be greater than 0"):
        build("toy", {"width": 0}, (8, 8, 3))


@pytest.mark.parametrize("shape", [(6, 6, 3), (6, 50, 3), (50, 6, 3)])
def test_an_image_too_small_is_a_configuration_error_that_says_what_is_needed(shape: Shape) -> None:
    register_builder("toy", minimum_size=7)(toy)
    with pytest.raises(ConfigError, match=rf"toy: images of {shape[0]} x {shape[1]} px are too small.* 7 px"):
        build("toy", {"width": 1}, shape)
    assert build("toy", {"width": 1}, (7, 7, 3))["shape"] == (7, 7, 3)


def test_the_smallest_image_may_depend_on_the_parameters() -> None:
    register_builder("toy", minimum_size=lambda params: 10 * params["depth"])(toy)
    assert build("toy", {"width": 1, "depth": 1}, (10, 10, 3))
    with pytest.raises(ConfigError, match="at least 20 px"):
        build("toy", {"width": 1}, (19, 19, 3))


def test_a_builder_without_a_base_has_nothing_to_unfreeze() -> None:
    register_builder("toy")(toy)
    assert get_builder("toy").unfreeze is None
    assert get_builder("scratch_cnn").unfreeze is None
    assert get_builder("vgg16").unfreeze is not None


def test_the_number_of_unfrozen_layers_is_the_parameter_that_unfreeze_names() -> None:
    register_builder("toy", unfreeze=Unfreeze("depth", lambda model, layers: None))(toy)
    assert get_builder("toy").unfrozen({"width": 1, "depth": 5}) == 5
    assert get_builder("toy").unfrozen({"width": 1}) == 2
    assert get_builder("scratch_cnn").unfrozen({"unfreeze_layers": 3}) == 0


def test_a_bare_function_as_unfreeze_is_refused_at_registration() -> None:
    with pytest.raises(
        ValueError, match=r"'toy': unfreeze is <function .*; give zoo\.Unfreeze\(\"parameter\", function\)"
    ):
        register_builder("toy", unfreeze=lambda model, layers: None)(toy)  # type: ignore[arg-type]


def test_a_parameter_that_unfreeze_names_must_exist() -> None:
    with pytest.raises(ValueError, match="'toy': unfreeze names 'layers', which is none of its parameters"):
        register_builder("toy", unfreeze=Unfreeze("layers", lambda model, layers: None))(toy)


def weights_of(params: Any) -> PretrainedWeights | None:
    def find() -> str:
        raise KeyError("gone")

    weights = PretrainedWeights("tall", lambda: "a shelf", lambda: "0" * 64)
    return {"flat": None, "tall": weights}[params["kind"]] if params["depth"] < 9 else PretrainedWeights("", find, find)


def test_weights_may_depend_on_every_parameter_and_on_defaults() -> None:
    register_builder("toy", pretrained=weights_of)(toy)
    assert find_weights("toy", {"width": 1}) is None
    assert find_weights("toy", {"width": 1, "kind": "tall"}) == "a shelf"
    assert find_weights("scratch_cnn", {}) is None


@pytest.mark.parametrize("params", [{"kind": "odd"}, {"depth": 9}])
def test_a_search_for_weights_that_fails_is_a_line(params: dict[str, Any]) -> None:
    register_builder("toy", pretrained=weights_of)(toy)
    with pytest.raises(
        ConfigError, match=r"^builder toy: its search for pretrained weights fails: KeyError: .*package$"
    ):
        find_weights("toy", params)


def test_looking_builders_and_cards_up_loads_no_keras() -> None:
    code = (
        "import sys, zoo.models.registry, zoo.models.catalog\n"
        "names, cards = zoo.models.registry.builder_names(), zoo.models.catalog.load_cards()\n"
        "print(len(names) >= 2, len(cards) >= 14, sorted({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)))"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=env, check=True)
    assert done.stdout.strip() == "True True []"


def test_two_classes_have_one_output_and_more_have_one_each() -> None:
    assert [outputs_for(classes) for classes in (2, 3, 10)] == [1, 3, 10]


def test_a_builder_whose_second_parameter_is_outputs_builds_for_any_number_of_classes() -> None:
    @register_builder("open")
    def any_number(input_shape: Shape, outputs: int, *, width: int = 3) -> Any:
        return input_shape, outputs, width

    assert supports_classes("open", 2)
    assert supports_classes("open", 7)
    assert set(get_builder("open").parameters.model_fields) == {"width"}
    assert build("open", {}, (8, 8, 3)) == ((8, 8, 3), 1, 3)
    assert build("open", {"width": 4}, (8, 8, 3), outputs=7) == ((8, 8, 3), 7, 4)


def test_a_builder_without_outputs_builds_for_two_classes_alone() -> None:
    register_builder("toy")(toy)
    assert supports_classes("toy", 2)
    assert not supports_classes("toy", 3)
    with pytest.raises(
        ConfigError, match=r"^builder toy: makes one probability, for two classes, .* have 3 classes; a"
    ):
        build("toy", {"width": 1}, (8, 8, 3), outputs=3)


def test_outputs_may_be_a_parameter_of_a_network_like_any_other() -> None:
    @register_builder("named")
    def named(input_shape: Shape, *, outputs: int = 5) -> Any:
        return outputs

    assert not supports_classes("named", 3)
    assert build("named", {"outputs": 6}, (8, 8, 3)) == 6


@pytest.mark.parametrize("name", ["scratch_cnn", "vgg16"])
def test_the_built_in_builders_build_for_any_number_of_classes(name: str) -> None:
    assert supports_classes(name, 10)
    assert "outputs" not in get_builder(name).parameters.model_fields
