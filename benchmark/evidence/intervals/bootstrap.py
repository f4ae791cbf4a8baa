"""The patient bootstrap: replicates of every metric, of all cards at once and on the same drawn patients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from benchmark.evidence.metrics.influence import METRICS, RATIOS, ClassSizes, Floats, Labels, Units, cells, losses

_CHUNK = 200


def replicates(
    y_true: Labels,
    scores: Floats,
    thresholds: Sequence[float] | Floats,
    patients: Sequence[str] | None = None,
    *,
    count: int = 10_000,
    seed: int,
    metrics: Sequence[str] = METRICS,
    class_sizes: ClassSizes = "drawn",
) -> dict[str, Floats]:
    """`count` bootstrap replicates of each metric of m cards on the same n images: {metric: (count, m)}.

    `y_true` (n,) of 0 and 1, `scores` (m, n) in [0, 1], `thresholds` (m,). Each replicate draws as many patients as
    there are, with replacement, each with all its images (Field and Welsh 2007, "cluster bootstrap"); single images
    where `patients` is None. All cards see the same draw, so a difference of two columns is paired. Patients are not
    drawn by class, since one may hold images of both; with `class_sizes="fixed"` the images of each class are
    reweighted in each replicate to the class's size in `y_true`. A replicate in which a metric is undefined is NaN.
    Raises ValueError when shapes or metric names are not so.
    """
    y_true, scores = np.asarray(y_true, dtype=np.int64), np.atleast_2d(np.asarray(scores, dtype=np.float64))
    cutoffs = np.asarray(thresholds, dtype=np.float64)
    if scores.shape[1] != len(y_true) or cutoffs.shape != (len(scores),):
        raise ValueError(f"scores {scores.shape} and thresholds {cutoffs.shape} do not fit {len(y_true)} labels")
    if unknown := set(metrics) - set(METRICS):
        raise ValueError(f"no replicates of {', '.join(sorted(unknown))}; known: {', '.join(METRICS)}")
    cards = [_Card(y_true, row, cutoff) for row, cutoff in zip(scores, cutoffs, strict=True)]
    found = {metric: np.empty((count, len(cards))) for metric in metrics}
    start = 0
    for weights in draws(y_true, patients, count=count, seed=seed, class_sizes=class_sizes):
        rows = slice(start, start := start + weights.shape[1])
        for column, card in enumerate(cards):
            for metric, values in card.weighted(weights, metrics).items():
                found[metric][rows, column] = values
    return found


def draws(
    y_true: Labels,
    patients: Sequence[str] | None = None,
    *,
    count: int,
    seed: int,
    class_sizes: ClassSizes = "drawn",
) -> Iterator[Floats]:
    """The weights of the images in each replicate, in pieces of (n, up to 200)."""
    units = Units(y_true, patients)
    generator = np.random.default_rng(seed)
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        chosen = generator.integers(units.count, size=(size, units.count))
        chosen += np.arange(size)[:, None] * units.count
        drawn = np.bincount(chosen.ravel(), minlength=size * units.count).reshape(size, units.count)
        weights = np.ascontiguousarray(drawn.T.astype(np.float64)[units.index])
        if class_sizes == "fixed":
            for label in (0, 1):
                of_class = y_true == label
                weights[of_class] *= of_class.sum() / np.maximum(weights[of_class].sum(axis=0), 1)
        yield weights


def percentile(values: Floats, level: float = 0.95) -> tuple[float, float] | None:
    """The percentile interval (Efron 1981) of replicates (count,); None when more than one in twenty is undefined."""
    defined = values[~np.isnan(values)]
    if len(defined) < 0.95 * len(values):
        return None
    low, high = np.quantile(defined, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


class _Card:
    """One card's scores, sorted once; `weighted` gives its metrics under weights of the images."""

    def __init__(self, y_true: Labels, y_score: Floats, threshold: float) -> None:
        self.cell = np.eye(4)[:, cells(y_true, y_score, threshold)]
        self.losses = {name: losses(name, y_true, y_score) for name in ("log_loss", "brier")}
        self.order = np.argsort(-y_score, kind="stable")
        self.positive = y_true[self.order].astype(np.float64)[:, None]
        falls = np.diff(y_score[self.order]) != 0
        self.steps = np.append(np.flatnonzero(falls), len(y_true) - 1)  # the last image of each distinct score

    def weighted(self, weights: Floats, metrics: Sequence[str]) -> dict[str, Floats]:
        """Each metric (R,) under `weights` (n, R)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = _of_counts(self.cell @ weights)
            total = weights.sum(axis=0)
            found |= {name: values @ weights / total for name, values in self.losses.items()}
            if {"auc", "average_precision"} & set(metrics):
                found |= self._of_ranks(weights[self.order])
        return {metric: found[metric] for metric in metrics}

    def _of_ranks(self, weights: Floats) -> dict[str, Floats]:
        called = np.cumsum(weights, axis=0)
        tp = np.cumsum(weights * self.positive, axis=0)
        if len(self.steps) < len(weights):
            called, tp = called[self.steps], tp[self.steps]
        positives, negatives = tp[-1], called[-1] - tp[-1]
        here = np.diff(tp, axis=0, prepend=0)
        fp_here = np.diff(called - tp, axis=0, prepend=0)
        pairs = np.einsum("sr,sr->r", fp_here, tp - here / 2)
        steps = np.einsum("sr,sr->r", here, tp / np.maximum(called, np.finfo(float).tiny))
        average_precision = np.where(negatives > 0, steps / positives, np.nan)
        return {"auc": pairs / (positives * negatives), "average_precision": average_precision}


def _of_counts(counts: Floats) -> dict[str, Floats]:
    """The metrics of decisions (R,) from the four counts (4, R); 0 / 0 is NaN."""
    found = {name: np.array(above) @ counts / (np.array(below) @ counts) for name, (above, below) in RATIOS.items()}
    found["balanced_accuracy"] = (found["recall"] + found["specificity"]) / 2
    tp, fp, tn, fn = counts
    margins = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    found["mcc"] = (tp * tn - fp * fn) / np.sqrt(margins)
    return found
