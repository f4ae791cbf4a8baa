"""Reading of `run.json`: the record, or one line that says why it cannot be used."""

from __future__ import annotations

import json
import marshal
import math
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from benchmark.runs.environment import Environment
from benchmark.runs.protocol import Protocol
from benchmark.runs.run import RECORD_VERSION, DatasetFacts, Run
from benchmark.runs.storage.files import Damaged, Unreadable, one_line, read_bytes
from zoo.config.renames import with_current_keys
from zoo.models.card import ModelCard

MOST_BYTES = 64 * 1024**2
"""Larger than any record."""

AGAIN = "run the card again (the same `zoo bench` command does), or delete the folder of the run"
"""The remedy for a damaged run."""

_HIGHEST_VERSION = 10**6  # a greater number is not a version


def read_record(path: Path) -> Run:
    """Read the record of a run.

    Args:
        path: A file `run.json`.

    Returns:
        The run.

    Raises:
        FileNotFoundError: There is no such file.
        NotADirectoryError: Its parent is not a folder.
        Damaged: It is not a record as `Store.save` writes it.
        Unreadable: It may be intact, but access is refused or a newer version of zoo wrote it.
    """
    try:
        content = read_bytes(path, MOST_BYTES)
    except Damaged as error:
        raise Damaged(f"{error}; {AGAIN}") from error
    return parse_record(path, content)


def parse_record(path: Path, content: bytes) -> Run:
    """Parse the bytes of a record.

    Args:
        path: Their file, for messages.
        content: The bytes.

    Returns:
        The run.

    Raises:
        Damaged: As `read_record`.
        Unreadable: A newer version of zoo wrote it.
    """
    try:
        data = json.loads(content.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
        version = version_of(data)
        if version > RECORD_VERSION:
            raise Unreadable(
                f"{path}: was written by a newer version of zoo (record version {version}, this one knows "
                f"{RECORD_VERSION}); update zoo"
            )
        run = _validated(data)
        _ = run.run_id
    except Unreadable:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        where = one_line(".".join(map(str, first["loc"])))
        what = one_line(first["msg"].removeprefix("Value error, "))
        raise Damaged(": ".join(filter(None, (str(path), where, f"{what}; {AGAIN}")))) from error
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise Damaged(f"{path}: is damaged ({one_line(error)}); {AGAIN}") from error
    return run


class SharedParts:
    """The parts that many records have in common, such as cards, each validated once."""

    def __init__(self) -> None:
        self._parts: dict[tuple[type[BaseModel], bytes], BaseModel] = {}

    def of(self, model: type[BaseModel], data: Any) -> BaseModel | None:
        """The part with this content, as `model`. Raises ValidationError if it is not valid."""
        if data is None:
            return None
        key = model, marshal.dumps(data, 2)  # a key in memory: version 2 gives equal bytes for equal content
        if key not in self._parts:
            self._parts[key] = model.model_validate(with_current_keys(model, data, stored=True)[0])
        return self._parts[key]


def read_known(content: bytes, parts: SharedParts) -> Run:
    """Parse a record that `parse_record` has parsed before. It is validated again, its common parts once.

    Args:
        content: The bytes of the record.
        parts: The parts of the records that were parsed with it.

    Returns:
        The run.

    Raises:
        ValueError: It is no record of this version of the program.
        KeyError: A field is missing.
        TypeError: A field has another type.
    """
    data = from_json(content, allow_inf_nan=False, cache_strings="keys")
    spec = data["spec"]
    for field, model in (("card", ModelCard), ("protocol", Protocol), ("dataset", DatasetFacts)):
        spec[field] = parts.of(model, spec[field])
    data["environment"] = parts.of(Environment, data.get("environment"))
    return Run.model_validate(data)


def _validated(data: Any) -> Run:
    try:
        return Run.model_validate(data)
    except ValidationError:  # old keys are unknown ones
        return Run.model_validate(with_current_keys(Run, data, stored=True)[0])


def version_of(data: Any) -> int:
    """The version that a record or a store declares. Raises ValueError, KeyError or TypeError."""
    version = data["version"]
    if type(version) is not int or not 0 < version < _HIGHEST_VERSION:
        raise ValueError("its version is not valid")
    return version


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"it contains {name}, which is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"it contains the number {text}")
    return number
