"""Tables of texts from CSV and Parquet files, with the place of each row for messages."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.data.classes import listed
from benchmark.data.dataset import DataError
from zoo.config.errors import first_line
from zoo.config.plain_file import NotPlain, read_plain

LARGEST_CSV = 512 * 2**20
"""The largest size of a CSV file in bytes."""

SUFFIXES = (".csv", ".parquet")
_SEPARATORS = (",", ";", "\t")
_MISSING = ("", "nan", "n/a", "null")  # as pandas and databases write a missing value


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        place: Where it is, for messages: "line 7", or "row 6" in a Parquet file.
        cells: Its texts by column, without surrounding spaces; missing values are left out.
    """

    place: str
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """The columns and rows of a file.

    Attributes:
        columns: Their names, in the order of the file.
        rows: Its rows; empty lines are left out.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(path: Path) -> Table:
    """Read a CSV file in UTF-8, separated by commas, semicolons or tabs, or a Parquet file.

    Args:
        path: The file; its suffix says which of the two it is.

    Returns:
        The table.

    Raises:
        DataError: The file cannot be read, is empty, has two columns of one name, or a row of another length.
    """
    header, rows = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    columns = tuple(name.strip() for name in header)
    for index, name in enumerate(columns):
        if not name:
            raise DataError(f"{path}: column {index + 1} has no name; the first line must name every column")
        if name in columns[:index]:
            raise DataError(f"{path}: two columns have the name '{name}'; rename one")
    table = Table(columns, tuple(_rows(path, columns, rows)))
    if not table.rows:
        raise DataError(f"{path}: has no rows below its columns {listed(columns)}; give one row per image")
    return table


def _rows(path: Path, columns: Sequence[str], rows: Iterator[tuple[str, Sequence[str]]]) -> Iterator[Row]:
    for place, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            raise DataError(
                f"{path}: {place} has {len(cells)} cells, the header {len(columns)}; put a text that contains the "
                "separator into double quotes"
            )
        texts = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
        yield Row(place, {name: cell for name, cell in texts.items() if cell.casefold() not in _MISSING})


def _read_csv(path: Path) -> tuple[Sequence[str], Iterator[tuple[str, Sequence[str]]]]:
    try:
        content = read_plain(path, LARGEST_CSV)
    except NotPlain as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {first_line(error)}") from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path}: is UTF-16, not UTF-8; save it as 'CSV UTF-8'")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + content.count(b"\n", 0, error.start)
        raise DataError(f"{path}: line {line} is not UTF-8; save the file as 'CSV UTF-8'") from error
    if "\0" in text:
        raise DataError(f"{path}: contains a zero byte; it is no text file")
    if not text.strip():
        raise DataError(f"{path}: is empty; give a header and one line per image")
    first = text.lstrip().split("\n", 1)[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text.lstrip()), delimiter=separator, strict=True)
    skipped = text[: len(text) - len(text.lstrip())].count("\n")

    def rows() -> Iterator[tuple[str, Sequence[str]]]:
        while True:
            line = skipped + reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise DataError(f"{path}: line {line}: {first_line(error)}; quotes must be closed") from error
            yield f"line {line}", cells

    remaining = rows()
    return next(remaining)[1], remaining


def _read_parquet(path: Path) -> tuple[Sequence[str], Iterator[tuple[str, Sequence[str]]]]:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    try:
        with path.open("rb") as file:  # pyarrow takes a path with a colon for a URI
            table = parquet.read_table(file)
        columns = [_texts(column) for column in table.columns]
    except (OSError, arrow.ArrowException, ValueError) as error:
        raise DataError(f"{path}: not a readable Parquet file of plain columns: {first_line(error)}") from error
    rows = ((f"row {index}", cells) for index, cells in enumerate(zip(*columns, strict=True), start=1))
    return table.column_names, rows


def _texts(column: object) -> list[str]:
    values = column.to_pylist()  # type: ignore[attr-defined]
    return ["" if value is None else _text(value) for value in values]


def _text(value: object) -> str:
    if isinstance(value, list | dict | bytes):
        raise ValueError(f"a cell contains {type(value).__name__}; texts and numbers are needed")
    whole = isinstance(value, float) and value.is_integer()  # pandas stores whole numbers with a missing one as floats
    return str(int(value)) if whole and isinstance(value, float) else str(value)
