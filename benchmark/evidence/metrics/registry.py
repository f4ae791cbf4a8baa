"""Registry of metrics. One record per metric has all that tables, intervals, comparisons and schemas need.

Every list of metrics in the program is a query over these records (`metrics`). NumPy is imported where it computes, so
that commands which only need the names of metrics start quickly.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from benchmark.evidence.estimate import Caution, Estimate
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.scores import Scores, rows_of_folds

if TYPE_CHECKING:
    from benchmark.evidence.metrics.influence import Cut, Floats, Labels

Kind = Literal["share", "correlation", "loss", "count"]
Direction = Literal["higher", "lower", "none"]
Scale = Literal["Wilson", "Dice", "square-and-add", "logit", "log", "Fisher z"]
"""How the interval of a metric is computed: `Wilson` for a proportion, `Dice` for 2J / (1 + J) of a proportion J,
`square-and-add` for a mean of two proportions, else the transformation after which the estimate is nearly normal."""
Display = Literal["summary", "comparison", "detail"]
Weights = tuple[int, int, int, int]
"""Integer weights of TP, FP, TN and FN, in this order."""

NOT_METRICS = ("loss", "score")
"""Printed figures that are not metrics: the training loss with its penalties, and the scores themselves."""
UNDEFINED = "undefined for these decisions or classes"

_ROUNDING = 1e-9  # a correlation or a mean of a perfect ranking may come out a few bits above 1
_POPULATIONS: Mapping[Weights, Literal["images", "positives", "negatives"]] = MappingProxyType(
    {(1, 1, 1, 1): "images", (1, 0, 0, 1): "positives", (0, 1, 1, 0): "negatives"}
)
_SCALE_RANGES: Mapping[Scale | None, tuple[float, float]] = MappingProxyType(
    {"Wilson": (0, 1), "Dice": (0, 1), "square-and-add": (0, 1), "logit": (0, 1), "Fisher z": (-1, 1)}
)
_MULTICLASS_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "brier": (0.0, 2.0),  # summed over classes, as scikit-learn does from three classes on
        "kappa": (-1.0, 1.0),
        "quadratic_kappa": (-1.0, 1.0),
        "top_3_accuracy": (0.0, 1.0),
        "top_5_accuracy": (0.0, 1.0),
        "coverage": (0.0, 1.0),
        "selective_accuracy": (0.0, 1.0),
        "expected_cost": (0.0, math.inf),
    }
)
_Function = TypeVar("_Function", bound=Callable[..., float | None])


class MetricError(ValueError):
    """A function of a metric failed. The message names the metric and the failure in one line."""


@dataclass(frozen=True)
class Confusion:
    """Counts of decisions; positive means score >= threshold."""

    tp: int
    fp: int
    tn: int
    fn: int


_MATRICES = (
    Confusion(7, 2, 11, 3),
    Confusion(3, 5, 2, 13),
    Confusion(1, 8, 4, 6),
    Confusion(17, 1, 5, 2),
    Confusion(0, 3, 9, 4),
    Confusion(6, 0, 10, 0),
)
"""Where registration compares the function of a metric with its ratio."""


@dataclass(frozen=True)
class Figure(Estimate):
    """A metric's value with its 95% interval.

    Attributes:
        metric: Name of the metric.
        method: How the interval was computed; None without an interval.
        reason: Why the value or the interval is missing.
        caution: Why the interval may be far off; None where nothing speaks against it, and in old records.
    """

    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    method: str | None = None
    reason: str | None = None
    caution: Caution | None = None

    @classmethod
    def missing(cls, metric: str, reason: str) -> Figure:
        """Return a figure of `metric` without a value, with the `reason`."""
        return cls(metric, None, reason=reason)


@dataclass(frozen=True)
class Ratio:
    """A ratio of two weighted sums of the four counts."""

    numerator: Weights
    denominator: Weights

    @property
    def population(self) -> Literal["images", "positives", "negatives"] | None:
        """The images that the denominator counts, if that does not depend on decisions; else None."""
        return _POPULATIONS.get(self.denominator) if {*self.numerator} <= {0, 1} else None

    def of(self, counts: Floats) -> Floats:
        """Return the ratio (...) of `counts` (4, ...); NaN for 0 / 0."""
        import numpy as np

        ratio: Floats = np.array(self.numerator) @ counts / (np.array(self.denominator) @ counts)
        return ratio

    def gradient(self, counts: Floats) -> Floats | None:
        """Return the derivative (4,) by each of `counts` (4,); None for 0 / 0."""
        import numpy as np

        above, below = (np.array(part, dtype=np.float64) for part in (self.numerator, self.denominator))
        total = counts @ below
        if not total:
            return None
        gradient: Floats = (above - counts @ above / total * below) / total
        return gradient

    def sums(self, matrix: Confusion) -> tuple[int, int]:
        """Return the numerator and the denominator of `matrix`."""
        counts = dataclasses.astuple(matrix)
        return (
            sum(weight * count for weight, count in zip(self.numerator, counts, strict=True)),
            sum(weight * count for weight, count in zip(self.denominator, counts, strict=True)),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Metric:
    """A metric of one class against the rest, with the facts that the program needs about it.

    Attributes:
        name: Its name in records, cards, claims and options.
        label: Its name in tables and sentences.
        aliases: Other names that cards, claims and options may use.
        kind: A `share` or a `correlation` of images, a `loss`, or a `count` of images, which has no interval.
        direction: Which values are better; `none` for counts only.
        range: Least and greatest value.
        depends_on_prevalence: Whether it changes with the share of positives.
        of_decisions: Its value from a `Confusion`, None where undefined. Either this or `of_scores` is required.
        of_scores: Its value from `Scores`, independent of the threshold.
        ratio: Set if the metric is a ratio of counts. Influence and bootstrap follow from it.
        mean_of: Set if the metric is the mean of two such ratios. Influence and bootstrap follow from them.
        per_image: Values per image (n,) from `y_true` (n,) and `y_score` (n,); set if the metric of scores is their
            mean. Influence and bootstrap follow from it.
        influence: Its derivative, None where undefined. A metric of decisions takes the counts (4,) and returns the
            derivative by each count (4,). A metric of scores takes `y_true` and `y_score` (n,) and returns the
            derivative by the weight of each image (n,), at equal weights.
        weighted: Its values (r,) under r weightings, NaN where undefined. A metric of decisions takes counts (4, r);
            without this function, `of_decisions` is called r times. A metric of scores takes `y_true`, `y_score` (n,)
            and weights (n, r).
        scale: How its interval is computed; not for counts.
        variance: `DeLong` for the area under the ROC curve (DeLong et al. 1988).
        decimals: The number of decimals to print.
        display: The shortest list that includes it: `summary` (every table of cards), `comparison` (two cards
            compared), or `detail` (all figures of a run).
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
    display: Display = "comparison"

    @property
    def uses_threshold(self) -> bool:
        """Whether it changes with the decision threshold."""
        return self.of_decisions is not None

    @property
    def ranks(self) -> bool:
        """Whether it compares the scores of images with each other, so that they must come from one model."""
        return self.of_scores is not None and self.per_image is None

    @property
    def ratios(self) -> tuple[Ratio, ...]:
        """The ratios of counts that it is the mean of; empty if it is no such mean."""
        return self.mean_of or (() if self.ratio is None else (self.ratio,))

    @property
    def is_fraction(self) -> bool:
        """Whether it lies within [0, 1]."""
        return self.range == (0, 1)

    def value(self, scores: Scores, matrix: Confusion) -> float | None:
        """Return the metric of `scores`, or of their confusion `matrix` at the threshold; None where missing."""
        return self.evaluate(scores, matrix)[0]

    def evaluate(self, scores: Scores | None, matrix: Confusion) -> tuple[float | None, str | None]:
        """Call the function of the metric. If it fails or returns no possible value, the value is missing.

        In a cross-validation, a metric that ranks is the mean of its values on the folds (LeDell, Petersen and van der
        Laan 2015): scores of different models need not be on one scale (Airola et al. 2011).

        Args:
            scores: Labels and scores of one split; only for a metric of decisions may they be None.
            matrix: Their confusion matrix at the threshold.

        Returns:
            The value and None; or None and the reason in one line.
        """
        if self.ranks and scores is not None and scores.fold is not None:
            return self._evaluate_folds(scores, matrix)
        try:
            value = self._call(self.of_decisions or self.of_scores, matrix if self.uses_threshold else scores)
        except MetricError as failure:
            return None, str(failure)
        if value is None:
            return None, UNDEFINED
        if isinstance(value, bool) or not isinstance(value, Real):
            return None, self._failure(f"returned a {type(value).__name__} instead of a number or None")
        number, (least, greatest) = float(value), self.range
        if not (math.isfinite(number) and least - _ROUNDING <= number <= greatest + _ROUNDING):
            return None, self._failure(f"returned {number:g}, which is not within {least:g} and {greatest:g}")
        return number, None

    def _evaluate_folds(self, scores: Scores, matrix: Confusion) -> tuple[float | None, str | None]:
        values = []
        for part in scores.by_fold():
            value, reason = self.evaluate(part, matrix)
            if value is None:
                return None, reason
            values.append(value)
        return math.fsum(values) / len(values), None

    def failed(self, figure: Figure) -> bool:
        """Return whether `figure` is missing because a function of this metric failed."""
        return figure.value is None and (figure.reason or "").startswith(self._failure(""))

    def _failure(self, what: str) -> str:
        package = getattr(self.of_decisions or self.of_scores, "__module__", None) or "unknown"
        return f"{self.name} of package {package.partition('.')[0]} {what}"

    def _call(self, function: Callable[..., Any] | None, *arguments: Any) -> Any:
        """Call a function of the record; the only place that does. Raises MetricError if it fails."""
        assert function is not None
        try:
            return function(*arguments)
        except Exception as error:
            what = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
            raise MetricError(self._failure(f"raised {what}")) from error

    def _array(self, shape: tuple[int, ...], part: str, *arguments: Any) -> Any:
        """Return what the function in the field `part` returns: None, or numbers of this shape."""
        import numpy as np

        values = self._call(getattr(self, part), *arguments)
        if values is None:
            return None
        try:
            numbers = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise MetricError(self._failure(f"returned a {type(values).__name__} from {part}")) from error
        if numbers.shape != shape:
            raise MetricError(self._failure(f"returned shape {numbers.shape} from {part} instead of {shape}"))
        return numbers

    def influence_values(
        self,
        y_true: Labels,
        y_score: Floats,
        threshold: Cut,
        fold: Labels | None = None,
        units: Sequence[str] | Labels | None = None,
    ) -> Floats | None:
        """Return the derivative of the metric by the weight of each image, at equal weights.

        This is the infinitesimal jackknife (Jaeckel 1972, Efron 1982): the sum of squares over independent clusters
        estimates the variance of the metric. For the AUC, the derivatives are the centred placements of DeLong et al.
        1988, divided by the size of the class. With folds, a metric that ranks has the influence values within each
        fold, divided by the number of folds (LeDell, Petersen and van der Laan 2015), and larger by the small-sample
        correction of each fold. With folds, all metrics have values that are larger by the root of `fold_inflation`.

        Args:
            y_true: Labels (n,), 0 or 1.
            y_score: Scores (n,) in [0, 1].
            threshold: Scores at or above it are called positive; one for all images, or one per image (n,).
            fold: The fold whose model scored each image (n,); None for the scores of one model.
            units: The patient of each image (n,), whom the correction counts; None counts images.

        Returns:
            Influence values (n,), which sum to 0; None where the metric is undefined.

        Raises:
            KeyError: If the metric is a count.
            MetricError: If a function of the metric fails.
        """
        import numpy as np

        from benchmark.evidence.metrics.influence import fold_inflation

        if self.kind == "count":
            raise KeyError(self.name)
        influence = self._influence_values(y_true, y_score, threshold, fold, units)
        return influence if influence is None or fold is None else influence * np.sqrt(fold_inflation(fold))

    def _influence_values(
        self,
        y_true: Labels,
        y_score: Floats,
        threshold: Cut,
        fold: Labels | None,
        units: Sequence[str] | Labels | None,
    ) -> Floats | None:
        import numpy as np

        from benchmark.evidence.metrics.influence import cells

        if self.per_image is not None:
            values = self._array(y_true.shape, "per_image", y_true, y_score)
            deviations: Floats = (values - values.mean()) / len(values)
            return deviations
        if self.ranks and fold is not None:
            return self._influence_of_folds(y_true, y_score, fold, units)
        if self.of_scores is not None and self.influence is not None:
            influence: Floats | None = self._array(y_true.shape, "influence", y_true, y_score)
            return influence
        cell = cells(y_true, y_score, threshold)
        gradient = self._gradient(np.bincount(cell, minlength=4).astype(np.float64))
        return None if gradient is None else gradient[cell]

    def _influence_of_folds(
        self, y_true: Labels, y_score: Floats, fold: Labels, units: Sequence[str] | Labels | None
    ) -> Floats | None:
        import numpy as np

        from benchmark.evidence.metrics.influence import fold_corrections

        rows = rows_of_folds(fold)
        values = np.empty(len(y_true))
        for row in rows:
            part = self.influence_values(y_true[row], y_score[row], 0.5)
            if part is None:
                return None
            values[row] = part / len(rows)
        return values * fold_corrections(y_true, fold, units)

    def _gradient(self, counts: Floats) -> Floats | None:
        if self.influence is not None:
            gradient: Floats | None = self._array((4,), "influence", counts)
            return gradient
        if self.ratio is not None:
            return self.ratio.gradient(counts)
        assert self.mean_of is not None
        first, second = (ratio.gradient(counts) for ratio in self.mean_of)
        return None if first is None or second is None else (first + second) / 2

    def of_weighted_counts(self, counts: Floats) -> Floats:
        """Return a metric of decisions (r,) under r weightings of the counts (4, r), NaN where undefined."""
        if self.weighted is not None:
            return self._weighted(counts.shape[1:], counts)
        if self.ratio is not None:
            return self.ratio.of(counts)
        if self.mean_of is not None:
            first, second = (ratio.of(counts) for ratio in self.mean_of)
            return (first + second) / 2
        import numpy as np

        values = (self.evaluate(None, Confusion(*column))[0] for column in counts.T.tolist())
        return np.array([math.nan if value is None else value for value in values])

    def of_weighted_scores(
        self, y_true: Labels, y_score: Floats, weights: Floats, fold: Labels | None = None
    ) -> Floats:
        """Return the values of a metric of scores under r weightings of the images.

        With folds, a metric that ranks is the mean over those folds in which it is defined under the weights.

        Args:
            y_true: Labels (n,), 0 or 1.
            y_score: Scores (n,) in [0, 1].
            weights: Weights (n, r) of the images, at least 0.
            fold: The fold whose model scored each image (n,); None for the scores of one model.

        Returns:
            Values (r,), NaN where undefined.

        Raises:
            MetricError: If a function of the metric fails.
        """
        if self.ranks and fold is not None:
            import numpy as np

            rows = rows_of_folds(fold)
            with np.errstate(divide="ignore", invalid="ignore"):
                of_folds = np.stack([self.of_weighted_scores(y_true[row], y_score[row], weights[row]) for row in rows])
            defined = ~np.isnan(of_folds)
            total: Floats = np.where(defined, of_folds, 0).sum(axis=0)
            return total / np.where(defined.any(axis=0), defined.sum(axis=0), np.nan)
        if self.per_image is not None:
            values = self._array(y_true.shape, "per_image", y_true, y_score)
            mean: Floats = values @ weights / weights.sum(axis=0)
            return mean
        return self._weighted(weights.shape[1:], y_true, y_score, weights)

    def _weighted(self, shape: tuple[int, ...], *arguments: Floats | Labels) -> Floats:
        values: Floats = self._array(shape, "weighted", *arguments)
        return values


