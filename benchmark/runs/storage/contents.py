"""What the files of a run hold: the score of every image, and the epochs. Bytes in, plain data out."""

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
_MOST_BYTES = 4 * 1024**3  # unpacked: a small file can claim any size


def write_predictions(path: Path, scores: Sequence[tuple[Scores, Sequence[str]]]) -> None:
    """Write scores and the names of their images as Parquet. Raises OSError."""
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
    """The scores of a run, by split. Raises ValueError for bytes that are no such file, and other errors of Parquet."""

    def __init__(self, data: bytes) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not data:
            raise ValueError("the file is empty")
        file = pq.ParquetFile(pa.BufferReader(data))
        facts = file.metadata
        unpacked = sum(facts.row_group(number).total_byte_size for number in range(facts.num_row_groups))
        if facts.num_rows > _MOST_ROWS or unpacked > _MOST_BYTES:
            raise ValueError(f"it claims {facts.num_rows:,} rows of {unpacked:,} bytes")
        self._table: pyarrow.Table = file.read(use_threads=False)  # a few rows: threads cost more than they bring

    def all(self) -> dict[str, Scores]:
        """The scores of every split there is."""
        return {split: self.scores(split) for split in self._table["split"].unique().to_pylist()}

    def scores(self, split: SplitName) -> Scores:
        """The scores of one split, in a type that says which."""
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
    """Write epochs as CSV. Raises OSError."""
    rows = history.rows()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)


def read_history(data: bytes) -> History:
    """The epochs in a CSV file. Raises ValueError, TypeError or csv.Error."""
    return History.of(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def read_whole_history(data: bytes) -> History:
    """As `read_history`; a file without epochs, or without a value of a learning curve, is a ValueError too."""
    history = read_history(data)
    if not history:
        raise ValueError("it holds no epochs")
    history.curves()
    return history
