"""A metric as one record, registered once with everything that tables, intervals, comparisons and schemas need.

A list of metrics anywhere in the program is a query over these records (`metrics`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args

import numpy as np

from benchmark.evidence.estimate import Estimate
from benchmark.evidence.metrics.influence import Floats, Labels, cells
from benchmark.evidence.scores import Scores

Kind = Literal["share", "correlation", "loss", "count"]
Direction = Literal["higher", "lower", "none"]
Scale = Literal["Wilson", "Dice", "square-and-add", "logit", "log", "Fisher z"]
"""Where the interval of a metric is computed: `Wilson` for a proportion, `Dice` for 2J / (1 + J) of a proportion J,
`square-and-add` for a mean of two proportions, else the transformation after which the estimate is nearly normal."""
Shown = Literal["summary", "comparison", "detail"]
Weights = tuple[int, int, int, int]
"""Whole numbers for TP, FP, TN and FN, in this order."""

NOT_METRICS = ("loss", "score")
"""What a printed figure may be of beside a metric: the loss of training with its penalties, and the scores."""
UNDEFINED = "undefined for these decisions or classes"

_ROUNDING = 1e-9  # a correlation or a mean of a perfect ranking may come out a few bits above 1
_POPULATIONS: Mapping[Weights, Literal["images", "positives", "negatives"]] = MappingProxyType(
    {(1, 1, 1, 1): "images", (1, 0, 0, 1): "positives", (0, 1, 1, 0): "negatives"}
)
_SCALE_RANGES: Mapping[Scale | None, tuple[float, float]] = MappingProxyType(
    {"Wilson": (0, 1), "Dice": (0, 1), "square-and-add": (0, 1), "logit": (0, 1), "Fisher z": (-1, 1)}
)
_Function = TypeVar("_Function", bound=Callable[..., float | None])


@dataclass(frozen=True)
class Confusion:
    """Counts of decisions; positive means score >= threshold."""

    tp: int
    fp: int
    tn: int
    fn: int


@dataclass(frozen=True)
class Figure(Estimate):
    """A metric's value with its 95% interval; `method` names the interval's, `reason` says why something is missing."""

    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    method: str | None = None
    reason: str | None = None

    @classmethod
    def missing(cls, metric: str, reason: str) -> Figure:
        """A figure without a value."""
        return cls(metric, None, reason=reason)


@dataclass(frozen=True)
class Ratio:
    """A ratio of two sums of counts: the weights of TP, FP, TN and FN above and below the line."""

    numerator: Weights
    denominator: Weights

    @property
    def population(self) -> Literal["images", "positives", "negatives"] | None:
        """Which images it is a share of, where no decision changes that; else None."""
        return _POPULATIONS.get(self.denominator) if {*self.numerator} <= {0, 1} else None

    def of(self, counts: Floats) -> Floats:
        """The ratio (...) of `counts` (4, ...); NaN for 0 / 0."""
        ratio: Floats = np.array(self.numerator) @ counts / (np.array(self.denominator) @ counts)
        return ratio

    def gradient(self, counts: Floats) -> Floats | None:
        """The derivative (4,) by each of `counts` (4,); None for 0 / 0."""
        above, below = (np.array(part, dtype=np.float64) for part in (self.numerator, self.denominator))
        total = counts @ below
        if not total:
            return None
        gradient: Floats = (above - counts @ above / total * below) / total
        return gradient

    def counted(self, matrix: Confusion) -> tuple[int, int]:
        """The two sums."""
        cells = dataclasses.astuple(matrix)
        return (
            sum(weight * count for weight, count in zip(self.numerator, cells, strict=True)),
            sum(weight * count for weight, count in zip(self.denominator, cells, strict=True)),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Metric:
    """A registered metric: a function of one class against the rest, and all that is known about it.

    Attributes:
        name: How records, cards, claims and options name it.
        label: How tables and sentences name it.
        aliases: Other names that cards, claims and options may use.
        kind: A `share` or a `correlation` of images, a `loss`, or a `count` of images, which has no interval.
        direction: Which values are better; `none` for counts alone.
        range: Least and greatest value.
        depends_on_prevalence: Whether another share of positives changes it.
        of_decisions: Its value from a `Confusion`, None where undefined. Either this or `of_scores` is given.
        of_scores: Its value from `Scores`, whatever the threshold.
        ratio: The ratio of counts that it is, if it is one. Influence and bootstrap follow from it.
        mean_of: The two ratios that it is the mean of, if it is one. Influence and bootstrap follow from them.
        per_image: The value of each image (n,) from `y_true` (n,) and `y_score` (n,), for a metric of scores that is
            their mean. Influence and bootstrap follow from it.
        influence: Its derivative, None where undefined. For a metric of decisions: by the four counts, from the counts
            (4,). For one of scores: by the weight of each image at equal weights, from `y_true` and `y_score` (n,).
        weighted: Its values (r,) under r weightings, NaN where undefined. For a metric of decisions: from the counts
            (4, r); may be left out, and `of_decisions` is called r times. For one of scores: from `y_true`, `y_score`
            (n,) and weights (n, r).
        scale: Where its interval is computed; not for counts.
        variance: `DeLong` for the area under the ROC curve (DeLong et al. 1988).
        decimals: How many decimals are printed.
        shown: `summary` in every table of cards, `comparison` where two cards are compared, `detail` where all figures
            of a run are listed. Each includes the next.
    """

    name: str
    label: str
    kind: Kind
    direction: Direction
    range: tuple[float, float]
    depends_on_prevalence: bool
    of_decisions: Callable[[Confusion], float | None] | None = None
    of_scores: Callable[[Scores], float | None] | None = None
    ratio: Ratio | None = None
    mean_of: tuple[Ratio, Ratio] | None = None
    per_image: Callable[[Labels, Floats], Floats] | None = None
    influence: Callable[..., Floats | None] | None = None
    weighted: Callable[..., Floats] | None = None
    scale: Scale | None = None
    variance: Literal["linearised", "DeLong"] = "linearised"
    aliases: tuple[str, ...] = ()
    decimals: int = 3
    shown: Shown = "comparison"

    @property
    def uses_threshold(self) -> bool:
        """Whether it changes with the decision threshold."""
        return self.of_decisions is not None

    @property
    def ratios(self) -> tuple[Ratio, ...]:
        """The ratios of counts that it is the mean of; empty when it is none."""
        return self.mean_of or (() if self.ratio is None else (self.ratio,))

    @property
    def is_fraction(self) -> bool:
        """Whether it lies within [0, 1]."""
        return self.range == (0, 1)

    def value(self, scores: Scores, matrix: Confusion) -> float | None:
        """Its value on `scores`, which `matrix` counts at the threshold; None where undefined."""
        if self.of_scores is not None:
            return self.of_scores(scores)
        return self.of_decisions(matrix) if self.of_decisions is not None else None

    def influences(self, y_true: Labels, y_score: Floats, threshold: float) -> Floats | None:
        """Its derivative by the weight of each image (n,), at equal weights; it sums to 0.

        The infinitesimal jackknife (Jaeckel 1972, Efron 1982): the sum of its squares over what was drawn
        independently estimates the variance of the metric. For the AUC these are DeLong's placement values.

        Args:
            y_true: Labels (n,), 0 or 1.
            y_score: Scores (n,) in [0, 1].
            threshold: From which score on an image is called positive.

        Returns:
            The influences, None where the metric is undefined.

        Raises:
            KeyError: For a count, which has none.
        """
        if self.kind == "count":
            raise KeyError(self.name)
        if self.per_image is not None:
            values = self.per_image(y_true, y_score)
            deviations: Floats = (values - values.mean()) / len(values)
            return deviations
        if self.of_scores is not None and self.influence is not None:
            return self.influence(y_true, y_score)
        cell = cells(y_true, y_score, threshold)
        gradient = self._gradient(np.bincount(cell, minlength=4).astype(np.float64))
        return None if gradient is None else gradient[cell]

    def _gradient(self, counts: Floats) -> Floats | None:
        if self.influence is not None:
            return self.influence(counts)
        if self.ratio is not None:
            return self.ratio.gradient(counts)
        assert self.mean_of is not None
        first, second = (ratio.gradient(counts) for ratio in self.mean_of)
        return None if first is None or second is None else (first + second) / 2

    def of_weighted_counts(self, counts: Floats) -> Floats:
        """A metric of decisions (r,) from r weightings of the four counts (4, r), NaN where undefined."""
        if self.weighted is not None:
            return self.weighted(counts)
        if self.ratio is not None:
            return self.ratio.of(counts)
        if self.mean_of is not None:
            first, second = (ratio.of(counts) for ratio in self.mean_of)
            return (first + second) / 2
        assert self.of_decisions is not None
        values = (self.of_decisions(Confusion(*column)) for column in counts.T.tolist())
        return np.array([math.nan if value is None else value for value in values])

    def of_weighted_scores(self, y_true: Labels, y_score: Floats, weights: Floats) -> Floats:
        """A metric of scores (r,) under weights (n, r) of the images, NaN where undefined."""
        if self.per_image is not None:
            mean: Floats = self.per_image(y_true, y_score) @ weights / weights.sum(axis=0)
            return mean
        assert self.weighted is not None
        return self.weighted(y_true, y_score, weights)


_METRICS: dict[str, Metric] = {}
_LOADERS: list[Callable[[], object]] = []


def register(metric: Metric) -> None:
    """Add `metric` to the known ones.

    Raises:
        ValueError: In one sentence, for a record that is not complete, or a name that is taken.
    """
    problem = next(_problems(metric), None)
    if problem is not None:
        raise ValueError(f"the metric '{metric.name}' cannot be registered: {problem}")
    _METRICS[metric.name] = metric


def register_metric(*, reads: Literal["decisions", "scores"], **fields: Any) -> Callable[[_Function], _Function]:
    """Register the decorated function as a metric under its own name.

    Args:
        reads: What the function takes: a `Confusion` (`decisions`) or `Scores` (`scores`).
        **fields: The other fields of `Metric`. Those without a default are required.

    Raises:
        ValueError: As `register` does.
    """

    def decorator(function: _Function) -> _Function:
        required = [field.name for field in dataclasses.fields(Metric) if field.default is dataclasses.MISSING]
        absent = [name for name in required if name != "name" and name not in fields]
        if absent:
            raise ValueError(f"the metric '{function.__name__}' cannot be registered: it lacks {', '.join(absent)}")
        value: dict[str, Any] = {f"of_{reads}": function}
        register(Metric(name=function.__name__, **value, **fields))
        return function

    return decorator


def load_before_queries(load: Callable[[], object]) -> None:
    """Have `load`, which imports the metrics of other packages, called before metrics are listed; it must be quick when
    called again."""
    _LOADERS.append(load)


def metrics(where: Callable[[Metric], bool] = lambda _: True) -> dict[str, Metric]:
    """The registered metrics that meet `where`, by name, in the order of registration."""
    for load in _LOADERS:
        load()
    return {name: metric for name, metric in _METRICS.items() if where(metric)}


def measures(where: Callable[[Metric], bool] = lambda _: True) -> dict[str, Metric]:
    """As `metrics`, without counts: those that have a better direction and an interval."""
    return metrics(lambda metric: metric.kind != "count" and where(metric))


def find_metric(name: str) -> Metric | None:
    """The metric called `name`; None for another name, such as those of NOT_METRICS."""
    return _METRICS.get(name) or metrics().get(name)


def get_metric(name: str) -> Metric:
    """The metric called `name`. Raises KeyError for an unknown one."""
    metric = find_metric(name)
    if metric is None:
        raise KeyError(name)
    return metric


def aliases(of: Mapping[str, Metric] | None = None) -> dict[str, str]:
    """The other names of the metrics `of`, or of all, each with the name it means."""
    return {alias: name for name, metric in (metrics() if of is None else of).items() for alias in metric.aliases}


def canonical(name: str) -> str:
    """A metric's own name for another of its names; any other name as it is."""
    return name if name in _METRICS else aliases().get(name, name)


