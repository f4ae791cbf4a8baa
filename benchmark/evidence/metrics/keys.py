"""Keys of figures: a metric, and for several classes the average or the class that it is of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Average = Literal["macro", "weighted", "micro"]
"""How the figures of the classes become one, as in scikit-learn: their mean, their mean by the number of images of each
class, or the figure of all pairs of an image and a class taken together."""

AVERAGES: tuple[Average, ...] = get_args(Average)


@dataclass(frozen=True)
class MeasureKey:
    """What a figure measures: `accuracy`, `recall:macro`, or `recall:class:NORMAL`.

    Attributes:
        metric: Name of the metric.
        average: How the figures of the classes were averaged; None for one class and for a metric of all classes.
        of_class: Name of the class that is judged against the rest; None for averages and for a metric of all classes.

    Raises:
        ValueError: If a part is empty, the metric contains a colon, the average is unknown, or both an average and a
            class are given.
    """

    metric: str
    average: Average | None = None
    of_class: str | None = None

    def __post_init__(self) -> None:
        if not self.metric or ":" in self.metric:
            raise ValueError(f"the metric {self.metric!r} of a key must be a name without a colon")
        if self.average is not None and self.average not in AVERAGES:
            raise ValueError(f"the average {self.average!r} of {self.metric} must be one of {', '.join(AVERAGES)}")
        if self.of_class == "":
            raise ValueError(f"the key of {self.metric} lacks the name of its class, as in {self.metric}:class:NORMAL")
        if self.average is not None and self.of_class is not None:
            raise ValueError(f"{self.metric} is either an average or of one class, not both")

    def __str__(self) -> str:
        if self.of_class is not None:
            return f"{self.metric}:class:{self.of_class}"
        return self.metric if self.average is None else f"{self.metric}:{self.average}"

    @property
    def label_format(self) -> str:
        """How the label of the metric becomes the label of this key, with `{}` in its place."""
        if self.of_class is not None:
            return "{} of " + self.of_class.replace("{", "{{").replace("}", "}}")
        return "{}" if self.average is None else f"{self.average} {{}}"

    @classmethod
    def parse(cls, text: str) -> MeasureKey:
        """Return the key that `text` is the string of.

        Args:
            text: Such as `accuracy`, `recall:macro` or `recall:class:NORMAL`. The name of a class may contain colons.

        Returns:
            The key; `str` of it is `text`.

        Raises:
            ValueError: If `text` is not the string of a key.
        """
        metric, *rest = text.split(":", 2)
        if not rest:
            return cls(metric)
        if rest[0] == "class":
            return cls(metric, of_class=rest[1] if len(rest) > 1 else "")
        if len(rest) > 1 or rest[0] not in AVERAGES:
            known = ", ".join(f"{metric}:{average}" for average in AVERAGES)
            raise ValueError(f"'{text}' is not a figure; use {metric}, {known}, or {metric}:class:NAME")
        return cls(metric, rest[0])
