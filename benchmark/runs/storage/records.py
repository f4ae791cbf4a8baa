"""Reading of `run.json`: the record, or one line that says why it cannot be used."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from benchmark.runs.run import RECORD_VERSION, Run
from benchmark.runs.storage.files import Damaged, Unreadable, one_line, read_bytes
from zoo.config.renames import with_current_keys

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
        data = json.loads(read_bytes(path, MOST_BYTES).decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
        version = version_of(data)
        if version > RECORD_VERSION:
            raise Unreadable(
                f"{path}: was written by a newer version of zoo (record version {version}, this one knows "
                f"{RECORD_VERSION}); update zoo"
            )
        run = Run.model_validate(with_current_keys(Run, data, stored=True)[0])
        _ = run.run_id
    except Unreadable:
        raise
    except Damaged as error:
        raise Damaged(f"{error}; {AGAIN}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = one_line(".".join(map(str, first["loc"])))
        what = one_line(first["msg"].removeprefix("Value error, "))
        raise Damaged(": ".join(filter(None, (str(path), where, f"{what}; {AGAIN}")))) from error
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise Damaged(f"{path}: is damaged ({one_line(error)}); {AGAIN}") from error
    return run


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