_METRICS: dict[str, Metric] = {}
_LOADERS: list[Callable[[], object]] = []


def register(metric: Metric) -> None:
    """Add `metric` to the registry.

    Args:
        metric: A complete record. Only a record of the same function may reuse its name.

    Raises:
        ValueError: If the record is incomplete or its name is taken. The message names the first problem.
    """
    problem = next(_problems(metric), None)
    if problem is not None:
        raise ValueError(f"the metric '{metric.name}' cannot be registered: {problem}")
    _METRICS[metric.name] = metric


def register_metric(*, reads: Literal["decisions", "scores"], **fields: Any) -> Callable[[_Function], _Function]:
    """Register the decorated function as a metric under its own name.

    Args:
        reads: The argument of the function: a `Confusion` (`decisions`) or `Scores` (`scores`).
        **fields: The other fields of `Metric`. Those without a default are required.

    Returns:
        The decorator. It returns the function unchanged.

    Raises:
        ValueError: As `register` does.
    """

    def decorator(function: _Function) -> _Function:
        problem = next(_call_problems(reads, fields), None)
        if problem is not None:
            raise ValueError(f"the metric '{function.__name__}' cannot be registered: {problem}")
        value: dict[str, Any] = {f"of_{reads}": function}
        register(Metric(name=function.__name__, **value, **fields))
        return function

    return decorator


