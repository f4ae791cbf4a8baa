"""Two cards on the same test images of three or more classes: differences of whole figures and of figures per class.

A figure of one class against the rest is compared by the binary methods (`paired`). Whole figures, such as macro F1 or
Cohen's kappa, are compared by their influence values, paired by image and summed by patient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import combinations

import numpy as np

from benchmark.evidence.comparison.multiplicity import holm
from benchmark.evidence.comparison.paired import (
    UNDEFINED_SHARE,
    Difference,
    PairedScores,
    differences,
    span,
    with_t_test,
    zero_by_definition,
)
from benchmark.evidence.comparison.separated import of_separated
from benchmark.evidence.intervals.bootstrap import multiclass_replicates
from benchmark.evidence.intervals.seeds import (
    UNKNOWN_SPREAD,
    MulticlassPairedScores,
    check_same_images,
)
from benchmark.evidence.intervals.trainings import seed_variance, seeds_agree
from benchmark.evidence.metrics.forms import HALF, OfClass
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, Floats, Labels
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.multiclass import MulticlassMetric
from benchmark.evidence.metrics.registry import UNDEFINED, MetricError
from benchmark.evidence.scores import MulticlassScores, Scores

COUNT = 2_000
"""The number of bootstrap replicates. They give a standard error alone, which is then right within about 2%."""


def multiclass_differences(
    keys: Sequence[str],
    cards: Mapping[str, MulticlassPairedScores],
    *,
    class_sizes: ClassSizes = "drawn",
    level: float = 0.95,
    count: int = COUNT,
    seed: int = 0,
    same_runs: bool = False,
) -> dict[tuple[str, str, str], Difference]:
    """Return the difference of every pair of cards in figures of several classes, paired by image.

    With one seed per card, the method depends on the figure:

    - Accuracy, recall and specificity of a class: the interval of Newcombe 1998, and the test that inverts it. Accuracy
      with fixed class sizes: a t-test with the linearised standard error.
    - AUC of a class: DeLong et al. 1988, or Obuchowski 1997 if patients have several images.
    - Macro AUC: a t-test with the linearised standard error, whose influence values are the mean of those of DeLong.
    - All others: a t-test with the standard error of the bootstrap by patient, or the linearised one if it is larger.

    With several seeds of either card, a t-test accounts for images and seeds (`trainings.seed_variance`).
    Seeds that agree on every image count as one.

    Args:
        keys: Keys of figures, such as `accuracy`, `f1:macro` or `recall:class:NORMAL`.
        cards: Scores per seed of at least two cards, on the same images.
        class_sizes: Whether the class sizes of the test set were drawn or fixed.
        level: Confidence level of the intervals, in (0, 1).
        count: The number of bootstrap replicates.
        seed: Seed of the bootstrap.
        same_runs: Whether each seed of all cards is one training, as with other decisions on the same scores. Then the
            differences of the seeds vary, and not the seeds of each card (a paired design).

    Returns:
        Differences by key and the two cards, whose names are in alphabetical order.

    Raises:
        ValueError: If there are fewer than two cards, classes or images differ, or a key is unknown.
    """
    names = sorted(cards)
    if len(names) < 2:
        raise ValueError("a comparison needs two cards")
    first = cards[names[0]].runs[0]
    for name in names[1:]:
        check_same_images(first, cards[name].runs[0])
    known = cards[names[0]].metrics
    if unknown := sorted(set(keys) - set(known)):
        raise ValueError(f"no test for {', '.join(unknown)}; known: {', '.join(known)}")
    resampled = _replicates([known[key] for key in keys], cards, class_sizes, count, seed)
    computed: dict[tuple[str, str, str], Difference] = {}
    for key in keys:
        form = known[key].form
        if isinstance(form, OfClass):
            pairs = {name: _of_class(form, card) for name, card in cards.items()}
            options = {"class_sizes": class_sizes, "level": level, "count": count, "seed": seed, "same_runs": same_runs}
            by_pair = differences((form.record.name,), pairs, **options)  # type: ignore[arg-type]
            for (_, x, y), one in by_pair.items():
                computed[key, x, y] = _named(one, key, cards[x], cards[y])
            continue
        for x, y in combinations(names, 2):
            of_x, of_y = resampled.get((key, x)), resampled.get((key, y))
            resamples = None if of_x is None or of_y is None else (of_x, of_y)
            computed[key, x, y] = _difference(key, cards[x], cards[y], class_sizes, level, resamples, same_runs)
    return computed


def holm_over_classes(compared: Mapping[str, Difference]) -> dict[str, float | None]:
    """Return Holm's adjusted p-values of a figure of each class: each metric is a family of its own.

    Args:
        compared: Differences by key, such as `recall:class:NORMAL`. Keys of whole figures are one family.

    Returns:
        Adjusted p-values by key; None where no test exists.
    """
    families: dict[str, list[str]] = {}
    for key in compared:
        parsed = MeasureKey.parse(key)
        families.setdefault("" if parsed.of_class is None else parsed.metric, []).append(key)
    adjusted: dict[str, float | None] = {}
    for family in families.values():
        adjusted |= dict(zip(family, holm([compared[key].p_value for key in family]), strict=True))
    return {key: adjusted[key] for key in compared}


def _of_class(form: OfClass, card: MulticlassPairedScores) -> PairedScores:
    """Return the scores or decisions of a class against the rest."""
    runs = tuple(form.pair(run, decided) for run, decided in zip(card.runs, card.decided, strict=True))
    return PairedScores(runs, (HALF,) * len(runs))


def _named(difference: Difference, key: str, a: MulticlassPairedScores, b: MulticlassPairedScores) -> Difference:
    reason = _why_missing(key, a, b) if difference.value is None else difference.reason
    return replace(difference, metric=key, reason=reason)


def _why_missing(key: str, a: MulticlassPairedScores, b: MulticlassPairedScores) -> str:
    """Return why a figure is missing for a card, the most specific reason first."""
    reasons = [card.reason(key) for card in (a, b) if None in card.values(key)]
    return next((reason for reason in reasons if reason != UNDEFINED), UNDEFINED)


def _replicates(
    metrics: Sequence[MulticlassMetric],
    cards: Mapping[str, MulticlassPairedScores],
    class_sizes: ClassSizes,
    count: int,
    seed: int,
) -> dict[tuple[str, str], Floats]:
    """Return bootstrap replicates (count,) by key and card, of the whole figures that need them.

    Only cards whose seeds decide alike have them.
    """
    single = {name: card for name, card in cards.items() if card.decisions_agree}
    whole = [m for m in metrics if not isinstance(m.form, OfClass) and m.metric not in ("accuracy", "auc")]
    if len(single) < 2 or not whole:
        return {}
    runs, decided = ([getattr(card, part)[0] for card in single.values()] for part in ("runs", "decided"))
    by_key = multiclass_replicates(runs, decided, count=count, seed=seed, metrics=whole, class_sizes=class_sizes)
    return {(key, name): values[:, index] for key, values in by_key.items() for index, name in enumerate(single)}


def _difference(
    key: str,
    a: MulticlassPairedScores,
    b: MulticlassPairedScores,
    class_sizes: ClassSizes,
    level: float,
    resamples: tuple[Floats, Floats] | None,
    same_runs: bool,
) -> Difference:
    seeds, record = (a.seeds, b.seeds), a.record(key)
    values = [*a.values(key), *b.values(key)]
    defined = [value for value in values if value is not None]
    if len(defined) < len(values):
        return Difference(key, None, reason=_why_missing(key, a, b), seeds=seeds)
    of_a, of_b = np.array(defined[: a.seeds]), np.array(defined[a.seeds :])
    note = UNKNOWN_SPREAD if 1 in seeds else None
    plain = Difference(key, float(of_a.mean() - of_b.mean()), seeds=seeds, note=note)
    if same_runs and not record.uses_decisions:
        return zero_by_definition(plain)
    try:
        rows = [card.influence_values(key, class_sizes) for card in (a, b)]
    except MetricError as failure:
        return replace(plain, reason=str(failure), note=None)
    if seeds_agree(of_a, rows[0]) and seeds_agree(of_b, rows[1]):
        a, b, of_a, of_b, rows = a.first(), b.first(), of_a[:1], of_b[:1], [rows[0][:1], rows[1][:1]]
    clusters = Clusters(a.runs[0].y_true, a.runs[0].patient)
    df = clusters.degrees_of_freedom(rows[0].mean(axis=0) - rows[1].mean(axis=0))
    if same_runs:
        variance, df = seed_variance([of_a - of_b], clusters.covariance(rows[0] - rows[1]), df)
    else:
        variance, df = seed_variance([of_a, of_b], clusters.covariance(np.concatenate(rows)), df)
    error = math.sqrt(variance) if variance > clusters.rounding(np.concatenate(rows)) else 0.0
    by = ", by patient" if clusters.repeated else ""
    width = span(record)
    if error and (a.seeds, b.seeds) != (1, 1):
        return with_t_test(plain, error, df, level, f"images and seeds, t with {df:.1f} df{by}", span=width)
    if not error and record.metric == "auc" and plain.value:
        exact = of_separated(key, a, b, clusters, class_sizes, level)
        if exact is not None:
            return replace(plain, **asdict(exact))
    if key == "accuracy":
        return _of_accuracy(plain, a.first(), b.first(), error, df, level, class_sizes)
    if resamples is None:
        return with_t_test(plain, error, df, level, f"linearised{by}", span=width)
    replicated = resamples[0] - resamples[1]
    replicated = replicated[~np.isnan(replicated)]
    if len(replicated) < (1 - UNDEFINED_SHARE) * len(resamples[0]):
        share = 1 - len(replicated) / len(resamples[0])
        return replace(plain, reason=f"undefined in {share:.0%} of the bootstrap replicates")
    error = max(float(replicated.std(ddof=1)), error) if error else error
    return with_t_test(plain, error, df, level, f"paired bootstrap{by}", span=width)


def _of_accuracy(
    plain: Difference,
    a: MulticlassPairedScores,
    b: MulticlassPairedScores,
    error: float,
    df: float,
    level: float,
    class_sizes: ClassSizes,
) -> Difference:
    """Return the difference of two accuracies: that of recall if being right is the only class."""
    first = a.runs[0]
    if class_sizes == "fixed" and error:  # Newcombe's interval ignores that these make the variance smaller
        by = ", by patient" if first.patient else ""
        return with_t_test(plain, error, df, level, f"linearised{by}", span=1.0)
    right = {
        name: PairedScores((_right(card.runs[0], card.decided[0]),), (HALF,)) for name, card in (("a", a), ("b", b))
    }
    one = differences(("recall",), right, level=level)["recall", "a", "b"]
    return replace(one, metric=plain.metric, seeds=plain.seeds, note=plain.note)


def _right(scores: MulticlassScores, decided: Labels) -> Scores:
    """Return whether each decision is right, as decisions on images of a single class."""
    right = (decided == scores.y_true).astype(np.float64)
    return Scores(scores.split, np.ones(len(scores), np.int64), right, scores.patient)
