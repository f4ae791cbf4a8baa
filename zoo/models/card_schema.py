"""The JSON Schema of a card's file: builders with their parameters, and cards that `extends` another."""

from __future__ import annotations

from typing import Any

from zoo.config.json_schema import Schema, add_rules, definitions, document, loosened, reference, when
from zoo.config.metric_names import ALIASES
from zoo.models.card import SHARES, ModelCard
from zoo.models.registry import builder_names, get_builder

_CHANGED = "Changed"
_EXTENDS = {"properties": {"extends": {"type": "string"}}, "required": ["extends"]}


def schema() -> Schema:
    """The document. A card that extends another may leave out whatever it inherits; its `model` may name parameters
    alone. Builders are those built in and those of the plug-ins that can be loaded."""
    builders = {name: get_builder(name) for name in builder_names()}
    found = definitions(ModelCard, *(builder.parameters for builder in builders.values()))
    card, shared = found[ModelCard]
    add_card_rules(shared)
    parameters = {name: found[builder.parameters][0] for name, builder in builders.items()}
    add_rules(
        shared[card],
        *(_unfrozen_needs_finetune(name, b.unfreeze.parameter) for name, b in builders.items() if b.unfreeze),
    )
    for name, definition in parameters.items():
        shared[definition]["properties"] = {
            "builder": {"const": name, "description": builders[name].summary},
            **shared[definition]["properties"],
        }
    shared["ModelSpec"] = _model(shared["ModelSpec"], parameters, required=True)
    changed = loosened(card, shared, _CHANGED)
    opened = {name: loosened(definition, shared, _CHANGED) for name, definition in parameters.items()}
    shared[f"ModelSpec{_CHANGED}"] = _model(shared["ModelSpec"], opened, required=False)
    for kept in ("source", "published"):  # never inherited
        shared[changed]["properties"][kept] = shared[card]["properties"][kept]
    shared[card]["required"] = [name for name in shared[card]["required"] if name != "name"]
    shared[changed] |= {"if": _EXTENDS, "else": reference(card)}
    return document(changed, shared, "A model card of zoo")


def add_card_rules(shared: dict[str, Schema]) -> None:
    """What the models of cards check between fields, for definitions that hold Loss and PublishedFigure."""
    focal = {"alpha": {"type": "number"}, "gamma": {"type": "number"}}
    is_focal = when({"name": {"const": "binary_focal_crossentropy"}}, {"properties": focal, "required": list(focal)})
    add_rules(shared["Loss"], {**is_focal, "else": {"properties": {name: {"type": "null"} for name in focal}}})
    share = {"minimum": 0, "maximum": 1}
    others = [name for name, metric in ALIASES.items() if metric in SHARES]
    add_rules(
        shared["PublishedFigure"],
        when({"metric": {"enum": [*sorted(SHARES), *others]}}, {"properties": {"value": share, "upper": share}}),
    )


def _unfrozen_needs_finetune(builder: str, parameter: str) -> Schema:
    unfrozen = {"builder": {"const": builder}, parameter: {"exclusiveMinimum": 0}}
    return when(
        {"model": {"properties": unfrozen, "required": list(unfrozen)}},
        {"properties": {"recipe": {"properties": {"finetune": {"type": "object"}}, "required": ["finetune"]}}},
    )


def _model(spec: Schema, parameters: dict[str, str], *, required: bool) -> Schema:
    """A `model:` section whose keys are its builder's parameters, or those of one builder where none is named."""
    by_builder = [when({"builder": {"const": name}}, reference(found)) for name, found in parameters.items()]
    builder: dict[str, Any] = {"description": "A registered builder.", "enum": list(parameters)}
    model: Schema = {
        "type": "object",
        "title": spec["title"],
        "description": spec["description"],
        "properties": {"builder": builder},
        "allOf": by_builder,
    }
    if required:
        return {**model, "required": ["builder"]}
    any_of = {"anyOf": [reference(found) for found in parameters.values()]}
    return {**model, "if": {"required": ["builder"]}, "else": any_of}