def load_before_queries(load: Callable[[], object]) -> None:
    """Call `load`, which imports the metrics of other packages, before every query. It must be quick when repeated."""
    _LOADERS.append(load)


def metrics(where: Callable[[Metric], bool] = lambda _: True) -> dict[str, Metric]:
    """Return the registered metrics that satisfy `where`, by name, in the order of registration."""
    for load in _LOADERS:
        load()
    return {name: metric for name, metric in _METRICS.items() if where(metric)}


def measures(where: Callable[[Metric], bool] = lambda _: True) -> dict[str, Metric]:
    """Return the metrics that have a better direction and an interval: `metrics` without counts."""
    return metrics(lambda metric: metric.kind != "count" and where(metric))


def find_metric(name: str) -> Metric | None:
    """Return the metric `name`; None for any other name, such as those of NOT_METRICS."""
    if name not in _METRICS:
        for load in _LOADERS:
            load()
    return _METRICS.get(name)


def get_metric(name: str) -> Metric:
    """Return the metric `name`. Raises KeyError for an unknown name."""
    metric = find_metric(name)
    if metric is None:
        raise KeyError(name)
    return metric


def aliases(of: Mapping[str, Metric] | None = None) -> dict[str, str]:
    """Return the aliases of the metrics `of` (None: all metrics), each with the name of its metric."""
    return {alias: name for name, metric in (metrics() if of is None else of).items() for alias in metric.aliases}


