"""YAML is read strictly and every error of a file is told at once."""

from __future__ import annotations

import re
import string
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import LARGEST_INT, read_yaml, suggest, unknown, validate, write_yaml


class Engine(BaseModel):
    model_config = ConfigDict(extra="forbid")

    power: float
    cylinders: int


class Car(BaseModel):
    model_config = ConfigDict(extra="forbid")

    label: str
    engine: Engine
    sizes: tuple[int, ...] = ()


def written(folder: Path, text: str) -> Path:
    path = folder / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def lines_of(path: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    return caught.value.lines


def errors_in(data: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        validate(Car, data, "car.yaml")
    return list(caught.value.lines)


def test_a_duplicate_key_is_refused_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "a: 1\nb: 2\na: 3\n")
    assert lines_of(path) == (f"{path}:3:1: the key 'a' is duplicated; keep one",)


def test_a_nested_duplicate_key_is_refused_with_line_and_column(tmp_path: Path) -> None:
    path = written(tmp_path, "a: 1\nb:\n  - c: 1\n    d: {e: 1, e: 1}\n")
    assert lines_of(path) == (f"{path}:4:15: the key 'e' is duplicated; keep one",)


def test_the_same_key_in_two_mappings_is_fine(tmp_path: Path) -> None:
    assert read_yaml(written(tmp_path, "a: {c: 1}\nb: {c: 2}\n")) == {"a": {"c": 1}, "b": {"c": 2}}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e-4", 0.0001),
        ("1E-4", 0.0001),
        ("5e5", 500_000.0),
        ("1.5e3", 1500.0),
        ("+1e2", 100.0),
        ("-1e+2", -100.0),
        (".5e1", 5.0),
        ("1.e2", 100.0),
    ],
)
def test_a_number_in_scientific_notation_is_a_float(tmp_path: Path, text: str, number: float) -> None:
    value = read_yaml(written(tmp_path, f"a: {text}\n"))["a"]
    assert isinstance(value, float)
    assert value == number


@pytest.mark.parametrize("text", ["'1e-4'", "1e", "e4", "1e-4x", "conv1e4"])
def test_what_only_looks_like_scientific_notation_stays_text(tmp_path: Path, text: str) -> None:
    assert read_yaml(written(tmp_path, f"a: {text}\n")) == {"a": text.strip("'")}


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("!!python/object:os.PathLike {}", "tag:yaml.org,2002:python/object:os.PathLike"),
        ("!!python/object/apply:os.getcwd []", "tag:yaml.org,2002:python/object/apply:os.getcwd"),
        ("!mine 3", "!mine"),
        ("!!int '3'", "tag:yaml.org,2002:int"),
    ],
)
def test_a_tag_is_refused_with_its_place(tmp_path: Path, value: str, tag: str) -> None:
    path = written(tmp_path, f"ok: 1\na: {value}\n")
    assert lines_of(path) == (f"{path}:2:4: the YAML tag {tag} is not supported; only plain values are allowed",)


def test_a_refused_tag_runs_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    lines_of(written(tmp_path, f"a: !!python/object/apply:os.mkdir ['{trace}']\n"))
    assert not trace.exists()


