"""Figures, matrices and test sets of a claims file are about the same classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reports.claims.model import Claims, load_claims
from reports.claims.printed import MulticlassTestSet, PrintedClassMatrix, TestSet
from tests.support.claims import claims_of, class_matrix, contents, figure, row, several, write_claims
from tests.support.records import cards
from zoo.config.errors import ConfigError

RECALL = figure("recall", 0.9, decimals=2)


def problems(folder: Path, data: dict[str, Any]) -> list[str]:
    """The lines of the error, without the file's path."""
    path = write_claims(folder, data)
    with pytest.raises(ConfigError) as caught:
        load_claims(str(path), cards())
    return [line.removeprefix(f"{path}: ") for line in caught.value.lines]


def test_a_test_set_of_several_classes_has_their_names_and_sizes(tmp_path: Path) -> None:
    claims = claims_of(tmp_path, several(row("one", {**RECALL, "class": "virus"})))
    test = claims.rows[0].test
    assert isinstance(test, MulticlassTestSet)
    assert test.sizes == {"NORMAL": 234, "bacteria": 242, "virus": 148}
    assert (test.total, test.location) == (624, "Section 2")
    assert claims.rows[0].is_multiclass
    assert Claims.model_validate(claims.model_dump(mode="json")) == claims


def test_a_row_may_have_two_classes_in_a_file_about_several(tmp_path: Path) -> None:
    two = {"negatives": 234, "positives": 390, "location": "Section 3"}
    data = several(row("one", {**RECALL, "average": "macro"}), row("two", RECALL, test=two))
    one, other = claims_of(tmp_path, data).rows
    assert isinstance(other.test, TestSet)
    assert (one.is_multiclass, other.is_multiclass) == (True, False)


def test_a_printed_matrix_of_several_classes_names_them_and_can_be_reordered(tmp_path: Path) -> None:
    (matrix,) = claims_of(tmp_path, several(row("one", figure("accuracy", 0.8)), matrices=[class_matrix()])).matrices
    assert isinstance(matrix, PrintedClassMatrix)
    assert matrix.sizes == {"NORMAL": 234, "bacteria": 242, "virus": 148}
    assert matrix.reordered(("virus", "NORMAL", "bacteria")) == ((100, 8, 40), (4, 220, 10), (30, 12, 200))


@pytest.mark.parametrize(
    ("printed", "says"),
    [
        (RECALL, "rows.0.figures.0.metric: recall of 3 classes is of one class or an average; add `class: NORMAL` or"),
        ({**RECALL, "class": "Virus"}, "rows.0.figures.0.class: unknown class 'Virus'. Did you mean virus?"),
        (figure("true_positives", 3, decimals=0), "rows.0.figures.0.metric: true_positives is a count of two classes;"),
        (figure("quadratic_kapa", 0.5), "rows.0.figures.0.metric: unknown metric 'quadratic_kapa'. Did you mean quadr"),
    ],
)
def test_a_figure_of_other_classes_than_its_row_is_refused(tmp_path: Path, printed: dict[str, Any], says: str) -> None:
    (line,) = problems(tmp_path, several(row("one", printed)))
    assert line.startswith(says)


def test_figures_alone_say_that_a_row_has_several_classes(tmp_path: Path) -> None:
    data = several(row("one", {**RECALL, "class": "virus"}, RECALL))
    del data["source"]["test"]
    (line,) = problems(tmp_path, data)
    assert line.startswith("rows.0.figures.1.metric: recall of three classes or more is of one class or an average;")


def test_a_class_in_a_row_of_two_is_refused(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, contents(row("one", {**RECALL, "class": "virus"})))
    assert line.startswith("rows.0.figures.0.class: is for three classes or more, but the test set has negatives and")


def test_what_a_card_of_two_classes_published_is_no_row_of_several(tmp_path: Path) -> None:
    test = {"A": 1, "B": 2, "C": 3, "location": "Table 1"}
    lines = problems(tmp_path, contents({"name": "one", "card": "attempt-4", "test": test}))
    assert lines
    assert all(line.startswith("rows.0.card: 'attempt-4' has published ") for line in lines)


def test_an_interpretation_is_of_the_classes_of_its_row(tmp_path: Path) -> None:
    meanings = [{"row": "one", "meaning": "a pair", "figures": [RECALL]}]
    (line,) = problems(tmp_path, several(row("one", figure("accuracy", 0.8)), interpretations=meanings))
    assert line.startswith("interpretations.0.figures.0.metric: recall of 3 classes")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"classes": ["NORMAL", "bacteria", "viral"]}, "matrices.0.classes: are NORMAL, bacteria, viral; the test set"),
        ({"classes": ["A", "B"]}, "matrices.0: 2 classes; two classes have tp, fp, tn and fn"),
        ({"classes": ["A", "A", "B"]}, "matrices.0: two classes have one name"),
        (
            {"matrix": [[1, 2, 3], [4, 5, 6]]},
            "matrices.0: the matrix has rows of 3, 3 counts; 3 classes need 3 rows of",
        ),
        ({"matrix": [[0] * 3] * 3}, "matrices.0: every count of the matrix is 0"),
        ({"matrix": [[-1, 0, 0]] + [[1] * 3] * 2}, "matrices.0.matrix.0.0: input should be greater than or equal to 0"),
        ({"matrx": []}, "matrices.0.matrx: unknown key. Did you mean matrix?"),
    ],
)
def test_a_matrix_that_is_not_square_or_of_other_classes_is_refused(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    data = several(row("one", figure("accuracy", 0.8)), matrices=[{**class_matrix(), **change}])
    assert problems(tmp_path, data)[0].startswith(says)


def test_four_counts_are_of_two_classes_and_a_square_of_more(tmp_path: Path) -> None:
    two = {"row": "one", "location": "Table 2", "tp": 1, "fp": 2, "tn": 3, "fn": 4}
    (line,) = problems(tmp_path / "a", several(row("one", figure("accuracy", 0.8)), matrices=[two]))
    assert line.startswith("matrices.0: tp, fp, tn and fn are of two classes; give `classes` and `matrix`")
    (line,) = problems(tmp_path / "b", contents(row("one", figure("accuracy", 0.8)), matrices=[class_matrix()]))
    assert line.startswith("matrices.0.classes: 3 classes, but the test set of one has negatives and positives")


def test_a_threshold_is_for_two_classes(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, several(row("one", {**RECALL, "average": "macro"}, threshold=0.4)))
    assert line.startswith("rows.0.threshold: is for two classes; drop it")


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"class": "vrius"}, "statements.0.assertion.superior.class: unknown class 'vrius'. Did you mean virus?"),
        ({"class": "virus", "average": "macro"}, "statements.0.assertion.superior: `class` and `average` exclude each"),
    ],
)
def test_a_statement_is_of_a_class_that_the_claims_name(tmp_path: Path, extra: dict[str, str], says: str) -> None:
    superior = {"a": "attempt-1", "b": "attempt-2", "metric": "recall", **extra}
    statement = {"id": "s", "location": "p. 3", "text": "T", "assertion": {"superior": superior}}
    (line,) = problems(tmp_path, several(row("one", figure("accuracy", 0.8)), statements=[statement]))
    assert line.startswith(says)


def test_classes_of_the_data_may_be_more_than_two(tmp_path: Path) -> None:
    data = several(row("one", figure("accuracy", 0.8)))
    data["source"] |= {"data": "folder", "recognise": {"test_names_sha256": "ab" * 32, "classes": ["A", "B", "C"]}}
    recognise = claims_of(tmp_path, data).source.recognise
    assert recognise is not None
    assert recognise.classes == ("A", "B", "C")