def canonical(name: str) -> str:
    """Return the name of the metric that has the alias `name`; any other name unchanged."""
    return name if name in _METRICS else aliases().get(name, name)


def label_of(name: str) -> str:
    """Return the label of a figure for tables and sentences.

    Args:
        name: Name of a metric, a key such as `recall:macro` or `recall:class:NORMAL`, or any other figure.

    Returns:
        The label of the metric, with the average before it or the class after it; for any other figure its name, with
        blanks.
    """
    metric = find_metric(name)
    if metric is not None:
        return metric.label
    try:
        key = MeasureKey.parse(name)
    except ValueError:
        return name.replace("_", " ")
    inner = find_metric(key.metric)
    return key.label_format.format(key.metric.replace("_", " ") if inner is None else inner.label)


def confusion(scores: Scores, threshold: Cut) -> Confusion:
    """Return the counts of decisions of `scores` at `threshold`, one for all images or one per image (n,)."""
    called = scores.y_score >= threshold
    positive = scores.y_true == 1
    return Confusion(
        tp=int((called & positive).sum()),
        fp=int((called & ~positive).sum()),
        tn=int((~called & ~positive).sum()),
        fn=int((~called & positive).sum()),
    )


def value_of(name: str, scores: Scores, threshold: Cut) -> float | None:
    """Return the value of a metric.

    Args:
        name: Name of a registered metric.
        scores: Labels and scores of one split.
        threshold: Scores at or above it are called positive; one for all images, or one per image (n,).

    Returns:
        The value; None where it is undefined.

    Raises:
        KeyError: If no metric has this name.
    """
    return get_metric(name).value(scores, confusion(scores, threshold))


