"""What a report printed about its models: test sets, confusion matrices, and rows of figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, model_validator

from benchmark.evidence.published.means import Repeats
from reports.claims.statement import AT_MOST, ONE_OR_MORE, At, Name, Text
from zoo.config.renames import formerly
from zoo.config.strict import Strict, by_keys
from zoo.models.card import ModelCard
from zoo.models.metrics import OverClasses
from zoo.models.published import MulticlassTestSizes, PublishedFigure, TestSizes, names_classes
from zoo.models.recipe import Loss

Count = Annotated[int, Field(ge=0, le=1_000_000)]


class TestSet(TestSizes):
    """The number of images per class in a test set of two classes, and where the source states it."""

    location: Annotated[Text, formerly("where"), Field(description="where in the source it is printed")]
    classes: tuple[Text, Text] | None = Field(
        default=None, description="names of the classes, that of the negatives first"
    )


class MulticlassTestSet(MulticlassTestSizes):
    """The number of images of each class in a test set of three classes or more, and where the source states it:
    `{NORMAL: 234, bacteria: 242, virus: 148, location: "Table 1"}`."""

    location: Annotated[Text, formerly("where"), Field(description="where in the source it is printed")]


AnyTestSet = Annotated[TestSet | MulticlassTestSet, by_keys(names_classes, TestSet, MulticlassTestSet)]
"""The test set of two classes, or of more."""


class PrintedMatrix(Strict):
    """A printed confusion matrix of two classes on the test split, and the row that the source assigns it to."""

    row: Annotated[Name, Field(description="the row to which the source assigns it")]
    location: Annotated[Text, formerly("where"), Field(description="where in the source it is printed")]
    tp: Annotated[Count, Field(description="positive images that are predicted as positive")]
    fp: Annotated[Count, Field(description="negative images that are predicted as positive")]
    tn: Annotated[Count, Field(description="negative images that are predicted as negative")]
    fn: Annotated[Count, Field(description="positive images that are predicted as negative")]


class PrintedClassMatrix(Strict):
    """A printed confusion matrix of three classes or more on the test split, and the row it is assigned to."""

    row: Annotated[Name, Field(description="the row to which the source assigns it")]
    location: Annotated[Text, formerly("where"), Field(description="where in the source it is printed")]
    classes: Annotated[tuple[Text, ...], AT_MOST, Field(description="names of the classes, in the order of the matrix")]
    matrix: Annotated[
        tuple[Annotated[tuple[Count, ...], AT_MOST], ...],
        AT_MOST,
        Field(description="one list of counts per true class, with one count per predicted class"),
    ]
    ordered: bool = Field(default=False, description="whether the order of the classes is a scale, as of grades")

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

    row: Annotated[Name, Field(description="the row that the sentence is about")]
    meaning: Annotated[Text, formerly("reading"), Field(description="what the sentence would mean, in words")]
    figures: Annotated[
        tuple[PublishedFigure, ...],
        ONE_OR_MORE,
        AT_MOST,
        Field(description="what replaces the figures of the row with the same metric, split and epoch"),
    ]


class Row(Strict):
    """The figures printed about one model.

    The published figures of `card` come before `figures`; a figure that both state counts once.
    """

    name: Annotated[Name, Field(description="how matrices, settings and reports name the row")]
    card: Name | None = Field(
        default=None, description="the card that rebuilds the model; the row also has its published figures"
    )
    alias: Annotated[str | None, formerly("called"), Field(description="name of the model in the source")] = None
    figures: Annotated[tuple[PublishedFigure, ...], AT_MOST, Field(description="what is printed about the model")] = ()
    test: AnyTestSet | None = Field(
        default=None, description="images per class behind the figures; null: those of the card, else of the source"
    )
    loss: Loss | None = Field(
        default=None, description="function behind the printed losses; null: that of the card, else cross-entropy"
    )
    threshold: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.5, description="the decision threshold behind accuracy, precision and recall"
    )
    at: At | None = Field(
        default=None,
        description="`chosen`: decisions chosen on validation images; `half`: those at 0.5; null: at `threshold`",
    )
    average: OverClasses = None
    positive: Text | None = Field(
        default=None, description="two classes: the class that is positive, `positives`, `negatives` or a name"
    )
    averaged: Repeats | None = Field(
        default=None, description="what all figures are means over; folds are stratified parts of the test set"
    )
    folds: Annotated[int, Field(ge=2, le=1000)] | None = Field(default=None, description="number of these folds")
    seeds: Annotated[int, Field(ge=2, le=1000)] | None = Field(
        default=None, description="number of trainings, of which each was judged on the test set"
    )

    @property
    def repeats(self) -> tuple[Repeats, int] | None:
        """What the figures are means over, with how many; None for figures of one set of decisions."""
        number = self.folds if self.averaged == "folds" else self.seeds
        return None if self.averaged is None or number is None else (self.averaged, number)

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
        if self.averaged is not None and any(figure.metric in ("correct", "errors") for figure in self.figures):
            raise ValueError(
                "`correct` and `errors` are of one set of decisions, and `averaged` is of several; drop them"
            )
        for name in ("folds", "seeds"):
            number = getattr(self, name)
            if self.averaged == name and number is None:
                raise ValueError(f"`averaged: {name}` needs their number; add `{name}: 5`, with the printed number")
            if self.averaged != name and number is not None:
                raise ValueError(f"`{name}` needs `averaged: {name}`, which says that the figures are means over them")
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
