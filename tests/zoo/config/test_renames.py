"""Renamed keys: the old ones work, one line per file names the new ones, and a file may not have both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from benchmark.runs.storage.store import Store
from reports.claims.model import load_claims
from tests.support.records import cards
from tests.support.stored import keep
from zoo.cli.app import main
from zoo.config.errors import ConfigError
from zoo.config.renames import with_current_keys
from zoo.models.catalog import load_cards
from zoo.models.published import Source

FIGURE = {"metric": "accuracy", "value": 0.9, "split": "test", "decimals": 2, "location": "table 1"}
LEVELS = {"a": "attempt-1", "b": "attempt-2", "metric": "auc"}
FORMS = [{"superior": LEVELS}, {"not_superior": LEVELS}, {"equivalent": {**LEVELS, "within": 0.1}}]
CARD: dict[str, Any] = {
    "extends": "attempt-1",
    "title": "Mine",
    "change": "mine",
    "assumptions": "none",
    "source": {"report": "a report", "section": "2", "test": {"negatives": 5, "positives": 6}},
    "published": [FIGURE],
}
CLAIMS: dict[str, Any] = {
    "title": "A report",
    "source": {"report": "A report", "test": {"negatives": 3, "positives": 4, "location": "table 1"}},
    "rows": [{"name": "one", "alias": "Model A", "figures": [dict(FIGURE)]}],
    "interpretations": [{"row": "one", "meaning": "a pair", "figures": [dict(FIGURE)]}],
    "matrices": [{"row": "one", "location": "table 2", "tp": 1, "fp": 2, "tn": 3, "fn": 4}],
    "settings": [{"row": "one", "setting": "rate", "value": 5, "location": "table 3"}],
    "statements": [
        {"id": "s", "location": "page 1", "text": "T", "paraphrase": "So.", "assertion": {"all": FORMS}},
    ],
}
FILES = {"card": CARD, "claims": CLAIMS}
OLD_KEYS = {
    "card": {
        "change": "changes",
        "assumptions": "left_open",
        "published/0/location": "where",
        "source/test": "test_negatives, test_positives",
    },
    "claims": {
        "source/test/location": "where",
        "rows/0/alias": "called",
        "rows/0/figures/0/location": "where",
        "interpretations": "readings",
        "interpretations/0/meaning": "reading",
        "interpretations/0/figures/0/location": "where",
        "matrices/0/location": "where",
        "settings/0/location": "where",
        "statements/0/location": "where",
        "statements/0/paraphrase": "reading",
        "statements/0/assertion": "says",
        "statements/0/assertion/all/0/superior": "better",
        "statements/0/assertion/all/1/not_superior": "no_better",
        "statements/0/assertion/all/2/equivalent": "alike",
    },
}
EACH = pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, paths in OLD_KEYS.items() for path in paths])


def load_card(path: Path) -> Any:
    return load_cards([path.parent])[path.stem]


LOADERS: dict[str, Callable[[Path], Any]] = {
    "card": load_card,
    "claims": lambda path: load_claims(str(path), cards()),
}


def written(folder: Path, data: Any) -> Path:
    """A file in a folder of its own; JSON is YAML too."""
    folder.mkdir()
    path = folder / "mine.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def mapping_at(data: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """The mapping that has the last key of `path`, and that key."""
    *parents, last = path.split("/")
    inner: Any = data
    for parent in parents:
        inner = inner[int(parent) if parent.isdigit() else parent]
    return inner, last


def with_old(kind: str, path: str, *, both: bool = False) -> dict[str, Any]:
    """The file with the old key of a field, beside the current one if `both`."""
    data = deepcopy(FILES[kind])
    inner, key = mapping_at(data, path)
    value = inner[key] if both else inner.pop(key)
    old = OLD_KEYS[kind][path]
    inner.update({each: value[each.removeprefix("test_")] for each in old.split(", ")} if "," in old else {old: value})
    return data


def all_old(kind: str) -> dict[str, Any]:
    """The file with every key as it was."""
    data = deepcopy(FILES[kind])
    for path in sorted(OLD_KEYS[kind], key=lambda path: -path.count("/")):
        inner, key = mapping_at(data, path)
        old, value = OLD_KEYS[kind][path], inner.pop(key)
        inner.update(
            {each: value[each.removeprefix("test_")] for each in old.split(", ")} if "," in old else {old: value}
        )
    return data


@EACH
def test_an_old_key_works_and_one_line_names_the_new_one(
    kind: str, path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    current = LOADERS[kind](written(tmp_path / "new", FILES[kind]))
    assert capsys.readouterr() == ("", "")
    file = written(tmp_path / "old", with_old(kind, path))
    assert LOADERS[kind](file) == current
    assert LOADERS[kind](file) == current  # read again: no second line
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert out == ""
    assert line.startswith(f"zoo: {file}: `")
    assert all(f"`{old}` is now `{path.rsplit('/', 1)[-1]}" in line for old in OLD_KEYS[kind][path].split(", "))
    assert line.endswith("until 0.3")


@EACH
def test_a_file_with_both_keys_is_refused_with_the_place(kind: str, path: str, tmp_path: Path) -> None:
    file = written(tmp_path / "both", with_old(kind, path, both=True))
    with pytest.raises(ConfigError) as caught:
        LOADERS[kind](file)
    (line,) = caught.value.lines
    key = path.rsplit("/", 1)[-1]
    old = OLD_KEYS[kind][path].split(", ")[0]
    assert line == f"{file}: {path.replace('/', '.')}: has the old key `{old}` too; keep `{key}`"


@pytest.mark.parametrize("kind", FILES)
def test_a_file_with_old_keys_alone_has_one_line(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    current = LOADERS[kind](written(tmp_path / "new", FILES[kind]))
    assert LOADERS[kind](written(tmp_path / "old", all_old(kind))) == current
    (line,) = capsys.readouterr().err.splitlines()
    assert line.count("`reading` is now") == (2 if kind == "claims" else 0)
    assert [old for keys in OLD_KEYS[kind].values() for old in keys.split(", ") if f"`{old}` is now" not in line] == []


@pytest.mark.parametrize(
    ("kind", "path", "key", "suggestion"),
    [
        ("card", "change", "chnge", "change"),
        ("card", "assumptions", "assumption", "assumptions"),
        ("card", "published/0/location", "loction", "location"),
        ("claims", "statements/0/assertion/all/2/equivalent", "equivalen", "equivalent"),
        ("claims", "interpretations", "interpretation", "interpretations"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_current_one(
    kind: str, path: str, key: str, suggestion: str, tmp_path: Path
) -> None:
    data = deepcopy(FILES[kind])
    inner, current = mapping_at(data, path)
    inner[key] = inner.pop(current)
    with pytest.raises(ConfigError) as caught:
        LOADERS[kind](written(tmp_path / "wrong", data))
    (line,) = [line for line in caught.value.lines if "unknown key" in line]
    assert f"unknown key. Did you mean {suggestion}" in line


def test_a_test_set_with_one_old_key_is_refused_in_a_file_and_not_stated_in_a_record(tmp_path: Path) -> None:
    source = {"report": "a report", "section": "2", "test_negatives": 5, "test_positives": None}
    with pytest.raises(ConfigError) as caught:
        load_card(written(tmp_path / "half", {**CARD, "source": source}))
    (line,) = caught.value.lines
    assert line.endswith(
        "source.test_negatives: needs `test_positives` too; give `test: {negatives, positives}` instead"
    )
    stored, _ = with_current_keys(Source, source, stored=True)
    assert Source.model_validate(stored).test is None


def keys(data: Any) -> Iterator[str]:
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        if isinstance(key, str):
            yield key
        yield from keys(value)


def test_a_stored_record_with_old_keys_is_the_same_run_without_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = keep(Store(tmp_path), "attempt-7")
    card = run.spec.card
    path = tmp_path / run.run_id / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["version"], record["spec"]["card"] = 3, card.with_old_keys()
    assert {"changes", "left_open", "where", "test_negatives"} <= set(keys(record["spec"]["card"]))
    path.write_text(json.dumps(record), encoding="utf-8")
    runs, problems = Store(tmp_path).runs()
    assert (problems, [(each.run_id, each.spec.card) for each in runs]) == ([], [(run.run_id, card)])
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("command", [["cards", "--json"], ["cards", "attempt-7", "--json"], ["audit", "--json"]])
def test_a_document_without_a_version_has_the_old_keys(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["zoo", *command])
    with pytest.raises(SystemExit):
        main()
    document = set(keys(json.loads(capsys.readouterr().out)))
    assert "where" in document
    assert document & {"change", "assumptions", "location", "equivalent", "alias"} == set()
