"""Every field of every file that a user writes has a meaning, in the tables of the pages and in the schemas."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from field_tables import field_lines, load, reachable, table
from pydantic import BaseModel, Field

from benchmark.data.sources.declared import ClassOrder
from benchmark.runs.protocol import Protocol
from reports.claims.model import Claims
from search_spaces.space import SearchSpace
from tests.docs.test_docs import DOCS
from zoo.cli.schemas import SCHEMAS
from zoo.config.strict import Strict
from zoo.models.card import ModelCard
from zoo.models.registry import builder_names, get_builder

FILES = (ModelCard, Protocol, SearchSpace, Claims, ClassOrder)
MODELS = tuple({model: None for file in FILES for model in reachable(file)})
LONGEST = 140
BUILDERS = sorted(name for name in builder_names() if get_builder(name).function.__module__.startswith("zoo.models."))
"""Without those that other tests register."""
PAGE = (DOCS / "formats.md").read_text(encoding="utf-8")


def problems(fields: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the meanings of JSON Schema properties."""
    for name, facts in fields.items():
        meaning = facts.get("description", "")
        if not meaning.strip():
            yield f"{name} has no meaning"
        elif len(meaning) > LONGEST or "\n" in meaning:
            yield f"{name}: the meaning is longer than a line"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.__module__}.{model.__name__}")
def test_every_field_of_a_file_has_a_meaning_of_one_line(model: type[BaseModel]) -> None:
    assert list(problems(model.model_json_schema().get("properties", {}))) == []


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_printed_schema_has_a_meaning_for_every_key(kind: str) -> None:
    schema = SCHEMAS[kind]()
    of_tests = set(builder_names()) - set(BUILDERS)
    parts = [schema, *(part for name, part in schema.get("$defs", {}).items() if name not in of_tests)]
    assert [problem for part in parts for problem in problems(part.get("properties", {}))] == []


def test_the_page_has_one_table_for_every_model_and_every_builder() -> None:
    blocks = re.findall(r"^```\{fields\} (\S+)\n(?::also: (.+)\n)?```$", PAGE, re.M)
    listed = [load(path) for path, _ in blocks]
    listed += [load(f"{path.rpartition('.')[0]}.{name}") for path, also in blocks for name in also.split()]
    assert sorted(map(str, listed)) == sorted(map(str, MODELS))
    assert sorted(re.findall(r"^```\{parameters\} (\S+)$", PAGE, re.M)) == BUILDERS


def test_a_table_has_name_values_default_and_meaning_and_links_to_the_tables_of_its_parts() -> None:
    rows = field_lines(Protocol)
    assert rows[0] == "| field | takes | default | meaning |"
    assert (
        "| `image_size` | whole number ≥ 8, ≤ 2048 | required | side in pixels to which every image is resized |"
        in rows
    )
    (name,) = (row for row in rows if row.startswith("| `name` |"))
    assert "| the file's name |" in name
    (sampling,) = (row for row in rows if row.startswith("| `sampling` |"))
    assert "[sampling](#fields-benchmark-data-splits-sampling)" in sampling
    (units,) = (row for row in table(get_builder("scratch_cnn").schema(), {}) if "`dense_units`" in row)
    assert units.endswith("| `128` | Number of hidden units. |")


def test_a_field_without_a_meaning_fails_the_build() -> None:
    class Wordless(Strict):
        known: int = Field(default=1, description="a number")
        silent: int = 2

    with pytest.raises(ValueError, match="`silent` has no meaning"):
        field_lines(Wordless)
