"""Cards, protocols, data, seeds and limits by name, by path or as objects."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.data.dataset import DataError
from benchmark.data.sources import open_dataset
from benchmark.runs.protocol import load_protocol
from tests.support.tiny import card, write_folder
from zoo.api.arguments.inputs import (
    resolve_cards,
    resolve_data,
    resolve_limits,
    resolve_protocol,
    resolve_seeds,
    resolve_store,
)
from zoo.api.output.messages import Messages
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard
from zoo.models.catalog import load_cards


@pytest.mark.parametrize("store", ["", " "])
def test_an_empty_store_is_refused(store: str) -> None:
    with pytest.raises(ConfigError, match="--store: is empty; give a folder or a URI"):
        resolve_store(store)


@pytest.mark.parametrize("where", ["s3:/lab/runs", Path("s3://lab/runs")])
def test_a_uri_with_one_slash_is_refused(where: str | Path) -> None:
    with pytest.raises(ConfigError, match="with two slashes, such as s3://BUCKET/FOLDER"):
        resolve_store(where)


def cards_of(requested: Any, folders: Any = ()) -> list[ModelCard]:
    return resolve_cards(requested, folders, Messages())


def test_one_card_is_as_good_as_a_list_and_none_means_all() -> None:
    assert [each.name for each in cards_of("attempt-1")] == ["attempt-1"]
    assert [each.name for each in cards_of(["attempt-2", "attempt-1", "attempt-2"])] == ["attempt-2", "attempt-1"]
    assert cards_of(None) == list(load_cards().values())


def test_a_file_gives_the_card_that_its_folder_gives_and_so_does_the_object(tmp_path: Path) -> None:
    fields = card("mine").model_dump(mode="json", exclude={"model"}) | {"model": {"builder": "scratch_cnn"}}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(fields), encoding="utf-8")
    (by_name,) = cards_of("mine", tmp_path)
    assert cards_of(path) == cards_of(str(path)) == cards_of(path, [tmp_path]) == [by_name]
    assert cards_of(ModelCard.model_validate(fields)) == [by_name]


@pytest.mark.parametrize(
    ("requested", "says"),
    [
        ("atempt-1", "Did you mean attempt-1"),
        ("none.yaml", "none.yaml: cannot be read"),
        ([], "no card was given"),
        ([card("same"), card("same", epochs=3)], "two different cards have the name 'same'"),
        (card("wrong", model={"filter": [1]}), "card wrong: model.filter"),
        (["attempt-1", card("attempt-1")], "two different cards"),
    ],
)
def test_a_card_that_cannot_be_used_is_refused(requested: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        cards_of(requested)


def test_a_protocol_and_a_store_pass_through() -> None:
    quick = load_protocol("quick")
    assert resolve_protocol("quick") == quick
    assert resolve_protocol(quick) is quick
    store = resolve_store("somewhere")
    assert resolve_store(store) is store
    assert store.root == Path("somewhere")


def test_data_may_be_a_source_or_a_data_set(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images", ["HEALTHY", "ILL"])
    dataset = open_dataset(str(folder))
    assert resolve_data(folder).fingerprint == dataset.fingerprint
    assert resolve_data(dataset) is dataset
    assert resolve_data(dataset, positive="HEALTHY").classes == ("ILL", "HEALTHY")
    assert resolve_data(dataset, data_is="kaggle:a/b").known_as == "kaggle:a/b"
    with pytest.raises(ConfigError, match="already defines its patients"):
        resolve_data(dataset, patients="(?P<p>a)")
    with pytest.raises(ConfigError, match="is for real images"):
        resolve_data("phantom", data_is="kaggle:a/b")
    with pytest.raises(DataError, match="no such source"):
        resolve_data("phantm")


def test_seeds_are_a_number_or_a_list_with_zero_included() -> None:
    assert resolve_seeds(None) is None
    assert resolve_seeds(2) == [0, 1]
    assert resolve_seeds([0]) == [0]
    assert resolve_seeds((3, 0, 3)) == [3, 0]
    for wrong in (0, [], [-1]):
        with pytest.raises(ConfigError, match="names no seed"):
            resolve_seeds(wrong)


def test_limits_that_cannot_be_are_refused() -> None:
    assert resolve_limits("30m", 4).seconds == 1800
    assert resolve_limits("none", None).seconds is None
    for timeout, memory in (("soon", None), ("1h", 0), ("1h", float("nan"))):
        with pytest.raises(ConfigError, match="--run-"):
            resolve_limits(timeout, memory)
