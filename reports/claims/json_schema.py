"""The JSON Schema of a claims file: known metrics and findings, one form a statement."""

from __future__ import annotations

from benchmark.evidence.diagnosis.causes import FINDINGS
from reports.claims.model import Claims
from reports.claims.statement import PRINTED_METRICS
from zoo.config.json_schema import Schema, add_rules, definitions, document, restrict, without_null
from zoo.config.metric_names import ALIASES
from zoo.models.card_schema import add_card_rules

_OF_METRICS = ("PublishedFigure", "Better", "NoBetter", "Alike", "AtLeast", "AtMost", "ThresholdMatters")


def schema() -> Schema:
    """The document. Names of cards and rows are the loader's to check: it knows the cards there are."""
    root, shared = definitions(Claims)[Claims]
    add_card_rules(shared)
    for definition in _OF_METRICS:
        restrict(shared, definition, "metric", enum=[*PRINTED_METRICS, *ALIASES])
    restrict(shared, "Diagnosis", "finding", minItems=1)
    shared["Diagnosis"]["properties"]["finding"]["items"] = {"enum": list(FINDINGS)}
    restrict(shared, root, "rows", minItems=1)
    restrict(shared, "Reading", "figures", minItems=1)
    figures = {"properties": {"figures": {"minItems": 1}}, "required": ["figures"]}
    add_rules(shared["Row"], {"anyOf": [{"properties": {"card": {"type": "string"}}, "required": ["card"]}, figures]})
    for form in ("Form", "Says"):
        without_null(shared[form])
        shared[form] |= {"minProperties": 1, "maxProperties": 1}
    for several in ("all", "any"):
        restrict(shared, "Says", several, minItems=2)
    return document(root, shared, "A claims file of zoo")
