"""Published figures: a printed number, its place in the source and the test set behind it, as strict, frozen data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.printed import PRINTED, has_average, is_count, printed_aliases
from benchmark.evidence.metrics.registry import find_metric
from zoo.config.renames import Joined, formerly
from zoo.config.strict import Strict, by_keys
from zoo.config.strict_yaml import decimal_places, suggest
from zoo.models.metrics import ClassName, Measured, OverClasses, PrintedName, figure_problem

# Metrics of which a share of 1% or less is far less likely than a share that was taken for a percentage.
_LARGE = ("accuracy", "precision", "recall", "sensitivity", "specificity", "f1", "auc", "balanced_accuracy")
_IN_PERCENT = ("value", "upper", "low", "high", "sd")

# A value of three decimals or more rarely ends in four zeros, while `decimals` is easily mistyped.
_SOME_PLACES = 3
_MANY_ZEROS = 4

# Upper bounds are far above every sensible value: they stop typing errors and files made to waste time.
ImageCount = Annotated[int, Field(gt=0, le=1_000_000)]
Printed = Annotated[float, Field(ge=-1e9, le=1e9)]


class TestSizes(Strict):
    """The number of images per class in a test set of two classes."""

    __test__ = False  # pytest would collect a class of this name

    negatives: Annotated[ImageCount, Field(description="images of the negative class")]
    positives: Annotated[ImageCount, Field(description="images of the positive class")]

    @property
    def total(self) -> int:
        """The number of images."""
        return self.negatives + self.positives


class MulticlassTestSizes(BaseModel):
    """The number of images of each class in a test set of three classes or more: `{NORMAL: 234, ..., virus: 148}`."""

    __test__ = False  # pytest would collect a class of this name
    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, Annotated[ImageCount, Field(description="images of the class of this name")]]

    @property
    def sizes(self) -> dict[str, int]:
        """The number of images by class, in the order of the file."""
        return dict(self.__pydantic_extra__)

    @property
    def total(self) -> int:
        """The number of images."""
        return sum(self.__pydantic_extra__.values())

    @model_validator(mode="after")
    def _several(self) -> Self:
        if len(self.__pydantic_extra__) < 3:
            raise ValueError("name the classes of three or more; two classes have `negatives` and `positives`")
        if "" in self.__pydantic_extra__:
            raise ValueError("a class has no name; give each class its name")
        return self


def names_classes(sizes: Mapping[str, Any]) -> bool:
    """Return whether test sizes name their classes, instead of negatives and positives."""
    return bool(set(sizes) - {"location", "where"}) and not {"negatives", "positives"} & set(sizes)


class Source(Strict):
    """Where a model was published."""

    report: str = Field(description="the report, so that a reader can find it")
    section: str = Field(description="where in the report the model is described")
    data: str | None = Field(default=None, description="the data set, as `zoo bench --data` names it; null: not stated")
    test: Annotated[
        Annotated[TestSizes | MulticlassTestSizes, by_keys(names_classes, TestSizes, MulticlassTestSizes)] | None,
        Joined(test_negatives="negatives", test_positives="positives"),
        Field(description="images per class in the test set behind the figures; null: not stated"),
    ] = None


class PublishedFigure(Measured):
    """One printed figure: its value, its number of decimals and its location in the source."""

    optional: ClassVar[tuple[str, ...]] = ("class", "average", "low", "high", "sd")

    metric: Annotated[PrintedName, Field(description="what was measured: the name of a figure or an alias")]
    of_class: ClassName = None
    average: OverClasses = None
    value: Annotated[Printed, Field(description="the printed value; a share as 0.91, or as 91 with `percent`")]
    upper: Printed | None = Field(default=None, description="upper end, if the source prints a range from `value`")
    split: Literal["train", "val", "test"] = Field(description="the images that the figure is about")
    decimals: Annotated[int, Field(ge=0, le=10, description="decimals that the source prints: 2 for 0.90")]
    epoch: Literal["first", "last", "every"] | None = Field(
        default=None, description="the moment of training; null: the trained model"
    )
    low: Printed | None = Field(default=None, description="lower end of the printed interval")
    high: Printed | None = Field(default=None, description="upper end of the printed interval")
    sd: Annotated[Printed, Field(ge=0)] | None = Field(default=None, description="the printed standard deviation")
    percent: bool = Field(
        default=False,
        exclude=True,
        description="whether all of these are in percent; `decimals` then counts those of the percentage",
    )
    location: Annotated[str, formerly("where"), Field(description="where in the source it is printed")]

    @model_validator(mode="before")
    @classmethod
    def _as_fraction(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        for name in ("folds", "seeds"):
            if name in data:
                raise ValueError(f"give `averaged: {name}` and `{name}: {data[name]}` in the row, not in a figure")
        if "decimals" not in data and isinstance(data.get("metric"), str) and is_count(_printed_name(data["metric"])):
            data = {**data, "decimals": 0}
        decimals = data.get("decimals")
        if data.get("percent") is not True or not isinstance(decimals, int):
            return data
        numbers = {name: data[name] for name in _IN_PERCENT if isinstance(data.get(name), int | float)}
        if (problem := _share_as_percent(data)) is not None:
            raise ValueError(problem)
        places = decimals + 2
        fractions = {name: round(number / 100, max(places, 12)) for name, number in numbers.items()}
        return {**data, **fractions, "decimals": places, "percent": False}

    @model_validator(mode="after")
    def _plausible(self) -> PublishedFigure:
        high = self.value if self.upper is None else self.upper
        if high < self.value:
            raise ValueError("upper must not be below value")
        metric = find_metric(self.metric) or find_multiclass(self.metric)
        fraction = self.metric == "score" if metric is None else metric.is_fraction
        if metric is None and self.metric in PRINTED:
            fraction = PRINTED[self.metric].range == (0, 1)
        if fraction and not (self.value >= 0 and high <= 1):
            hint = f"; is it given in percent?{_as_share(self.value, self.decimals)}" if high > 1 else ""
            raise ValueError(f"{self.metric} must be within [0, 1]{hint}")
        if is_count(self.metric) and not (self.value >= 0 and self.value == int(self.value)):
            raise ValueError(f"{self.metric} is a number of images: give a whole number, or a share as error_rate")
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval needs both `low` and `high`")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("high must not be below low")
        for number in (self.value, high):
            places = decimal_places(number)
            if places > self.decimals or (places >= _SOME_PLACES and self.decimals >= places + _MANY_ZEROS):
                count = f"{places} decimal{'' if places == 1 else 's'}"
                raise ValueError(f"{number!r} has {count}, but `decimals` is {self.decimals}; one is a typing error")
        return self


def _share_as_percent(data: Mapping[str, Any]) -> str | None:
    """Why a value in percent is probably a share; None for other values, and for metrics that are small if good."""
    value, decimals, metric = data.get("value"), data.get("decimals"), data.get("metric")
    if (
        not isinstance(value, int | float)
        or not isinstance(decimals, int)
        or metric not in _LARGE
        or not 0 < value <= 1
    ):
        return None
    share = f"`value: {value / 100:.{decimals + 2}f}, decimals: {decimals + 2}`"
    return (
        f"{value!r} with `percent: true` is {value / 100:g}; is it a share? Then drop `percent`. If it is {value!r}%, "
        f"give {share} without `percent`"
    )


def _printed_name(name: str) -> str:
    return printed_aliases().get(name, name)


def _as_share(percent: float, decimals: int) -> str:
    """What a percentage is as a share, in words; `decimals` may be those of either. Empty for no percentage."""
    if not 0 <= percent <= 100:
        return ""
    places = decimal_places(percent)
    of_share = decimals if decimals >= places + 2 else max(places, decimals) + 2
    return f" {percent!r}% is `value: {percent / 100:.{of_share}f}, decimals: {of_share}`; or add `percent: true`"


def class_problems(
    path: str,
    figures: tuple[PublishedFigure, ...],
    test: TestSizes | MulticlassTestSizes | None,
    classes: tuple[str, ...] = (),
    *,
    average_of_two: bool = False,
) -> Iterator[str]:
    """Yield a line for each figure that is not one of the classes of its test set, with its path.

    Args:
        path: The path of the figures in their file.
        figures: Figures that were printed together.
        test: The test set behind them; None where it is not stated.
        classes: The names of three classes or more, if something else than the test set states them.
        average_of_two: Whether figures of two classes may be averages over both.

    Yields:
        Lines that say what would be right.
    """
    names = tuple(test.sizes) if isinstance(test, MulticlassTestSizes) else classes
    several = bool(names) or any(figure.of_class or figure.average for figure in figures)
    for i, figure in enumerate(figures):
        field = "class" if figure.of_class is not None else "average"
        if average_of_two and figure.average is not None and isinstance(test, TestSizes):
            if figure.average == "micro":
                yield f"{path}.{i}.average: a micro average of two classes is their accuracy; give it as accuracy"
            elif not has_average(figure.metric):
                yield f"{path}.{i}.average: {figure.metric} of two classes has no average; drop `average`"
        elif (figure.of_class or figure.average) and isinstance(test, TestSizes):
            instead = ", say `positive: CLASS` in the row" if average_of_two else ""
            yield (
                f"{path}.{i}.{field}: is for three classes or more, but the test set has negatives and positives; drop "
                f"`{field}`{instead}, or give the number of images of every class in `test`"
            )
        elif figure.of_class is not None and names and figure.of_class not in names:
            yield f"{path}.{i}.class: unknown class '{figure.of_class}'. {suggest(figure.of_class, names)}"
        elif not isinstance(test, TestSizes) and not (figure.of_class or figure.average):
            problem = figure_problem(figure.metric, several=several, classes=names)
            if problem is not None:
                yield f"{path}.{i}.metric: {problem}"
