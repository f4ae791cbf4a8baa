"""Predictions of three or more classes have a column per class and are read for exactly these classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmark.evidence.scores import MulticlassTestScores, MulticlassValidationScores, scores_of
from benchmark.runs.storage.contents import Predictions, write_predictions

CLASSES = ("bacteria: early", "NORMAL", "virus")
ROWS = np.array([[0.7, 0.2, 0.1], [0.0, 0.25, 0.75]])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "predictions.parquet"
    parts = [
        (scores_of("val", np.array([0, 2]), ROWS, CLASSES, ("p", "q")), ("a.png", "b.png")),
        (scores_of("test", np.array([1]), ROWS[:1], CLASSES, ("r",)), ("c.png",)),
    ]
    write_predictions(path, parts)
    return path


def test_each_class_has_a_column(file: Path) -> None:
    columns = ["split", "image", "patient", "y_true", *(f"score:{name}" for name in CLASSES)]
    assert pq.read_table(file).column_names == columns


def test_scores_are_read_back_in_the_type_of_their_split(file: Path) -> None:
    read = Predictions(file.read_bytes()).all(CLASSES, ordered=True)
    assert [type(part) for part in read.values()] == [MulticlassValidationScores, MulticlassTestScores]
    val = read["val"]
    assert isinstance(val, MulticlassValidationScores)
    assert (val.classes, val.ordered, val.patient) == (CLASSES, True, ("p", "q"))
    assert val.y_score.tolist() == ROWS.tolist()
    assert val.y_true.tolist() == [0, 2]


@pytest.mark.parametrize("classes", [("NORMAL", "virus"), ("NORMAL", "virus", "fungus"), (*CLASSES, "fungus")])
def test_scores_of_other_classes_are_refused(file: Path, classes: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"it has the scores score:bacteria: early, .* instead of"):
        Predictions(file.read_bytes()).scores("val", classes)


def test_two_classes_are_not_read_as_three(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    write_predictions(path, [(scores_of("val", np.array([0, 1]), ROWS[0, :2], ("A", "B")), ("a", "b"))])
    with pytest.raises(ValueError, match="it has the scores y_score instead of score:bacteria"):
        Predictions(path.read_bytes()).scores("val", CLASSES)


def test_scores_that_do_not_sum_to_one_are_refused(file: Path) -> None:
    table = pq.read_table(file)
    index = table.column_names.index("score:virus")
    pq.write_table(table.set_column(index, "score:virus", [np.array([0.5, 0.75, 0.1])]), file)
    with pytest.raises(ValueError, match="must sum to 1 over the classes"):
        Predictions(file.read_bytes()).scores("val", CLASSES)


def test_a_colon_in_a_relative_path_makes_no_uri_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a:b").mkdir()
    scores = scores_of("test", np.array([1]), ROWS[:1], CLASSES, ("r",))
    write_predictions(Path("a:b/predictions.parquet"), [(scores, ("c.png",))])
    assert "test" in Predictions(Path("a:b/predictions.parquet").read_bytes()).all(CLASSES, ordered=True)
