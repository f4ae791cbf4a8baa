"""What a run records about its probe. Importing it loads no Keras."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ProbeFacts:
    """How the last layer of a network was fitted.

    Attributes:
        strength: C of scikit-learn's LogisticRegression, above 0: the smaller, the stronger the penalty. None where no
            feature varies, so that the answer is the shares of the classes, and for nearest neighbours.
        folds: Number of folds by patient that chose `strength`; 0 without cross-validation.
        rows: Number of rows: an image counts once, and once for each augmented view.
        features: Number of features per row.
        notes: What differs from the rule, one line each.
        neighbours: Number of rows that vote on an image; None for logistic regression.
    """

    strength: float | None
    folds: int
    rows: int
    features: int
    notes: tuple[str, ...] = ()
    neighbours: int | None = None

    def in_words(self) -> str:
        """Describe the fit in one line, without its notes."""
        size = f"{self.rows} rows of {self.features} features"
        chosen = f"chosen by {self.folds}-fold cross-validation on train" if self.folds else "without cross-validation"
        if self.neighbours is not None:
            return f"nearest neighbours by cosine, k {self.neighbours}, {chosen}; {size}"
        if self.strength is None:
            return f"shares of the classes; {size}"
        return f"logistic regression, C {self.strength:.3g}, {chosen}; {size}"
