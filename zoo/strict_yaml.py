"""YAML files read strictly: no duplicate key, no constructed object, every error of a file at once with its path."""

from __future__ import annotations

import difflib
import json
import re
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

_DEEPEST = 50
_TOO_DEEP = f"nested deeper than {_DEEPEST} levels"
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
                raise _fault(f"the key '{key}' stands twice; keep one", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """SafeDumper that quotes text which _Loader would read as a number."""


for _reader_or_writer in (_Loader, _Dumper):
    _reader_or_writer.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"),
        list("-+0123456789."),
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in the YAML file `path`. Raises ConfigError when it is not one plain mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {_first_line(error)}") from error
    try:
        _refuse_unsafe_shape(text)
        data = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        problem = error.problem or "not valid YAML"
        if "could not determine a constructor" in problem:
            problem = "a YAML tag would construct an object; only plain values are allowed"
        elif "maximum nesting depth" in problem:  # libyaml's own, larger limit: its scanner meets it before an event
            problem = _TOO_DEEP
        raise ConfigError(f"{where}: {problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, LookupError, TypeError) as error:
        # PyYAML's constructors raise any of these for a tag that does not fit its value.
        raise ConfigError(f"{path}: not valid YAML: {_first_line(error)}") from error
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise ConfigError(f"{path}: must hold a mapping of `key: value` lines")
    return data


def named_file(kind: str, option: str, name: str, folder: Path) -> Path:
    """The built-in file in `folder` called `name`, or the YAML file of that path.

    `kind` and `option` name it in errors. Raises ConfigError.
    """
    built_in = {path.stem: path for path in folder.glob("*.yaml")}
    if name in built_in:
        return built_in[name]
    path = Path(name).expanduser()
    if path.suffix not in (".yaml", ".yml"):
        raise unknown(kind, name, built_in)
    if not path.is_file():
        raise ConfigError(f"{option} {name}: no such file; built-in: {', '.join(sorted(built_in))}")
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
            raise _fault(_TOO_DEEP, event)
        if isinstance(event, yaml.AliasEvent):
            raise _fault(f"'*{event.anchor}': aliases are not supported", event)


def validate(model: type[Model], data: Any, where: str) -> Model:
    """`data` as a validated `model`. Raises ConfigError with one line for every error, each with its path.

    `where` is the file, perhaps with the place of `data` in it: `card.yaml: model`.
    """
    try:
        # JSON mode is strict about types and still takes a YAML list for a tuple.
        return model.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        names = sorted(set(_field_names(model)))
        raise ConfigError(*(_explain(detail, where, names) for detail in error.errors())) from error


def suggest(name: str, known: Iterable[str]) -> str:
    """A sentence with the nearest known names, or all of them when none is near."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known) or 'none'}."


def unknown(kind: str, name: str, known: Iterable[str]) -> ConfigError:
    """The error for a name that does not exist, with the nearest ones."""
    return ConfigError(f"Unknown {kind} '{name}'. {suggest(name, known)}")


def _explain(detail: Any, where: str, names: list[str]) -> str:
    path = ".".join(str(part) for part in detail["loc"])
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


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