def values(
    scores: Scores, threshold: float, known: Mapping[str, float | None] = MappingProxyType({})
) -> dict[str, float | None]:
    """Return the value of every metric, without intervals.

    Args:
        scores: Labels and scores of one split.
        threshold: Scores at or above it are called positive.
        known: Values that need not be computed again, by metric.

    Returns:
        Values by metric, in the order of registration; None where undefined. A metric whose function fails is absent.
    """
    matrix = confusion(scores, threshold)
    computed = {
        name: (known[name], UNDEFINED) if name in known else metric.evaluate(scores, matrix)
        for name, metric in metrics().items()
    }
    return {name: value for name, (value, reason) in computed.items() if value is not None or reason == UNDEFINED}


def range_of(name: str, *, classes: int = 2) -> tuple[float, float]:
    """Return the least and the greatest value of a figure.

    Args:
        name: A metric, a key such as `recall:macro`, or any other figure. Of the others, only `loss` has a range.
        classes: The number of classes; metrics of all classes, and the Brier score, differ from three on.

    Returns:
        Both ends, infinite where unknown.
    """
    if classes > 2 and name in _MULTICLASS_RANGES:
        return _MULTICLASS_RANGES[name]
    record = find_metric(name if classes == 2 else name.partition(":")[0])
    if record is not None:
        return record.range
    return 0 if name == "loss" else -math.inf, math.inf