def label_of(name: str) -> str:
    """How a table or a sentence names a figure: a metric by its label, any other by its name."""
    metric = find_metric(name)
    return name.replace("_", " ") if metric is None else metric.label


def confusion(scores: Scores, threshold: float) -> Confusion:
    """Decisions of `scores` at `threshold`."""
    called = scores.y_score >= threshold
    positive = scores.y_true == 1
    return Confusion(
        tp=int(np.sum(called & positive)),
        fp=int(np.sum(called & ~positive)),
        tn=int(np.sum(~called & ~positive)),
        fn=int(np.sum(~called & positive)),
    )


def value_of(name: str, scores: Scores, threshold: float) -> float | None:
    """The value of the metric `name`, None where it is undefined. Raises KeyError for an unknown one."""
    return get_metric(name).value(scores, confusion(scores, threshold))


def values(
    scores: Scores, threshold: float, known: Mapping[str, float | None] = MappingProxyType({})
) -> dict[str, float | None]:
    """Every metric of `scores` at `threshold` without its interval, None where it is undefined; those that are `known`
    are taken over."""
    matrix = confusion(scores, threshold)
    return {name: known[name] if name in known else metric.value(scores, matrix) for name, metric in metrics().items()}


def out_of_range(figure: Figure) -> str | None:
    """Why `figure` cannot be one of its metric, in words: a value or a bound that the metric cannot take, bounds in
    the wrong order. None when it can be, and for a metric that is not registered, the `loss` of a recipe apart."""
    metric = find_metric(figure.metric)
    if metric is not None:
        least, greatest = metric.range
    else:
        least, greatest = 0 if figure.metric == "loss" else -math.inf, math.inf
    for number in (figure.value, figure.low, figure.high):
        if number is not None and not least - _ROUNDING <= number <= greatest + _ROUNDING:
            return f"{figure.metric} {number:g} is not within {least:g} and {greatest:g}"
    if figure.low is not None and figure.high is not None and figure.low > figure.high:
        return f"{figure.metric}: the interval ends at {figure.high:g}, below its begin at {figure.low:g}"
    return None


