"""Cluster bootstrap: replicates of metrics, for several cards on the same resampled patients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from benchmark.evidence.metrics.influence import ClassSizes, Clusters, Floats, Labels, cells
from benchmark.evidence.metrics.multiclass import MulticlassMetric
from benchmark.evidence.metrics.registry import Metric, MetricError, measures
from benchmark.evidence.scores import MulticlassScores

_CHUNK = 200


def replicates(
    y_true: Labels,
    scores: Floats,
    thresholds: Sequence[float] | Floats,
    patients: Sequence[str] | None = None,
    *,
    count: int = 10_000,
    seed: int,
    metrics: Sequence[str] | None = None,
    class_sizes: ClassSizes = "drawn",
    folds: Sequence[Labels | None] | None = None,
) -> dict[str, Floats]:
    """Return bootstrap replicates of metrics for m cards on the same n images.

    Each replicate draws as many patients as there are, with replacement and with all their images (Field and Welsh
    2007, "cluster bootstrap"). All cards use the same resamples, so the difference of two columns is paired.

    Args:
        y_true: Labels (n,), 0 or 1.
        scores: Scores (m, n) in [0, 1].
        thresholds: Decision thresholds (m,), or one per card and image (m, n).
        patients: The patient of each image (n,); with None, single images are drawn.
        count: The number of replicates.
        seed: Seed of the random generator.
        metrics: Names of metrics; with None, all that are not counts.
        class_sizes: With `fixed`, the images of each class are reweighted in each replicate to the size of the class
            in `y_true`. Patients are not drawn by class, because a patient may have images of both.
        folds: Per card, the fold whose model scored each image (n,), or None for the scores of one model; None: every
            card has one model.

    Returns:
        Replicates (count, m) by metric, NaN where the metric is undefined or its function fails.

    Raises:
        ValueError: If shapes do not match, or a metric is unknown or a count.
    """
    y_true, scores = np.asarray(y_true, dtype=np.int64), np.atleast_2d(np.asarray(scores, dtype=np.float64))
    cutoffs = np.asarray(thresholds, dtype=np.float64)
    if scores.shape[1] != len(y_true) or cutoffs.shape not in ((len(scores),), scores.shape):
        raise ValueError(f"scores {scores.shape} and thresholds {cutoffs.shape} do not fit {len(y_true)} labels")
    known = measures()
    if metrics is not None and (unknown := set(metrics) - set(known)):
        raise ValueError(f"no replicates of {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    records = [known[name] for name in (known if metrics is None else metrics)]
    values = {record.name: np.empty((count, len(scores))) for record in records}
    decisions = [np.eye(4)[:, cells(y_true, row, cutoff)] for row, cutoff in zip(scores, cutoffs, strict=True)]
    start = 0
    for weights in draws(y_true, patients, count=count, seed=seed, class_sizes=class_sizes):
        rows = slice(start, start := start + weights.shape[1])
        for card, y_score in enumerate(scores):
            counts = decisions[card] @ weights
            for record in records:
                with np.errstate(divide="ignore", invalid="ignore"):
                    fold = None if folds is None else folds[card]
                    values[record.name][rows, card] = _of_draws(record, counts, y_true, y_score, weights, fold)
    return values


def _of_draws(
    record: Metric, counts: Floats, y_true: Labels, y_score: Floats, weights: Floats, fold: Labels | None
) -> Floats | float:
    try:
        if record.uses_threshold:
            return record.of_weighted_counts(counts)
        return record.of_weighted_scores(y_true, y_score, weights, fold)
    except MetricError:
        return np.nan


def multiclass_replicates(
    runs: Sequence[MulticlassScores],
    decided: Sequence[Labels],
    *,
    count: int = 10_000,
    seed: int,
    metrics: Sequence[MulticlassMetric],
    class_sizes: ClassSizes = "drawn",
) -> dict[str, Floats]:
    """Return bootstrap replicates of metrics for m cards on the same n images of several classes.

    All cards use the same resamples of patients, as in `replicates`.

    Args:
        runs: Scores per card, of the same images.
        decided: Decisions (n,) per card, class indices, or -1 where the program abstained.
        count: The number of replicates.
        seed: Seed of the random generator.
        metrics: The metrics, of `multiclass_metrics` for these classes.
        class_sizes: As in `replicates`.

    Returns:
        Replicates (count, m) by key, NaN where the metric is undefined or its function fails, as where a class was not
        drawn.

    Raises:
        ValueError: If there is no card, or labels, patients or the number of decisions differ.
    """
    if not runs or len(runs) != len(decided):
        raise ValueError(f"{len(runs)} cards with {len(decided)} arrays of decisions")
    first = runs[0]
    if any(not np.array_equal(first.y_true, run.y_true) or first.patient != run.patient for run in runs[1:]):
        raise ValueError("cards must be on the same images")
    values = {metric.key: np.empty((count, len(runs))) for metric in metrics}
    start = 0
    for weights in draws(first.y_true, first.patient, count=count, seed=seed, class_sizes=class_sizes):
        rows = slice(start, start := start + weights.shape[1])
        for card, (run, called) in enumerate(zip(runs, decided, strict=True)):
            for metric in metrics:
                values[metric.key][rows, card] = metric.weighted(run, called, weights)
    return values


def draws(
    y_true: Labels,
    patients: Sequence[str] | None = None,
    *,
    count: int,
    seed: int,
    class_sizes: ClassSizes = "drawn",
) -> Iterator[Floats]:
    """Draw patients with replacement, `count` times.

    Args:
        y_true: Labels (n,), from 0.
        patients: The patient of each image (n,); with None, single images are drawn.
        count: The number of draws.
        seed: Seed of the random generator.
        class_sizes: As in `replicates`.

    Yields:
        Weights of the images in up to 200 draws, (n, up to 200).
    """
    clusters = Clusters(y_true, patients)
    generator = np.random.default_rng(seed)
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        chosen = generator.integers(clusters.count, size=(size, clusters.count))
        chosen += np.arange(size)[:, None] * clusters.count
        times = np.bincount(chosen.ravel(), minlength=size * clusters.count).reshape(size, clusters.count)
        weights = np.ascontiguousarray(times.T.astype(np.float64)[clusters.index])
        if class_sizes == "fixed":
            for label in np.unique(y_true):
                of_class = y_true == label
                weights[of_class] *= of_class.sum() / np.maximum(weights[of_class].sum(axis=0), 1)
        yield weights


def percentile(values: Floats, level: float = 0.95) -> tuple[float, float] | None:
    """Return the percentile interval (Efron 1981) of replicates (count,); None if over 5% of them are undefined."""
    defined = values[~np.isnan(values)]
    if len(defined) < 0.95 * len(values):
        return None
    low, high = np.quantile(defined, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)