def out_of_range(figure: Figure, *, classes: int = 2) -> str | None:
    """Return why `figure` is impossible: its metric cannot have this value or bound, or the bounds are reversed.

    No figure can be infinite or not a number.

    Args:
        figure: A figure of any name. Its range is that of `range_of`.
        classes: The number of classes of the data.

    Returns:
        The problem as a sentence; None for a possible figure.
    """
    least, greatest = range_of(figure.metric, classes=classes)
    for number in (figure.value, figure.low, figure.high):
        if number is None:
            continue
        if not math.isfinite(number):
            return f"{figure.metric} is not finite"
        if not least - _ROUNDING <= number <= greatest + _ROUNDING:
            return f"{figure.metric} {number:g} is not within {least:g} and {greatest:g}"
    if figure.low is not None and figure.high is not None and figure.low > figure.high:
        return f"{figure.metric}: the interval ends at {figure.high:g}, below its start at {figure.low:g}"
    return None


def _call_problems(reads: str, fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong in the arguments of `register_metric`, as the end of a sentence."""
    if reads not in ("decisions", "scores"):
        yield f"its reads is {reads!r}; must be one of decisions, scores"
    known = {field.name: field.default is dataclasses.MISSING for field in dataclasses.fields(Metric)}
    for name in ("name", "of_decisions", "of_scores"):  # these follow from the function
        del known[name]
    if absent := [name for name, required in known.items() if required and name not in fields]:
        yield f"it lacks {', '.join(absent)}"
    if unknown := [name for name in fields if name not in known]:
        yield f"it has no field {', '.join(unknown)}; the fields are {', '.join(known)}"


def _problems(metric: Metric) -> Iterator[str]:
    """Yield what is missing or wrong in a record, as the end of a sentence."""
    if not isinstance(metric.label, str) or not metric.label.strip():
        yield "it lacks a label"
    if not isinstance(metric.aliases, tuple | list) or not all(isinstance(alias, str) for alias in metric.aliases):
        yield f"its aliases are {metric.aliases!r}; must be a tuple of names, such as ('iou',)"
    if isinstance(metric.decimals, bool) or not isinstance(metric.decimals, int) or metric.decimals < 0:
        yield f"its decimals is {metric.decimals!r}; must be an integer of at least 0"
    for field, choice, choices in (
        ("kind", metric.kind, Kind),
        ("direction", metric.direction, Direction),
        ("display", metric.display, Display),
    ):
        if choice not in get_args(choices):
            yield f"its {field} is {choice!r}; must be one of {', '.join(get_args(choices))}"
    if (metric.of_decisions is None) == (metric.of_scores is None):
        yield "it needs a value function, either of_decisions or of_scores"
    if not _is_range(metric.range):
        yield f"its range is {metric.range!r}; must be its least and its greatest value, in this order"
    if (metric.direction == "none") != (metric.kind == "count"):
        yield "the direction 'none' is for counts, and only for them"
    if metric.kind != "count":
        yield from _interval_problems(metric)
    yield from _name_problems(metric)


def _is_range(ends: object) -> bool:
    if not isinstance(ends, tuple) or len(ends) != 2 or not all(isinstance(end, Real) for end in ends):
        return False
    return bool(ends[0] < ends[1])


def _interval_problems(metric: Metric) -> Iterator[str]:
    yield from _ratio_problems(metric)
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
    if metric.scale == "square-and-add" and metric.mean_of is None:
        yield "the scale 'square-and-add' needs mean_of"
    for ratio in metric.ratios:
        if metric.scale in ("Wilson", "square-and-add") and not _is_proportion(ratio.numerator, ratio.denominator):
            yield (
                f"the scale '{metric.scale}' needs a ratio with weights of 0 and 1, whose denominator has each weight "
                "of its numerator"
            )
        if metric.scale == "Dice" and not _is_dice(ratio):
            yield "the scale 'Dice' needs a ratio that is 2J / (1 + J) of a proportion J, such as F1"
    sources = [name for name in ("ratio", "mean_of", "per_image", "influence") if getattr(metric, name) is not None]
    if len(sources) > 1:
        yield f"it has {' and '.join(sources)}; give one of them, since each determines the standard error"
    yield from _disagreements(metric)


def _ratio_problems(metric: Metric) -> Iterator[str]:
    pairs = () if metric.mean_of is None else metric.mean_of
    if not isinstance(pairs, tuple | list) or len(pairs) not in (0, 2):
        yield f"its mean_of is {pairs!r}; must be two ratios"
    for ratio in (*pairs, *(() if metric.ratio is None else (metric.ratio,))):
        if not isinstance(ratio, Ratio):
            yield f"its ratio is {ratio!r}; must be a Ratio of two tuples of weights"
        for weights in (ratio.numerator, ratio.denominator):
            if not isinstance(weights, tuple | list) or [type(weight) for weight in weights] != [int] * 4:
                yield f"its ratio has the weights {weights!r}; must be four integers, for TP, FP, TN and FN"


def _is_proportion(above: Sequence[int], below: Sequence[int]) -> bool:
    """Return whether the numerator `above` counts some of the images that the denominator `below` counts."""
    return {*above, *below} <= {0, 1} and all(a <= b for a, b in zip(above, below, strict=True))


def _is_dice(ratio: Ratio) -> bool:
    """Return whether the ratio is 2J / (1 + J), that is 2A / (A + B), of a proportion J = A / B."""
    above, below = (tuple(min(1, weight) for weight in part) for part in (ratio.numerator, ratio.denominator))
    doubled = tuple(2 * a for a in above), tuple(a + b for a, b in zip(above, below, strict=True))
    return _is_proportion(above, below) and doubled == (ratio.numerator, ratio.denominator)


def _disagreements(metric: Metric) -> Iterator[str]:
    """Yield where the function and the ratios differ. A function that fails here is judged where it is used."""
    if metric.of_decisions is None or not metric.ratios:
        return
    for matrix in _MATRICES:
        value, shares = metric.evaluate(None, matrix)[0], [ratio.sums(matrix) for ratio in metric.ratios]
        if value is None or not all(below for _, below in shares):
            continue
        expected = sum(above / below for above, below in shares) / len(shares)
        if not math.isclose(value, expected, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
            counts = f"TP {matrix.tp}, FP {matrix.fp}, TN {matrix.tn} and FN {matrix.fn}"
            field = "ratio" if metric.ratio is not None else "mean_of"
            yield f"for {counts} its function returns {value:g}, but its {field} gives {expected:g}; must be equal"


def _name_problems(metric: Metric) -> Iterator[str]:
    for name in (metric.name, *metric.aliases):
        owner = next((other for other in _METRICS.values() if name in (other.name, *other.aliases)), None)
        if name in NOT_METRICS or (owner is not None and not _same_source(owner, metric)):
            yield f"the name '{name}' is taken" + (f" by the metric '{owner.name}'" if owner is not None else "")
    for other in _METRICS.values():
        if metric.label == other.label and not _same_source(other, metric):
            yield f"the label '{metric.label}' is taken by the metric '{other.name}'"


def _same_source(first: Metric, second: Metric) -> bool:
    """Return whether two records come from one function, as when its module is loaded again."""
    functions = [metric.of_decisions or metric.of_scores for metric in (first, second)]
    paths = [(getattr(each, "__module__", None), getattr(each, "__qualname__", None)) for each in functions]
    return first.name == second.name and paths[0] == paths[1]
