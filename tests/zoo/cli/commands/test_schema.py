"""JSON Schemas accept what the loader accepts, and refuse unknown keys, wrong names and numbers out of range."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from benchmark.data.dataset import DataError
from benchmark.data.sources.declared import read_declared
from benchmark.runs.protocol import AUTO, load_protocol
from reports.claims.model import load_claims
from reports.render.json import render
from search_spaces.space import load_space
from tests.support.records import cards
from tests.support.study import report_in
from zoo.cli import schemas
from zoo.cli.app import main
from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import read_yaml, write_yaml
from zoo.models.catalog import load_cards

FOLDERS = {
    "card": "zoo.models.cards",
    "protocol": "benchmark.runs.protocols",
    "space": "search_spaces",
    "claims": "reports.claims.data",
}
SHIPPED = [
    (kind, path)
    for kind, package in FOLDERS.items()
    for path in sorted(Path(str(resources.files(package))).rglob("*.yaml"))
    if path.stem != AUTO  # a policy that makes a protocol
]
SCHEMAS: dict[str, dict[str, Any]] = {kind: make() for kind, make in schemas.SCHEMAS.items()}
CHECKS = {kind: Draft202012Validator(schema) for kind, schema in SCHEMAS.items()}
KINDS = pytest.mark.parametrize("kind", list(SCHEMAS))

CARD: dict[str, Any] = {
    "title": "Mine",
    "change": "mine",
    "model": {"builder": "scratch_cnn", "filters": [4]},
    "recipe": {"optimizer": {"learning_rate": 0.01}, "epochs": 2, "batch_size": 16},
}
CHILD: dict[str, Any] = {"extends": "attempt-7", "change": "slower", "recipe": {"finetune": {"learning_rate": 1e-6}}}
FIGURE = {"metric": "accuracy", "value": 0.9, "split": "test", "decimals": 2, "location": "table 1"}
PROTOCOL: dict[str, Any] = {"title": "Mine", "image_size": 32, "threshold": {"rule": "cost", "value": 5}}
SPACE: dict[str, Any] = {
    "title": "Mine",
    "parameters": {
        "model.dropout": {"kind": "float", "low": 0.1, "high": 0.5, "scale": "log"},
        "recipe.batch_size": {"kind": "choice", "values": [8, 16]},
        "recipe.epochs": {"kind": "int", "low": 1, "high": 3, "when": {"recipe.batch_size": [8]}},
    },
}
CLAIMS: dict[str, Any] = {
    "title": "A report",
    "source": {"report": "A report"},
    "rows": [{"name": "one", "figures": [FIGURE]}, {"name": "two", "card": "attempt-1"}],
    "statements": [
        {
            "id": "better",
            "location": "page 1",
            "text": "A is better",
            "assertion": {"superior": {"a": "attempt-1", "b": "attempt-2", "metric": "auc"}},
        }
    ],
}
CLASSES: dict[str, Any] = {"classes": ["mild", "moderate", 3], "ordered": True}


def refused_by_loader(kind: str, files: list[dict[str, Any]], folder: Path) -> list[bool]:
    """For every file whether the loader refuses it."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"mine-{number}.yaml" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_text(write_yaml(data), encoding="utf-8")
    if kind == "card":  # all at once: its errors name every file
        try:
            load_cards([folder])
        except ConfigError as error:
            return [any(line.startswith(f"{path}:") for line in error.lines) for path in paths]
        return [False] * len(paths)
    load = {
        "protocol": load_protocol,
        "space": load_space,
        "claims": lambda path: load_claims(path, cards()),
        "classes": lambda path: read_declared(Path(path)),
    }[kind]
    return [_refuses(load, path) for path in paths]


def _refuses(load: Callable[[str], Any], path: Path) -> bool:
    try:
        load(str(path))
    except (ConfigError, DataError):
        return True
    return False


def faults(kind: str, data: Any) -> list[str]:
    """What the schema says against `data`."""
    return [error.message for error in CHECKS[kind].iter_errors(data)]


@KINDS
def test_a_schema_is_one_valid_document_with_title_description_and_no_id(kind: str) -> None:
    schema = SCHEMAS[kind]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert "$id" not in schema
    assert schema["title"]
    assert schema["description"]


@pytest.mark.parametrize(("kind", "path"), SHIPPED, ids=lambda value: value.stem if isinstance(value, Path) else value)
def test_every_shipped_file_is_valid(kind: str, path: Path) -> None:
    assert faults(kind, read_yaml(path)) == []


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        *[("card", CARD), ("card", CHILD), ("protocol", PROTOCOL), ("space", SPACE), ("claims", CLAIMS)],
        ("classes", CLASSES),
    ],
)
def test_a_small_file_is_valid_for_loader_and_schema(kind: str, data: dict[str, Any], tmp_path: Path) -> None:
    assert refused_by_loader(kind, [data], tmp_path) == [False]
    assert faults(kind, data) == []


