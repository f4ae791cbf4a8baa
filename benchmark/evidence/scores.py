"""Per-image scores of one split. The type names the split, so that nothing is chosen on test scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SplitName = Literal["train", "val", "test"]

CLIP = 1e-7
"""Scores are clipped to [CLIP, 1 - CLIP] before a logarithm or a logit is taken, as Keras does."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Labels and scores of the images of one split.

    Attributes:
        split: Which split the images are from.
        y_true: Labels (n,), 0 or 1.
        y_score: Scores (n,) in [0, 1].
        patient: The patient of each image (n,); None where patients are not known.

    Raises:
        ValueError: If lengths differ, there is no image, or a label or a score is out of range.
    """

    split: SplitName
    y_true: npt.NDArray[np.int64]
    y_score: npt.NDArray[np.float64]
    patient: tuple[str, ...] | None = None

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
        if self.patient is not None and len(self.patient) != len(y_true):
            raise ValueError(f"{len(self.patient)} patients for {len(y_true)} scores")
        for array in (y_true, y_score):
            array.flags.writeable = False
        object.__setattr__(self, "y_true", y_true)
        object.__setattr__(self, "y_score", y_score)

    def __len__(self) -> int:
        return len(self.y_true)


class ValidationScores(Scores):
    """Scores of the validation split. Thresholds may be chosen on them."""

    def __post_init__(self) -> None:
        if self.split != "val":
            raise ValueError(f"validation scores come from the val split, not {self.split}")
        super().__post_init__()


class TestScores(Scores):
    """Scores of the test split. Nothing may be chosen on them."""

    __test__ = False  # pytest must not collect it as a test class

    def __post_init__(self) -> None:
        if self.split != "test":
            raise ValueError(f"test scores come from the test split, not {self.split}")
        super().__post_init__()