@pytest.mark.parametrize("text", ["", "- 1\n- 2\n", "just text\n", "3\n"])
def test_a_file_that_is_no_mapping_of_names_is_refused(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    assert lines_of(path) == (f"{path}: must contain a mapping of `key: value` lines",)


@pytest.mark.parametrize(
    ("text", "place", "advice"),
    [
        ("a: {? [1, 2] : 3}\n", "1:7", ""),
        ("1: a\n", "1:1", "; write '1' in quotes"),
        ("true: a\n", "1:1", "; write 'true' in quotes"),
        ("a:\n  2020-01-01: 3\n", "2:3", "; write '2020-01-01' in quotes"),
    ],
)
def test_a_key_that_is_no_plain_text_is_refused(tmp_path: Path, text: str, place: str, advice: str) -> None:
    path = written(tmp_path, text)
    assert lines_of(path) == (f"{path}:{place}: a key must be plain text{advice}",)


def test_a_date_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    path = written(tmp_path, "a: 2020-13-01\n")
    [line] = lines_of(path)
    assert line.startswith(f"{path}: not valid YAML: month must be in 1..12")


@pytest.mark.parametrize("text", ["a: " + "[" * 200_000, "a: " + "{b: " * 60 + "1" + "}" * 60])
def test_nesting_without_end_is_refused(tmp_path: Path, text: str) -> None:
    [line] = lines_of(written(tmp_path, text))
    assert re.search("nested deeper than 50 levels|maximum nesting", line)


def test_an_alias_is_refused(tmp_path: Path) -> None:
    [line] = lines_of(written(tmp_path, "a: &x {b: 1}\nc: *x\n"))
    assert "aliases are not supported" in line


@given(st.dictionaries(st.text("ab", min_size=1), st.sampled_from(["1e5", "-2E-3", ".5e1", "yes", "1", "x: y", "ü"])))
def test_text_that_looks_like_a_number_is_written_as_text(data: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.yaml"
        path.write_text(write_yaml(data), encoding="utf-8")
        assert read_yaml(path) == data


@pytest.mark.parametrize(("text", "line"), [("a: 1\nb: [1, 2\n", 3), ("a: b: c\n", 1), ("a: 1\n\tb: 2\n", 2)])
def test_broken_yaml_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    path = written(tmp_path, text)
    (message,) = lines_of(path)
    assert re.fullmatch(rf"{re.escape(str(path))}:{line}:\d+: \S.*", message)


def test_a_missing_file_cannot_be_read(tmp_path: Path) -> None:
    (message,) = lines_of(tmp_path / "nothing.yaml")
    assert message.startswith(f"{tmp_path / 'nothing.yaml'}: cannot be read: ")


@pytest.mark.parametrize(
    ("number", "says"),
    [
        ("9" * 20_000, "a number of 20000 characters"),
        ("0x" + "f" * 20_000, "a number of 20002 characters"),
        ("0" + "7" * 20_000, "a number of 20001 characters"),
        ("0b" + "1" * 20_000, "a number of 20002 characters"),
        ("1" + ":59" * 9000, "a number of 27001 characters"),
        ("1" * 400 + ".5", "a number of 402 characters"),
        (str(2**63), "a whole number beyond 64 bits"),
        (f"-0x{2**63:x}", "a whole number beyond 64 bits"),
        ("1e999", "'1e999' is not a finite number"),
        (".inf", "'.inf' is not a finite number"),
        ("-.INF", "'-.INF' is not a finite number"),
        (".nan", "'.nan' is not a finite number"),
        ("0b_", "'0b_' is not a whole number"),
    ],
)
def test_a_number_without_bounds_is_one_line_with_its_place(tmp_path: Path, number: str, says: str) -> None:
    path = written(tmp_path, f"a: 1\nb:\n  - c: {number}\n")
    (line,) = lines_of(path)
    assert line.startswith(f"{path}:3:8: {says}")


@pytest.mark.parametrize("number", [0, LARGEST_INT, -LARGEST_INT])
def test_a_whole_number_of_64_bits_is_read(tmp_path: Path, number: int) -> None:
    assert read_yaml(written(tmp_path, f"a: {number}\nb: 0b{abs(number):_b}\n")) == {"a": number, "b": abs(number)}


def test_data_that_json_cannot_hold_are_one_line() -> None:
    (line,) = errors_in({"label": "x", "engine": {"power": 1.0, "cylinders": 10**5000}})
    assert line.startswith("car.yaml: cannot be checked: ")


def test_of_many_errors_the_first_are_told_and_the_rest_counted() -> None:
    lines = errors_in({"label": "x", "engine": {"power": 1.0, "cylinders": 4}, "sizes": ["no"] * 10_000})
    assert len(lines) == 51
    assert lines[-1] == "car.yaml: 9950 more errors"


def test_an_error_about_a_strange_key_stays_one_line() -> None:
    (line,) = errors_in({"label": "x", "engine": {"power": 1.0, "cylinders": 4}, "a\nb" + "c" * 999: 1})
    assert "\n" not in line
    assert len(line) < 400


def test_a_folder_cannot_be_read_as_a_file(tmp_path: Path) -> None:
    (message,) = lines_of(tmp_path)
    assert message.startswith(f"{tmp_path}: cannot be read: ")


def test_a_file_that_is_not_utf8_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: ñ\n".encode("latin-1"))
    (message,) = lines_of(path)
    assert message.startswith(f"{path}: cannot be read: ")


def test_a_file_with_control_characters_is_not_valid_yaml(tmp_path: Path) -> None:
    path = written(tmp_path, "a: \x01\n")
    (message,) = lines_of(path)
    assert message.startswith(f"{path}: not valid YAML: ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\tc", "a\\nb\\tc"),
        ("a\x1b[31m\x85\u2028b", "a\\x1b[31m\\x85\\u2028b"),
        ("ni\udcf1o", "ni\\udcf1o"),
        ("señal, 結果", "señal, 結果"),
    ],
)
def test_what_an_error_quotes_stays_on_its_line(text: str, line: str) -> None:
    error = ConfigError(text, "second")
    assert error.lines == (line, "second")
    assert str(error).splitlines() == [line, "second"]


