"""What fine-tuning added to the probes that cards name."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from benchmark.evidence.comparison.multiplicity import holm
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.remembered import records
from benchmark.runs.storage.store import Store
from reports.results.comparison.pairs import compare_pair, on_most_common_images
from reports.results.folds import pool_folds
from reports.results.measured import AnyResults, collect_multiclass_results, collect_results, is_multiclass
from reports.summary.best import by_area, metric_of
from reports.summary.comparisons import Ranked
from reports.summary.labels import labels
from reports.summary.model import CardLabel, FineTuningGain


def fine_tuning(ranked: Ranked, card_labels: Mapping[str, CardLabel]) -> tuple[FineTuningGain, ...]:
    """Compare each fine-tuned card with the probe that it names, as one family of tests.

    Args:
        ranked: Cards on the same test images.
        card_labels: The labels of all cards by name.

    Returns:
        A comparison for each card whose probe is in `ranked`, in the order of the cards.
    """
    by_name = {results.card.name: results for results, _ in ranked}
    pairs = [
        (results, by_name[name])
        for results, _ in ranked
        if (name := results.card.probe_card) is not None and name in by_name
    ]
    gains = [compare_pair(tuned, probe, (metric_of(tuned),))[0].difference for tuned, probe in pairs]
    adjusted = holm([gain.p_value for gain in gains])
    return tuple(
        FineTuningGain(
            card=card_labels[tuned.card.name],
            probe=card_labels[probe.card.name],
            gain=gain,
            p_adjusted=p,
            seconds=_seconds(tuned),
            probe_seconds=_seconds(probe),
        )
        for (tuned, probe), gain, p in zip(pairs, gains, adjusted, strict=True)
    )


def gain_of_run(run: Run, store: Store) -> FineTuningGain | None:
    """Compare a run of a fine-tuned card with the stored run of its probe on the same split.

    Args:
        run: A finished run, or all folds of one together.
        store: Its store.

    Returns:
        The comparison; None where the card names no probe, or its probe has no finished run with this seed.

    Raises:
        ConfigError: Scores cannot be read.
    """
    name = run.spec.card.probe_card
    if name is None or run.status != "ok":
        return None
    of_probe = (
        store.get(each.run_id)
        for each in records(store)
        if each.spec.card.name == name
        and (each.spec.conditions, each.spec.seed, each.spec.stage)
        == (run.spec.conditions, run.spec.seed, run.spec.stage)
    )
    pooled = pool_folds([each for each in of_probe if each is not None], store)
    runs = [run, *(each for each in pooled if each.status == "ok")]
    measured = collect_multiclass_results(runs, store) if is_multiclass(run) else collect_results(runs, store)
    ranked = by_area(on_most_common_images(list(measured.values())))
    return next(iter(fine_tuning(ranked, labels([each.spec.card for each in runs]))), None)


def _seconds(results: AnyResults) -> float | None:
    """The mean time of a run over the seeds, that of all folds together; None where a run did not record it."""
    seconds = [run.costs.seconds for run in results.runs if run.costs is not None]
    return statistics.fmean(seconds) if len(seconds) == len(results.runs) else None