def _problems(metric: Metric) -> Iterator[str]:
    """What is missing or wrong in a record, in words that follow a colon."""
    if not metric.label.strip():
        yield "it lacks a label"
    for field, given, known in (
        ("kind", metric.kind, Kind),
        ("direction", metric.direction, Direction),
        ("shown", metric.shown, Shown),
    ):
        if given not in get_args(known):
            yield f"its {field} is {given!r}; must be one of {', '.join(get_args(known))}"
    if (metric.of_decisions is None) == (metric.of_scores is None):
        yield "it needs a value function, either of_decisions or of_scores"
    if not metric.range[0] < metric.range[1]:
        yield f"its range is {metric.range}; must be its least and its greatest value"
    if (metric.direction == "none") != (metric.kind == "count"):
        yield "counts, and no others, have the direction 'none'"
    if metric.kind != "count":
        yield from _problems_of_interval(metric)
    yield from _taken_names(metric)


def _problems_of_interval(metric: Metric) -> Iterator[str]:
    if metric.of_decisions is not None:
        if metric.ratio is None and metric.mean_of is None and metric.influence is None:
            yield "it lacks an influence; give ratio, mean_of, or influence, its derivative by the four counts"
    elif metric.per_image is None and metric.influence is None:
        yield "it lacks an influence; give per_image, or influence, its derivative by the weight of each image"
    elif metric.per_image is None and metric.weighted is None:
        yield "it lacks weighted, its value under weights of the images, which the bootstrap needs"
    if metric.scale not in get_args(Scale):
        yield f"its scale is {metric.scale!r}; must be one of {', '.join(get_args(Scale))}"
    elif metric.scale == "log":
        if metric.range[0] != 0:
            yield "the scale 'log' needs a range that begins at 0"
    elif metric.range != (needed := _SCALE_RANGES[metric.scale]):
        yield f"the scale '{metric.scale}' needs the range {needed[0]} to {needed[1]}"
    if metric.scale == "Wilson" and metric.ratio and {*metric.ratio.numerator, *metric.ratio.denominator} - {0, 1}:
        yield "the scale 'Wilson' needs a ratio with weights of 0 and 1"
    if metric.scale == "square-and-add" and metric.mean_of is None:
        yield "the scale 'square-and-add' needs mean_of"


def _taken_names(metric: Metric) -> Iterator[str]:
    for name in (metric.name, *metric.aliases):
        owner = next((other for other in _METRICS.values() if name in (other.name, *other.aliases)), None)
        if name in NOT_METRICS or (owner is not None and not _same_source(owner, metric)):
            yield f"the name '{name}' is taken" + (f" by the metric '{owner.name}'" if owner is not None else "")


def _same_source(one: Metric, other: Metric) -> bool:
    """Whether two records come from one function, as when its module is loaded again."""
    functions = [metric.of_decisions or metric.of_scores for metric in (one, other)]
    places = [(getattr(each, "__module__", None), getattr(each, "__qualname__", None)) for each in functions]
    return one.name == other.name and places[0] == places[1]
