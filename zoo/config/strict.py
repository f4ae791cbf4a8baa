"""The base of every record and configuration that pydantic checks."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Refuses unknown fields, later changes and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The pydantic models in the type of a field, such as `Row` in `tuple[Row, ...] | None`."""
    arguments = typing.get_args(annotation)
    if not arguments and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in arguments:
        yield from models_in(argument)
