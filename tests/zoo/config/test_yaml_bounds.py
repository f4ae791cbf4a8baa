"""Whatever number stands at whatever place of a file: one line with file and place, or a value that is in bounds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.runs.protocol import load_protocol
from reports.claims.model import load_claims
from search_spaces.space import load_space
from tests.support.records import cards
from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import LARGEST_INT, read_yaml, validate
from zoo.models.card import ModelCard
from zoo.models.registry import complete_params

FIGURE = {"metric": "accuracy", "value": 0.9, "upper": 0.95, "split": "test", "decimals": 2, "location": "table 1"}
LARGE = {"negatives": 999_999_999, "positives": 999_999_999, "location": "x"}
FILES: dict[str, dict[str, Any]] = {
    "card": {
        "title": "Mine",
        "change": "mine",
        "source": {"report": "a", "section": "b", "test": {"negatives": 5, "positives": 5}},
        "model": {"builder": "scratch_cnn", "filters": [4], "dense_units": 4, "l2": 0.1, "dropout": 0.1},
        "recipe": {
            "optimizer": {"learning_rate": 0.01},
            "epochs": 2,
            "batch_size": 16,
            "loss": {"name": "binary_focal_crossentropy", "alpha": 0.5, "gamma": 2},
            "early_stopping": {"patience": 3},
            "augmentation": {"rotation_degrees": 1, "zoom": [0.9, 1.1], "brightness": [0.5, 1.5], "channel_shift": 3},
            "finetune": {"learning_rate": 0.001, "epochs": 3},
        },
        "published": [FIGURE],
    },
    "protocol": {
        "title": "Mine",
        "image_size": 32,
        "seeds": [0, 1],
        "split_seed": 1,
        "view_seed": 2,
        "views": 3,
        "max_epochs": 4,
        "sampling": {"train": 10, "val": 10, "test": 10, "val_fraction": 0.2, "test_fraction": 0.2, "min_val": 1},
        "threshold": {"rule": "cost", "value": 5},
    },
    "space": {
        "title": "Mine",
        "seed": 1,
        "budget": {"trials": 2, "epochs": 3, "minutes": 4},
        "executions": 2,
        "folds": 3,
        "reseed": {"top": 1, "seeds": 2},
        "parameters": {
            "model.dropout": {"kind": "float", "low": 0.1, "high": 0.5, "step": 0.1},
            "recipe.batch_size": {"kind": "choice", "values": [8, 16]},
            "model.unfreeze_layers": {"kind": "int", "low": 1, "high": 30, "step": 1},
            "recipe.epochs": {"kind": "int", "low": 1, "high": 3, "step": 2, "when": {"recipe.batch_size": [8]}},
        },
    },
    "claims": {
        "title": "A report",
        "source": {"report": "r", "test": {"negatives": 3, "positives": 4, "location": "x"}},
        "conditions": {"image_size": 32, "train": 100},
        "margin": 0.1,
        "loss_margin": 0.1,
        "rows": [
            {"name": "one", "figures": [FIGURE], "threshold": 0.4},
            {"name": "two", "card": "attempt-1", "test": {"negatives": 3, "positives": 4, "location": "x"}},
        ],
        "interpretations": [{"row": "one", "meaning": "so", "figures": [FIGURE]}],
        "matrices": [{"row": "one", "location": "y", "tp": 1, "fp": 2, "tn": 3, "fn": 4}],
        "settings": [{"row": "one", "setting": "rate", "value": 5, "location": "z"}],
        "statements": [
            {
                "id": "s",
                "location": "page 1",
                "text": "A is better",
                "assertion": {"superior": {"a": "attempt-1", "b": "attempt-2", "metric": "auc", "margin": 0.1}},
            },
            {
                "id": "t",
                "location": "1",
                "text": "T",
                "assertion": {"at_least": {"card": "attempt-1", "metric": "auc", "value": 1}},
            },
        ],
    },
}


def load_card(path: Path) -> ModelCard:
    card = validate(ModelCard, {"name": path.stem, **read_yaml(path)}, str(path))
    complete_params(card.model.builder, card.model.params, f"{path}: model")
    return card


LOADERS: dict[str, Callable[[Path], Any]] = {
    "card": load_card,
    "protocol": lambda path: load_protocol(str(path)),
    "space": lambda path: load_space(str(path)),
    "claims": lambda path: load_claims(str(path), cards()),
}
KINDS = pytest.mark.parametrize("kind", list(LOADERS))


def places(data: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where numbers stand."""
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inside:
        yield from places(value, (*before, key))
    if isinstance(data, (int, float)):
        yield before


