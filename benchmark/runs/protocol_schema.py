"""The JSON Schema of a protocol's file: threshold rules with the values they take."""

from __future__ import annotations

import math
from typing import Any

from benchmark.evidence.thresholds.rules import UNUSED, get_rule, rule_names
from benchmark.runs.protocol import Protocol, ThresholdRule
from zoo.config.json_schema import Schema, add_rules, definitions, document, restrict, when


def schema() -> Schema:
    """The document."""
    root, shared = definitions(Protocol)[Protocol]
    restrict(shared, root, "seeds", uniqueItems=True)
    add_rules(shared[root], when({"precision": {"const": "bfloat16"}}, {"properties": {"prefix": {"const": "auto"}}}))
    rule = "ThresholdRule"
    restrict(shared, rule, "rule", enum=list(rule_names()))
    restrict(shared, rule, "value", type=["number", "null"])
    usual = ThresholdRule().rule
    add_rules(shared[rule], *(when({"rule": {"const": name}}, _value(name)) for name in rule_names()))
    add_rules(shared[rule], {"if": {"not": {"required": ["rule"]}}, "then": _value(usual)})
    return document(root, shared, "A protocol of zoo")


def _value(rule: str) -> Schema:
    """What `value` may be beside this rule."""
    allowed = get_rule(rule).value
    if allowed is None:
        return {"properties": {"value": {"enum": [None, UNUSED]}}}
    bounds: dict[str, Any] = {"exclusiveMinimum" if allowed.open_low else "minimum": allowed.low}
    if math.isfinite(allowed.high):
        bounds["maximum"] = allowed.high
    if allowed.default is None:
        return {"properties": {"value": {"type": "number", **bounds}}, "required": ["value"]}
    return {"properties": {"value": bounds}}
