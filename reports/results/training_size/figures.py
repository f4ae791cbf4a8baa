"""A card's figures by the number of training images, from the runs of `zoo curve`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.evidence.decisions.decide import decide_all
from benchmark.evidence.intervals.seeds import MulticlassPairedScores, PairedScores, SeedFigure
from benchmark.evidence.metrics.multiclass import argmax
from benchmark.evidence.metrics.registry import get_metric
from benchmark.evidence.scores import MulticlassScores, Scores
from benchmark.evidence.training_size.extrapolation import Extrapolation, extrapolate
from benchmark.evidence.training_size.figures import DrawnScores
from benchmark.runs.outcome import HALF
from benchmark.runs.run import Run, RunSpec
from benchmark.runs.storage.store import Store
from reports.results.comparison.leading import depends_on_decisions, leading, nothing_chosen
from reports.results.measured import conditions, decides_by_choice, is_multiclass


@dataclass(frozen=True)
class SizePoint:
    """The figure of a card at one number of training images.

    Attributes:
        images: The number of training images.
        by_class: The number of each class.
        figure: The mean over draws; its interval accounts for draws and test patients. `seeds` counts the draws.
        values: The figure by draw, the mean over its seeds; None where a run has none.
        runs: Number of finished runs.
        failed: Number of failed runs.
    """

    images: int
    by_class: tuple[int, ...]
    figure: SeedFigure
    values: Mapping[int, float | None]
    runs: int
    failed: int

    @property
    def draws(self) -> int:
        """The number of draws with a finished run."""
        return len(self.values)


@dataclass(frozen=True)
class TrainingSizeCurve:
    """A metric of a card by the number of training images.

    Attributes:
        card: The name of the card.
        title: Its title.
        conditions: The data and the protocol.
        synthetic: Whether the images are synthetic.
        metric: The metric, for several classes its key.
        decided: How images are decided; None if the metric is of scores.
        classes: The names of the classes.
        unit: `patient`, or `image` where patients are not known.
        available: Number of training images of the split, from which the draws are.
        tested: Number of test images, the same in all runs.
        points: By number of training images.
        extrapolation: The inverse power law and its forecasts, or why there are none.
        comparable: A text that is equal for runs with the same data and protocol, whose folds are one split here.
    """

    card: str
    title: str
    conditions: str
    synthetic: bool
    metric: str
    decided: str | None
    classes: tuple[str, ...]
    unit: str
    available: int
    tested: int
    points: tuple[SizePoint, ...]
    extrapolation: Extrapolation
    comparable: str = ""

    @property
    def failed(self) -> int:
        """The number of failed runs."""
        return sum(point.failed for point in self.points)


def training_size_curve(runs: Sequence[Run], store: Store, metric: str | None = None) -> TrainingSizeCurve | None:
    """Make the curve of one card.

    Args:
        runs: Runs of stage `curve` of one card on the same data under the same protocol, finished or failed.
        store: The store with their scores.
        metric: A metric that is not a count, for several classes its key; None takes `auc` or `auc:macro`.

    Returns:
        The curve; None if no run finished.

    Raises:
        ConfigError: Scores cannot be read.
    """
    finished = [run for run in runs if run.status == "ok"]
    if not finished:
        return None
    first = finished[0]
    metric = metric or default_metric(first)
    points: list[SizePoint] = []
    by_size: list[DrawnScores | None] = []
    for images in sorted({_images(run) for run in finished}):
        same = [run for run in finished if _images(run) == images]
        failed = sum(run.status == "failed" and _images(run) == images for run in runs)
        scores, reason = _scores_of_size(same, store, metric)
        by_size.append(scores)
        if scores is None:
            values: dict[int, float | None] = dict.fromkeys(sorted({_draw(run) for run in same}))
            figure = SeedFigure(metric, None, None, None, None, reason, len(values), None, None)
        else:
            values = scores.values(metric)
            figure = scores.figure(metric, first.spec.protocol.class_sizes)
        points.append(SizePoint(images, same[0].split.classes.get("train", ()), figure, values, len(same), failed))
    uses_decisions = depends_on_decisions(metric)
    return TrainingSizeCurve(
        card=first.spec.card.name,
        title=first.spec.card.title,
        conditions=conditions(first.spec),
        synthetic=first.spec.dataset.synthetic,
        metric=metric,
        decided=leading(first).words if uses_decisions else None,
        classes=first.spec.dataset.classes,
        unit="image" if first.spec.dataset.patients_unknown else "patient",
        available=_available(first),
        tested=first.split.sizes["test"],
        points=tuple(points),
        extrapolation=_extrapolated(points, by_size, metric, first),
        comparable=comparable(first.spec),
    )


def stored_curves(runs: Iterable[Run], store: Store) -> tuple[TrainingSizeCurve, ...]:
    """The curves of a store, each of the version of its card that ran last.

    Args:
        runs: Runs of stage `curve`, of any data and protocol.
        store: The store with their scores.

    Returns:
        A curve for each card, data set and protocol with a finished run.

    Raises:
        ConfigError: Scores cannot be read.
    """
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.finished):
        groups.setdefault((run.spec.conditions, run.spec.card.name), []).append(run)
    latest = ([run for run in group if _version(run) == _version(group[-1])] for group in groups.values())
    curves = (training_size_curve(group, store) for group in latest)
    return tuple(curve for curve in curves if curve is not None)


def comparable(spec: RunSpec) -> str:
    """A text that is equal for runs and curves with the same data and protocol.

    Args:
        spec: A run of any stage.

    Returns:
        Its conditions without folds and stored models: a curve has one split where `auto` has folds.
    """
    one_split = spec.protocol.model_copy(update={"test_folds": None, "keep_models": False})
    return spec.model_copy(update={"protocol": one_split}).conditions


def default_metric(run: Run) -> str:
    """The metric of a curve if none is asked for: `auc`, for several classes its macro mean."""
    return "auc:macro" if is_multiclass(run) else "auc"


def _extrapolated(
    points: Sequence[SizePoint], by_size: Sequence[DrawnScores | None], metric: str, run: Run
) -> Extrapolation:
    """The extrapolation from the draws that have a figure at every size."""
    complete = [draw for draw in points[0].values if all(point.values.get(draw) is not None for point in points)]
    scores = [each for each in by_size if each is not None]
    if len(scores) < len(points) or not complete:
        return Extrapolation(None, None, (), "no draw has a figure at every size")
    sizes = run.spec.protocol.class_sizes
    deviations = [each.deviations(metric, sizes, complete) for each in scores]
    defined = [each for each in deviations if each is not None]
    if len(defined) < len(deviations):
        return Extrapolation(None, None, (), "the figure is not defined at every size")
    paired = scores[0].paired
    record = paired.record(metric) if isinstance(paired, MulticlassPairedScores) else get_metric(metric)
    values = np.array([[point.values[draw] for point in points] for draw in complete], dtype=np.float64)
    return extrapolate(
        [point.images for point in points],
        values,
        np.stack(defined),
        tested=run.split.sizes["test"],
        value_range=record.range,
        rising=record.direction == "higher",
        available=_available(run),
    )


def _scores_of_size(runs: Sequence[Run], store: Store, metric: str) -> tuple[DrawnScores | None, str | None]:
    """The scores of runs of one size, or why the figure is missing: a run chose nothing on validation."""
    decisive = depends_on_decisions(metric)
    reason = next((reason for run in runs if (reason := nothing_chosen(run)) is not None), None)
    if decisive and reason is not None:
        return None, reason
    draws = tuple(_draw(run) for run in runs)
    scores = [store.scores(run, "test") for run in runs]
    binary = tuple(each for each in scores if isinstance(each, Scores))
    if binary:
        cuts = tuple(
            HALF if run.threshold is None or run.threshold.value is None else run.threshold.value for run in runs
        )
        return DrawnScores(PairedScores(binary, cuts), draws), None
    several = tuple(each for each in scores if isinstance(each, MulticlassScores))
    first = runs[0].decision
    if first is not None and all(decides_by_choice(run) for run in runs):
        decided = tuple(
            decide_all(run.decision, each) for run, each in zip(runs, several, strict=True) if run.decision is not None
        )
        return DrawnScores(MulticlassPairedScores(several, decided, first.costs, first.abstains), draws), None
    costs = None if first is None else first.costs
    return DrawnScores(MulticlassPairedScores(several, tuple(map(argmax, several)), costs), draws), None


def _images(run: Run) -> int:
    return 0 if run.spec.subset is None else run.spec.subset.images


def _available(run: Run) -> int:
    return 0 if run.spec.subset is None else run.spec.subset.of


def _draw(run: Run) -> int:
    return 0 if run.spec.subset is None else run.spec.subset.draw


def _version(run: Run) -> tuple[str, int]:
    """The version of a run's card and of the harness."""
    return json.dumps(run.spec.card.identity(), sort_keys=True), run.spec.semantics
