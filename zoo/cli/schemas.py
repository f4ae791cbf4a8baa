"""JSON Schemas of the YAML files, for editors: names, types, enums and ranges as pydantic knows them.

Rules between fields are for the loader alone, which explains them better.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from benchmark.evidence.diagnosis.causes import FINDINGS
from benchmark.evidence.metrics.definitions import METRICS
from benchmark.evidence.thresholds.rules import rule_names
from benchmark.runs.protocol import Protocol
from reports.claims.model import Claims
from reports.claims.statement import PRINTED_METRICS
from search_spaces.space import SearchSpace
from zoo.config.metric_names import ALIASES
from zoo.models.card import ModelCard
from zoo.models.registry import builder_names, get_builder

Schema = dict[str, Any]
_NEVER_INHERITED = ("PublishedFigure", "Source")


def card() -> Schema:
    """The schema of cards. Builders are those built in and those of the plug-ins that can be loaded."""
    schema = _document(ModelCard, "A model card of zoo")
    definitions = schema["$defs"]
    # A card that extends another states only what it changes.
    for name, definition in definitions.items():
        if name not in _NEVER_INHERITED:
            definition.pop("required", None)
    schema |= {"if": {"required": ["extends"]}, "else": {"required": schema.pop("required")}}
    for name in builder_names():
        builder = get_builder(name)
        parameters = builder.parameters.model_json_schema()
        definitions |= parameters.pop("$defs", {})
        parameters.pop("required", None)
        parameters.setdefault("properties", {})["builder"] = {"const": name, "description": builder.summary}
        definitions[name] = _described(parameters)
    references = {name: {"$ref": f"#/$defs/{name}"} for name in builder_names()}
    named = [{"if": {"properties": {"builder": {"const": name}}}, "then": ref} for name, ref in references.items()]
    definitions["ModelSpec"] |= {
        "properties": {"builder": {"enum": list(references), "description": "A registered builder."}},
        "if": {"required": ["builder"]},
        "then": {"allOf": named},
        "else": {"anyOf": list(references.values())},
    }
    return schema


def protocol() -> Schema:
    """The schema of protocols."""
    schema = _document(Protocol, "A protocol of zoo")
    rule = schema["$defs"]["ThresholdRule"]["properties"]
    rule["rule"]["enum"] = list(rule_names())
    rule["value"]["type"] = ["number", "null"]
    return schema


def space() -> Schema:
    """The schema of search spaces."""
    schema = _document(SearchSpace, "A search space of zoo")
    directed = [name for name, metric in METRICS.items() if metric.direction != "none"]
    aliases = [alias for alias, name in ALIASES.items() if name in directed]
    schema["properties"]["objective"]["enum"] = [*directed, *aliases]
    schema["properties"]["parameters"]["propertyNames"] = {"pattern": r"^(model|recipe)\..+"}
    return schema


def claims() -> Schema:
    """The schema of claims. Names of cards and rows are for the loader: it knows the cards."""
    schema = _document(Claims, "A claims file of zoo")
    definitions = schema["$defs"]
    for definition in definitions.values():
        if "metric" in definition["properties"]:
            definition["properties"]["metric"]["enum"] = [*PRINTED_METRICS, *ALIASES]
    definitions["Diagnosis"]["properties"]["finding"]["items"] = {"enum": list(FINDINGS)}
    return schema


SCHEMAS: Mapping[str, Callable[[], Schema]] = {"card": card, "protocol": protocol, "space": space, "claims": claims}


def _document(model: type[BaseModel], title: str) -> Schema:
    """pydantic's schema of a file. Its `name` may be left out: the file's name takes its place."""
    schema = _described(model.model_json_schema())
    for definition in schema["$defs"].values():
        _described(definition)
    schema["required"].remove("name")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}


def _described(definition: Schema) -> Schema:
    """`definition` with descriptions for its properties: the sentences of the model's documentation that name them."""
    text = " ".join(definition.get("description", "").split())
    sentences = re.split(r"(?<=[.;])\s+(?=[A-Z`])", text)
    for name, value in definition.get("properties", {}).items():
        about = [sentence for sentence in sentences if re.search(rf"`{re.escape(name)}[`:]", sentence)]
        if about:
            value.setdefault("description", " ".join(about))
    return definition
