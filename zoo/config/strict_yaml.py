"""YAML files read strictly: no duplicate key, no constructed object, no number without bound, every error of a file at
once with its path."""

from __future__ import annotations

import difflib
import json
import math
import re
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from zoo.config.errors import first_line
from zoo.config.plain_file import NotPlain, read_plain

LARGEST_FILE = 2**20
"""How many bytes a YAML file may hold."""

LARGEST_INT = 2**63 - 1
"""The largest absolute value of a whole number in a YAML file."""

_DEEPEST = 50
_LONGEST_NUMBER = 100  # characters: 64 binary digits with a mark between any two of them fit
_MOST_ERRORS = 50
_LONGEST_NAME = 200  # what is longer resembles no name, and comparing it takes long
Model = TypeVar("Model", bound=BaseModel)


class ConfigError(ValueError):
    """A file or a name that cannot be used; `lines` holds one line an error."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        super().__init__("\n".join(lines))


# The loader in C, where PyYAML was built with it, reads the same and is several times faster.
if TYPE_CHECKING:
    _Base = yaml.SafeLoader
else:
    _Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _fault(problem: str, node: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(None, None, problem, node.start_mark)


class _Loader(_Base):
    """SafeLoader that refuses duplicate keys and reads 1e-4 as a number, as YAML 1.2 does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise _fault("'<<' is not supported; cards use `extends`", key_node)
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _fault("a key must be plain text", key_node)
            if key in seen:
                raise _fault(f"the key '{key}' is duplicated; keep one", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        # Python reads a number in time that grows with the square of its digits, or refuses to.
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


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in the YAML file `path`: a regular file of at most LARGEST_FILE bytes whose numbers are finite and,
    if whole, within LARGEST_INT. Raises ConfigError when it is not one plain mapping."""
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
        raise ConfigError(f"{path}: must hold a mapping of `key: value` lines")
    return data


def named_file(kind: str, option: str, name: str, folder: Path) -> Path:
    """The built-in file in `folder` called `name`, or the YAML file of that path, which must bear another name.

    `kind` and `option` name it in errors. Raises ConfigError.
    """
    built_in = {path.stem: path for path in folder.glob("*.yaml")}
    if name in built_in:
        return built_in[name]
    path = Path(name).expanduser()
    if path.suffix not in (".yaml", ".yml"):
        raise unknown(kind, name, built_in)
    if not path.exists():
        raise ConfigError(f"{option} {name}: no such file; built-in: {', '.join(sorted(built_in))}")
    # Runs and reports name it by its stem: two of one name could not be told apart.
    if path.stem in built_in and not path.samefile(built_in[path.stem]):
        raise ConfigError(f"{option} {name}: '{path.stem}' is the name of a built-in {kind}; rename the file")
    return path


def write_yaml(data: dict[str, Any]) -> str:
    """`data` as YAML that `read_yaml` reads back as it is."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _refuse_unsafe_shape(text: str) -> None:
    # PyYAML composes nested nodes recursively, the loader in C on a stack that Python does not guard.
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
    """`data` as a validated `model`. Raises ConfigError with one line for every error, each with its path.

    `where` is the file, perhaps with the place of `data` in it: `card.yaml: model`.
    """
    try:
        # JSON mode is strict about types and still takes a YAML list for a tuple.
        text = json.dumps(data, default=str)
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"{where}: cannot be checked: {first_line(error)}") from error
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        names = sorted(set(_field_names(model)))
        details = error.errors(include_url=False)
        lines = [_explain(detail, where, names) for detail in details[:_MOST_ERRORS]]
        if len(details) > _MOST_ERRORS:
            lines.append(f"{where}: {len(details) - _MOST_ERRORS} more errors")
        raise ConfigError(*lines) from error


def suggest(name: str, known: Iterable[str], others: Iterable[str] = ()) -> str:
    """A sentence with the nearest known names, or all of them when none is near.

    `others` are further names, which come first when very near and are not listed: of short ones many are alike that
    mean something else.
    """
    known = sorted(known)
    near = difflib.get_close_matches(name[:_LONGEST_NAME], known, n=3, cutoff=0.6)
    near = difflib.get_close_matches(name[:_LONGEST_NAME], others, n=1, cutoff=0.8) or near
    return f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known) or 'none'}."


def unknown(kind: str, name: str, known: Iterable[str], others: Iterable[str] = ()) -> ConfigError:
    """The error for a name that does not exist, with the nearest ones as `suggest` finds them."""
    return ConfigError(f"Unknown {kind} '{name}'. {suggest(name, known, others)}")


def _explain(detail: Any, where: str, names: list[str]) -> str:
    path = ".".join(" ".join(str(part).split())[:_LONGEST_NAME] for part in detail["loc"])
    joint = "." if path and ": " in where else ": "
    at = f"{where}{joint}{path}" if path else where
    if detail["type"] == "extra_forbidden":
        wrong = str(detail["loc"][-1])
        return f"{at}: unknown key. {suggest(wrong, [name for name in names if name != wrong])}"
    message = detail["msg"].removeprefix("Value error, ")
    told = path and detail["type"] != "missing"
    shown = f" (got {json.dumps(detail.get('input'), default=str)[:60]})" if told else ""
    return f"{at}: {message[0].lower()}{message[1:]}{shown}"


def _field_names(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name
        for inner in _models_in(field.annotation):
            yield from _field_names(inner)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    arguments = typing.get_args(annotation)
    if not arguments and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in arguments:
        yield from _models_in(argument)
