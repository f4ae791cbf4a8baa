"""The curves of a card: learning curves per seed, ROC and precision-recall curves on test, and operating points."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.evidence.intervals.bootstrap import draws
from benchmark.evidence.intervals.seeds import UNKNOWN_SPREAD, SeedFigure, seed_figure
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, Floats, Labels
from benchmark.evidence.metrics.registry import value_of
from benchmark.evidence.scores import Scores, rows_of_folds
from benchmark.runs.cross_validation import folds_of
from benchmark.runs.history import CURVES, Histories, History
from benchmark.runs.run import Run
from reports.computed_once import computed_once
from reports.results.comparison.pairs import paired_scores
from reports.results.measured import CardResults

REPLICATES = 1000
_LEVEL = 0.95
_STEPS = 250  # points of a curve, where a class has more images than that
_STEPS_OF_CLASS = 100  # the same for one of several classes, each of which has its own curve
_SEED = 0
_NEARLY = 1e-9  # smaller than any change of a share by the weights of images
_DEFINED = 0.95


@dataclass(frozen=True)
class Curve:
    """A curve from left to right.

    Attributes:
        x: The horizontal positions; a jump has the same position twice.
        y: The values.
        low: Lower end of the pointwise 95% band at `x`; None without a band.
        high: Upper end.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None


_CurvesWithBand = tuple[dict[str, Curve], str]
"""The curves by name, and what their bands account for or why there are none."""


@dataclass(frozen=True)
class SeedHistory:
    """The learning curves of one seed, or of one of its folds.

    Attributes:
        seed: The seed.
        epochs: The epochs from 1, through all phases.
        loss: The training loss per epoch, in training mode on augmented images; None where it was not recorded.
        val_loss: The validation loss per epoch, in inference mode.
        accuracy: The training accuracy per epoch, in training mode on augmented images.
        val_accuracy: The validation accuracy per epoch, in inference mode.
        phases: The first epoch and the name of each phase.
        fold: The fold of a cross-validation, from 1; None for a model of its own.
    """

    seed: int
    epochs: tuple[int, ...]
    loss: tuple[float | None, ...]
    val_loss: tuple[float | None, ...]
    accuracy: tuple[float | None, ...]
    val_accuracy: tuple[float | None, ...]
    phases: tuple[tuple[int, str], ...]
    fold: int | None = None

    @property
    def label(self) -> str:
        """The seed and the fold in words."""
        return f"seed {self.seed}" if self.fold is None else f"seed {self.seed}, fold {self.fold}"


@dataclass(frozen=True)
class OperatingPoint:
    """Recall, specificity and precision of one seed on test at one threshold; None where a rate is undefined.

    `chosen` is true for a threshold that was chosen on validation, false for 0.5. `threshold` is None where each fold
    of a cross-validation has its own.
    """

    seed: int
    threshold: float | None
    chosen: bool
    recall: float | None
    specificity: float | None
    precision: float | None


@dataclass(frozen=True)
class CardCurves:
    """The curves of one card, all seeds on the same test images.

    Attributes:
        card: Name of the card.
        seeds: The seeds.
        images: The number of test images.
        prevalence: The share of positives in test.
        history: The learning curves of each seed, and of each fold.
        roc: The mean ROC curve over seeds (x: 1 - specificity, y: recall); None where no seed has one.
        precision_recall: The mean precision-recall curve over seeds (x: recall, y: precision); None likewise.
        auc: The area under the ROC curve.
        average_precision: The area under the precision-recall curve.
        points: The operating points of each seed.
        band: What the bands account for, or why there is none.
        reason: Why there are no curves.
        notes: Sentences about single seeds.
    """

    card: str
    seeds: tuple[int, ...]
    images: int
    prevalence: float
    history: tuple[SeedHistory, ...]
    roc: Curve | None
    precision_recall: Curve | None
    auc: SeedFigure
    average_precision: SeedFigure
    points: tuple[OperatingPoint, ...]
    band: str
    reason: str | None = None
    notes: tuple[str, ...] = ()


