"""Names of metrics in cards, claims and search spaces: built-in metrics, and those of the group `zoo.metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from benchmark.evidence.metrics.keys import AVERAGES, Average, MeasureKey
from benchmark.evidence.metrics.multiclass import find_multiclass, is_of_classes, multiclass_metric_names
from benchmark.evidence.metrics.printed import PRINTED, is_count, printed_aliases
from benchmark.evidence.metrics.registry import NOT_METRICS, canonical, load_before_queries
from zoo.config import plugins
from zoo.config.strict import Strict

load_before_queries(lambda: plugins.load(plugins.METRICS))

MetricName = Annotated[str, AfterValidator(canonical)]
"""The name or an alias of a metric; stored as the name."""

PrintedName = Annotated[str, AfterValidator(lambda name: printed_aliases().get(name, canonical(name)))]
"""The name or an alias of a printed figure: of a metric, or of a figure that is printed but not measured."""

ClassName = Annotated[
    str | None,
    Field(
        alias="class", min_length=1, description="three or more classes: the class that is judged against all others"
    ),
]
"""The class that a figure judges against all others; `class` in files."""

OverClasses = Annotated[
    Average | None,
    Field(description="how the figures of the classes become one, as in scikit-learn; null: not averaged"),
]
"""How a figure is averaged over the classes."""


class Measured(Strict):
    """What measures a metric: of all classes, of one class against the others, or averaged over the classes.

    A subclass has the fields `metric`, `of_class` and `average`. Fields named in `optional` are not written without a
    value, so that files that need none of them stay short.
    """

    optional: ClassVar[tuple[str, ...]] = ("class", "average")

    if TYPE_CHECKING:
        metric: str
        of_class: str | None
        average: Average | None

    @property
    def key(self) -> str:
        """The key of the figure: `accuracy`, `recall:macro`, `recall:class:NORMAL`."""
        return str(MeasureKey(self.metric, self.average, self.of_class))

    @model_validator(mode="after")
    def _of_classes(self) -> Self:
        problem = _problem(self.metric, self.average, self.of_class)
        if problem is not None:
            raise ValueError(problem)
        return self

    @model_serializer(mode="wrap")
    def _without_missing(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        named = {"class" if name == "of_class" else name: value for name, value in dump(self).items()}
        return {name: value for name, value in named.items() if name not in self.optional or value is not None}


def _problem(metric: str, average: Average | None, of_class: str | None) -> str | None:
    """Return why a metric has no such average or class; None where it has, or where its name is not known."""
    if average is None and of_class is None:
        return None
    if average is not None and of_class is not None:
        return "`class` and `average` exclude each other; keep one"
    field = "class" if average is None else "average"
    if metric in NOT_METRICS:
        return f"the {metric} is of all classes together; drop `{field}`"
    if metric in multiclass_metric_names() and not is_of_classes(metric):
        instead = "; the share of the images of a class that are correct is its recall" if metric == "accuracy" else ""
        return f"{metric} is of all classes together; drop `{field}`{instead}"
    if ":" in metric:
        return f"'{metric}' is not the name of a metric; give the name alone, beside `{field}`"
    return None


def figure_problem(metric: str, *, several: bool, classes: tuple[str, ...] = ()) -> str | None:
    """Return why a metric without `class` and `average` is no figure of a number of classes; None where it is one.

    Args:
        metric: Name of the metric.
        several: Whether there are three classes or more.
        classes: Their names, if known.

    Returns:
        The problem in a line that says what would be right; None also for unknown names.
    """
    if not several or metric in NOT_METRICS or find_multiclass(metric) is not None:
        return None
    if is_of_classes(metric):
        example = f"`class: {classes[0]}`" if classes else "`class: NAME`"
        of = f"{len(classes)} classes" if classes else "three classes or more"
        return f"{metric} of {of} is of one class or an average; add {example} or `average: {' | '.join(AVERAGES)}`"
    if metric in PRINTED and is_count(metric):
        return f"{metric} is a count of two classes; give its share as accuracy, or the printed matrix"
    if metric in PRINTED:
        return f"{metric} is a figure of two classes; give one that `zoo schema claims` lists, or the printed matrix"
    if metric in _COUNTS:
        return f"{metric} is a count of two classes; give the printed matrix as an entry of `matrices`"
    return None


_COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")
