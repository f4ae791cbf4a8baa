"""How a metric of several classes is computed: per image, from the matrix of decisions, per class, or as an average.

Each form gives a value, its influence values, and its values under weights, like a record of the binary registry. A
metric of one class against the rest is that record itself. Decisions are class indices (n,), -1 where the program
abstained: such an image has no predicted class and is never correct.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from benchmark.evidence.metrics.registry import UNDEFINED, Metric, confusion
from benchmark.evidence.scores import MulticlassScores, Scores

if TYPE_CHECKING:
    from benchmark.evidence.metrics.influence import Floats, Labels

HALF = 0.5
"""The threshold of a decision that is stored as a score of 0 or 1."""


class Form(Protocol):
    """How a metric is computed."""

    def evaluate(self, scores: MulticlassScores, decided: Labels) -> tuple[float | None, str | None]:
        """Return the value and None, or None and the reason why it is missing."""
        ...

    def influence_values(self, scores: MulticlassScores, decided: Labels) -> Floats | None:
        """Return the derivative (n,) by the weight of each image, at equal weights; None where undefined."""
        ...

    def weighted(self, scores: MulticlassScores, decided: Labels, weights: Floats) -> Floats:
        """Return the values under r weightings of the images.

        Args:
            scores: Labels (n,) and scores (n, k).
            decided: Decisions (n,), class indices, or -1 for an abstention.
            weights: Weights (n, r) of the images, at least 0.

        Returns:
            Values (r,), NaN where undefined.
        """
        ...


@dataclass(frozen=True, eq=False)
class Share:
    """A sum over images, divided by their number or by the number of those that count.

    Attributes:
        per_image: What each image contributes (n,), from scores and decisions.
        trial: Whether each image counts (n,); None: every image does.
        undefined: Why there is no value where no image counts, or where a contribution is not a number.
    """

    per_image: Callable[[MulticlassScores, Labels], Floats]
    trial: Callable[[MulticlassScores, Labels], Floats] | None = None
    undefined: str = UNDEFINED

    def parts(self, scores: MulticlassScores, decided: Labels) -> tuple[Floats, Floats]:
        """Return what each image contributes (n,), and by how much it counts (n,)."""
        import numpy as np

        above = self.per_image(scores, decided)
        return above, np.ones(len(above)) if self.trial is None else self.trial(scores, decided)

    def evaluate(self, scores: MulticlassScores, decided: Labels) -> tuple[float | None, str | None]:
        """Return the value and None, or None and the reason why it is missing."""
        above, below = self.parts(scores, decided)
        value = float(above.sum() / below.sum()) if below.any() else math.nan
        return (None, self.undefined) if math.isnan(value) else (value, None)

    def influence_values(self, scores: MulticlassScores, decided: Labels) -> Floats | None:
        """Return the derivative (n,) by the weight of each image; None where undefined."""
        import numpy as np

        from benchmark.evidence.metrics.influence import fold_inflation

        above, below = self.parts(scores, decided)
        total = below.sum()
        if not total or math.isnan(above.sum()):
            return None
        influence: Floats = (above - above.sum() / total * below) / total * np.sqrt(fold_inflation(scores.fold))
        return influence

    def weighted(self, scores: MulticlassScores, decided: Labels, weights: Floats) -> Floats:
        """Return the values (r,) under `weights` (n, r), as `Form` says.

        Args:
            scores: Labels (n,) and scores (n, k).
            decided: Decisions (n,), class indices, or -1 for an abstention.
            weights: Weights (n, r) of the images, at least 0.

        Returns:
            Values (r,), NaN where undefined.
        """
        above, below = self.parts(scores, decided)
        values: Floats = (above @ weights) / (below @ weights)
        return values


@dataclass(frozen=True, eq=False)
class OfMatrix:
    """A function of the matrix of decisions.

    Attributes:
        value: Its values (r,) from matrices (k, k + 1, r) of classes by decisions, the last column for abstentions; NaN
            where undefined.
        gradient: Its derivative (k, k + 1) by each cell of one matrix.
        undefined: Why there is no value.
    """

    value: Callable[[Floats], Floats]
    gradient: Callable[[Floats], Floats]
    undefined: str = UNDEFINED

    def evaluate(self, scores: MulticlassScores, decided: Labels) -> tuple[float | None, str | None]:
        """Return the value and None, or None and the reason why it is missing."""
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(self.value(matrix(scores, decided)[..., None])[0])
        return (None, self.undefined) if math.isnan(value) else (value, None)

    def influence_values(self, scores: MulticlassScores, decided: Labels) -> Floats | None:
        """Return the derivative (n,) by the weight of each image; None where undefined."""
        import numpy as np

        from benchmark.evidence.metrics.influence import fold_inflation

        if self.evaluate(scores, decided)[0] is None:
            return None
        gradient = self.gradient(matrix(scores, decided))[scores.y_true, decided]
        influence: Floats = gradient * np.sqrt(fold_inflation(scores.fold))
        return influence

    def weighted(self, scores: MulticlassScores, decided: Labels, weights: Floats) -> Floats:
        """Return the values (r,) under `weights` (n, r), as `Form` says.

        Args:
            scores: Labels (n,) and scores (n, k).
            decided: Decisions (n,), class indices, or -1 for an abstention.
            weights: Weights (n, r) of the images, at least 0.

        Returns:
            Values (r,), NaN where undefined.
        """
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            return self.value(matrix(scores, decided, weights))


@dataclass(frozen=True, eq=False)
class OfClass:
    """A binary metric of one class against the rest.

    Attributes:
        record: The binary metric.
        label: Index of the class.
    """

    record: Metric
    label: int
    _last: dict[str, tuple[MulticlassScores, Labels, Any]] = field(default_factory=dict, repr=False)

    def _once(self, what: str, scores: MulticlassScores, decided: Labels, compute: Callable[[], Any]) -> Any:
        """Return what `compute` returns; for the same arrays from memory, as two averages need it again."""
        last = self._last.get(what)
        if last is None or last[0] is not scores or last[1] is not decided:
            last = self._last[what] = scores, decided, compute()
        return last[2]

    def pair(self, scores: MulticlassScores, decided: Labels) -> Scores:
        """Return labels of the class against the rest, with its scores, or with decisions as scores of 0 and 1."""

        def compute() -> Scores:
            if not self.record.uses_threshold:
                return scores.one_vs_rest(self.label)
            called = (decided == self.label).astype("float64")
            of_class = (scores.y_true == self.label).astype("int64")
            return Scores(scores.split, of_class, called, scores.patient, scores.fold)

        pair: Scores = self._once("pair", scores, decided, compute)
        return pair

    def evaluate(self, scores: MulticlassScores, decided: Labels) -> tuple[float | None, str | None]:
        """Return the value and None, or None and the reason why it is missing."""

        def compute() -> tuple[float | None, str | None]:
            pair = self.pair(scores, decided)
            value, reason = self.record.evaluate(pair, confusion(pair, HALF))
            return value, self._why(scores, decided) if reason == UNDEFINED else reason

        result: tuple[float | None, str | None] = self._once("value", scores, decided, compute)
        return result

    def _why(self, scores: MulticlassScores, decided: Labels) -> str:
        name = scores.classes[self.label]
        if self.record.uses_threshold and self.record.name != "recall" and not (decided == self.label).any():
            return f"undefined: no image is predicted as {name}"
        if not (scores.y_true == self.label).any():
            return f"undefined: there is no image of class {name}"
        if (scores.y_true == self.label).all():
            return f"undefined: every image is of class {name}"
        return UNDEFINED

    def influence_values(self, scores: MulticlassScores, decided: Labels) -> Floats | None:
        """Return the derivative (n,) by the weight of each image; None where undefined."""

        def compute() -> Floats | None:
            pair = self.pair(scores, decided)
            return self.record.influence_values(pair.y_true, pair.y_score, HALF, pair.fold, pair.patient)

        influence: Floats | None = self._once("influence", scores, decided, compute)
        return influence

    def weighted(self, scores: MulticlassScores, decided: Labels, weights: Floats) -> Floats:
        """Return the values (r,) under `weights` (n, r), as `Form` says.

        Args:
            scores: Labels (n,) and scores (n, k).
            decided: Decisions (n,), class indices, or -1 for an abstention.
            weights: Weights (n, r) of the images, at least 0.

        Returns:
            Values (r,), NaN where undefined.
        """
        return _weighted(self.record, self.pair(scores, decided), weights)


@dataclass(frozen=True, eq=False)
class MeanOfClasses:
    """The mean of a metric over all classes, or its mean by the number of images of each class.

    Attributes:
        classes: The metric of each class.
        by_size: Whether classes count by their number of images (`weighted`), or all the same (`macro`). A class
            without images then has no weight, and its figure is not needed.
    """

    classes: tuple[OfClass, ...]
    by_size: bool = False

    def _shares(self, scores: MulticlassScores) -> Floats:
        import numpy as np

        count = len(self.classes)
        if not self.by_size:
            return np.full(count, 1 / count)
        shares: Floats = np.bincount(scores.y_true, minlength=count) / len(scores)
        return shares

    def evaluate(self, scores: MulticlassScores, decided: Labels) -> tuple[float | None, str | None]:
        """Return the value and None, or None and the reason why it is missing."""
        total = 0.0
        for share, of_class in zip(self._shares(scores).tolist(), self.classes, strict=True):
            if share:
                value, reason = of_class.evaluate(scores, decided)
                if value is None:
                    return None, reason
                total += share * value
        return total, None

    def influence_values(self, scores: MulticlassScores, decided: Labels) -> Floats | None:
        """Return the derivative (n,) by the weight of each image; None where undefined."""
        import numpy as np

        total = np.zeros(len(scores))
        for share, of_class in zip(self._shares(scores).tolist(), self.classes, strict=True):
            if share:
                influence = of_class.influence_values(scores, decided)
                if influence is None:
                    return None
                total += share * influence
                if self.by_size:
                    value = of_class.evaluate(scores, decided)[0]
                    total += (value or 0.0) * ((scores.y_true == of_class.label) - share) / len(scores)
        return total

    def weighted(self, scores: MulticlassScores, decided: Labels, weights: Floats) -> Floats:
        """Return the values (r,) under `weights` (n, r), as `Form` says.

        Args:
            scores: Labels (n,) and scores (n, k).
            decided: Decisions (n,), class indices, or -1 for an abstention.
            weights: Weights (n, r) of the images, at least 0.

        Returns:
            Values (r,), NaN where undefined.
        """
        import numpy as np

        total, images = np.zeros(weights.shape[1]), weights.sum(axis=0)
        for of_class in self.classes:
            with np.errstate(divide="ignore", invalid="ignore"):
                values = of_class.weighted(scores, decided, weights)
            if self.by_size:
                shares = weights[scores.y_true == of_class.label].sum(axis=0) / images
                total += np.where(shares > 0, shares * values, 0.0)
            else:
                total += values / len(self.classes)
        return total


@dataclass(frozen=True, eq=False)
class Pooled:
    """A binary metric of all pairs of an image and a class (`micro`): is this the true class, and the predicted one?

    Attributes:
        record: The binary metric.
    """

    record: Metric

    def pair(self, scores: MulticlassScores, decided: Labels) -> Scores:
        """Return the labels (n * k,) of all pairs, image by image, with their scores or decisions."""
        import numpy as np

        each = np.arange(len(scores.classes))
        y_true = (scores.y_true[:, None] == each).astype(np.int64)
        y_score = (decided[:, None] == each).astype(np.float64) if self.record.uses_threshold else scores.y_score
        fold = None if scores.fold is None else np.repeat(scores.fold, len(each))
        return Scores(scores.split, y_true.ravel(), y_score.ravel().clip(0, 1), fold=fold)

    def evaluate(self, scores: MulticlassScores, decided: Labels) -> tuple[float | None, str | None]:
        """Return the value and None, or None and the reason why it is missing."""
        pair = self.pair(scores, decided)
        return self.record.evaluate(pair, confusion(pair, HALF))

    def influence_values(self, scores: MulticlassScores, decided: Labels) -> Floats | None:
        """Return the derivative (n,) by the weight of each image; None where undefined."""
        pair = self.pair(scores, decided)
        influence = self.record.influence_values(pair.y_true, pair.y_score, HALF, pair.fold)
        return None if influence is None else influence.reshape(len(scores), -1).sum(axis=1)

    def weighted(self, scores: MulticlassScores, decided: Labels, weights: Floats) -> Floats:
        """Return the values (r,) under `weights` (n, r), as `Form` says.

        Args:
            scores: Labels (n,) and scores (n, k).
            decided: Decisions (n,), class indices, or -1 for an abstention.
            weights: Weights (n, r) of the images, at least 0.

        Returns:
            Values (r,), NaN where undefined.
        """
        import numpy as np

        pair = self.pair(scores, decided)
        return _weighted(self.record, pair, np.repeat(weights, len(scores.classes), axis=0))


def matrix(scores: MulticlassScores, decided: Labels, weights: Floats | None = None) -> Floats:
    """Return how many images of each class got each decision.

    Args:
        scores: Labels of n images.
        decided: Decisions (n,), class indices or -1.
        weights: Weights (n, r) of the images; None: every image counts once.

    Returns:
        Counts (k, k + 1), or sums of weights (k, k + 1, r): rows are classes, columns decisions, the last column
        abstentions.
    """
    import numpy as np

    count = len(scores.classes)
    cell = scores.y_true * (count + 1) + np.where(decided < 0, count, decided)
    if weights is None:
        return np.bincount(cell, minlength=count * (count + 1)).reshape(count, count + 1).astype(np.float64)
    order = np.argsort(cell, kind="stable")
    present, first = np.unique(cell[order], return_index=True)
    sums = np.zeros((count * (count + 1), weights.shape[1]))
    sums[present] = np.add.reduceat(weights[order], first, axis=0)
    return sums.reshape(count, count + 1, -1)


def _weighted(record: Metric, pair: Scores, weights: Floats) -> Floats:
    """Return the values (r,) of a binary metric of `pair` under weights (n, r)."""
    import numpy as np

    from benchmark.evidence.metrics.influence import cells

    with np.errstate(divide="ignore", invalid="ignore"):
        if not record.uses_threshold:
            return record.of_weighted_scores(pair.y_true, pair.y_score, weights, pair.fold)
        return record.of_weighted_counts(np.eye(4)[:, cells(pair.y_true, pair.y_score, HALF)] @ weights)
