"""The summary figures of each card: means over its seeds with 95% intervals, at two thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.intervals.caution import CAUTIONS
from benchmark.evidence.intervals.seeds import AnyPairedScores, MulticlassPairedScores, PairedScores, seed_figure
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.multiclass import MulticlassMetric, multiclass_metrics
from benchmark.evidence.metrics.registry import Figure, Metric, label_of, measures, metrics
from benchmark.runs.cross_validation import CrossValidatedRun, is_unfinished
from benchmark.runs.run import Run
from reports.results.comparison.pairs import paired_scores
from reports.results.conditions.split_faults import own_faults
from reports.results.measured import AnyResults, MulticlassResults, decides_by_choice, is_multiclass
from reports.text import CAUTION
from zoo.models.card import ModelCard


@dataclass(frozen=True)
class CardFigures:
    """The test figures of one card over its seeds.

    Attributes:
        card: The card.
        seeds: The seeds of the finished runs.
        failed: The seeds of which a run failed.
        left_out: The seeds that are not in the means: they saw different test images or an earlier version of the card.
        thresholds: The threshold that each run chose on validation; None where it chose none, as with three or more
            classes, or where each fold of a cross-validation has its own.
        at_half: An estimate for each metric except counts, at threshold 0.5; empty where no run finished. With three or
            more classes, an estimate by key, such as `recall:macro`, for the class with the highest score, without
            weighted and micro averages.
        at_chosen: The same at the chosen thresholds, or by the decisions that the runs chose on validation; empty where
            a run chose none.
        diagnosis: The number of runs with each fault, by title; faults of the split are left out.
        errors: The errors of failed runs.
        pending: Lines about runs that a benchmark computes, or did not finish because it was interrupted.
        seconds: The duration of each finished run in seconds, in the order of `seeds`.
    """

    card: ModelCard
    seeds: tuple[int, ...]
    failed: tuple[int, ...]
    left_out: tuple[int, ...]
    thresholds: tuple[float | None, ...]
    at_half: Mapping[str, SampleEstimate]
    at_chosen: Mapping[str, SampleEstimate]
    diagnosis: Mapping[str, int]
    errors: tuple[str, ...]
    seconds: tuple[float, ...]
    pending: tuple[str, ...] = ()


def summary_metrics() -> dict[str, Metric]:
    """The metrics in tables that compare cards; more columns would not fit on a page."""
    return measures(lambda metric: metric.display == "summary")


def multiclass_measures(run: Run, *, chosen: bool = False) -> dict[str, MulticlassMetric]:
    """The metrics of a run on three or more classes by key, in table order.

    Args:
        run: The run.
        chosen: Whether they are of the decision chosen on validation, which may abstain, or of the highest score.

    Returns:
        The metrics.
    """
    facts, decision = run.spec.dataset, run.decision
    costs = None if decision is None else decision.costs
    abstains = chosen and decision is not None and decision.abstains
    return multiclass_metrics(facts.classes, ordered=facts.ordered, costs=costs, abstains=abstains)


def summary_measures(run: Run) -> dict[str, Metric] | dict[str, MulticlassMetric]:
    """The metrics in tables that compare cards, for the classes of a run; figures of single classes are left out."""
    if not is_multiclass(run):
        return summary_metrics()
    return {
        key: measure
        for key, measure in multiclass_measures(run).items()
        if measure.display == "summary" and measure.of_class is None
    }


def card_figures(runs: Iterable[Run], measured: Mapping[str, AnyResults]) -> tuple[CardFigures, ...]:
    """The summary figures of each card.

    Args:
        runs: Runs on the same data under the same protocol.
        measured: The results by name of card. A card without results has the figures that its runs recorded: with an
            interval where it has one run, without one where it has several.

    Returns:
        The figures, in the order of the first run of each card.
    """
    return tuple(_of_card(of_card, measured.get(name)) for name, of_card in by_card(runs).items())


def by_card(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """`runs` grouped by the name of their card, in the order of its first run."""
    cards: dict[str, list[Run]] = {}
    for run in runs:
        cards.setdefault(run.spec.card.name, []).append(run)
    return cards


def _of_card(runs: Sequence[Run], results: AnyResults | None) -> CardFigures:
    finished = list(results.runs) if results is not None else [run for run in runs if run.status == "ok"]
    measured_ids = {run.run_id for run in finished}
    findings = results.findings if results is not None else tuple(run.diagnosis for run in finished)
    card = (finished or runs)[-1].spec.card
    titles = [finding.title for of_run in findings for finding in own_faults(of_run, card)]
    return CardFigures(
        card=card,
        seeds=tuple(run.spec.seed for run in finished),
        failed=tuple(run.spec.seed for run in runs if run.status == "failed" and not is_unfinished(run)),
        left_out=tuple(run.spec.seed for run in runs if run.status == "ok" and run.run_id not in measured_ids),
        thresholds=tuple(run.threshold.value if run.threshold else None for run in finished),
        at_half=dict(_estimates(results, finished, chosen=False)) if finished else {},
        at_chosen=dict(_estimates(results, finished, chosen=True)) if _all_chose(finished) else {},
        diagnosis={title: titles.count(title) for title in dict.fromkeys(titles)},
        errors=tuple(dict.fromkeys(run.error for run in runs if run.error and not is_unfinished(run))),
        seconds=tuple(run.costs.seconds for run in finished if run.costs is not None),
        pending=tuple(dict.fromkeys(run.error for run in runs if run.error and is_unfinished(run))),
    )


def _all_chose(finished: Sequence[Run]) -> bool:
    """Whether there are runs, and each has figures at a threshold or by a decision of its own choice."""
    if finished and is_multiclass(finished[0]):
        return all(decides_by_choice(run) for run in finished)
    return bool(finished) and all(
        (run.threshold is not None and run.threshold.value is not None)
        or (isinstance(run, CrossValidatedRun) and run.figures("test", chosen=True))
        for run in finished
    )


def _estimates(results: AnyResults | None, runs: Sequence[Run], chosen: bool) -> Iterator[tuple[str, SampleEstimate]]:
    if results is None:
        names = multiclass_measures(runs[0], chosen=chosen) if is_multiclass(runs[0]) else measures()
        for name in names:
            if MeasureKey.parse(name).average in ("weighted", "micro"):
                continue
            yield name, recorded([run.figures("test", chosen).get(name) for run in runs], _test_images(runs))
        return
    scores = _scores(results, chosen)
    if scores is None:
        return
    for name in _names(scores):
        got = seed_figure(name, scores, class_sizes=results.class_sizes)
        yield name, SampleEstimate.of(got, len(results.test[0]))


def _scores(results: AnyResults, chosen: bool) -> AnyPairedScores | None:
    if isinstance(results, MulticlassResults):
        return results.paired(chosen=chosen)
    if chosen:
        return PairedScores(results.test, tuple(cut for cut in results.thresholds if cut is not None))
    return paired_scores(results)


def _names(scores: AnyPairedScores) -> Iterable[str]:
    if isinstance(scores, MulticlassPairedScores):  # weighted and micro averages are for claims, which compute them
        return (key for key, metric in scores.metrics.items() if metric.average in (None, "macro"))
    return measures()


def known_figures(run: Run) -> list[str]:
    """The names of the figures that a run of today has, in table order; keys for three or more classes."""
    return list(multiclass_measures(run, chosen=True) if is_multiclass(run) else metrics())


def failures(runs: Sequence[Run]) -> list[str]:
    """Sentences about the figures that `runs` lack: the metric is newer than the run, or its function failed."""
    if runs and is_multiclass(runs[0]):
        keys = multiclass_measures(runs[0])
        newer = [label_of(key) for key in keys if any(key not in each for run in runs for each in run.at_half.values())]
        return [f"Not recorded, because the metric is newer than the run: {', '.join(newer)}."] if newer else []
    figures = [figures for run in runs for figures in (*run.at_half.values(), *run.at_chosen.values())]
    known = metrics()
    newer = [label_of(name) for name in known if any(name not in each for each in figures)]
    failed = [
        figure.reason
        for each in figures
        for name, figure in each.items()
        if name in known and known[name].failed(figure)
    ]
    absent = [f"Not recorded, because the metric is newer than the run: {', '.join(newer)}."] if newer else []
    return absent + [f"Missing: {reason}." for reason in dict.fromkeys(failed)]


def recorded(figures: Sequence[Figure | None], n: int) -> SampleEstimate:
    """The mean over runs of a figure on `n` images; None in `figures` means that a run did not record it."""
    known = [figure for figure in figures if figure is not None and figure.value is not None]
    if len(known) < len(figures):
        return SampleEstimate.missing(n, "undefined or not recorded in a run")
    if len(known) == 1:
        return SampleEstimate.of(known[0], n)
    mean = sum(figure.value for figure in known if figure.value is not None) / len(known)
    return SampleEstimate(mean, None, None, n, "an interval over seeds needs per-image scores")


def caution_note(cards: Sequence[CardFigures], runs: Sequence[Run] = ()) -> str | None:
    """A sentence that says once why marked intervals may be far off.

    Args:
        cards: The figures of cards.
        runs: Runs whose own figures are printed too.

    Returns:
        The sentence; None if no figure is marked.
    """
    of_cards = [figure.caution for card in cards for at in (card.at_half, card.at_chosen) for figure in at.values()]
    of_runs = [
        figure.caution
        for run in runs
        for split in ("val", "test")
        for chosen in (False, True)
        for figure in run.figures(split, chosen).values()
    ]
    reasons = dict.fromkeys(caution for caution in (*of_cards, *of_runs) if caution is not None)
    if not reasons:
        return None
    return f"{CAUTION} An interval with this mark may be far off: {'; or '.join(CAUTIONS[each] for each in reasons)}."


def _test_images(runs: Sequence[Run]) -> int:
    return max(1, runs[0].split.sizes.get("test", 1))
