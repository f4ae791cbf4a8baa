"""The directives `fields` and `parameters`: a file format, or a builder's part of a card, as a table.

Tables are read from pydantic models at build time. A field without a meaning fails the build.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.parsers.rst import directives
from pydantic import BaseModel
from sphinx.util.docutils import SphinxDirective

from zoo.config.strict import models_in
from zoo.models.registry import get_builder

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_LONG = 60
_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
_NAMED_BY_FILE = ("ModelCard", "Protocol", "SearchSpace", "Claims")
_FILE_NAME = "the file's name"


class FieldsDirective(SphinxDirective):
    """`{fields} package.module.Model`; `:also:` names models of the module whose fields are among these."""

    required_arguments = 1
    option_spec = {"also": directives.unchanged}  # noqa: RUF012 - as docutils declares it

    def run(self) -> list[nodes.Node]:
        """Return a table with one row per field, and a target for each model, to which other tables link."""
        self.env.note_reread()  # the program may have changed where the page has not
        model = load(self.arguments[0])
        also = [load(f"{model.__module__}.{name}") for name in self.options.get("also", "").split()]
        for other in also:
            if not set(other.model_fields) <= set(model.model_fields):
                raise self.error(f"{other.__name__} has fields that {model.__name__} lacks")
        try:
            lines = field_lines(model)
        except ValueError as error:
            raise self.error(str(error)) from error
        targets = [line for each in (model, *also) for line in (f"({label(each)})=", "")]
        return self.parse_text_to_nodes("\n".join([*targets, *lines]))


class ParametersDirective(SphinxDirective):
    """`{parameters} NAME`: what a card states beside `builder: NAME`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the builder's summary and a table with one row per parameter."""
        self.env.note_reread()
        builder = get_builder(self.arguments[0])
        try:
            rows = table(builder.schema(), {})
        except ValueError as error:
            raise self.error(f"builder {builder.name}: {error}") from error
        return self.parse_text_to_nodes("\n".join([builder.summary, "", *(rows if len(rows) > 2 else ())]))


def load(path: str) -> type[BaseModel]:
    """The model with a path such as `zoo.models.card.ModelCard`."""
    module, _, name = path.rpartition(".")
    model: type[BaseModel] = getattr(import_module(module), name)
    return model


def label(model: type[BaseModel]) -> str:
    """The name of the target at the table of `model`."""
    return re.sub(r"[._]+", "-", f"fields-{model.__module__}-{model.__name__}").lower()


def reachable(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield `model` and each model in its fields, at any depth, once."""
    models: dict[type[BaseModel], None] = {}
    waiting = [model]
    while waiting:
        each = waiting.pop(0)
        if each not in models:
            models[each] = None
            waiting += [inner for field in each.model_fields.values() for inner in models_in(field.annotation)]
    yield from models


def field_lines(model: type[BaseModel]) -> list[str]:
    """The table of the fields of `model`, as lines of Markdown.

    Args:
        model: The model of a file or of a part of one.

    Returns:
        The lines.

    Raises:
        ValueError: A field has no meaning.
    """
    schema = model.model_json_schema()
    links = {
        inner.__name__: f"[{_spaced(inner.__name__)}](#{label(inner)})"
        for field in model.model_fields.values()
        for inner in models_in(field.annotation)
    }
    if model.__name__ in _NAMED_BY_FILE:
        schema["properties"]["name"]["default"] = _FILE_NAME
        schema["required"].remove("name")
    return table(schema, links)


def table(schema: Mapping[str, Any], links: Mapping[str, str]) -> list[str]:
    """One row per property of a JSON Schema: name, accepted values, default, meaning.

    Args:
        schema: The schema of a mapping.
        links: What is written for each model in it, by the model's name.

    Returns:
        Lines of Markdown.

    Raises:
        ValueError: A property has no description.
    """
    lines = ["| field | takes | default | meaning |", "|---|---|---|---|"]
    required = schema.get("required", ())
    for name, facts in schema.get("properties", {}).items():
        if not facts.get("description"):
            raise ValueError(f"the field `{name}` has no meaning; give it a description")
        default = "required" if name in required else _default(facts.get("default"))
        lines.append(_row(f"`{name}`", _takes(facts, links), default, facts["description"]))
    others = schema.get("additionalProperties")
    if others:
        facts = others if isinstance(others, dict) else {}
        meaning = facts.get("description", "what `builder` takes")
        lines.append(_row("any other", _takes(facts, links), "", meaning))
    return lines


def _row(*cells: str) -> str:
    return f"| {' | '.join(' '.join(cell.replace('|', chr(92) + '|').split()) for cell in cells)} |"


def _default(value: Any) -> str:
    if value == _FILE_NAME:
        return _FILE_NAME
    if isinstance(value, dict) and value:
        return "the defaults of its fields"
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) < _LONG else "the defaults of its fields"


def _spaced(name: str) -> str:
    """`ThresholdRule` as "threshold rule"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _takes(facts: Mapping[str, Any], links: Mapping[str, str]) -> str:
    if "$ref" in facts:
        name = facts["$ref"].rsplit("/", 1)[-1]
        return links.get(name, name)
    if "anyOf" in facts or "allOf" in facts:
        return " or ".join(_takes(part, links) for part in facts.get("anyOf", facts.get("allOf", ())))
    if "const" in facts:
        return f"`{facts['const']}`"
    if "enum" in facts:
        return ", ".join(f"`{value}`" for value in facts["enum"])
    kind = facts.get("type", "anything")
    if kind == "array":
        inside = facts.get("items") or facts.get("prefixItems", [{}])[0]
        return f"list of {_takes(inside, links)}"
    if kind == "object":
        inside = facts.get("additionalProperties")
        return (
            f"mapping of names to {_takes(inside, links)}"
            if isinstance(inside, dict) and "$ref" in inside
            else "mapping"
        )
    if kind == "null":
        return "null"
    bounds = [
        f"{sign} {facts[key]}"
        for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
        if key in facts
    ]
    return " ".join([_WORDS.get(kind, kind), ", ".join(bounds)]).strip()


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("fields", FieldsDirective)
    app.add_directive("parameters", ParametersDirective)
    return {"parallel_read_safe": True}
