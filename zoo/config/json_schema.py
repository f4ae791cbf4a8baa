"""JSON Schema documents of the YAML files, for editors: pydantic's, fitted to what the loader accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]
_REFERENCE = "#/$defs/"


def definitions(*models: type[BaseModel]) -> dict[type[BaseModel], tuple[str, dict[str, Schema]]]:
    """For each model the name of its definition and the definitions it needs, shared by all `models`.

    A property without a description of its own has the sentences of its model's documentation that name it.
    """
    named, document = models_json_schema([(model, "validation") for model in models])
    shared = document["$defs"]
    for definition in shared.values():
        _describe(definition)
    return {model: (_name(named[model, "validation"]["$ref"]), shared) for model in models}


def document(root: str, shared: dict[str, Schema], title: str) -> Schema:
    """The document of the definition `root`. A file's `name` may be left out: the file is called so."""
    body = deepcopy(shared[root])
    body["required"] = [name for name in body.get("required", ()) if name != "name"]
    rest = {name: definition for name, definition in shared.items() if name != root}
    whole = {"$schema": DIALECT, **body, "title": title}
    return {**whole, "$defs": {name: rest[name] for name in sorted(_reached(whole, rest))}}


def reference(name: str) -> Schema:
    """A reference to the definition `name`."""
    return {"$ref": _REFERENCE + name}


def when(conditions: Mapping[str, Schema], then: Schema) -> Schema:
    """`then` holds for an object whose properties are there and meet `conditions`."""
    return {"if": {"properties": dict(conditions), "required": list(conditions)}, "then": then}


def add_rules(definition: Schema, *rules: Schema) -> None:
    """Further rules that an object of `definition` keeps to."""
    definition.setdefault("allOf", []).extend(rules)


def restrict(shared: Mapping[str, Schema], definition: str, name: str, **rule: Any) -> None:
    """Further keywords for a property of a definition."""
    shared[definition]["properties"][name].update(rule)


def without_null(definition: Schema) -> None:
    """The definition's properties may be left out, but not be null."""
    for name, value in definition["properties"].items():
        kinds = [kind for kind in value.get("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) == 1:
            rest = {key: told for key, told in value.items() if key not in ("anyOf", "default")}
            definition["properties"][name] = {**kinds[0], **rest}


def loosened(name: str, shared: dict[str, Schema], suffix: str) -> str:
    """The name of a definition, added to `shared`, that is `name` with nothing required, and so in all mappings below.

    Lists are replaced as a whole where files are merged, so what they hold stays as strict as it was.
    """
    new = name + suffix
    if new not in shared:
        shared[new] = {}
        shared[new] |= _open(deepcopy(shared[name]), shared, suffix)
        shared[new].pop("required", None)
    return new


def _open(schema: Any, shared: dict[str, Schema], suffix: str) -> Any:
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {**schema, **reference(loosened(_name(schema["$ref"]), shared, suffix))}
    opened = dict(schema)
    if "anyOf" in opened:
        opened["anyOf"] = [_open(kind, shared, suffix) for kind in opened["anyOf"]]
    if "properties" in opened:
        opened["properties"] = {key: _open(value, shared, suffix) for key, value in opened["properties"].items()}
    opened.pop("allOf", None)  # a rule between two fields may be kept by what is inherited
    return opened


def _describe(definition: Schema) -> None:
    told = " ".join(definition.get("description", "").split())
    sentences = re.split(r"(?<=[.;])\s+(?=[A-Z`])", told)
    for name, value in definition.get("properties", {}).items():
        value.pop("title", None)  # it is the name again
        own = [sentence for sentence in sentences if re.search(rf"`{re.escape(name)}[`:]", sentence)]
        if "description" not in value and own:
            value["description"] = " ".join(own)
    if told:
        definition["description"] = told


def _reached(schema: Any, shared: Mapping[str, Schema]) -> set[str]:
    found: set[str] = set()
    waiting = list(_references(schema))
    while waiting:
        name = waiting.pop()
        if name not in found and name in shared:
            found.add(name)
            waiting += _references(shared[name])
    return found


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield _name(schema["$ref"])
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _references(part)


def _name(reference: str) -> str:
    return reference.removeprefix(_REFERENCE)
