"""The patient bootstrap: replicates of every metric, of all cards at once and on the same drawn patients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from benchmark.evidence.metrics.definitions import measures
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, Floats, Labels, cells

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
) -> dict[str, Floats]:
    """`count` bootstrap replicates of `metrics`, all if None, of m cards on the same n images: {metric: (count, m)}.

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
    known = measures()
    if metrics is not None and (unknown := set(metrics) - set(known)):
        raise ValueError(f"no replicates of {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    records = [known[name] for name in (known if metrics is None else metrics)]
    values = {record.name: np.empty((count, len(scores))) for record in records}
    decided = [np.eye(4)[:, cells(y_true, row, cutoff)] for row, cutoff in zip(scores, cutoffs, strict=True)]
    start = 0
    for weights in draws(y_true, patients, count=count, seed=seed, class_sizes=class_sizes):
        rows = slice(start, start := start + weights.shape[1])
        for card, y_score in enumerate(scores):
            counts = decided[card] @ weights
            for record in records:
                with np.errstate(divide="ignore", invalid="ignore"):
                    values[record.name][rows, card] = (
                        record.of_weighted_counts(counts)
                        if record.uses_threshold
                        else record.of_weighted_scores(y_true, y_score, weights)
                    )
    return values


def draws(
    y_true: Labels,
    patients: Sequence[str] | None = None,
    *,
    count: int,
    seed: int,
    class_sizes: ClassSizes = "drawn",
) -> Iterator[Floats]:
    """The weights of the images in each replicate, in pieces of (n, up to 200)."""
    units = Clusters(y_true, patients)
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