def test_an_error_is_a_value_error_that_prints_one_line_each() -> None:
    error = ConfigError("first", "second")
    assert isinstance(error, ValueError)
    assert error.lines == ("first", "second")
    assert str(error) == "first\nsecond"


def test_valid_data_becomes_the_model() -> None:
    car = validate(Car, {"label": "x", "engine": {"power": 3, "cylinders": 4}, "sizes": [1, 2]}, "car.yaml")
    assert car == Car(label="x", engine=Engine(power=3.0, cylinders=4), sizes=(1, 2))


def test_every_error_is_told_at_once_with_its_path() -> None:
    lines = errors_in({"label": 3, "engine": {"power": "strong", "cylindres": 4}, "sizes": [1, "two", 3]})
    paths = {line.split(": ")[1] for line in lines}
    assert paths == {"label", "engine.power", "engine.cylindres", "sizes.1"}
    assert all(line.startswith("car.yaml: ") for line in lines)
    assert len(lines) == 4


def test_an_unknown_key_suggests_the_nearest_one() -> None:
    (line,) = errors_in({"label": "x", "engine": {"power": 1.0, "cylinders": 4}, "lable": "y"})
    assert line == "car.yaml: lable: unknown key. Did you mean label?"


def test_an_unknown_nested_key_suggests_the_nearest_nested_one() -> None:
    (line,) = errors_in({"label": "x", "engine": {"power": 1.0, "cylinders": 4, "powr": 1}})
    assert line == "car.yaml: engine.powr: unknown key. Did you mean power?"


def test_an_unknown_key_far_from_all_lists_what_is_known() -> None:
    (line,) = errors_in({"label": "x", "engine": {"power": 1.0, "cylinders": 4}, "qqq": "y"})
    assert line == "car.yaml: qqq: unknown key. Known: engine, label, sizes."


def test_an_unknown_key_suggests_no_key_of_another_level() -> None:
    (line,) = errors_in({"label": "x", "engine": {"power": 1.0, "cylinders": 4, "lable": 1}})
    assert line == "car.yaml: engine.lable: unknown key. Known: cylinders, power."
    (line,) = errors_in({"label": "x", "engine": {"power": 1.0, "cylinders": 4}, "cylinder": 1})
    assert line == "car.yaml: cylinder: unknown key. Known: engine, label, sizes."


