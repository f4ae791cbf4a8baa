"""Keys of YAML files and stored records that were renamed; the old ones work for one version."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

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

    The old keys count together. A file gives all of them or none; in a stored record, some alone count as none.
    """


def with_current_keys(
    model: type[BaseModel], data: Any, *, stored: bool = False
) -> tuple[Any, tuple[tuple[str, str], ...]]:
    """Replace the old keys of `model` and of the models in its fields, alone or in lists.

    Args:
        model: The model that `data` will be validated as.
        data: The contents of a YAML or JSON file; not changed.
        stored: Whether the program wrote the data. Earlier versions stored some of the keys in `Joined` without others.

    Returns:
        The data with current keys, and each pair of an old and a current key that was replaced.

    Raises:
        ValueError: If a mapping has an old key and the current one, or, unless stored, some of the keys in `Joined`.
    """
    replaced: dict[tuple[str, str], None] = {}
    return _current(model, data, "", replaced, stored), tuple(replaced)


def _current(model: type[BaseModel], data: Any, path: str, replaced: dict[tuple[str, str], None], stored: bool) -> Any:
    if isinstance(data, list):
        return [_current(model, entry, f"{path}{index}.", replaced, stored) for index, entry in enumerate(data)]
    if not isinstance(data, dict) or not _has_old_keys(model):
        return data
    current = dict(data)
    for name, field in model.model_fields.items():
        joined = next((each for each in field.metadata if isinstance(each, Joined)), Joined())
        old_key = _old_key(field)
        renamed = {} if old_key is None else {old_key: name}
        old = {key: f"{name}.{part}" for key, part in joined.items()} | renamed
        old = {key: new for key, new in old.items() if key in data}
        if not old:
            continue
        if name in data:
            raise ValueError(f"{path}{name}: has the old key `{next(iter(old))}` too; keep `{name}`")
        values = {key: current.pop(key) for key in old}
        parts = {part: values.get(key) for key, part in joined.items()}
        absent = [key for key, part in joined.items() if parts[part] is None]
        if 0 < len(absent) < len(joined) and not stored:
            present = next(key for key in joined if key not in absent)
            raise ValueError(f"{path}{present}: needs `{absent[0]}` too; give `{name}: {{{', '.join(parts)}}}` instead")
        current[name] = values[next(iter(renamed))] if renamed else None if absent else parts
        replaced |= dict.fromkeys(old.items())
    for name, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            if name in current:
                current[name] = _current(inner, current[name], f"{path}{name}.", replaced, stored)
    return current


def _old_key(field: FieldInfo) -> str | None:
    """The old key of a field; a field whose key in files is no Python name has an alias instead."""
    return field.serialization_alias if field.alias is None else None


@cache
def _has_old_keys(model: type[BaseModel]) -> bool:
    return any(
        _old_key(field) is not None
        or any(isinstance(each, Joined) for each in field.metadata)
        or any(_has_old_keys(inner) for inner in models_in(field.annotation))
        for field in model.model_fields.values()
    )
