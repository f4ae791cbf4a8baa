"""Metrics of three or more classes: which exist, and what a key such as `recall:macro` measures.

Metrics of one class against the rest are those of the binary registry, per class and averaged. Metrics of all classes
together are listed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmark.evidence.metrics.agreement import (
    correlation,
    correlation_gradient,
    kappa,
    kappa_gradient,
    quadratic_kappa,
    quadratic_kappa_gradient,
)
from benchmark.evidence.metrics.forms import Form, MeanOfClasses, OfClass, OfMatrix, Pooled, Share
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.per_image import (
    Among,
    Cost,
    class_log_losses,
    class_squared_errors,
    correct_decisions,
    covered,
)
from benchmark.evidence.metrics.registry import (
    Direction,
    Display,
    Kind,
    Metric,
    MetricError,
    Scale,
    label_of,
    measures,
    range_of,
)
from benchmark.evidence.scores import MulticlassScores

if TYPE_CHECKING:
    from benchmark.evidence.metrics.influence import Floats, Labels

MANY_CLASSES = 10
"""From this many classes on, the true class among the best few scores is worth a figure."""
TOP = (3, 5)
CLASS_METRICS = ("recall", "precision", "f1", "specificity", "auc", "average_precision")
"""The built-in metrics that are computed for each class against the rest, in table order."""


@dataclass(frozen=True, kw_only=True)
class MulticlassMeasure:
    """What a key measures, whatever the number and names of the classes.

    Attributes:
        key: The key.
        label: Its name in tables and sentences.
        kind: A `share`, a `correlation` or a `loss`.
        direction: Which values are better.
        range: Least and greatest value.
        scale: How its interval is computed.
        depends_on_prevalence: Whether it changes with the shares of the classes.
        decimals: The number of decimals to print.
        display: The shortest list that includes it, as in the binary registry.
        uses_decisions: Whether it changes with the decisions; else it is of scores.
    """

    key: str
    label: str
    kind: Kind
    direction: Direction
    range: tuple[float, float]
    scale: Scale
    depends_on_prevalence: bool
    display: Display
    uses_decisions: bool
    decimals: int = 3

    @property
    def metric(self) -> str:
        """The name of the metric, without average or class."""
        return MeasureKey.parse(self.key).metric

    @property
    def average(self) -> str | None:
        """`macro`, `weighted` or `micro`; None for one class and for a metric of all classes."""
        return MeasureKey.parse(self.key).average

    @property
    def of_class(self) -> str | None:
        """The class that is judged against the rest; None for averages and for a metric of all classes."""
        return MeasureKey.parse(self.key).of_class

    @property
    def is_fraction(self) -> bool:
        """Whether it lies within [0, 1]."""
        return self.range == (0, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class MulticlassMetric(MulticlassMeasure):
    """A metric of certain classes, which can be computed.

    Attributes:
        form: How it is computed.
    """

    form: Form = field(repr=False)

    def evaluate(self, scores: MulticlassScores, decided: Labels) -> tuple[float | None, str | None]:
        """Return the value, or the reason why it is missing.

        Args:
            scores: Labels (n,) and scores (n, k).
            decided: Decisions (n,), class indices, or -1 where the program abstained.

        Returns:
            The value and None; or None and the reason in one line.
        """
        return self.form.evaluate(scores, decided)

    def value(self, scores: MulticlassScores, decided: Labels) -> float | None:
        """Return the value; None where it is missing."""
        return self.evaluate(scores, decided)[0]

    def influence_values(self, scores: MulticlassScores, decided: Labels) -> Floats | None:
        """Return the derivative of the metric by the weight of each image, at equal weights.

        This is the infinitesimal jackknife (Jaeckel 1972, Efron 1982): the sum of squares over independent clusters
        estimates the variance of the metric.

        Args:
            scores: Labels (n,) and scores (n, k).
            decided: Decisions (n,), class indices, or -1 where the program abstained.

        Returns:
            Influence values (n,), which sum to 0; None where the metric is undefined.

        Raises:
            MetricError: If a function of a metric from another package fails.
        """
        return self.form.influence_values(scores, decided)

    def weighted(self, scores: MulticlassScores, decided: Labels, weights: Floats) -> Floats:
        """Return the values under r weightings of the images.

        Args:
            scores: Labels (n,) and scores (n, k).
            decided: Decisions (n,), class indices, or -1 where the program abstained.
            weights: Weights (n, r) of the images, at least 0.

        Returns:
            Values (r,), NaN where undefined or where a function of a metric from another package fails.
        """
        import numpy as np

        try:
            with np.errstate(divide="ignore", invalid="ignore"):
                return self.form.weighted(scores, decided, weights)
        except MetricError:
            return np.full(weights.shape[1], np.nan)


@dataclass(frozen=True)
class _Whole:
    kind: Kind
    direction: Direction
    scale: Scale
    display: Display
    uses_decisions: bool
    depends_on_prevalence: bool = True


_WHOLE = {
    "accuracy": _Whole("share", "higher", "Wilson", "summary", True),
    "balanced_accuracy": _Whole("share", "higher", "logit", "comparison", True, False),
    "mcc": _Whole("correlation", "higher", "Fisher z", "detail", True),
    "kappa": _Whole("correlation", "higher", "Fisher z", "detail", True),
    "quadratic_kappa": _Whole("correlation", "higher", "Fisher z", "summary", True),
    "log_loss": _Whole("loss", "lower", "log", "comparison", False),
    "brier": _Whole("loss", "lower", "log", "comparison", False),
    **{f"top_{top}_accuracy": _Whole("share", "higher", "Wilson", "comparison", False) for top in TOP},
    "coverage": _Whole("share", "higher", "Wilson", "summary", True),
    "selective_accuracy": _Whole("share", "higher", "Wilson", "summary", True),
    "expected_cost": _Whole("loss", "lower", "log", "summary", True),
}
"""Metrics of all classes together, in table order."""


_SHARES = ("recall:weighted", "recall:micro", "precision:micro")
"""Averages that are a proportion of images: of all images, or of those that are not abstained on."""


def class_metrics() -> dict[str, Metric]:
    """Return the metrics of one class against the rest, by name: the built-in ones, then those of other packages."""
    known = measures()
    others = [name for name in known if name not in CLASS_METRICS and name not in _WHOLE]
    return {name: known[name] for name in (*CLASS_METRICS, *others)}


def multiclass_metric_names() -> tuple[str, ...]:
    """Return the names of all metrics of three or more classes, without averages and classes, in table order."""
    return (*_WHOLE, *class_metrics())


def is_of_classes(metric: str) -> bool:
    """Return whether a metric needs an average or a class, such as `recall`, and is not of all classes together."""
    return metric in class_metrics()


def find_multiclass(key: str) -> MulticlassMeasure | None:
    """Return what `key` measures, whatever the number and names of the classes.

    Args:
        key: Such as `accuracy`, `recall:macro` or `recall:class:NORMAL`.

    Returns:
        The facts about the key. None if it is no key, its metric is unknown, a metric of all classes has an average or
        a class, or a metric of one class against the rest has neither.
    """
    try:
        parsed = MeasureKey.parse(key)
    except ValueError:
        return None
    alone = parsed.average is None and parsed.of_class is None
    if alone and parsed.metric in _WHOLE:
        return _whole(parsed.metric)
    record = class_metrics().get(parsed.metric)
    return None if alone or record is None else _of_classes(record, parsed)


def _whole(metric: str) -> MulticlassMeasure:
    facts = _WHOLE[metric]
    return MulticlassMeasure(
        key=metric,
        label=label_of(metric),
        kind=facts.kind,
        direction=facts.direction,
        range=range_of(metric, classes=3),
        scale=facts.scale,
        depends_on_prevalence=facts.depends_on_prevalence,
        display=facts.display,
        uses_decisions=facts.uses_decisions,
    )


def _of_classes(record: Metric, key: MeasureKey) -> MulticlassMeasure:
    assert record.scale is not None  # only counts have none
    default = key.average in (None, "macro") and record.name != "specificity"
    scale = record.scale
    if key.average is not None and record.is_fraction:
        scale = "Wilson" if str(key) in _SHARES else "logit"
    return MulticlassMeasure(
        key=str(key),
        label=label_of(str(key)),
        kind=record.kind,
        direction=record.direction,
        range=record.range,
        scale=scale,
        depends_on_prevalence=record.depends_on_prevalence or key.average in ("weighted", "micro"),
        display=record.display if default else "detail",
        uses_decisions=record.uses_threshold,
        decimals=record.decimals,
    )


def multiclass_metrics(
    classes: Sequence[str],
    *,
    ordered: bool = False,
    costs: Sequence[Sequence[float]] | None = None,
    abstains: bool = False,
) -> dict[str, MulticlassMetric]:
    """Return the metrics of these classes.

    Metrics of all classes come first. Then each metric of one class against the rest has its macro mean, one entry per
    class, and the weighted and micro averages.

    Args:
        classes: The names of the k classes, at least three.
        ordered: Whether their order is a scale; then there is a kappa with quadratic weights.
        costs: Costs (k, k) of an image of the class of the row predicted as that of the column; then there is an
            expected cost.
        abstains: Whether decisions may abstain; then there are coverage and selective accuracy.

    Returns:
        Metrics by key, in table order.

    Raises:
        ValueError: If there are fewer than three classes, or the costs are not k rows of k numbers of at least 0.
    """
    count = len(classes)
    if count < 3:
        raise ValueError(f"{count} classes; metrics of several classes need three or more, two have metrics() instead")
    if costs is not None:
        _check_costs(costs, count)
    by_class = {
        name: tuple(OfClass(record, label) for label in range(count)) for name, record in class_metrics().items()
    }
    forms: dict[str, Form] = {
        "accuracy": Share(correct_decisions),
        "balanced_accuracy": MeanOfClasses(by_class["recall"]),
        "mcc": OfMatrix(correlation, correlation_gradient, "undefined: all labels or all decisions are of one class"),
        "kappa": OfMatrix(kappa, kappa_gradient, "undefined: all labels and decisions are of one class"),
    }
    if ordered:
        undefined = "undefined: all labels and decisions are of one class, or some decisions abstain"
        forms["quadratic_kappa"] = OfMatrix(quadratic_kappa, quadratic_kappa_gradient, undefined)
    forms |= {"log_loss": Share(class_log_losses), "brier": Share(class_squared_errors)}
    if count >= MANY_CLASSES:
        forms |= {f"top_{top}_accuracy": Share(Among(top)) for top in TOP}
    if abstains:
        undefined = "undefined: every decision abstains"
        forms |= {"coverage": Share(covered), "selective_accuracy": Share(correct_decisions, covered, undefined)}
    if costs is not None:
        undefined = "undefined: the costs have no column for decisions that abstain"
        forms["expected_cost"] = Share(Cost(tuple(map(tuple, costs))), undefined=undefined)
    metrics_by_key = {name: _metric(_whole(name), form) for name, form in forms.items()}
    for name, record in class_metrics().items():
        keys: dict[MeasureKey, Form] = {MeasureKey(name, "macro"): MeanOfClasses(by_class[name])}
        keys |= {MeasureKey(name, of_class=classes[each.label]): each for each in by_class[name]}
        keys |= {
            MeasureKey(name, "weighted"): MeanOfClasses(by_class[name], by_size=True),
            MeasureKey(name, "micro"): Pooled(record),
        }
        shares: dict[str, Form] = {
            "recall:weighted": Share(correct_decisions),
            "recall:micro": Share(correct_decisions),
            "precision:micro": Share(correct_decisions, covered, "undefined: every decision abstains"),
        }
        keys |= {key: shares[str(key)] for key in keys if str(key) in shares}
        metrics_by_key |= {str(key): _metric(_of_classes(record, key), form) for key, form in keys.items()}
    return metrics_by_key


def _metric(measure: MulticlassMeasure, form: Form) -> MulticlassMetric:
    return MulticlassMetric(**{name: getattr(measure, name) for name in measure.__dataclass_fields__}, form=form)


def _check_costs(costs: Sequence[Sequence[float]], count: int) -> None:
    if len(costs) != count or any(len(row) != count for row in costs):
        raise ValueError(f"costs have rows of {[len(row) for row in costs]} numbers; must be {count} rows of {count}")
    if not all(0 <= cost < float("inf") for row in costs for cost in row):
        raise ValueError("costs must be finite numbers of at least 0")


def argmax(scores: MulticlassScores) -> Labels:
    """Return the class (n,) of the highest score of each image; of equal scores, the lowest class index."""
    import numpy as np

    highest: Labels = np.argmax(scores.y_score, axis=1).astype(np.int64)
    return highest