def card_curves(results: CardResults, history: Histories, *, replicates: int = REPLICATES) -> CardCurves:
    """The curves of a card with pointwise 95% bands.

    Curves of several seeds are averaged vertically (Fawcett 2006): recall at each false positive rate, and precision at
    each recall. The areas under them are thus the means of the AUC and of the average precision. Tied scores give a
    straight segment of the ROC curve. The precision at a recall is that of the highest threshold that reaches it;
    linear interpolation would be wrong there (Davis and Goadrich 2006). The folds of a cross-validation are averaged in
    the same way, since scores of different models need not be on one scale.

    The bands are bootstrap percentiles (Efron 1981) with a fixed seed. Whole patients are resampled where they are
    known, else images; several seeds are resampled as well (Owen 2007, rows and columns). A band is pointwise: it does
    not contain a whole curve with 95% confidence. It is too narrow in two cases. It has no width where no resample
    contains an error, as at precision 1. Few seeds also show too little of the variation between seeds (three seeds:
    two thirds of the variance), which the intervals of the areas correct and the bands do not.

    Args:
        results: The results of a card.
        history: Returns the epochs of a run.
        replicates: The number of bootstrap resamples.

    Returns:
        The curves, their areas and the operating points.
    """
    test = results.test[0]
    scores = paired_scores(results)
    reason = _no_curve(results.test)
    if reason is None:
        curves, band = computed_once(_CurvesWithBand, _curves, results.test, results.class_sizes, replicates)
    else:
        curves, band = {}, reason
    return CardCurves(
        card=results.card.name,
        seeds=tuple(run.spec.seed for run in results.runs),
        images=len(test),
        prevalence=float(test.y_true.mean()),
        history=learning_curves(results.runs, history),
        roc=curves.get("roc"),
        precision_recall=curves.get("precision_recall"),
        auc=seed_figure("auc", scores, class_sizes=results.class_sizes),
        average_precision=seed_figure("average_precision", scores, class_sizes=results.class_sizes),
        points=tuple(_points(results)),
        band=band,
        reason=reason,
        notes=tuple(_notes(results, has_curve=reason is None)),
    )


def curves_without_bands(runs: Sequence[Scores]) -> tuple[Curve | None, Curve | None, str | None]:
    """The ROC and the precision-recall curve of one class against the rest, averaged over seeds as in `card_curves`.

    Args:
        runs: The scores of each seed on the same images.

    Returns:
        The ROC curve, the precision-recall curve and None; or None twice and why there are no curves.
    """
    reason = _no_curve(runs)
    if reason is not None:
        return None, None, reason
    places = _places(runs[0].y_true, _STEPS_OF_CLASS)
    read_at = {name: at for name, (_, at) in places.items()}
    even = np.ones((len(runs[0]), 1)), np.ones((1, len(runs)))
    mean = _mean_over_seeds([_Folds(scores) for scores in runs], read_at, *even)
    roc, precision_recall = (Curve(_plain(places[name][0]), _plain(mean[name][0])) for name in places)
    return roc, precision_recall, None


def learning_curves(runs: Sequence[Run], history: Histories) -> tuple[SeedHistory, ...]:
    """The learning curves of each run, in a cross-validation those of each fold.

    Args:
        runs: Finished runs.
        history: Returns the epochs of a run.

    Returns:
        The curves in the order of the runs and their folds.
    """
    return tuple(
        seed_history(run.spec.seed, history(part), None if part is run else number)
        for run in runs
        for number, part in enumerate(folds_of(run), 1)
    )


def seed_history(seed: int, history: History, fold: int | None = None) -> SeedHistory:
    """The learning curves of one seed or fold; a value that is not finite counts as not recorded.

    Args:
        seed: The seed.
        history: The epochs.
        fold: The fold, from 1; None for a model of its own.

    Returns:
        The curves.
    """
    names = [epoch.phase or "train" for epoch in history.epochs]
    begins = [index for index, name in enumerate(names) if index == 0 or name != names[index - 1]]
    return SeedHistory(
        seed=seed,
        epochs=tuple(range(1, len(history) + 1)),
        phases=tuple((index + 1, names[index]) for index in begins),
        fold=fold,
        **{name: tuple(map(_finite, history.column(name))) for name in CURVES},
    )


