"""Keys of YAML files and stored records that were renamed; the old ones work for one version."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel, Field

from zoo.config.strict import models_in

LAST_VERSION = "0.3"
"""The version that no longer knows the old keys."""


def formerly(key: str) -> Any:
    """Declare the old key of a field in its type: `location: Annotated[str, formerly("where")]`.

    Args:
        key: The old key. `model_dump(by_alias=True)` uses it, for documents without a version number.

    Returns:
        An annotation for pydantic.
    """
    return Field(serialization_alias=key)


class Joined(dict[str, str]):
    """Declares in the type of a field the keys that it replaces, each with its key inside the field.

    The old keys count together: if one has no value, neither has the field.
    """


def with_current_keys(model: type[BaseModel], data: Any) -> tuple[Any, tuple[tuple[str, str], ...]]:
    """Replace the old keys of `model` and of the models in its fields, alone or in lists.

    Args:
        model: The model that `data` will be validated as.
        data: The contents of a YAML or JSON file; not changed.

    Returns:
        The data with current keys, and each pair of an old and a current key that was replaced.

    Raises:
        ValueError: If a mapping has an old key and the current one.
    """
    replaced: dict[tuple[str, str], None] = {}
    return _current(model, data, "", replaced), tuple(replaced)


def _current(model: type[BaseModel], data: Any, path: str, replaced: dict[tuple[str, str], None]) -> Any:
    if isinstance(data, list):
        return [_current(model, entry, f"{path}{index}.", replaced) for index, entry in enumerate(data)]
    if not isinstance(data, dict) or not _has_old_keys(model):
        return data
    current = dict(data)
    for name, field in model.model_fields.items():
        joined = next((each for each in field.metadata if isinstance(each, Joined)), Joined())
        renamed = {} if field.serialization_alias is None else {field.serialization_alias: name}
        old = {key: f"{name}.{part}" for key, part in joined.items()} | renamed
        old = {key: new for key, new in old.items() if key in data}
        if not old:
            continue
        if name in data:
            raise ValueError(f"{path}{name}: has the old key `{next(iter(old))}` too; keep `{name}`")
        values = {key: current.pop(key) for key in old}
        parts = {part: values.get(key) for key, part in joined.items()}
        current[name] = values[next(iter(renamed))] if renamed else None if None in parts.values() else parts
        replaced |= dict.fromkeys(old.items())
    for name, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            if name in current:
                current[name] = _current(inner, current[name], f"{path}{name}.", replaced)
    return current


@cache
def _has_old_keys(model: type[BaseModel]) -> bool:
    return any(
        field.serialization_alias is not None
        or any(isinstance(each, Joined) for each in field.metadata)
        or any(_has_old_keys(inner) for inner in models_in(field.annotation))
        for field in model.model_fields.values()
    )
