"""Reads YAML files strictly: no duplicate keys, no constructed objects, bounded numbers, all errors at once."""

from __future__ import annotations

import difflib
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from zoo.config.errors import ConfigError, first_line
from zoo.config.plain_file import NotPlain, read_plain
from zoo.config.renames import LAST_VERSION, with_current_keys
from zoo.config.strict import models_in, models_of

LARGEST_FILE = 2**20
"""The largest size of a YAML file in bytes."""

LARGEST_INT = 2**63 - 1
"""The largest absolute value of a whole number in a YAML file."""

_DEEPEST = 50
_LONGEST_NUMBER = 100  # characters; 64 binary digits with an underscore between any two fit
_MOST_ERRORS = 50
_COMMA = re.compile(r"^[-+]?[0-9]+,[0-9]+$")
_PERCENT = re.compile(r"^[-+]?[0-9]+([.,][0-9]+)?\s*%$")
_HEXADECIMAL = re.compile(r"\[0-9a-f\]\{([0-9]+)\}")
_LONGEST_ECHO = 60  # characters of a wrong value that an error repeats
_LONGEST_NAME = 200  # comparing longer texts with names takes long and finds nothing
Model = TypeVar("Model", bound=BaseModel)


# The loader in C, if PyYAML was built with it, accepts the same files and is several times faster.
if TYPE_CHECKING:
    _Base = yaml.SafeLoader
else:
    _Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _fault(problem: str, node: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(None, None, problem, node.start_mark)


def _decimal_comma(node: yaml.MappingNode, key_node: yaml.Node) -> str:
    """What would be right where a flow mapping was cut at the comma of a number: `{value: 0,9279}`; empty elsewhere."""
    index = next(i for i, (key, _) in enumerate(node.value) if key is key_node)
    before = node.value[index - 1][1] if index else None
    adjacent = before is not None and before.end_mark.index + 1 == key_node.start_mark.index
    if not adjacent or not isinstance(before, yaml.ScalarNode) or not isinstance(key_node, yaml.ScalarNode):
        return ""
    number = f"{before.value},{key_node.value}"
    return f"; {_with_point(number)}" if _COMMA.match(number) else ""


def _with_point(number: str) -> str:
    return f"'{number}' has a decimal comma; write {number.replace(',', '.')}"


class _Loader(_Base):
    """SafeLoader that refuses duplicate keys and reads 1e-4 as a number, as YAML 1.2 does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise _fault("'<<' is not supported; cards use `extends`", key_node)
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                quoted = f"; write '{key_node.value}' in quotes" if isinstance(key_node, yaml.ScalarNode) else ""
                raise _fault(f"a key must be plain text{_decimal_comma(node, key_node) or quoted}", key_node)
            if key in keys:
                raise _fault(f"the key '{key}' is duplicated; keep one", key_node)
            keys.add(key)
        return super().construct_mapping(node, deep)

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        # The time that Python needs grows with the square of the digits, and it refuses very long numbers.
        self._refuse_long(node)
        try:
            value = int(self.construct_yaml_int(node))
        except ValueError as error:
            raise _fault(f"'{node.value}' is not a whole number", node) from error
        if abs(value) > LARGEST_INT:
            raise _fault(f"a whole number beyond 64 bits; the largest is {LARGEST_INT}", node)
        return value

    def construct_finite(self, node: yaml.ScalarNode) -> float:
        self._refuse_long(node)
        value = float(self.construct_yaml_float(node))
        if not math.isfinite(value):
            raise _fault(f"'{node.value}' is not a finite number", node)
        return value

    def _refuse_long(self, node: yaml.ScalarNode) -> None:
        length = len(self.construct_scalar(node))
        if length > _LONGEST_NUMBER:
            raise _fault(f"a number of {length} characters; the longest has {_LONGEST_NUMBER}", node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_whole)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_finite)


class _Dumper(yaml.SafeDumper):
    """SafeDumper that quotes text which _Loader would read as a number."""


for _reader_or_writer in (_Loader, _Dumper):
    _reader_or_writer.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"),
        list("-+0123456789."),
    )


def read_yaml(path: Path, model: type[BaseModel] | None = None) -> dict[str, Any]:
    """Read the mapping in a YAML file.

    Args:
        path: A regular file of at most LARGEST_FILE bytes, whose numbers are finite and, if whole, within LARGEST_INT.
        model: What the mapping will be validated as. Its old keys are replaced, and one line on stderr names them.

    Returns:
        The mapping, with the current keys of `model`.

    Raises:
        ConfigError: If the file is not one plain mapping, or has both the old and the current key of a field.
    """
    try:
        text = read_plain(path, LARGEST_FILE).decode("utf-8")
    except NotPlain as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {first_line(error)}") from error
    try:
        _refuse_unsafe_shape(text)
        data = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise ConfigError(f"{where}: {error.problem or 'not valid YAML'}") from error
    except (yaml.YAMLError, ValueError) as error:  # a date such as 2020-13-01 is a ValueError
        raise ConfigError(f"{path}: not valid YAML: {first_line(error)}") from error
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise ConfigError(f"{path}: must contain a mapping of `key: value` lines")
    if model is None:
        return data
    try:
        current, replaced = with_current_keys(model, data)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    if replaced:
        names = ", ".join(f"`{old}` is now `{new}`" for old, new in replaced)
        keys = "the old key works" if len(replaced) == 1 else "the old keys work"
        _print_once(f"zoo: {path}: {names}; {keys} until {LAST_VERSION}")
    return dict(current)


@cache
def _print_once(line: str) -> None:
    print(line, file=sys.stderr)


def named_file(kind: str, option: str, name: str, folder: Path) -> Path:
    """Find a built-in file by its name, or any YAML file by its path.

    Args:
        kind: What the file contains, for errors: `search space`.
        option: How the user named it, for errors: `--space`.
        name: The name of a built-in file, or the path of a file that has another name.
        folder: The folder of the built-in files.

    Returns:
        The path of the file.

    Raises:
        ConfigError: If there is no such file, or if it has the name of a built-in one.
    """
    built_in = {path.stem: path for path in folder.glob("*.yaml")}
    if name in built_in:
        return built_in[name]
    path = Path(name).expanduser()
    if path.suffix not in (".yaml", ".yml"):
        if path.exists():
            raise ConfigError(f"{option} {name}: is not a YAML {kind} file, whose name ends in .yaml")
        raise unknown(kind, name, built_in)
    if not path.exists():
        raise ConfigError(f"{option} {name}: no such file; built-in: {', '.join(sorted(built_in))}")
    # Runs and reports name it by its stem, so two files must not share one.
    if path.stem in built_in and not path.samefile(built_in[path.stem]):
        raise ConfigError(f"{option} {name}: '{path.stem}' is the name of a built-in {kind}; rename the file")
    return path


def write_yaml(data: dict[str, Any]) -> str:
    """Return `data` as YAML from which `read_yaml` returns the same data."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _refuse_unsafe_shape(text: str) -> None:
    # PyYAML composes nested nodes recursively. Python does not guard the stack of the loader in C.
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise _fault(f"nested deeper than {_DEEPEST} levels", event)
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            raise _fault(f"the YAML tag {event.tag} is not supported; only plain values are allowed", event)
        if isinstance(event, yaml.AliasEvent):
            raise _fault(f"'*{event.anchor}': aliases are not supported", event)


def validate(model: type[Model], data: Any, where: str) -> Model:
    """Validate plain data.

    Args:
        model: The model to validate as.
        data: What `read_yaml` returned, or a part of it.
        where: The file for errors, perhaps with the path of `data` in it: `card.yaml: model`.

    Returns:
        The validated model.

    Raises:
        ConfigError: With one line per error, each with its path.
    """
    try:
        # JSON mode is strict about types and still accepts a YAML list for a tuple.
        text = json.dumps(data, default=str)
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"{where}: cannot be checked: {first_line(error)}") from error
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        details = _without_consequences(error.errors(include_url=False), model, data)
        lines = [_explain(detail, where, model, data) for detail in details[:_MOST_ERRORS]]
        if len(details) > _MOST_ERRORS:
            lines.append(f"{where}: {len(details) - _MOST_ERRORS} more errors")
        raise ConfigError(*lines) from error


