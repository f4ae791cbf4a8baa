"""Columns of named types as an Arrow table, and the table as the frame that was asked for."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from zoo.config.strict_yaml import ConfigError, unknown

if TYPE_CHECKING:
    import pyarrow

Frame = Literal["pandas", "polars", "arrow"]
FRAMES: tuple[Frame, ...] = ("pandas", "polars", "arrow")


def common(kinds: Collection[type]) -> str:
    """The column type that holds values of all `kinds`, of which there is at least one."""
    names = {bool: "bool", int: "int64", float: "float64"}
    if set(kinds) == {int, float}:
        return "float64"
    (only, *more) = set(kinds)
    return "string" if more else names.get(only, "string")


def column_type(kind: str) -> Any:
    """The Arrow type called `kind`: Arrow's own alias, or `time` for UTC times."""
    import pyarrow as pa

    return pa.timestamp("us", tz="UTC") if kind == "time" else pa.type_for_alias(kind)


def table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> pyarrow.Table:
    """The table with these columns, name to type; what a row does not have is missing."""
    import pyarrow as pa

    return pa.table(
        {name: pa.array([row.get(name) for row in rows], column_type(kind)) for name, kind in columns.items()}
    )


def frame_of(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]], frame: Frame) -> Any:
    """The rows as a `frame`; what a row does not have is missing. Raises ConfigError."""
    return converted(table(columns, rows), frame)


def converted(table: pyarrow.Table, frame: Frame) -> Any:
    """`table` as a `frame`. Raises as `check_frame` does."""
    check_frame(frame)
    if frame == "polars":
        import polars

        return polars.from_arrow(table)
    return table if frame == "arrow" else table.to_pandas()


def check_frame(frame: Frame) -> None:
    """Raise ConfigError for an unknown frame, and for a library that is not installed."""
    if frame not in FRAMES:
        raise unknown("frame", frame, FRAMES)
    if frame == "arrow":
        return
    try:
        importlib.import_module(frame)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"frame={frame!r}: {frame} is not installed; `pip install 'zoo-bench[frames]'`, or take frame=\"arrow\""
        ) from error
