"""Names of metrics as people type them: the metric, or the key of a figure, that they mean."""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.evidence.metrics.multiclass import MulticlassMetric, class_metrics
from benchmark.evidence.metrics.registry import Metric, aliases
from benchmark.runs.run import Run
from reports.results.comparison.card_figures import multiclass_measures
from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import suggest


def metric_named(name: str, known: Mapping[str, Metric] | Mapping[str, Metric | MulticlassMetric]) -> str:
    """Find a metric by its name, alias or label, in any case.

    Args:
        name: What a person asked for.
        known: The metrics by name, or by key.

    Returns:
        The name or key in `known`.

    Raises:
        ConfigError: There is no such metric.
    """
    records = {metric: each for metric, each in known.items() if isinstance(each, Metric)}
    labels = {
        label.casefold(): metric
        for metric, each in known.items()
        for label in (each.label, *(each.aliases if isinstance(each, Metric) else ()))
    }
    for candidate in (name, name.casefold(), labels.get(name.casefold(), name)):
        if candidate in known:
            return candidate
    raise ConfigError(f"Unknown metric '{name}'. {suggest(name.casefold(), known, aliases(records))}")


def figure_of_classes(metric: str, run: Run, chosen: bool) -> str:
    """The metric of one class, or the key of a figure, that `metric` names for the classes of a run.

    Args:
        metric: A name, a label, or a key such as `f1:macro` or `recall:class:NORMAL`.
        run: A run on three or more classes.
        chosen: Whether decisions are those that the runs chose on validation, which have figures of their own.

    Returns:
        The name or key.

    Raises:
        ConfigError: There is no such figure.
    """
    known = multiclass_measures(run, chosen=chosen)
    if metric in known:
        return metric
    if ":" in metric:
        keys = [key for key in known if key.startswith(f"{metric.partition(':')[0].casefold()}:")]
        raise ConfigError(f"Unknown figure '{metric}'. {suggest(metric, keys or known)}")
    try:
        return metric_named(metric, {**class_metrics(), **known})
    except ConfigError as error:
        problem, of_class = error.lines[0].partition(" Known: ")[0], ", ".join(class_metrics())
        whole = ", ".join(key for key in known if ":" not in key)
        raise ConfigError(
            f"{problem} --metric takes a metric of one class ({of_class}), one of all classes ({whole}), "
            "or the first with an average or a class: f1:macro, "
            f"recall:class:{run.spec.dataset.classes[-1]}"
        ) from None