class Fleet(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cars: dict[str, tuple[Car, ...]] = {}
    main: Car | Engine | None = None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"cars": {"red": [{"label": "x", "engine": {"power": 1.0, "cylinders": 4}, "power": 1}]}}, ["engine, label"]),
        ({"main": {"power": 1.0, "cylinders": 4, "qqq": 1}}, ["engine, label, sizes.", "Known: cylinders, power."]),
    ],
)
def test_an_unknown_key_in_a_mapping_of_lists_or_in_a_union_is_explained_by_its_place(
    data: dict[str, Any], says: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(Fleet, data, "fleet.yaml")
    lines = [line for line in caught.value.lines if "unknown key" in line and ("qqq" in line or "red" in line)]
    assert len(lines) == len(says)
    assert all(part in line for part, line in zip(says, lines, strict=True))


def test_a_missing_key_is_told_by_its_path() -> None:
    assert errors_in({"label": "x", "engine": {"power": 1.0}}) == ["car.yaml: engine.cylinders: field required"]


def test_a_mistyped_key_is_one_error_and_not_also_a_missing_one() -> None:
    data = {"lable": "x", "engine": {"powr": 1.0, "cylinders": 4}}
    assert errors_in(data) == [
        "car.yaml: engine.powr: unknown key. Did you mean power?",
        "car.yaml: lable: unknown key. Did you mean label?",
    ]
    assert "car.yaml: label: field required" in errors_in({"zzz": "x", "engine": {"power": 1.0, "cylinders": 4}})


def test_a_wrong_digest_is_told_its_length() -> None:
    class Weights(BaseModel):
        digest: str = Field(pattern=r"^([0-9a-f]{32}|[0-9a-f]{64})$")

    with pytest.raises(ConfigError) as caught:
        validate(Weights, {"digest": "ABC"}, "weights.yaml")
    assert caught.value.lines == (
        'weights.yaml: digest: must be a digest of 32 or 64 digits, each one of 0-9 and a-f (got "ABC")',
    )


@pytest.mark.parametrize("value", [4.0, 4.5, "4", True, None, [4]])
def test_nothing_is_bent_into_a_whole_number(value: Any) -> None:
    (line,) = errors_in({"label": "x", "engine": {"power": 1.0, "cylinders": value}})
    assert line.startswith("car.yaml: engine.cylinders: ")


@pytest.mark.parametrize("value", ["1.5", True, None])
def test_nothing_is_bent_into_a_number(value: Any) -> None:
    (line,) = errors_in({"label": "x", "engine": {"power": value, "cylinders": 4}})
    assert line.startswith("car.yaml: engine.power: ")


def test_a_wrong_value_is_shown_as_it_was_given() -> None:
    (line,) = errors_in({"label": "x", "engine": {"power": "strong", "cylinders": 4}})
    assert line.endswith('(got "strong")')


def test_near_names_are_suggested_and_far_ones_listed() -> None:
    assert suggest("vgg61", ["vgg16", "scratch_cnn"]) == "Did you mean vgg16?"
    assert suggest("zzz", ["b", "a"]) == "Known: a, b."
    assert suggest("zzz", []) == "Known: none."
    assert suggest("aucc", ["auc", "recall"], ["acc"]) == "Did you mean auc?"


def test_an_unknown_name_says_what_it_was_taken_for() -> None:
    assert unknown("card", "vgg61", ["vgg16"]).lines == ("Unknown card 'vgg61'. Did you mean vgg16?",)


# PyYAML writes the text "1e5" without quotes; a YAML 1.2 reader rightly takes that for a number.
PLAIN_TEXT = st.text(max_size=20).filter(lambda text: not re.fullmatch(r"[-+]?[\d.]+[eE][-+]?\d+", text))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-LARGEST_INT, LARGEST_INT)
    | st.floats(allow_nan=False, allow_infinity=False)
    | PLAIN_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(string.ascii_letters + "_ñ-", min_size=1, max_size=12), VALUES, max_size=5))
@settings(max_examples=100, deadline=None)
def test_a_plain_mapping_survives_being_written_and_read(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    assert read_yaml(path) == data


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=100, deadline=None)
def test_a_number_written_by_python_is_read_unchanged(tmp_path_factory: pytest.TempPathFactory, number: float) -> None:
    path = tmp_path_factory.getbasetemp() / "number.yaml"
    path.write_text(f"a: {number!r}\n", encoding="utf-8")
    assert read_yaml(path) == {"a": number}
