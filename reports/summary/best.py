"""The best card of a section and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from benchmark.evidence.comparison.paired import Difference
from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.intervals.seeds import AnyPairedScores, PairedScores, seed_figure
from benchmark.evidence.metrics.influence import Cut
from benchmark.evidence.metrics.registry import get_metric
from reports.results.comparison.leading import leading, nothing_chosen
from reports.results.comparison.pairs import gain_of_threshold, paired_scores
from reports.results.measured import AnyResults, CardResults, MulticlassResults
from reports.results.multiclass.figures import ARGMAX
from reports.results.multiclass.text import decision_keys, lowest_recall
from reports.summary.model import BestCard, CardLabel, ChosenThreshold, ClassRecall, FiguresAt
from reports.text import listed, probability

OF_TWO = ("recall", "specificity", "accuracy", "precision")
"""The figures of a card with two classes, in the order to show."""
OF_SEVERAL = ("accuracy", "recall:macro")
AT_HALF = "at threshold 0.5"


def metric_of(results: AnyResults) -> str:
    """The figure that ranks cards with these results."""
    return "auc:macro" if isinstance(results, MulticlassResults) else "auc"


def area(results: AnyResults) -> SampleEstimate:
    """The test AUC of a card, or its macro mean: a mean over seeds with its 95% interval."""
    scores = results.paired() if isinstance(results, MulticlassResults) else paired_scores(results)
    assert scores is not None  # without a choice there are always decisions
    return _figures(results, scores, (metric_of(results),))[metric_of(results)]


def by_area(cards: Sequence[AnyResults]) -> list[tuple[AnyResults, SampleEstimate]]:
    """The cards that have an AUC, best first, of equal ones by name."""
    figures = [(card, area(card)) for card in cards]
    measured = [(card, figure) for card, figure in figures if figure.value is not None]
    higher = get_metric("auc").direction == "higher"
    return sorted(measured, key=lambda each: ((-1 if higher else 1) * (each[1].value or 0.0), each[0].card.name))


def best_card(ranked: Sequence[tuple[AnyResults, SampleEstimate]], labels: Mapping[str, CardLabel]) -> BestCard:
    """The first of `ranked` with its figures.

    Args:
        ranked: At least one card with its AUC, best first.
        labels: The labels of all cards by name.

    Returns:
        The best card.
    """
    results, figure = ranked[0]
    first, beside = _figures_at(results)
    return BestCard(
        card=labels[results.card.name],
        metric=metric_of(results),
        figure=figure,
        seeds=len(results.runs),
        of=len(ranked),
        tied=tuple(labels[each.card.name] for each, other in ranked[1:] if other.value == figure.value),
        leading=first,
        beside=beside,
        weakest=_weakest(results, chosen=first.is_chosen and bool(first.figures)),
    )


def _figures_at(results: AnyResults) -> tuple[FiguresAt, FiguresAt | None]:
    """The leading figures, and those by the default decision beside them."""
    if isinstance(results, MulticlassResults):
        return _of_several(results)
    at_half = FiguresAt(AT_HALF, None, False, _figures(results, paired_scores(results), OF_TWO))
    lead = leading(results.runs[0])
    if not lead.chosen:
        return at_half, None
    thresholds = [value for value in results.thresholds if value is not None]
    if len(thresholds) < len(results.runs):
        return FiguresAt(lead.words, None, True, {}, _nothing_chosen(results)), at_half
    scores = PairedScores(results.test, tuple(thresholds))
    single = [probability(value) for value in thresholds if isinstance(value, float)]
    cuts = listed(list(dict.fromkeys(single))) if single else _of_folds(thresholds)
    return FiguresAt(lead.words, cuts, True, _figures(results, scores, OF_TWO)), at_half


def _of_folds(thresholds: Sequence[Cut]) -> str:
    """The thresholds of the folds of all seeds in words."""
    every = _all(thresholds)
    return f"each fold has its own, {probability(every.min())} to {probability(every.max())}"


def _all(thresholds: Sequence[Cut]) -> npt.NDArray[np.float64]:
    """The thresholds of all seeds and folds, one after the other."""
    return np.concatenate([np.atleast_1d(np.asarray(each, dtype=np.float64)) for each in thresholds])


def chosen_threshold(results: AnyResults, best: BestCard) -> ChosenThreshold | None:
    """At which threshold the best card decides.

    Args:
        results: Its results.
        best: Its figures.

    Returns:
        Its thresholds; None where no rule chose them on validation.
    """
    if isinstance(results, MulticlassResults) or best.beside is None or not best.leading.figures:
        return None
    rule = results.runs[0].spec.protocol.threshold.rule
    thresholds = [value for value in results.thresholds if value is not None]
    if rule == "fixed" or not thresholds:
        return None
    every, first = _all(thresholds), results.runs[0]
    single = first.threshold if len(every) == 1 else None
    return ChosenThreshold(
        positive=first.spec.dataset.classes[-1],
        least=float(every.min()),
        greatest=float(every.max()),
        trainings=len(results.runs),
        folds=first.spec.protocol.test_folds,
        bounds=None if single is None else single.bounds,
        better_at_half=_better_at_half(results, best.leading, best.beside),
    )


def _better_at_half(results: CardResults, chosen: FiguresAt, half: FiguresAt) -> Difference | None:
    """The gain in accuracy at 0.5, if none of the figures is lower there and one is higher."""
    pairs = [(figure.value, half.figures[key].value) for key, figure in chosen.figures.items()]
    known = [(at_chosen, at_half) for at_chosen, at_half in pairs if at_chosen is not None and at_half is not None]
    if len(known) < len(pairs) or any(a > b for a, b in known) or all(a == b for a, b in known):
        return None
    gain = gain_of_threshold(results, "accuracy")
    if gain.value is None:
        return None
    low, high = gain.bounds or (None, None)
    return replace(gain, value=-gain.value, low=None if high is None else -high, high=None if low is None else -low)


def _nothing_chosen(results: AnyResults) -> str | None:
    return next((reason for run in results.runs if (reason := nothing_chosen(run)) is not None), None)


def _of_several(results: MulticlassResults) -> tuple[FiguresAt, FiguresAt | None]:
    highest, chosen = results.paired(), results.paired(chosen=True)
    assert highest is not None
    at_highest = FiguresAt(f"for {ARGMAX}", None, False, _figures(results, highest, OF_SEVERAL))
    lead, decision = leading(results.runs[0]), results.runs[0].decision
    if not lead.chosen:
        return at_highest, None
    if chosen is None or decision is None:
        return FiguresAt(lead.words, None, True, {}, _nothing_chosen(results)), at_highest
    figures = _figures(results, chosen, decision_keys(decision) or OF_SEVERAL)
    return FiguresAt(lead.words, None, True, figures), at_highest


def _figures(results: AnyResults, scores: AnyPairedScores, keys: Sequence[str]) -> dict[str, SampleEstimate]:
    sizes, n = results.class_sizes, len(results.test[0])
    return {key: SampleEstimate.of(seed_figure(key, scores, class_sizes=sizes), n) for key in keys}


def _weakest(results: AnyResults, *, chosen: bool) -> ClassRecall | None:
    if not isinstance(results, MulticlassResults):
        return None
    scores = results.paired(chosen=chosen)
    assert scores is not None
    recalls = _figures(results, scores, [f"recall:class:{name}" for name in results.classes])
    lowest = lowest_recall(recalls, results.classes)
    return None if lowest is None else ClassRecall(lowest[0], recalls[f"recall:class:{lowest[0]}"])
