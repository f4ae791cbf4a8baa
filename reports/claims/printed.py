"""What a report printed about its models: test sets, confusion matrices, and rows of figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, model_validator

from reports.claims.statement import AT_MOST, ONE_OR_MORE, At, Name, Text
from zoo.config.renames import formerly
from zoo.config.strict import Strict
from zoo.models.card import (
    ModelCard,
    MulticlassTestSizes,
    PublishedFigure,
    TestSizes,
    by_keys,
    names_classes,
)
from zoo.models.recipe import Loss

Count = Annotated[int, Field(ge=0, le=1_000_000)]


class TestSet(TestSizes):
    """The number of images per class in a test set of two classes, and where the source states it."""

    location: Annotated[Text, formerly("where")]


class MulticlassTestSet(MulticlassTestSizes):
    """The number of images of each class in a test set of three classes or more, and where the source states it:
    `{NORMAL: 234, bacteria: 242, virus: 148, location: "Table 1"}`."""

    location: Annotated[Text, formerly("where")]


AnyTestSet = Annotated[TestSet | MulticlassTestSet, by_keys(names_classes, TestSet, MulticlassTestSet)]
"""The test set of two classes, or of more."""


class PrintedMatrix(Strict):
    """A printed confusion matrix of two classes on the test split, and the row that the source assigns it to."""

    row: Name
    location: Annotated[Text, formerly("where")]
    tp: Count
    fp: Count
    tn: Count
    fn: Count


class PrintedClassMatrix(Strict):
    """A printed confusion matrix of three classes or more on the test split, and the row that the source assigns it to.

    `matrix` has a row for each true class and a column for each predicted class, both in the order of `classes`.
    `ordered` says that this order is a scale, as of grades.
    """

    row: Name
    location: Annotated[Text, formerly("where")]
    classes: Annotated[tuple[Text, ...], AT_MOST]
    matrix: Annotated[tuple[Annotated[tuple[Count, ...], AT_MOST], ...], AT_MOST]
    ordered: bool = False

    @model_validator(mode="after")
    def _square(self) -> PrintedClassMatrix:
        count = len(self.classes)
        if count < 3:
            raise ValueError(f"{count} classes; two classes have tp, fp, tn and fn instead of `classes` and `matrix`")
        if len(set(self.classes)) < count:
            raise ValueError("two classes have one name; rename one")
        lengths = [len(row) for row in self.matrix]
        if lengths != [count] * count:
            counts = ", ".join(map(str, lengths))
            raise ValueError(f"the matrix has rows of {counts} counts; {count} classes need {count} rows of {count}")
        if not any(map(sum, self.matrix)):
            raise ValueError("every count of the matrix is 0; give the printed counts")
        return self

    def reordered(self, classes: Sequence[str]) -> tuple[tuple[int, ...], ...]:
        """Return the matrix with rows and columns in the order of `classes`, which are the same names."""
        order = [self.classes.index(name) for name in classes]
        return tuple(tuple(self.matrix[i][j] for j in order) for i in order)

    @property
    def sizes(self) -> dict[str, int]:
        """The number of images by true class."""
        return {name: sum(row) for name, row in zip(self.classes, self.matrix, strict=True)}


AnyMatrix = Annotated[
    PrintedMatrix | PrintedClassMatrix,
    by_keys(lambda keys: bool({"classes", "matrix"} & set(keys)), PrintedMatrix, PrintedClassMatrix),
]
"""A printed matrix of two classes, or of more."""


class Interpretation(Strict):
    """One meaning of an ambiguous sentence about `row`.

    Its figures replace the figures of the row with the same metric, split and epoch, and are audited like printed ones.
    """

    row: Name
    meaning: Annotated[Text, formerly("reading")]
    figures: Annotated[tuple[PublishedFigure, ...], ONE_OR_MORE, AT_MOST]


class Row(Strict):
    """The figures printed about one model. `alias` is its name in the source.

    The published figures of `card` come before `figures`; a figure that both state counts once. A row without test set
    or loss has those of its card. `loss` is the function behind the printed losses, cross-entropy by default.
    `threshold` is the decision threshold behind accuracy, precision and recall. `at: chosen` says instead that the
    source chose it on validation images without stating it; `at: half` is 0.5.
    """

    name: Name
    card: Name | None = None
    alias: Annotated[str | None, formerly("called")] = None
    figures: Annotated[tuple[PublishedFigure, ...], AT_MOST] = ()
    test: AnyTestSet | None = None
    loss: Loss | None = None
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    at: Annotated[
        At | None, Field(description="`chosen`: decisions chosen on validation; `half` or null: those at `threshold`")
    ] = None

    @property
    def of_two(self) -> TestSet | None:
        """The test set of two classes; None where it is not stated or has more classes."""
        return self.test if isinstance(self.test, TestSet) else None

    @property
    def of_several(self) -> MulticlassTestSet | None:
        """The test set of three classes or more; None where it is not stated or has two classes."""
        return self.test if isinstance(self.test, MulticlassTestSet) else None

    @property
    def is_multiclass(self) -> bool:
        """Whether the test set or a figure says that the row is about three classes or more."""
        named = any(figure.of_class is not None or figure.average is not None for figure in self.figures)
        return self.of_several is not None or (self.of_two is None and named)

    @model_validator(mode="after")
    def _something(self) -> Row:
        if self.card is None and not self.figures:
            raise ValueError("a row needs a card or figures")
        if self.at is not None and "threshold" in self.model_fields_set:
            raise ValueError("`at` and `threshold` exclude each other; keep `threshold` where its value is known")
        return self


def test_of_card(card: ModelCard | None) -> AnyTestSet | None:
    """Return the test set behind the published figures of a card; None where it states none."""
    source = card.source if card else None
    if source is None or source.test is None:
        return None
    if isinstance(source.test, MulticlassTestSizes):
        sizes = source.test.sizes
        location = f"{source.section}: {' + '.join(map(str, sizes.values()))} test images"
        return MulticlassTestSet.model_validate({**sizes, "location": location})
    negatives, positives = source.test.negatives, source.test.positives
    location = f"{source.section}: {negatives} + {positives} test images"
    return TestSet(negatives=negatives, positives=positives, location=location)
