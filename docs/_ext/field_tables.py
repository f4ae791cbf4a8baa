"""The directive `fields`: the fields of a file format as a table, read from its pydantic model at build time."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx


_LONG = 60
_WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false"}


class FieldsDirective(SphinxDirective):
    """`{fields} package.module.Model`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """One row per field: name, accepted values, default."""
        self.env.note_reread()  # the program may have changed where the page has not
        module, _, name = self.arguments[0].rpartition(".")
        schema = getattr(import_module(module), name).model_json_schema()
        required = schema.get("required", ())
        lines = ["| field | takes | default |", "|---|---|---|"]
        for field, facts in schema["properties"].items():
            default = "required" if field in required else f"`{json.dumps(facts.get('default'), ensure_ascii=False)}`"
            description = f"; {facts['description']}" if facts.get("description") and "$ref" not in facts else ""
            default_cell = default if len(default) < _LONG else "the defaults of its fields"
            lines.append(" ".join(f"| `{field}` | {_takes(facts)}{description} | {default_cell} |".split()))
        return self.parse_text_to_nodes("\n".join(lines))


def _takes(facts: dict[str, Any]) -> str:
    if "$ref" in facts:
        return facts["$ref"].rsplit("/", 1)[-1]
    if "anyOf" in facts or "allOf" in facts:
        return " or ".join(_takes(part) for part in facts.get("anyOf", facts.get("allOf", ())))
    if "const" in facts:
        return f"`{facts['const']}`"
    if "enum" in facts:
        return ", ".join(f"`{value}`" for value in facts["enum"])
    kind = facts.get("type", "anything")
    if kind == "array":
        inside = facts.get("items") or facts.get("prefixItems", [{}])[0]
        return f"list of {_takes(inside)}"
    if kind == "object":
        return "mapping"
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
    return {"parallel_read_safe": True}
