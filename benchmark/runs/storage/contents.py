"""The contents of a run's files: scores per image as Parquet, epochs as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.evidence.scores import Scores, SplitName, TestScores, ValidationScores
from benchmark.runs.history import History

if TYPE_CHECKING:
    import pyarrow

_MOST_ROWS = 50_000_000
_MOST_BYTES = 4 * 1024**3  # decompressed: a small file can declare any size


def write_predictions(path: Path, scores: Sequence[tuple[Scores, Sequence[str]]]) -> None:
    """Write scores to `path` as Parquet, each with the names of its images. Raises OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[Any]] = {"split": [], "image": [], "patient": [], "y_true": [], "y_score": []}
    for part, names in scores:
        columns["split"] += [part.split] * len(part)
        columns["image"] += names
        columns["patient"] += part.patient or [None] * len(part)
        columns["y_true"] += part.y_true.tolist()
        columns["y_score"] += part.y_score.tolist()
    pq.write_table(pa.table(columns), path)


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

    def all(self) -> dict[str, Scores]:
        """The scores of all splits in the file."""
        return {split: self.scores(split) for split in self._table["split"].unique().to_pylist()}

    def scores(self, split: SplitName) -> Scores:
        """The scores of one split, as `ValidationScores` or `TestScores` if it is one of these."""
        rows = self._rows(split)
        kind = {"val": ValidationScores, "test": TestScores}.get(split, Scores)
        patients = rows["patient"].to_pylist()
        known = None if None in patients else tuple(patients)
        return kind(split, rows["y_true"].to_numpy(), rows["y_score"].to_numpy(), known)

    def images(self, split: SplitName) -> tuple[str, ...]:
        """The names of the images of one split, in the order of its scores."""
        return tuple(self._rows(split)["image"].to_pylist())

    def _rows(self, split: str) -> pyarrow.Table:
        import pyarrow.compute as pc

        return self._table.filter(pc.equal(self._table["split"], split))


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