def written(folder: Path, kind: str, place: tuple[Any, ...], number: str) -> Path:
    """The file of that kind with `number`, as YAML writes it, at a place."""
    data = deepcopy(FILES[kind])
    inside: Any = data
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = "NUMBER"
    path = folder / "mine.yaml"
    path.write_text(json.dumps(data).replace('"NUMBER"', number), encoding="utf-8")
    return path


def complaints(kind: str, path: Path) -> tuple[str, ...]:
    """The lines of the error that the loader raises; any other exception goes on."""
    try:
        LOADERS[kind](path)
    except ConfigError as error:
        return error.lines
    return ()


WHOLE = st.builds(
    lambda sign, digits, write: sign + write(digits),
    st.sampled_from(["", "-", "+"]),
    st.one_of(st.integers(1, 400), st.sampled_from([4301, 20_000])),
    st.sampled_from(
        [
            lambda n: "9" * n,
            lambda n: "0x" + "f" * n,
            lambda n: "0" + "7" * n,
            lambda n: "0b" + "1" * n,
            lambda n: "1" + ":59" * n,
            lambda n: "1_" * n + "1",
        ]
    ),
)
BROKEN = st.builds(
    lambda digits, power: f"{'1' * digits}.5e{power}",
    st.integers(1, 400),
    st.one_of(st.integers(-400, 400), st.sampled_from([-(10**9), 10**9])),
)
NUMBERS = st.one_of(WHOLE, BROKEN, st.sampled_from([".inf", "-.inf", ".nan", str(LARGEST_INT), str(LARGEST_INT + 1)]))


@KINDS
def test_the_files_are_valid_as_they_are(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps(FILES[kind]), encoding="utf-8")
    assert LOADERS[kind](path)


@KINDS
@settings(deadline=None, max_examples=120)
@given(data=st.data(), number=NUMBERS)
def test_a_number_of_any_size_at_any_place_is_one_line_or_in_bounds(
    kind: str, data: st.DataObject, number: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = data.draw(st.sampled_from(list(places(FILES[kind]))))
    path = written(tmp_path_factory.getbasetemp(), kind, place, number)
    for line in complaints(kind, path):
        assert line.startswith(f"{path}:")
        assert "\n" not in line
        assert len(line) < 500


UNBOUNDED = {("claims", "settings"): "a printed setting may be any number"}


@KINDS
@pytest.mark.parametrize("number", [LARGEST_INT, -LARGEST_INT])
def test_the_largest_number_that_yaml_may_hold_is_beyond_every_field(kind: str, number: int, tmp_path: Path) -> None:
    """No field is without bounds, but those that hold what somebody else printed."""
    for place in places(FILES[kind]):
        if (kind, place[0]) in UNBOUNDED or "when" in place or "values" in place:
            continue
        with pytest.raises(ConfigError) as caught:
            LOADERS[kind](written(tmp_path, kind, place, str(number)))
        assert any(str(place[-1] if isinstance(place[-1], str) else place[-2]) in line for line in caught.value.lines)


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("protocol", {"seeds": list(range(1001))}, "seeds: tuple should have at most 1000 items"),
        ("claims", {"source": {"report": "r", "test": LARGE}}, "source.test.negatives: input should be less than or"),
        ("card", {"published": [FIGURE] * 1001}, "published: tuple should have at most 1000 items"),
        ("card", {f"key{n}": n for n in range(500)}, "450 more errors"),
    ],
)
def test_a_file_that_asks_for_too_much_is_refused(kind: str, change: dict[str, Any], says: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps({**FILES[kind], **change}), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        LOADERS[kind](path)
    assert any(says in line for line in caught.value.lines), caught.value.lines[:3]
    assert len(caught.value.lines) <= 51


@pytest.mark.parametrize("kind", ["protocol", "claims", "space"])
def test_a_file_under_the_name_of_a_built_in_one_is_refused(kind: str, tmp_path: Path) -> None:
    built_in = {"protocol": "published", "claims": "keras_xray", "space": "vgg16_head"}[kind]
    path = tmp_path / f"{built_in}.yaml"
    path.write_text(json.dumps(FILES[kind]), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        LOADERS[kind](path)
    (line,) = caught.value.lines
    assert f"'{built_in}' is the name of a built-in" in line
    assert line.endswith("rename the file")
