"""A card's runs as curves: training history of each seed, ROC and precision-recall on test, and where decisions sit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.evidence.intervals.bootstrap import draws
from benchmark.evidence.intervals.seeds import UNKNOWN_SPREAD, SeedFigure, seed_figure
from benchmark.evidence.metrics.definitions import value_of
from benchmark.evidence.metrics.influence import Clusters, Floats, Labels
from benchmark.evidence.scores import Scores
from benchmark.runs.history import CURVES, Histories, History
from reports.results.measured import CardResults
from reports.results.pairs import paired_scores

REPLICATES = 1000
_LEVEL = 0.95
_STEPS = 250  # places at which a curve is read, where a class has more images than that
_SEED = 0
_NEARLY = 1e-9  # less than the weights of images can move a share by
_DEFINED = 0.95


@dataclass(frozen=True)
class Curve:
    """A curve through `x` and `y`, from left to right; at a jump `x` holds the same value twice. `low` and `high` are
    the pointwise 95% band at `x`; both None where there is none."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None


@dataclass(frozen=True)
class SeedHistory:
    """The training of one seed, epoch by epoch.

    `epochs` counts from 1 through all phases. `loss` and `accuracy` were read in training mode on augmented images,
    `val_loss` and `val_accuracy` in inference mode; None where nothing was recorded. `phases` holds the first epoch of
    each phase with the phase's name.
    """

    seed: int
    epochs: tuple[int, ...]
    loss: tuple[float | None, ...]
    val_loss: tuple[float | None, ...]
    accuracy: tuple[float | None, ...]
    val_accuracy: tuple[float | None, ...]
    phases: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class OperatingPoint:
    """Decisions on the test scores of one seed at `threshold`: `chosen` on validation, or else 0.5. None is undefined:
    precision where nothing is called positive, recall or specificity where the class is missing."""

    seed: int
    threshold: float
    chosen: bool
    recall: float | None
    specificity: float | None
    precision: float | None


