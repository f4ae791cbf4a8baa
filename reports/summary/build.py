"""Builds the summary of a section from its runs and their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmark.runs.cross_validation import folds_of, is_interrupted
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.shortcuts import shortcuts_of_run
from benchmark.runs.storage.store import Store
from reports.results.comparison.pairs import on_most_common_images
from reports.results.measured import AnyResults
from reports.results.training_size.figures import TrainingSizeCurve
from reports.results.training_size.text import curve_to_show, short_answers
from reports.summary.best import best_card, by_area, chosen_threshold
from reports.summary.comparisons import baselines, comparisons, resolution
from reports.summary.fine_tuning import fine_tuning
from reports.summary.heading import heading
from reports.summary.labels import labels
from reports.summary.model import Summary
from reports.summary.problems import problems
from reports.summary.steps import next_steps
from reports.summary.unfinished import unfinished


def summarise(
    runs: Sequence[Run],
    measured: Mapping[str, AnyResults],
    store: Store,
    *,
    split_faults: Sequence[str] = (),
    claims: Sequence[str] = (),
    curves: Sequence[TrainingSizeCurve] = (),
) -> Summary:
    """Summarise runs on the same data under the same protocol.

    Args:
        runs: At least one run, finished or failed.
        measured: The results of the cards by name.
        store: The store of the runs.
        split_faults: Sentences about faults of the splits.
        claims: A sentence for each claims file that is about other data.
        curves: Learning curves on the same data under the same protocol, whose folds are one split there.

    Returns:
        The summary.
    """
    card_labels = labels([*(run.spec.card for run in runs), *(results.card for results in measured.values())])
    comparable = on_most_common_images(list(measured.values()))
    ranked = by_area(comparable)
    ranked_names = {card.card.name for card, _ in ranked}
    left_out = {name: "its test images differ" for name in measured if name not in ranked_names}
    left_out |= {card.card.name: "it has no AUC" for card in comparable if card.card.name not in ranked_names}
    tested = ranked[0][0] if ranked else None
    missing = unfinished(runs, list(measured), card_labels, store)
    best = replace(best_card(ranked, card_labels), unfinished=missing.without_figures) if ranked else None
    recorded = shortcuts_of_run(store, folds_of(runs[0])[0])
    shortcuts = () if recorded is None else recorded.shortcuts
    compared = comparisons(ranked, card_labels, left_out)
    curve = curve_to_show(curves, None if best is None else best.card.name)
    return Summary(
        heading=heading(runs, tested or next(iter(measured.values()), None)),
        best=best,
        reason=None if best is not None else _why_none(runs, measured),
        comparisons=compared,
        baselines=baselines(ranked, card_labels, compared),
        resolution=None if best is None or tested is None else resolution(best, compared, len(tested.test[0])),
        problems=problems(runs, tested, best, split_faults, missing, shortcuts),
        next_steps=next_steps(runs, tested, best, compared, missing, store, curve),
        claims=tuple(claims),
        threshold=None if best is None or tested is None else chosen_threshold(tested, best),
        more_images=() if curve is None else short_answers(curve, folds=runs[0].spec.protocol.test_folds),
        fine_tuning=fine_tuning(ranked, card_labels),
    )


def _why_none(runs: Sequence[Run], measured: Mapping[str, AnyResults]) -> str:
    if measured:
        return "no card has an AUC: the test images are of one class"
    if all(map(is_interrupted, runs)):
        return "the bench was interrupted before a card finished"
    if all(run.status == "failed" for run in runs):
        return "every run failed" if len(runs) > 1 else "the run failed"
    return "no finished run has scores of test images"