def _no_curve(runs: Sequence[Scores]) -> str | None:
    """Why there is no curve of test scores, or None."""
    if len(np.unique(runs[0].y_true)) < 2:
        return "one class is missing from test"
    if all(_constant(run) for run in runs):
        return "all scores are the same" + (", in every seed" if len(runs) > 1 else "")
    return None


def _constant(scores: Scores) -> bool:
    return bool(np.ptp(scores.y_score) == 0)


def _curves(test: Sequence[Scores], class_sizes: ClassSizes, replicates: int) -> _CurvesWithBand:
    """Both mean curves over seeds, and what their bands account for or why there is none."""
    places = _places(test[0].y_true)
    read_at = {name: at for name, (_, at) in places.items()}
    seeds = [_Folds(scores) for scores in test]
    mean = _mean_over_seeds(seeds, read_at, np.ones((len(test[0]), 1)), np.ones((1, len(seeds))))
    bands, band = _bands(test[0], class_sizes, seeds, read_at, replicates)
    return {
        name: Curve(_plain(x), _plain(mean[name][0]), *map(_plain, bands.get(name, ())))
        for name, (x, _) in places.items()
    }, band


def _places(y_true: Labels, most: int = _STEPS) -> dict[str, tuple[Floats, Floats]]:
    """The horizontal positions of each curve, and the positions just before and after them at which it is evaluated.

    A position is a share of a class that these images can have; each is listed twice, for jumps.
    """
    places = {}
    for name, label in (("roc", 0), ("precision_recall", 1)):
        steps = min(int(np.sum(y_true == label)), most)
        shares = np.repeat(np.arange(steps + 1) / steps, 2)
        places[name] = shares, shares + np.tile([-_NEARLY, _NEARLY], steps + 1)
    recall, beside = places["precision_recall"]
    places["precision_recall"] = recall[1:-1], beside[1:-1]  # no threshold has a recall below 0 or above 1
    return places


class _Folds:
    """The scores of one seed; `read` averages the curves of its folds, each from the images and scores of the fold."""

    def __init__(self, scores: Scores) -> None:
        everywhere = [np.ones(len(scores), dtype=np.bool_)]
        self._rows = everywhere if scores.fold is None else rows_of_folds(scores.fold)
        self._ranked = [_Ranked(part) for part in scores.by_fold()]

    def read(self, places: Mapping[str, Floats], weights: Floats) -> dict[str, Floats]:
        """Each curve (R, P) at its positions (P,) for each of `weights` (n, R).

        It is the mean over the folds that have both classes under the weights; NaN where none has.
        """
        if len(self._ranked) == 1:
            return self._ranked[0].read(places, weights)
        of_folds = [ranked.read(places, weights[row]) for ranked, row in zip(self._ranked, self._rows, strict=True)]
        means = {}
        for name in places:
            stacked = np.stack([of_fold[name] for of_fold in of_folds])
            defined = ~np.isnan(stacked)
            count = defined.sum(axis=0)
            total = np.where(defined, stacked, 0).sum(axis=0)
            means[name] = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
        return means


class _Ranked:
    """The scores of one model, sorted once; `read` evaluates their curves for weights of the images."""

    def __init__(self, scores: Scores) -> None:
        self.order = np.argsort(-scores.y_score, kind="stable")
        self.positive = scores.y_true[self.order].astype(np.float64)[:, None]
        falls = np.diff(scores.y_score[self.order]) != 0
        self.steps = np.append(np.flatnonzero(falls), len(scores) - 1)  # the last image of each distinct score

    def read(self, places: Mapping[str, Floats], weights: Floats) -> dict[str, Floats]:
        """Each curve (R, P) at its positions (P,) for each of `weights` (n, R); NaN where a class has no weight."""
        ranked = weights[self.order]
        tp, fp = (self._from_zero(ranked * label) for label in (self.positive, 1 - self.positive))
        curves = {name: np.full((len(tp), len(at)), np.nan) for name, at in places.items()}
        for row in np.flatnonzero((tp[:, -1] > 0) & (fp[:, -1] > 0)):
            hits, alarms = tp[row], fp[row]
            recall = hits / hits[-1]
            curves["roc"][row] = np.interp(places["roc"], alarms / alarms[-1], recall)
            reached = recall.searchsorted(places["precision_recall"])
            curves["precision_recall"][row] = hits[reached] / (hits[reached] + alarms[reached])
        return curves

    def _from_zero(self, ranked: Floats) -> Floats:
        """The weight of the images above each distinct score (R, 1 + steps), from `ranked` weights (n, R)."""
        sums = np.zeros((ranked.shape[1], 1 + len(self.steps)))
        sums[:, 1:] = np.cumsum(ranked, axis=0)[self.steps].T
        return sums


