"""`zoo protocols`: the list, the fields of one, and what `auto` makes of a data set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.runs.auto_protocol import load_policy
from benchmark.runs.protocol import Protocol, built_in_protocols, load_protocol
from benchmark.runs.protocol_fields import MEANINGS, field_rows
from tests.support.images import image_folder
from tests.support.terminal import flat
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo

zoo = test_zoo_cli.zoo


def test_every_built_in_protocol_is_listed_with_its_title_and_purpose(zoo: Zoo) -> None:
    rows = json.loads(zoo("protocols", "--json").out)
    assert [row["name"] for row in rows] == built_in_protocols()
    assert rows[0]["title"] == load_policy().title
    assert all(row["title"] and row["purpose"] for row in rows)
    text = flat(zoo("protocols").out)
    assert all(row["name"] in text for row in rows)


def test_every_field_has_a_meaning_and_its_value(zoo: Zoo) -> None:
    full = load_protocol("full")
    rows = field_rows(full)
    assert {row.field for row in rows} == MEANINGS.keys()
    assert {row.field.partition(".")[0] for row in rows} == Protocol.model_fields.keys() - {"choices"}
    document = json.loads(zoo("protocols", "full", "--json").out)
    values = {row["field"]: row["value"] for row in document["fields"]}
    assert values["image_size"] == full.image_size
    assert values["sampling.val_fraction"] == full.sampling.val_fraction
    assert MEANINGS["views"] in flat(zoo("protocols", "full").out)


def test_auto_without_data_is_its_policy(zoo: Zoo) -> None:
    answer = zoo("protocols", "auto", "--json")
    assert json.loads(answer.out) == load_policy().model_dump(mode="json")


def test_auto_with_data_says_what_it_chooses_and_why_and_trains_nothing(zoo: Zoo, tmp_path: Path) -> None:
    images = image_folder(tmp_path / "my_images", {"well": 30, "ill": 30})
    command = ("protocols", "auto", "--data", images, "--store", tmp_path / "runs")
    document = json.loads(zoo(*command, "--json").out)
    assert document["name"] == "auto"
    choices = {choice["field"]: choice for choice in document["choices"]}
    assert choices["sampling.test"]["value"] == 12
    assert choices["image_size"]["why"].startswith("ENLARGED")
    assert choices["image_size"]["why"] in flat(zoo(*command).out)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("quik",), "Did you mean quick"),
        (("quick", "--data", "phantom"), "--data is for auto"),
        (("--data", "phantom"), "--data is for auto"),
        (("auto", "--data", "phantm"), "Did you mean phantom"),
    ],
)
def test_a_wrong_request_is_answered_in_one_line(zoo: Zoo, words: tuple[str, ...], says: str) -> None:
    answer = zoo("protocols", *words)
    assert answer.code == 2
    (line,) = answer.err.splitlines()
    assert says in line