def at(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """`data` with `value` at a path such as `rows/0/figures`; None leaves the key out."""
    changed = deepcopy(data)
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("/"))
    place: Any = changed
    for parent in parents:
        place = place[parent]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return changed


@pytest.mark.parametrize(
    ("kind", "data", "path", "value"),
    [
        ("card", CARD, "recipe/epocs", 3),
        ("card", CARD, "recipe/epochs", "two"),
        ("card", CARD, "recipe/epochs", 0),
        ("card", CARD, "recipe/epochs", 10**9),
        ("card", CARD, "recipe/batch_size", 10**9),
        ("card", CARD, "model/filters", [10**9]),
        ("card", CARD, "recipe/optimizer/name", "adm"),
        ("card", CARD, "recipe/optimizer/learning_rate", 10.0),
        ("card", CARD, "recipe/augmentation", {"zoom": [1.0]}),
        ("card", CARD, "recipe/preprocessing", "divide"),
        ("card", CARD, "model", {"builder": "scratch_cn"}),
        ("card", CARD, "model/dense_unit", 8),
        ("card", CARD, "model/unfreeze_layers", 2),
        ("card", CARD, "model/filters", [0]),
        ("card", CARD, "name", "Mine"),
        ("card", CARD, "title", None),
        ("card", CARD, "model", None),
        ("card", CARD, "published", [{**FIGURE, "split": "tset"}]),
        ("card", CHILD, "recipe/finetune/epocs", 3),
        ("card", CHILD, "recipe/optimizer", {"learning_rate": "fast"}),
        ("card", CHILD, "model", {"pooling": "max", "filters": [8], "weights": "none"}),
        ("card", CHILD, "model", {"builder": "vgg61"}),
        ("card", CHILD, "published", [{"metric": "auc"}]),
        ("card", CHILD, "source", {"report": "a report"}),
        ("protocol", PROTOCOL, "image_size", 4),
        ("protocol", PROTOCOL, "image_size", None),
        ("protocol", PROTOCOL, "sampling", {"trian": 3}),
        ("protocol", PROTOCOL, "views", "new"),
        ("protocol", PROTOCOL, "seeds", []),
        ("protocol", PROTOCOL, "seeds", [2**32]),
        ("protocol", PROTOCOL, "seeds", list(range(1001))),
        ("protocol", PROTOCOL, "views", 10**6),
        ("protocol", PROTOCOL, "threshold", {"rule": "yoden"}),
        ("space", SPACE, "objective", "acuracy"),
        ("space", SPACE, "objective", "true_positives"),
        ("space", SPACE, "parameters", {}),
        ("space", SPACE, "parameters/dropout", {"kind": "boolean"}),
        ("space", SPACE, "parameters/model.dropout/high", 1e300),
        ("space", SPACE, "budget", {"trials": 10**6}),
        ("space", SPACE, "tuner", "baysian"),
        ("space", SPACE, "folds", 1),
        ("claims", CLAIMS, "rows/0/figures/0/metric", "acuracy"),
        ("claims", CLAIMS, "source", {"report": "r", "test": {"negatives": 10**9, "positives": 1, "location": "x"}}),
        ("claims", CLAIMS, "statements/0/assertion", {}),
        ("claims", CLAIMS, "statements/0/assertion/superior/metric", "acuracy"),
        (
            "claims",
            CLAIMS,
            "statements/0/assertion/equivalent",
            {"a": "attempt-1", "b": "attempt-2", "metric": "auc", "within": 1},
        ),
        ("claims", CLAIMS, "statements/0/assertion", {"diagnosis": {"card": "attempt-1", "finding": ["overfiting"]}}),
        ("claims", CLAIMS, "margin", 5),
        ("claims", CLAIMS, "statement", []),
        ("space", SPACE, "objective", "recall:mcro"),
        ("space", SPACE, "objective", "accuracy:macro"),
        ("space", SPACE, "objective", "recall:class:"),
        ("protocol", PROTOCOL, "decision", {"rule": "argmx"}),
        ("classes", CLASSES, "classes", ["only"]),
        ("classes", CLASSES, "classes", ["twice", "twice"]),
        ("classes", CLASSES, "clases", ["a", "b"]),
        ("classes", CLASSES, "ordered", "perhaps"),
        ("classes", CLASSES, "classes", None),
    ],
)
def test_a_typical_mistake_is_refused_by_schema_and_loader(
    kind: str, data: dict[str, Any], path: str, value: Any, tmp_path: Path
) -> None:
    wrong = at(data, path, value)
    assert refused_by_loader(kind, [wrong], tmp_path) == [True]
    assert faults(kind, wrong) != []


