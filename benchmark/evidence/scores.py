"""Per-image scores of one split. The type says which split, so that nothing is chosen on test scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

SplitName = Literal["train", "val", "test"]


@dataclass(frozen=True, eq=False)
class Scores:
    """`y_true` (n,) of 0 and 1, `y_score` (n,) in [0, 1], and per image its patient, when known.

    Raises ValueError when lengths, labels or scores are not so.
    """

    split: SplitName
    y_true: npt.NDArray[np.int64]
    y_score: npt.NDArray[np.float64]
    patient: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        y_true = np.array(self.y_true, dtype=np.int64)
        y_score = np.array(self.y_score, dtype=np.float64)
        if y_true.ndim != 1 or y_true.shape != y_score.shape or not len(y_true):
            raise ValueError(f"y_true {y_true.shape} and y_score {y_score.shape} must be of one length, at least 1")
        if not np.isin(y_true, (0, 1)).all():
            raise ValueError("y_true must hold 0 and 1 only")
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
    """Scores of the validation split: what thresholds may be chosen on."""

    def __post_init__(self) -> None:
        if self.split != "val":
            raise ValueError(f"validation scores come from the val split, not {self.split}")
        super().__post_init__()


class TestScores(Scores):
    """Scores of the test split: nothing may be chosen on them."""

    __test__ = False  # not a test class, whatever its name

    def __post_init__(self) -> None:
        if self.split != "test":
            raise ValueError(f"test scores come from the test split, not {self.split}")
        super().__post_init__()
