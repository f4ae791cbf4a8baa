"""The contents of a run's files: scores per image as Parquet, epochs as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from benchmark.evidence.scores import AnyScores, MulticlassScores, SplitName, scores_of
from benchmark.runs.history import History

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow

_MOST_ROWS = 50_000_000
_MOST_BYTES = 4 * 1024**3  # decompressed: a small file can declare any size
_OF_CLASS = "score:"  # begins the column of each of three or more classes


def write_predictions(
    path: Path,
    scores: Sequence[tuple[AnyScores, Sequence[str]]],
    further: Mapping[str, Sequence[Any]] = MappingProxyType({}),
) -> None:
    """Write scores as Parquet.

    Two classes have one column, `y_score`, for the positive class. More have one column each, `score:CLASS`.

    Args:
        path: The file.
        scores: Scores, each with the names of its images.
        further: Further columns by name, with one value per image.

    Raises:
        OSError: The file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[Any]] = {"split": [], "image": [], "patient": [], "y_true": []}
    for part, names in scores:
        columns["split"] += [part.split] * len(part)
        columns["image"] += names
        columns["patient"] += part.patient or [None] * len(part)
        columns["y_true"] += part.y_true.tolist()
        for name, values in _columns(part):
            columns.setdefault(name, []).extend(values.tolist())
    with path.open("wb") as file:  # pyarrow takes a path with a colon for a URI
        pq.write_table(pa.table({**columns, **further}), file)


def _columns(part: AnyScores) -> list[tuple[str, npt.NDArray[np.float64]]]:
    if isinstance(part, MulticlassScores):
        return [(f"{_OF_CLASS}{name}", part.y_score[:, label]) for label, name in enumerate(part.classes)]
    return [("y_score", part.y_score)]


class Predictions:
    """The scores of a run, by split."""

    def __init__(self, data: bytes) -> None:
        """Parse a file that `write_predictions` wrote.

        Args:
            data: The bytes of the file.

        Raises:
            ValueError: The file is empty or declares too many rows. Parquet raises errors of other kinds, too.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not data:
            raise ValueError("the file is empty")
        file = pq.ParquetFile(pa.BufferReader(data))
        facts = file.metadata
        unpacked = sum(facts.row_group(number).total_byte_size for number in range(facts.num_row_groups))
        if facts.num_rows > _MOST_ROWS or unpacked > _MOST_BYTES:
            raise ValueError(f"it declares {facts.num_rows:,} rows of {unpacked:,} bytes")
        self._table: pyarrow.Table = file.read(use_threads=False)  # threads are slower for so few rows

    def all(self, classes: tuple[str, ...], *, ordered: bool = False) -> dict[str, AnyScores]:
        """The scores of all splits in the file, as `scores` returns them."""
        return {
            split: self.scores(split, classes, ordered=ordered) for split in self._table["split"].unique().to_pylist()
        }

    def scores(self, split: SplitName, classes: tuple[str, ...], *, ordered: bool = False) -> AnyScores:
        """The scores of one split, in the type of this split and number of classes.

        Args:
            split: The split.
            classes: Names of the classes.
            ordered: Whether their order is a scale.

        Returns:
            The scores; they have no image if the file has none of this split.

        Raises:
            ValueError: The file has no scores of these classes, or scores are out of range.
        """
        import numpy as np

        rows = self._rows(split)
        expected = ["y_score"] if len(classes) == 2 else [f"{_OF_CLASS}{name}" for name in classes]
        present = [name for name in rows.column_names if name == "y_score" or name.startswith(_OF_CLASS)]
        if sorted(present) != sorted(expected):
            raise ValueError(
                f"it has the scores {', '.join(present) or 'of no class'} instead of {', '.join(expected)}"
            )
        columns = [_numbers(rows[name]) for name in expected]
        y_score = columns[0] if len(classes) == 2 else np.stack(columns, axis=1)
        patients = rows["patient"].to_pylist()
        known = None if None in patients else tuple(patients)
        return scores_of(split, _numbers(rows["y_true"]), y_score, classes, known, ordered=ordered)

    def images(self, split: SplitName) -> tuple[str, ...]:
        """The names of the images of one split, in the order of its scores."""
        return tuple(self._rows(split)["image"].to_pylist())

    def column(self, name: str) -> list[Any]:
        """The values of a further column, for all rows. Raises KeyError if there is none."""
        values: list[Any] = self._table[name].to_pylist()
        return values

    def _rows(self, split: str) -> pyarrow.Table:
        import pyarrow.compute as pc

        splits = self._table["split"]
        known = {value.as_py(): value for value in splits.unique()}  # `pc.equal` with a str would import pandas
        return self._table.filter(pc.equal(splits, known[split])) if split in known else self._table.slice(0, 0)


def _numbers(column: pyarrow.ChunkedArray) -> npt.NDArray[Any]:
    """The values of a column as an array. `to_numpy` would import pandas where it is installed."""
    import numpy as np
    import pyarrow as pa

    if column.null_count or not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        values: npt.NDArray[Any] = column.to_numpy()
        return values
    return np.from_dlpack(column.combine_chunks())


def write_history(path: Path, history: History) -> None:
    """Write epochs to `path` as CSV. Raises OSError."""
    rows = history.rows()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)


def read_history(data: bytes) -> History:
    """Parse the epochs of a CSV file. Raises ValueError, TypeError or csv.Error."""
    return History.of(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def read_whole_history(data: bytes) -> History:
    """Parse as `read_history` does; also raises ValueError without epochs or if a learning curve lacks a value."""
    history = read_history(data)
    if not history:
        raise ValueError("it contains no epochs")
    history.curves()
    return history