def changes(data: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """A key left out, a value of another kind, a number out of range: at every place of a mapping."""
    yield f"{before}unheard_of", 1
    for key, value in data.items():
        path = f"{before}{key}"
        yield from ((path, other) for other in (None, "words", -1, 0, 0.5, 7, [], {}, True))
        if isinstance(value, dict):
            yield from changes(value, f"{path}/")
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield from changes(value[0], f"{path}/0/")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        *[("card", CARD), ("card", CHILD), ("protocol", PROTOCOL), ("space", SPACE), ("claims", CLAIMS)],
        ("classes", CLASSES),
    ],
)
def test_the_schema_refuses_nothing_that_the_loader_takes(kind: str, data: dict[str, Any], tmp_path: Path) -> None:
    told = [change for change in changes(data) if faults(kind, at(data, *change))]
    refused = refused_by_loader(kind, [at(data, *change) for change in told], tmp_path)
    assert [change for change, as_well in zip(told, refused, strict=True) if not as_well] == []


def test_a_property_s_description_is_what_its_model_says_of_it() -> None:
    properties = SCHEMAS["protocol"]["properties"]
    assert "side in pixels" in properties["image_size"]["description"]
    assert "each phase of a card" in properties["max_epochs"]["description"]
    assert SCHEMAS["card"]["$defs"]["Optimizer"]["properties"]["learning_rate"]["description"].startswith("step size")


def test_builders_are_listed_with_their_own_parameters() -> None:
    assert {"scratch_cnn", "vgg16"} <= set(SCHEMAS["card"]["$defs"]["ModelSpec"]["properties"]["builder"]["enum"])
    assert faults("card", {**CHILD, "model": {"unfreeze_layers": 2}}) == []
    assert faults("card", {**CHILD, "model": {"unfreeze_layers": 2, "filters": [4]}}) != []


@pytest.mark.parametrize(
    ("kind", "data", "path", "value"),
    [
        ("card", CARD, "published", [{**FIGURE, "metric": "sensitivity"}]),
        ("space", SPACE, "objective", "roc_auc"),
        ("claims", CLAIMS, "rows/0/figures/0/metric", "ppv"),
        ("claims", CLAIMS, "statements/0/assertion/superior/metric", "auprc"),
    ],
)
def test_another_name_of_a_metric_is_accepted_by_schema_and_loader(
    kind: str, data: dict[str, Any], path: str, value: Any, tmp_path: Path
) -> None:
    right = at(data, path, value)
    assert refused_by_loader(kind, [right], tmp_path) == [False]
    assert faults(kind, right) == []


@pytest.mark.parametrize(
    ("kind", "data", "path", "value"),
    [
        ("space", SPACE, "objective", "recall:macro"),
        ("space", SPACE, "objective", "auc:class:a: b"),
        ("space", SPACE, "objective", "kappa"),
        ("protocol", PROTOCOL, "decision", {"rule": "abstain", "value": 0.7}),
        ("card", CARD, "recipe/class_weights", "balanced"),
        ("card", CARD, "recipe/label_smoothing", 0.1),
        ("card", CARD, "recipe/loss", {"name": "focal_crossentropy", "gamma": 2.0}),
        ("card", CARD, "published", [{**FIGURE, "metric": "recall", "class": "NORMAL"}]),
        ("claims", CLAIMS, "rows/0/figures/0", {**FIGURE, "metric": "f1", "average": "macro"}),
    ],
)
def test_what_belongs_to_several_classes_is_accepted_by_schema_and_loader(
    kind: str, data: dict[str, Any], path: str, value: Any, tmp_path: Path
) -> None:
    right = at(data, path, value)
    assert refused_by_loader(kind, [right], tmp_path) == [False]
    assert faults(kind, right) == []


def test_zoo_schema_prints_one_document_and_an_unknown_kind_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["zoo", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    code, out, err = said("schema", "protocol")
    assert (code, json.loads(out), err) == (0, SCHEMAS["protocol"], "")
    assert said("schema", "protocols") == (2, "", "zoo: Unknown schema 'protocols'. Did you mean protocol?\n")


def test_the_json_report_has_the_printed_schema(tmp_path: Path) -> None:
    check = Draft202012Validator(schemas.report())
    document = json.loads(render(report_in(tmp_path)))
    check.validate(document)
    document["sections"][0]["summary"]["best"]["metric"] = 1
    assert not check.is_valid(document)
