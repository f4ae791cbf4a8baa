"""The results of each card: its finished runs with their per-image scores."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from benchmark.evidence.diagnosis.diagnoses import Finding, diagnose
from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.evidence.scores import TestScores, ValidationScores
from benchmark.runs.run import Run, RunSpec
from benchmark.runs.storage.store import Store
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard


@dataclass(frozen=True)
class CardResults:
    """The finished runs of a card under one protocol on one data set, all on the same test images.

    Attributes:
        card: The card.
        runs: Its runs by seed.
        val: The validation scores of each run.
        test: The test scores of each run.
        findings: The diagnosis of each run.
        images: The names of the test images, in the order of their scores.
        left_out: The seeds with different test images than the first.
    """

    card: ModelCard
    runs: tuple[Run, ...]
    val: tuple[ValidationScores, ...]
    test: tuple[TestScores, ...]
    findings: tuple[tuple[Finding, ...], ...]
    images: tuple[str, ...]
    left_out: tuple[int, ...] = ()

    @property
    def thresholds(self) -> tuple[float | None, ...]:
        """The threshold that each run chose on validation; None where it chose none."""
        return tuple(run.threshold.value if run.threshold else None for run in self.runs)

    @property
    def class_sizes(self) -> ClassSizes:
        """Whether the protocol fixed the number of images per class."""
        return self.runs[0].spec.protocol.class_sizes

    @property
    def related(self) -> dict[str, tuple[str, ...]] | None:
        """The test images that are related to another image, by kind of relation; None where a run did not check."""
        checked = [run.checks.related for run in self.runs if run.checks and run.checks.related is not None]
        if len(checked) < len(self.runs):
            return None
        reasons = dict.fromkeys(reason for related in checked for reason in related)
        return {
            reason: tuple(sorted({n for related in checked for n in related.get(reason, ())})) for reason in reasons
        }

    def same_images(self, other: CardResults) -> bool:
        """Whether both were scored on the same test images, so that they may be compared pairwise."""
        return self.images == other.images and self.test[0].y_true.tolist() == other.test[0].y_true.tolist()


def collect_results(runs: Iterable[Run], store: Store) -> dict[str, CardResults]:
    """The results of the finished bench runs by name of card.

    Where a card or the harness has changed, only the version that ran last counts.

    Args:
        runs: Runs on the same data under the same protocol.
        store: The store with their scores.

    Returns:
        The results of each card with a finished bench run.

    Raises:
        ConfigError: The scores of a run cannot be read.
    """
    collected: dict[str, CardResults] = {}
    finished = [run for run in runs if run.status == "ok" and run.spec.stage == "bench"]
    latest = {run.spec.card.name: _version(run) for run in sorted(finished, key=lambda run: (run.finished, run.run_id))}
    for run in sorted(finished, key=lambda run: (run.spec.card.name, run.spec.seed)):
        if _version(run) != latest[run.spec.card.name]:
            continue
        one = _measured(run, store)
        earlier = collected.get(run.spec.card.name)
        if earlier is None:
            collected[run.spec.card.name] = one
        elif earlier.same_images(one):
            collected[run.spec.card.name] = replace(
                earlier,
                runs=earlier.runs + one.runs,
                val=earlier.val + one.val,
                test=earlier.test + one.test,
                findings=earlier.findings + one.findings,
            )
        else:
            collected[run.spec.card.name] = replace(earlier, left_out=(*earlier.left_out, run.spec.seed))
    return collected


def _version(run: Run) -> tuple[str, int]:
    """The version of a run's card and of the harness."""
    return json.dumps(run.spec.card.identity(), sort_keys=True), run.spec.semantics


def conditions(spec: RunSpec) -> str:
    """The data and the protocol of a run as text."""
    kind = "SYNTHETIC, " if spec.dataset.synthetic else ""
    return f"{spec.dataset.title} ({kind}source {spec.dataset.source}), protocol {spec.protocol.name}"


def _measured(run: Run, store: Store) -> CardResults:
    val, test = store.binary_scores(run, "val"), store.binary_scores(run, "test")
    if not isinstance(val, ValidationScores) or not isinstance(test, TestScores):
        raise TypeError("a store reads each split in a type of its own")
    return CardResults(
        run.spec.card, (run,), (val,), (test,), (_findings(run, val, test, store),), store.images(run, "test")
    )


def _findings(run: Run, val: ValidationScores, test: TestScores, store: Store) -> tuple[Finding, ...]:
    """The diagnosis of a run, computed anew from the store, so that older runs have the current checks."""
    history = store.history(run)
    if not history:
        return run.diagnosis
    try:
        curves = history.curves()
    except ValueError as error:
        raise ConfigError(
            f"--store {store.root}: history.csv of run {run.run_id} is damaged ({error}); delete its folder and "
            "run the card again"
        ) from error
    return diagnose(
        val,
        test,
        curves,
        classes=run.spec.dataset.classes,
        checks=run.checks,
        losses=cross_entropies(run),
        counts=run.split.classes,
    )


def cross_entropies(run: Run) -> dict[str, float] | None:
    """The reported losses of a run by split; None where its loss is not cross-entropy."""
    if run.spec.card.recipe.loss.name != "binary_crossentropy":
        return None
    losses = {split: run.figures(split)["loss"].value for split in run.at_half if "loss" in run.figures(split)}
    return {split: value for split, value in losses.items() if value is not None}
