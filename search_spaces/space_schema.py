"""The JSON Schema of a search space's file: what a parameter of each kind needs."""

from __future__ import annotations

from benchmark.evidence.metrics.definitions import METRICS
from search_spaces.space import SearchSpace
from zoo.config.json_schema import Schema, add_rules, definitions, document, restrict, when
from zoo.config.metric_names import ALIASES

_ABSENT: Schema = {"type": "null"}


def schema() -> Schema:
    """The document."""
    root, shared = definitions(SearchSpace)[SearchSpace]
    directed = [name for name, metric in METRICS.items() if metric.direction != "none"]
    others = [name for name, metric in ALIASES.items() if metric in directed]
    restrict(shared, root, "objective", enum=[*directed, *others])
    restrict(shared, root, "parameters", propertyNames={"pattern": r"^(model|recipe)\..+"})
    restrict(shared, "Parameter", "when", maxProperties=1)
    number, whole = {"type": "number"}, {"type": ["number", "null"], "multipleOf": 1}
    no_bounds: Schema = {"low": _ABSENT, "high": _ABSENT}
    ranged = {"properties": {"low": number, "high": number, "values": {"maxItems": 0}}, "required": ["low", "high"]}
    add_rules(
        shared["Parameter"],
        when({"kind": {"enum": ["float", "int"]}}, ranged),
        when({"kind": {"const": "int"}}, {"properties": dict.fromkeys(("low", "high", "step"), whole)}),
        when(
            {"kind": {"const": "choice"}},
            {"properties": {**no_bounds, "values": {"type": "array", "minItems": 1}}, "required": ["values"]},
        ),
        when({"kind": {"const": "boolean"}}, {"properties": {**no_bounds, "values": {"maxItems": 0}}}),
        when(
            {"scale": {"const": "log"}},
            {"properties": {"low": {"exclusiveMinimum": 0}, "step": {"exclusiveMinimum": 1}}, "required": ["low"]},
        ),
    )
    return document(root, shared, "A search space of zoo")
