"""Per-image scores of one split. The type names the split, so that nothing is chosen on test scores.

`Scores` are those of two classes, one score per image for the positive class. `MulticlassScores` are those of three or
more classes, one score per image and class. The test scores of a cross-validation have a fold per image: every fold has
a model, a threshold and a calibrator of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SplitName = Literal["train", "val", "test"]

CLIP = 1e-7
"""Scores are clipped to [CLIP, 1 - CLIP] before a logarithm or a logit is taken, as Keras does."""

SUM_TOLERANCE = 1e-3
"""The scores of an image over several classes sum to 1 within this; bfloat16 and float16 round sums that much."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Labels and scores of the images of one split.

    Attributes:
        split: Which split the images are from.
        y_true: Labels (n,), 0 or 1.
        y_score: Scores (n,) in [0, 1].
        patient: The patient of each image (n,); None where patients are not known.
        fold: The fold whose model scored each image (n,), from 0; None for the scores of one model.

    Raises:
        ValueError: If lengths differ, there is no image, or a label or a score is out of range.
    """

    split: SplitName
    y_true: npt.NDArray[np.int64]
    y_score: npt.NDArray[np.float64]
    patient: tuple[str, ...] | None = None
    fold: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        import numpy as np  # here, because names of metrics load without NumPy

        y_true = np.array(self.y_true, dtype=np.int64)
        y_score = np.array(self.y_score, dtype=np.float64)
        if y_true.ndim != 1 or y_true.shape != y_score.shape or not len(y_true):
            raise ValueError(f"y_true {y_true.shape} and y_score {y_score.shape} must be of one length, at least 1")
        if not np.isin(y_true, (0, 1)).all():
            raise ValueError("y_true must contain 0 and 1 only")
        if not ((y_score >= 0) & (y_score <= 1)).all():
            raise ValueError("y_score must be finite and within [0, 1]")
        _freeze(self, y_true, y_score)

    def __len__(self) -> int:
        return len(self.y_true)

    def by_fold(self) -> tuple[Scores, ...]:
        """Return the scores of each fold, in the type of their split; `self` alone if there are no folds."""
        if self.fold is None:
            return (self,)
        rows = rows_of_folds(self.fold)
        return tuple(
            scores_of_two(self.split, self.y_true[row], self.y_score[row], _picked(self.patient, row)) for row in rows
        )


class ValidationScores(Scores):
    """Scores of the validation split. Thresholds may be chosen on them."""

    def __post_init__(self) -> None:
        if self.split != "val":
            raise ValueError(f"validation scores come from the val split, not {self.split}")
        _refuse_folds(self)
        super().__post_init__()


class TestScores(Scores):
    """Scores of the test split. Nothing may be chosen on them."""

    __test__ = False  # pytest must not collect it as a test class

    def __post_init__(self) -> None:
        if self.split != "test":
            raise ValueError(f"test scores come from the test split, not {self.split}")
        super().__post_init__()


@dataclass(frozen=True, eq=False)
class MulticlassScores:
    """Labels and scores of the images of one split, for three or more classes.

    Attributes:
        split: Which split the images are from.
        y_true: Labels (n,), from 0 to k - 1.
        y_score: Scores (n, k) in [0, 1]; each row sums to 1.
        classes: The names of the k classes, in the order of the columns.
        ordered: Whether the order of the classes is a scale, as with grades of a disease.
        patient: The patient of each image (n,); None where patients are not known.
        fold: The fold whose model scored each image (n,), from 0; None for the scores of one model.

    Raises:
        ValueError: If shapes do not match, there is no image, there are fewer than three classes, or a label, a score
            or a sum of scores is out of range.
    """

    split: SplitName
    y_true: npt.NDArray[np.int64]
    y_score: npt.NDArray[np.float64]
    classes: tuple[str, ...]
    ordered: bool = False
    patient: tuple[str, ...] | None = None
    fold: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        import numpy as np

        y_true = np.array(self.y_true, dtype=np.int64)
        y_score = np.array(self.y_score, dtype=np.float64)
        count = len(self.classes)
        if count < 3 or len(set(self.classes)) < count:
            raise ValueError(f"{count} classes {self.classes}; at least three different ones are needed")
        if y_true.ndim != 1 or y_score.shape != (len(y_true), count) or not len(y_true):
            raise ValueError(f"y_true {y_true.shape} and y_score {y_score.shape} must be (n,) and (n, {count}), n >= 1")
        if not ((y_true >= 0) & (y_true < count)).all():
            raise ValueError(f"y_true must be within 0 and {count - 1}")
        if not ((y_score >= 0) & (y_score <= 1)).all():
            raise ValueError("y_score must be finite and within [0, 1]")
        sums = y_score.sum(axis=1)
        if not (np.abs(sums - 1) <= SUM_TOLERANCE).all():
            worst = sums[np.abs(sums - 1).argmax()]
            raise ValueError(f"the scores of an image must sum to 1 over the classes, not {worst:g}")
        _freeze(self, y_true, y_score)

    def __len__(self) -> int:
        return len(self.y_true)

    def one_vs_rest(self, label: int) -> Scores:
        """Return the scores of class `label` against all others, in the type of the same split."""
        scores = self.y_score[:, label].clip(0, 1)
        return scores_of_two(self.split, (self.y_true == label).astype("int64"), scores, self.patient, self.fold)

    def by_fold(self) -> tuple[MulticlassScores, ...]:
        """Return the scores of each fold, in the type of their split; `self` alone if there are no folds."""
        if self.fold is None:
            return (self,)
        kind = _MULTICLASS.get(self.split, MulticlassScores)
        return tuple(
            kind(
                self.split, self.y_true[row], self.y_score[row], self.classes, self.ordered, _picked(self.patient, row)
            )
            for row in rows_of_folds(self.fold)
        )


class MulticlassValidationScores(MulticlassScores):
    """Scores of the validation split. Decision rules may be chosen on them."""

    def __post_init__(self) -> None:
        if self.split != "val":
            raise ValueError(f"validation scores come from the val split, not {self.split}")
        _refuse_folds(self)
        super().__post_init__()


class MulticlassTestScores(MulticlassScores):
    """Scores of the test split. Nothing may be chosen on them."""

    __test__ = False  # pytest must not collect it as a test class

    def __post_init__(self) -> None:
        if self.split != "test":
            raise ValueError(f"test scores come from the test split, not {self.split}")
        super().__post_init__()


AnyScores = Scores | MulticlassScores
_MULTICLASS = {"val": MulticlassValidationScores, "test": MulticlassTestScores}


def rows_of_folds(fold: npt.NDArray[np.int64]) -> list[npt.NDArray[np.bool_]]:
    """Return which images belong to each fold, as masks (n,) in the order of the folds."""
    import numpy as np

    return [fold == index for index in np.unique(fold)]


def _picked(patient: tuple[str, ...] | None, row: npt.NDArray[np.bool_]) -> tuple[str, ...] | None:
    return None if patient is None else tuple(name for name, here in zip(patient, row, strict=True) if here)


def _refuse_folds(scores: AnyScores) -> None:
    """Raise ValueError if scores of several folds claim to be validation scores of one model."""
    if scores.fold is not None:
        raise ValueError("validation scores of several folds contain test images of other folds; choose per fold")


def _freeze(scores: AnyScores, y_true: npt.NDArray[np.int64], y_score: npt.NDArray[np.float64]) -> None:
    """Set the checked arrays of `scores` read-only. Raises ValueError unless each image has a patient or none has."""
    if scores.patient is not None and len(scores.patient) != len(y_true):
        raise ValueError(f"{len(scores.patient)} patients for {len(y_true)} scores")
    arrays: list[tuple[str, npt.NDArray[np.int64] | npt.NDArray[np.float64]]] = [("y_true", y_true)]
    arrays.append(("y_score", y_score))
    if scores.fold is not None:
        if scores.fold.shape != y_true.shape:
            raise ValueError(f"fold {scores.fold.shape} must be ({len(y_true)},), one per score")
        arrays.append(("fold", scores.fold.copy()))
    for name, array in arrays:
        array.flags.writeable = False
        object.__setattr__(scores, name, array)


def scores_of_two(
    split: SplitName,
    y_true: npt.NDArray[np.int64],
    y_score: npt.NDArray[np.float64],
    patient: tuple[str, ...] | None = None,
    fold: npt.NDArray[np.int64] | None = None,
) -> Scores:
    """Return scores of two classes in the type of their split.

    Args:
        split: Which split the images are from.
        y_true: Labels (n,), 0 or 1.
        y_score: Scores (n,) of the positive class.
        patient: The patient of each image (n,); None where patients are not known.
        fold: The fold whose model scored each image (n,); None for the scores of one model.

    Returns:
        `Scores`, or its types for validation and test. Validation scores of several folds are plain `Scores`.

    Raises:
        ValueError: As `Scores` does.
    """
    kinds = {"val": ValidationScores if fold is None else Scores, "test": TestScores}
    return kinds.get(split, Scores)(split, y_true, y_score, patient, fold)


def scores_of(
    split: SplitName,
    y_true: npt.NDArray[np.int64],
    y_score: npt.NDArray[np.float64],
    classes: tuple[str, ...],
    patient: tuple[str, ...] | None = None,
    *,
    ordered: bool = False,
    fold: npt.NDArray[np.int64] | None = None,
) -> AnyScores:
    """Return scores in the type of their split and number of classes.

    Args:
        split: Which split the images are from.
        y_true: Labels (n,), from 0 to k - 1.
        y_score: Scores (n,) of the positive class if k is 2, else (n, k).
        classes: The names of the k classes.
        patient: The patient of each image (n,); None where patients are not known.
        ordered: Whether the order of the classes is a scale.
        fold: The fold whose model scored each image (n,); None for the scores of one model.

    Returns:
        `Scores` or `MulticlassScores`, or their types for validation and test. Validation scores of several folds have
        the plain type, so that nothing can be chosen on them.

    Raises:
        ValueError: As these types do.
    """
    if len(classes) == 2:
        return scores_of_two(split, y_true, y_score, patient, fold)
    kind = MulticlassScores if split == "val" and fold is not None else _MULTICLASS.get(split, MulticlassScores)
    return kind(split, y_true, y_score, classes, ordered, patient, fold)
