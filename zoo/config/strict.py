"""The base of every record and configuration that pydantic checks."""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, WrapValidator
from pydantic.fields import FieldInfo


class Strict(BaseModel):
    """Refuses unknown fields, later changes and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class ChosenModel(WrapValidator):
    """A validator of a union of models that checks a mapping as one of them.

    Attributes:
        choose: Returns the model for a mapping.
    """

    choose: Callable[[Mapping[str, Any]], type[BaseModel]] = field(kw_only=True)


def by_keys(several: Callable[[Mapping[str, Any]], bool], two: type[BaseModel], many: type[BaseModel]) -> ChosenModel:
    """Return a validator that chooses one of two models, such as that for two classes or for more, by a mapping's keys.

    A union of the models would report the errors of both.

    Args:
        several: Whether a mapping is one of `many`.
        two: The model for other mappings.
        many: The model for the mappings that `several` recognises.

    Returns:
        An annotation for the union of both.
    """

    return chosen_by(lambda mapping: many if several(mapping) else two, two, many)


def chosen_by(choose: Callable[[Mapping[str, Any]], type[BaseModel]], *models: type[BaseModel]) -> ChosenModel:
    """Return a validator that chooses one of several models by the keys of a mapping, as `by_keys` does.

    Args:
        choose: Returns the model for a mapping.
        models: All models, of which the first is for what is no mapping.

    Returns:
        An annotation for the union of the models.
    """

    def validate(value: Any, _handler: object, info: ValidationInfo) -> BaseModel:
        if isinstance(value, models):
            return value
        model = choose(value) if isinstance(value, dict) else models[0]
        if info.mode == "json":
            return model.model_validate_json(json.dumps(value), strict=True)
        return model.model_validate(value)

    return ChosenModel(validate, choose=choose)


def models_of(info: FieldInfo, value: Any) -> list[type[BaseModel]]:
    """Find the models that the value of a field may be.

    Args:
        info: The field.
        value: Its value.

    Returns:
        Those in the type of the field; the one that a `ChosenModel` chooses for a mapping.
    """
    chosen = next(_choices(info.annotation, info.metadata), None)
    if chosen is not None and isinstance(value, Mapping):
        return [chosen.choose(value)]
    return list(models_in(info.annotation))


def _choices(annotation: Any, metadata: Iterable[Any]) -> Iterator[ChosenModel]:
    yield from (each for each in metadata if isinstance(each, ChosenModel))
    for argument in typing.get_args(annotation):
        yield from _choices(argument, getattr(argument, "__metadata__", ()))


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The pydantic models in the type of a field, such as `Row` in `tuple[Row, ...] | None`."""
    arguments = typing.get_args(annotation)
    if not arguments and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in arguments:
        yield from models_in(argument)