def suggest(name: str, known: Iterable[str], others: Iterable[str] = ()) -> str:
    """Return a sentence with the nearest known names, or with all of them if none is near.

    Args:
        name: The unknown name.
        known: The known names.
        others: Further names, such as aliases. One of them is suggested only if it is very near and nearer than every
            known name, because many short names resemble each other and mean different things. They are never listed.

    Returns:
        `Did you mean A or B?`, or `Known: A, B.`
    """
    known = sorted(known)
    candidates = near(name, known, others)
    return f"Did you mean {' or '.join(candidates)}?" if candidates else f"Known: {', '.join(known) or 'none'}."


def near(name: str, known: Iterable[str], others: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the names that resemble an unknown one, at most three; upper and lower case count as the same.

    Args:
        name: The unknown name.
        known: The known names.
        others: Further names, as in `suggest`.

    Returns:
        The names; none if none is near.
    """
    text = name[:_LONGEST_NAME].casefold()
    folded, others_folded = ({each.casefold(): each for each in sorted(names)} for names in (known, others))
    candidates = difflib.get_close_matches(text, folded, n=3, cutoff=0.6)
    other = difflib.get_close_matches(text, others_folded, n=1, cutoff=0.8)
    if other and not (candidates and _likeness(text, candidates[0]) >= _likeness(text, other[0])):
        return (others_folded[other[0]],)
    return tuple(folded[each] for each in candidates)


def _likeness(name: str, known: str) -> float:
    return difflib.SequenceMatcher(None, known, name).ratio()


def unknown(kind: str, name: str, known: Iterable[str], others: Iterable[str] = ()) -> ConfigError:
    """Return the error for a name that does not exist.

    Args:
        kind: What the name should be, for the message: `card`.
        name: The unknown name.
        known: The known names.
        others: Further names, as in `suggest`.

    Returns:
        The error, with the nearest names.
    """
    return ConfigError(f"Unknown {kind} '{name}'. {suggest(name, known, others)}")


def _without_consequences(details: Sequence[Any], model: type[BaseModel], data: Any) -> list[Any]:
    """The errors without those of fields that are missing because their key is mistyped."""
    likely_keys = {
        (*detail["loc"][:-1], name)
        for detail in details[:_MOST_ERRORS]
        if detail["type"] == "extra_forbidden"
        for name in near(str(detail["loc"][-1]), _names_at(detail["loc"], model, data))[:1]
    }
    return [detail for detail in details if detail["type"] != "missing" or detail["loc"] not in likely_keys]


def _names_at(loc: Sequence[str | int], model: type[BaseModel], data: Any) -> set[str]:
    """The known keys of the mapping that has the unknown one at `loc`."""
    *place, wrong = loc
    names = {name for inner in _models_at(model, place, data) for name in _keys(inner)} or set(_field_names(model))
    return names - {str(wrong)}


def _explain(detail: Any, where: str, model: type[BaseModel], data: Any) -> str:
    path = ".".join(" ".join(str(part).split())[:_LONGEST_NAME] for part in detail["loc"])
    joint = "." if path and ": " in where else ": "
    at = f"{where}{joint}{path}" if path else where
    if detail["type"] == "extra_forbidden":
        return f"{at}: unknown key. {suggest(str(detail['loc'][-1]), _names_at(detail['loc'], model, data))}"
    message = _typing_error(detail, model, data) or detail["msg"].removeprefix("Value error, ")
    has_value = path and detail["type"] != "missing" and not isinstance(detail.get("input"), dict)
    value = f" (got {_echo(detail.get('input'))})" if has_value else ""
    return f"{at}: {message[0].lower()}{message[1:]}{value}"


def _echo(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}..."


def _typing_error(detail: Any, model: type[BaseModel], data: Any) -> str | None:
    """What is meant by a text that is not a number, or not a name, in words; None where that does not follow."""
    text = detail.get("input")
    if not isinstance(text, str) or len(text) > _LONGEST_NUMBER:
        return None
    if detail["type"] in ("float_type", "int_type") and _COMMA.match(text):
        return _with_point(text)
    if detail["type"] == "float_type" and _PERCENT.match(text):
        share = Decimal(text.rstrip("% ").replace(",", ".")) / 100
        return f"is in percent; write the share, {share:f}, which has {_places(share)} decimals"
    if detail["type"] == "string_pattern_mismatch":
        if lengths := _HEXADECIMAL.findall(detail["ctx"]["pattern"]):
            return f"must be a digest of {' or '.join(lengths)} digits, each one of 0-9 and a-f"
        return _name_error(detail, text, model, data)
    return None


def _places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def decimal_places(number: float) -> int:
    """Return the decimals of a finite number as it is written, without zeros at the end."""
    return _places(Decimal(repr(float(number))).normalize())


def _name_error(detail: Any, text: str, model: type[BaseModel], data: Any) -> str | None:
    pattern = detail["ctx"]["pattern"]
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-")
    if not re.search(pattern, name) or not re.search(pattern, "a.b_c-0"):
        return None
    *place, field = detail["loc"]
    others = {key for inner in _models_at(model, place, data) for key in _keys(inner)}
    alias = f", and `alias: {json.dumps(text, ensure_ascii=False)}` beside it" if {"name", "alias"} <= others else ""
    return f"must be lower case letters, digits, '.', '_' and '-'; write '{name}'{alias if field == 'name' else ''}"


def _models_at(model: type[BaseModel], place: Iterable[str | int], data: Any) -> list[type[BaseModel]]:
    """The models that the mapping at `place` in `data`, a location in an error of pydantic, may be; none if unknown."""
    models, value = [model], data
    for part in place:
        known = isinstance(value, Mapping) and part in value
        known = known or (isinstance(value, list) and isinstance(part, int) and part < len(value))
        value = value[part] if known else value
        inside = [
            inner
            for each in models
            for name, field in each.model_fields.items()
            if part == (field.alias or name)
            for inner in models_of(field, value)
        ]
        # Other parts are the index in a list, the key of a mapping, or the member of a union.
        models = inside or [each for each in models if part == each.__name__] or models
    return models


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name


def _field_names(model: type[BaseModel]) -> Iterator[str]:
    yield from _keys(model)
    for field in model.model_fields.values():
        for inner in models_in(field.annotation):
            yield from _field_names(inner)