def _mean_over_seeds(
    seeds: Sequence[_Folds], places: Mapping[str, Floats], weights: Floats, shares: Floats
) -> dict[str, Floats]:
    """Each mean curve (R, P) for each of `weights` (n, R), with the seeds weighted by `shares` (R, seeds)."""
    curves = {name: np.zeros((len(shares), len(at))) for name, at in places.items()}
    for seed, share in zip(seeds, shares.T / shares.sum(axis=1), strict=True):
        for name, values in seed.read(places, weights).items():
            curves[name] += share[:, None] * values
    return curves


def _bands(
    test: Scores, class_sizes: ClassSizes, seeds: Sequence[_Folds], places: Mapping[str, Floats], replicates: int
) -> tuple[dict[str, tuple[Floats, Floats]], str]:
    """The lower and upper end of each curve's band, and what they account for; or no band, and why."""
    clusters = Clusters(test.y_true, test.patient)
    if clusters.repeated and clusters.count < 2:
        return {}, "no band: a single patient shows no variation"
    generator = np.random.default_rng(_SEED)
    resampled = {name: np.empty((replicates, len(at))) for name, at in places.items()}
    start = 0
    for weights in draws(test.y_true, test.patient, count=replicates, seed=_SEED, class_sizes=class_sizes):
        shares = generator.multinomial(len(seeds), [1 / len(seeds)] * len(seeds), size=weights.shape[1])
        rows = slice(start, start := start + weights.shape[1])
        for name, values in _mean_over_seeds(seeds, places, weights, shares.astype(np.float64)).items():
            resampled[name][rows] = values
    defined = ~np.isnan(resampled["roc"][:, 0])
    if np.mean(defined) < _DEFINED:
        return {}, f"no band: {np.sum(~defined)} of {replicates} resamples lack a class"
    ends = [0.5 - _LEVEL / 2, 0.5 + _LEVEL / 2]
    bands = {
        name: tuple(np.quantile(values[defined], ends, axis=0, overwrite_input=True))
        for name, values in resampled.items()
    }
    who = f"{clusters.count} patients" if clusters.repeated else f"{len(test)} images"
    count = f"and of {len(seeds)} seeds" if len(seeds) > 1 else f"; {UNKNOWN_SPREAD}"
    return bands, f"95% pointwise, {replicates} bootstrap draws of {who}{' ' if len(seeds) > 1 else ''}{count}"


def _points(results: CardResults) -> Iterator[OperatingPoint]:
    """The operating points of each seed: at 0.5 and, where it chose one, at the threshold from validation."""
    for run, test, chosen in zip(results.runs, results.test, results.thresholds, strict=True):
        for threshold, by_validation in ((0.5, False), (chosen, True)):
            if threshold is not None:
                rates = (value_of(name, test, threshold) for name in ("recall", "specificity", "precision"))
                single = None if isinstance(threshold, np.ndarray) else threshold
                yield OperatingPoint(run.spec.seed, single, by_validation, *rates)


def _notes(results: CardResults, has_curve: bool) -> Iterator[str]:
    for run, test in zip(results.runs, results.test, strict=True):
        if has_curve and _constant(test):
            yield f"Seed {run.spec.seed}: all scores are the same; its ROC curve is the diagonal."
        if run.threshold is not None and run.threshold.value is None and not run.figures("test", chosen=True):
            yield f"Seed {run.spec.seed}: no threshold was chosen on validation: {run.threshold.reason}."


def _plain(values: Floats) -> tuple[float, ...]:
    return tuple(values.tolist())


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
