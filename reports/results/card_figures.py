"""A card in a few figures: means over its seeds with intervals, at 0.5 and at the thresholds chosen on validation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.intervals.seeds import PairedScores, seed_figure
from benchmark.evidence.metrics.definitions import Figure, Metric, measures
from benchmark.runs.run import Run
from reports.results.measured import CardResults
from reports.results.pairs import paired_scores
from reports.results.split_faults import own_faults
from zoo.models.card import ModelCard


@dataclass(frozen=True)
class CardFigures:
    """One card over its seeds on test.

    `at_half` and `at_chosen` hold an estimate for each metric but counts, decided at 0.5 and at the threshold that each
    run chose on validation; `at_chosen` is empty where a run chose none, and both are where no run finished. `failed`
    are seeds without a finished run, `left_out` seeds whose figures are not in the means, since they saw other test
    images or an earlier version of the card. `diagnosis` counts the runs in which each fault of the card was
    found, those of the split left out. `seconds` are the times of the finished runs, in the order of `seeds`.
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


def summary_metrics() -> dict[str, Metric]:
    """The metrics of tables that show cards side by side; a code host and a page cut what is wider."""
    return measures(lambda metric: metric.display == "summary")


def card_figures(runs: Iterable[Run], measured: Mapping[str, CardResults]) -> tuple[CardFigures, ...]:
    """The cards of `runs` in their order; figures come from the scores in `measured`.

    Of a card that is not there, the figures are those that its runs recorded: with an interval where it has one run,
    without one where it has several.
    """
    return tuple(_of_card(of_card, measured.get(name)) for name, of_card in by_card(runs).items())


def by_card(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """`runs` by the name of their card, in the order of its first run."""
    cards: dict[str, list[Run]] = {}
    for run in runs:
        cards.setdefault(run.spec.card.name, []).append(run)
    return cards


def _of_card(runs: Sequence[Run], found: CardResults | None) -> CardFigures:
    finished = list(found.runs) if found is not None else [run for run in runs if run.status == "ok"]
    held = {run.run_id for run in finished}
    thresholds = tuple(run.threshold.value if run.threshold else None for run in finished)
    chosen = finished and None not in thresholds
    findings = found.findings if found is not None else tuple(run.diagnosis for run in finished)
    titles = [finding.title for of_run in findings for finding in own_faults(of_run)]
    return CardFigures(
        card=(finished or runs)[-1].spec.card,
        seeds=tuple(run.spec.seed for run in finished),
        failed=tuple(run.spec.seed for run in runs if run.status == "failed"),
        left_out=tuple(run.spec.seed for run in runs if run.status == "ok" and run.run_id not in held),
        thresholds=thresholds,
        at_half=dict(_estimates(found, finished, chosen=False)) if finished else {},
        at_chosen=dict(_estimates(found, finished, chosen=True)) if chosen else {},
        diagnosis={title: titles.count(title) for title in dict.fromkeys(titles)},
        errors=tuple(dict.fromkeys(run.error for run in runs if run.error)),
        seconds=tuple(run.costs.seconds for run in finished if run.costs is not None),
    )


def _estimates(found: CardResults | None, runs: Sequence[Run], chosen: bool) -> Iterator[tuple[str, SampleEstimate]]:
    if found is None:
        for name in measures():
            yield name, recorded([run.figures("test", chosen).get(name) for run in runs], _test_images(runs))
        return
    scores = paired_scores(found)
    if chosen:
        scores = PairedScores(found.test, tuple(cut for cut in found.thresholds if cut is not None))
    for name in measures():
        got = seed_figure(name, scores, class_sizes=found.class_sizes)
        yield name, SampleEstimate.of(got, len(found.test[0]))


def recorded(figures: Sequence[Figure | None], n: int) -> SampleEstimate:
    """The mean over runs of a figure on `n` images that each run recorded; None stands for a run that did not."""
    known = [figure for figure in figures if figure is not None and figure.value is not None]
    if len(known) < len(figures):
        return SampleEstimate.missing(n, "undefined or not recorded in a run")
    if len(known) == 1:
        return SampleEstimate.of(known[0], n)
    mean = sum(figure.value for figure in known if figure.value is not None) / len(known)
    return SampleEstimate(mean, None, None, n, "an interval over seeds needs the scores of every image")


def _test_images(runs: Sequence[Run]) -> int:
    return max(1, runs[0].split.sizes.get("test", 1))
