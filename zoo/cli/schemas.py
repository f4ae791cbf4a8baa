"""JSON Schemas of the YAML files and of the JSON report: names, types, enums and ranges from pydantic.

Only the loader checks rules between fields, because its messages explain them better.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter

from benchmark.data.sources.declared import ClassOrder
from benchmark.evidence.diagnosis.diagnoses import FINDINGS
from benchmark.evidence.metrics.keys import AVERAGES
from benchmark.evidence.metrics.multiclass import class_metrics, is_of_classes, multiclass_metric_names
from benchmark.evidence.metrics.printed import printed_aliases
from benchmark.evidence.metrics.registry import aliases, measures
from benchmark.evidence.thresholds.rules import rule_names
from benchmark.runs.protocol import Protocol
from reports.claims.model import Claims
from reports.claims.statement import measured_metrics, printed_metrics
from reports.render.json import VERSION
from reports.summary.model import Summary
from reports.summary.text import TITLES
from search_spaces.space import SearchSpace
from zoo.models.card import ModelCard
from zoo.models.registry import builder_names, get_builder

Schema = dict[str, Any]
_NEVER_INHERITED = ("PublishedFigure", "Source")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def card() -> Schema:
    """The schema of cards, with the built-in builders and those of loadable plug-ins."""
    schema = _document(ModelCard, "A model card of zoo")
    definitions = schema["$defs"]
    definitions["PublishedFigure"]["properties"]["metric"]["examples"] = [*printed_metrics(), *_printed_names()]
    # A card that extends another states only what it changes.
    for name, definition in definitions.items():
        if name not in _NEVER_INHERITED:
            definition.pop("required", None)
    of_network = ["model", "recipe"]
    required = [name for name in schema.pop("required") if name not in of_network]
    network = {"if": {"required": ["ensemble"]}, "else": {"required": of_network}}
    schema |= {"if": {"required": ["extends"]}, "else": {"required": required, **network}}
    for name in builder_names():
        builder = get_builder(name)
        parameters = builder.schema()
        definitions |= parameters.pop("$defs", {})
        parameters.pop("required", None)
        parameters.setdefault("properties", {})["builder"] = {"const": name, "description": builder.summary}
        definitions[name] = parameters
    references = {name: {"$ref": f"#/$defs/{name}"} for name in builder_names()}
    named = [{"if": {"properties": {"builder": {"const": name}}}, "then": ref} for name, ref in references.items()]
    definitions["ModelSpec"] |= {
        "properties": {"builder": definitions["ModelSpec"]["properties"]["builder"] | {"enum": list(references)}},
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
    objectives = measures()
    of_all = [name for name in multiclass_metric_names() if not is_of_classes(name) and name not in objectives]
    one_of_them = f"^({'|'.join(map(re.escape, class_metrics()))}):({'|'.join(AVERAGES)}|class:.+)$"
    schema["properties"]["objective"]["anyOf"] = [
        {"enum": [*objectives, *of_all, *aliases(objectives)]},
        {"pattern": one_of_them, "description": "of three or more classes: recall:macro, recall:class:NORMAL"},
    ]
    schema["properties"]["parameters"]["propertyNames"] = {"pattern": r"^(model|recipe)\..+"}
    return schema


def claims() -> Schema:
    """The schema of claims. Only the loader, which knows the cards, checks names of cards and rows."""
    schema = _document(Claims, "A claims file of zoo")
    definitions = schema["$defs"]
    for name, definition in definitions.items():
        if "metric" in definition["properties"]:
            of_figure = name == "PublishedFigure"
            known = (*printed_metrics(), *_printed_names()) if of_figure else (*measured_metrics(), *aliases())
            definition["properties"]["metric"]["enum"] = list(known)
    definitions["Diagnosis"]["properties"]["finding"]["items"] = {"enum": list(FINDINGS)}
    return schema


def _printed_names() -> tuple[str, ...]:
    return (*aliases(), *printed_aliases())


def classes() -> Schema:
    """The schema of the classes.yaml of a data set. The loader takes whole numbers as names too."""
    schema = ClassOrder.model_json_schema()
    schema["properties"]["classes"] |= {"items": {"type": ["string", "integer"]}, "uniqueItems": True}
    return {"$schema": _DIALECT, **schema, "title": "The classes of a data set of zoo"}


SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    "card": card,
    "protocol": protocol,
    "space": space,
    "claims": claims,
    "classes": classes,
}


def report() -> Schema:
    """The schema of `report.json`: of its sections, the summary in full."""
    summary = TypeAdapter(Summary).json_schema(mode="serialization")
    definitions = summary.pop("$defs")
    texts = {"type": "array", "items": {"type": "string"}}
    summary["properties"] = {
        "text": {"type": "object", "propertyNames": {"enum": list(TITLES)}, "additionalProperties": texts},
        "words": {"type": "object", "additionalProperties": {"type": "string"}},
        **summary["properties"],
    }
    section = {
        "type": "object",
        "required": ["title", "summary", "cards", "runs"],
        "properties": {"title": {"type": "string"}, "summary": {"anyOf": [summary, {"type": "null"}]}},
    }
    curve = {"type": "object", "required": ["card", "metric", "points", "extrapolation", "answers"]}
    skipped = {"type": "object", "required": ["card", "reason"]}
    return {
        "$schema": _DIALECT,
        "title": "report.json of zoo",
        "type": "object",
        "required": ["version", "title", "sections", "skipped"],
        "properties": {
            "version": {"const": VERSION},
            "title": {"type": "string"},
            "sections": {"type": "array", "items": section},
            "skipped": {"type": "array", "items": skipped},
            "training_images": {"type": "array", "items": curve},
        },
        "$defs": definitions,
    }


WRITTEN: Mapping[str, Callable[[], Schema]] = {"report": report}
"""The schemas of documents that the program writes."""


def _document(model: type[BaseModel], title: str) -> Schema:
    """The schema of a file by pydantic, without `name` among the required keys: the file name replaces it."""
    schema = model.model_json_schema()
    schema["required"].remove("name")
    return {"$schema": _DIALECT, **schema, "title": title}