@dataclass(frozen=True)
class CardCurves:
    """The curves of one card, all of its seeds scored on the same `images` test images.

    `roc` (x: 1 - specificity, y: recall) and `precision_recall` (x: recall, y: precision) are means over seeds. Both
    are None where no seed has one, with the `reason`. `prevalence` is the share of positives in test, `auc` and
    `average_precision` are the areas under the curves, `band` says what their bands count, or why there are none.
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


def card_curves(found: CardResults, history: Histories, *, replicates: int = REPLICATES) -> CardCurves:
    """The curves of a card's runs; `history` gives a run's epochs.

    Curves of several seeds are averaged vertically (Fawcett 2006), recall at each false alarm rate and precision at
    each recall, so that the areas under them are the means of the AUC and of the average precision. Between scores a
    ROC curve is straight, since equal scores cannot be told apart; precision is that of the highest threshold that
    reaches a recall, without the interpolation that is wrong there (Davis and Goadrich 2006).

    The bands are pointwise percentiles (Efron 1981) of `replicates` bootstrap draws, always the same: of whole patients
    where they are known, else of images, shared by the seeds; of seeds too where there are several (Owen 2007, who
    draws both rows and columns). They say where the curve would be at one place on other images, not where a whole
    curve would stay. They are too narrow in two places: where none of these images is ever wrong, as at a precision of
    1, they have no width; and a few seeds show too little of the spread between seeds (of three, two thirds of its
    variance), which the intervals of the areas make up for and the bands do not.
    """
    test = found.test[0]
    scores = paired_scores(found)
    reason = _no_curve(found.test)
    drawn, band = ({}, reason) if reason is not None else _curves(found, replicates)
    return CardCurves(
        card=found.card.name,
        seeds=tuple(run.spec.seed for run in found.runs),
        images=len(test),
        prevalence=float(test.y_true.mean()),
        history=tuple(seed_history(run.spec.seed, history(run)) for run in found.runs),
        roc=drawn.get("roc"),
        precision_recall=drawn.get("precision_recall"),
        auc=seed_figure("auc", scores, class_sizes=found.class_sizes),
        average_precision=seed_figure("average_precision", scores, class_sizes=found.class_sizes),
        points=tuple(_points(found)),
        band=band,
        reason=reason,
        notes=tuple(_notes(found, drawn=reason is None)),
    )


def seed_history(seed: int, history: History) -> SeedHistory:
    """The learning curves of one seed; what is not finite counts as not recorded."""
    names = [epoch.phase or "train" for epoch in history.epochs]
    begins = [index for index, name in enumerate(names) if index == 0 or name != names[index - 1]]
    return SeedHistory(
        seed=seed,
        epochs=tuple(range(1, len(history) + 1)),
        phases=tuple((index + 1, names[index]) for index in begins),
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


def _curves(found: CardResults, replicates: int) -> tuple[dict[str, Curve], str]:
    """Both curves, means over seeds, and what their bands count or why there are none."""
    places = _places(found.test[0].y_true)
    read_at = {name: at for name, (_, at) in places.items()}
    seeds = [_Ranked(scores) for scores in found.test]
    mean = _mean_over_seeds(seeds, read_at, np.ones((len(found.test[0]), 1)), np.ones((1, len(seeds))))
    bands, band = _bands(found, seeds, read_at, replicates)
    return {
        name: Curve(_plain(x), _plain(mean[name][0]), *map(_plain, bands.get(name, ())))
        for name, (x, _) in places.items()
    }, band


def _places(y_true: Labels) -> dict[str, tuple[Floats, Floats]]:
    """Of each curve every share of a class that these images can show, twice, and the places just before and just
    after it, where the curve is read."""
    places = {}
    for name, label in (("roc", 0), ("precision_recall", 1)):
        steps = min(int(np.sum(y_true == label)), _STEPS)
        shares = np.repeat(np.arange(steps + 1) / steps, 2)
        places[name] = shares, shares + np.tile([-_NEARLY, _NEARLY], steps + 1)
    recall, beside = places["precision_recall"]
    places["precision_recall"] = recall[1:-1], beside[1:-1]  # no threshold has a recall below 0 or above 1
    return places


class _Ranked:
    """Scores of one seed, sorted once; `read` gives their curves under weights of the images."""

    def __init__(self, scores: Scores) -> None:
        self.order = np.argsort(-scores.y_score, kind="stable")
        self.positive = scores.y_true[self.order].astype(np.float64)[:, None]
        falls = np.diff(scores.y_score[self.order]) != 0
        self.steps = np.append(np.flatnonzero(falls), len(scores) - 1)  # the last image of each distinct score

    def read(self, places: Mapping[str, Floats], weights: Floats) -> dict[str, Floats]:
        """Each curve at its places (P,) under each of `weights` (n, R): (R, P), NaN where a class has no weight."""
        ranked = weights[self.order]
        tp = np.cumsum(ranked * self.positive, axis=0)[self.steps].T
        fp = np.cumsum(ranked * (1 - self.positive), axis=0)[self.steps].T
        found = {name: np.full((len(tp), len(at)), np.nan) for name, at in places.items()}
        for row in np.flatnonzero((tp[:, -1] > 0) & (fp[:, -1] > 0)):
            recall, false_alarms = tp[row] / tp[row, -1], fp[row] / fp[row, -1]
            found["roc"][row] = np.interp(places["roc"], np.append(0.0, false_alarms), np.append(0.0, recall))
            reached = np.searchsorted(recall, places["precision_recall"])
            found["precision_recall"][row] = tp[row, reached] / (tp[row, reached] + fp[row, reached])
        return found


def _mean_over_seeds(
    seeds: Sequence[_Ranked], places: Mapping[str, Floats], weights: Floats, shares: Floats
) -> dict[str, Floats]:
    """Each curve (R, P) under each of `weights` (n, R), where seeds count as often as `shares` (R, seeds) says."""
    found = {name: np.zeros((len(shares), len(at))) for name, at in places.items()}
    for seed, share in zip(seeds, shares.T / shares.sum(axis=1), strict=True):
        for name, values in seed.read(places, weights).items():
            found[name] += share[:, None] * values
    return found


def _bands(
    found: CardResults, seeds: Sequence[_Ranked], places: Mapping[str, Floats], replicates: int
) -> tuple[dict[str, tuple[Floats, Floats]], str]:
    """The lower and the upper end of each curve's band, and what they count; or none, and why."""
    test = found.test[0]
    units = Clusters(test.y_true, test.patient)
    if units.repeated and units.count < 2:
        return {}, "no band: one patient alone shows no spread"
    generator = np.random.default_rng(_SEED)
    pieces = []
    for weights in draws(test.y_true, test.patient, count=replicates, seed=_SEED, class_sizes=found.class_sizes):
        shares = generator.multinomial(len(seeds), [1 / len(seeds)] * len(seeds), size=weights.shape[1])
        pieces.append(_mean_over_seeds(seeds, places, weights, shares.astype(np.float64)))
    drawn = {name: np.concatenate([piece[name] for piece in pieces]) for name in places}
    defined = ~np.isnan(drawn["roc"][:, 0])
    if np.mean(defined) < _DEFINED:
        return {}, f"no band: {np.sum(~defined)} of {replicates} resamples lack a class"
    ends = [0.5 - _LEVEL / 2, 0.5 + _LEVEL / 2]
    bands = {name: tuple(np.quantile(values[defined], ends, axis=0)) for name, values in drawn.items()}
    who = f"{units.count} patients" if units.repeated else f"{len(test)} images"
    count = f"and of {len(seeds)} seeds" if len(seeds) > 1 else f"; {UNKNOWN_SPREAD}"
    return bands, f"95% pointwise, {replicates} bootstrap draws of {who}{' ' if len(seeds) > 1 else ''}{count}"


def _points(found: CardResults) -> Iterator[OperatingPoint]:
    """Of each seed at 0.5 and, where it chose one, at the threshold from validation."""
    for run, test, chosen in zip(found.runs, found.test, found.thresholds, strict=True):
        for threshold, by_validation in ((0.5, False), (chosen, True)):
            if threshold is not None:
                rates = (value_of(name, test, threshold) for name in ("recall", "specificity", "precision"))
                yield OperatingPoint(run.spec.seed, threshold, by_validation, *rates)


def _notes(found: CardResults, drawn: bool) -> Iterator[str]:
    for run, test in zip(found.runs, found.test, strict=True):
        if drawn and _constant(test):
            yield f"Seed {run.spec.seed}: all scores are the same; its ROC curve is the diagonal."
        if run.threshold is not None and run.threshold.value is None:
            yield f"Seed {run.spec.seed}: no threshold was chosen on validation: {run.threshold.reason}."


def _plain(values: Floats) -> tuple[float, ...]:
    return tuple(values.tolist())


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
