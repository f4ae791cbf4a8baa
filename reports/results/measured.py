"""The results of each card: its finished runs with their per-image scores, of two classes or of more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, TypeVar

from threadpoolctl import threadpool_limits

from benchmark.evidence.decisions.decide import decide_all
from benchmark.evidence.diagnosis.diagnoses import Finding
from benchmark.evidence.intervals.seeds import MulticlassPairedScores
from benchmark.evidence.metrics.influence import ClassSizes, Cut, Labels
from benchmark.evidence.metrics.multiclass import argmax
from benchmark.evidence.scores import (
    MulticlassScores,
    MulticlassTestScores,
    Scores,
    TestScores,
)
from benchmark.runs.cross_validation import chosen_cut, folds_of
from benchmark.runs.outcome import findings, unintended
from benchmark.runs.run import Run, RunSpec
from benchmark.runs.storage.store import Store
from reports.results.folds import AnyCalibrator, FoldCalibrators, calibrated, merged_findings
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard
from zoo.models.recipe import ProbeRecipe

_Val = TypeVar("_Val", Scores, MulticlassScores)
_Test = TypeVar("_Test", TestScores, MulticlassTestScores)


@dataclass(frozen=True)
class _Results(Generic[_Val, _Test]):
    card: ModelCard
    runs: tuple[Run, ...]
    val: tuple[_Val, ...]
    test: tuple[_Test, ...]
    findings: tuple[tuple[Finding, ...], ...]
    images: tuple[str, ...]
    left_out: tuple[int, ...] = ()

    @property
    def class_sizes(self) -> ClassSizes:
        """Whether the protocol fixed the number of images per class."""
        return self.runs[0].spec.protocol.class_sizes

    @cached_property
    def served(self) -> tuple[tuple[AnyCalibrator | FoldCalibrators, _Test], ...]:
        """The calibrator of each run, fitted on validation, and the test scores that it gives (`calibrated`)."""
        with threadpool_limits(1, "blas"):  # calibrators solve small systems, on which more threads only wait
            return tuple(calibrated(val, test) for val, test in zip(self.val, self.test, strict=True))

    @property
    def every_seed_alike(self) -> bool:
        """Whether the seed changes nothing: a probe is fitted, and has no random start."""
        return isinstance(self.card.recipe, ProbeRecipe)

    @property
    def is_one_training(self) -> bool:
        """Whether there is one run of a recipe of which another seed would give another model."""
        return len(self.runs) == 1 and not self.every_seed_alike

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


@dataclass(frozen=True)
class CardResults(_Results[Scores, TestScores]):
    """The finished runs of a card under one protocol on one data set of two classes, all on the same test images.

    Attributes:
        card: The card.
        runs: Its runs by seed.
        val: The validation scores of each run; those of a cross-validation have the type of no split, since nothing may
            be chosen on them together.
        test: The test scores of each run.
        findings: The diagnosis of each run.
        images: The names of the test images, in the order of their scores.
        left_out: The seeds with different test images than the first.
    """

    @property
    def thresholds(self) -> tuple[Cut | None, ...]:
        """The threshold that each run chose on validation, in a cross-validation per image; None where it has none."""
        return tuple(chosen_cut(run, test) for run, test in zip(self.runs, self.test, strict=True))

    def same_images(self, other: CardResults) -> bool:
        """Whether both were scored on the same test images, so that they may be compared pairwise."""
        return _same_images(self, other)


@dataclass(frozen=True)
class MulticlassResults(_Results[MulticlassScores, MulticlassTestScores]):
    """The finished runs of a card under one protocol on one data set of three or more classes.

    All runs have the same test images. The attributes are those of `CardResults`.
    """

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the scores."""
        return self.test[0].classes

    @property
    def argmax(self) -> tuple[Labels, ...]:
        """The class (n,) with the highest score per test image, for each run."""
        return tuple(map(argmax, self.test))

    @property
    def chosen(self) -> tuple[Labels, ...] | None:
        """The class (n,) that each run decides on per test image by its choice on validation, -1 for an abstention.

        None where that is the class with the highest score, because of the rule or because a run chose nothing.
        """
        decisions = [run.decision for run in self.runs if run.decision is not None and decides_by_choice(run)]
        if len(decisions) < len(self.runs):
            return None
        return tuple(decide_all(each, scores) for each, scores in zip(decisions, self.test, strict=True))

    def paired(self, *, chosen: bool = False) -> MulticlassPairedScores | None:
        """The test scores of every seed with decisions.

        Args:
            chosen: Whether decisions are those that the runs chose on validation, else those for the highest score.

        Returns:
            The scores and decisions; None where the runs have no such decisions.
        """
        decided = self.chosen if chosen else self.argmax
        if decided is None:
            return None
        decision = self.runs[0].decision
        costs = None if decision is None else decision.costs
        return MulticlassPairedScores(self.test, decided, costs, chosen and decision is not None and decision.abstains)

    def same_images(self, other: MulticlassResults) -> bool:
        """Whether both were scored on the same test images, so that they may be compared pairwise."""
        return _same_images(self, other)


AnyResults = CardResults | MulticlassResults
_Collected = TypeVar("_Collected", CardResults, MulticlassResults)


def is_multiclass(run: Run) -> bool:
    """Whether the data of a run have three or more classes."""
    return len(run.spec.dataset.classes) > 2


def decides_by_choice(run: Run) -> bool:
    """Whether a run on three or more classes chose a decision on validation that is not for the highest score."""
    return run.decision is not None and run.decision.is_chosen and run.decision.rule != "argmax"


def collect_results(runs: Iterable[Run], store: Store) -> dict[str, CardResults]:
    """The results of the finished bench runs on two classes by name of card.

    Where a card or the harness has changed, only the version that ran last counts.

    Args:
        runs: Runs on the same data under the same protocol.
        store: The store with their scores.

    Returns:
        The results of each card with a finished bench run.

    Raises:
        ConfigError: The scores of a run cannot be read, or are of three or more classes.
    """
    return _collected(runs, lambda run: _measured(run, store))


def collect_multiclass_results(runs: Iterable[Run], store: Store) -> dict[str, MulticlassResults]:
    """The results of the finished bench runs on three or more classes, as `collect_results` returns those on two.

    Args:
        runs: Runs on the same data under the same protocol.
        store: The store with their scores.

    Returns:
        The results of each card with a finished bench run.

    Raises:
        ConfigError: The scores of a run cannot be read, or are of two classes.
    """
    return _collected(runs, lambda run: _multiclass_measured(run, store))


def _collected(runs: Iterable[Run], measure: Callable[[Run], _Collected]) -> dict[str, _Collected]:
    """The results by card; `measure` returns those of one run."""
    collected: dict[str, _Collected] = {}
    finished = [run for run in runs if run.status == "ok" and run.spec.stage == "bench"]
    latest = {run.spec.card.name: _version(run) for run in sorted(finished, key=lambda run: (run.finished, run.run_id))}
    for run in sorted(finished, key=lambda run: (run.spec.card.name, run.spec.seed)):
        if _version(run) != latest[run.spec.card.name]:
            continue
        one = measure(run)
        name = run.spec.card.name
        collected[name] = _joined(collected[name], one) if name in collected else one
    return collected


def _joined(earlier: _Collected, one: _Collected) -> _Collected:
    """The results with those of one more run; its seed is left out if it has other test images."""
    if not _same_images(earlier, one):
        return replace(earlier, left_out=(*earlier.left_out, one.runs[0].spec.seed))
    return replace(
        earlier,
        runs=earlier.runs + one.runs,
        val=earlier.val + one.val,
        test=earlier.test + one.test,
        findings=earlier.findings + one.findings,
    )


def _same_images(first: AnyResults, second: AnyResults) -> bool:
    return first.images == second.images and first.test[0].y_true.tolist() == second.test[0].y_true.tolist()


def _version(run: Run) -> tuple[str, int]:
    """The version of a run's card and of the harness."""
    return json.dumps(run.spec.card.identity(), sort_keys=True), run.spec.semantics


def conditions(spec: RunSpec) -> str:
    """The data and the protocol of a run as text."""
    kind = "SYNTHETIC, " if spec.dataset.synthetic else ""
    return f"{spec.dataset.title} ({kind}source {spec.dataset.source}), protocol {spec.protocol.name}"


def _measured(run: Run, store: Store) -> CardResults:
    val, test = store.binary_scores(run, "val"), store.binary_scores(run, "test")
    if not isinstance(test, TestScores):
        raise TypeError("a store reads each split in a type of its own")
    return CardResults(run.spec.card, (run,), (val,), (test,), (_findings(run, store),), store.images(run, "test"))


def _multiclass_measured(run: Run, store: Store) -> MulticlassResults:
    val, test = store.scores(run, "val"), store.scores(run, "test")
    if not isinstance(val, MulticlassScores) or not isinstance(test, MulticlassTestScores):
        raise ConfigError(f"{run.spec.card.name}: its data have two classes; three or more are needed here")
    return MulticlassResults(
        run.spec.card, (run,), (val,), (test,), (_findings(run, store),), store.images(run, "test")
    )


def _findings(run: Run, store: Store) -> tuple[Finding, ...]:
    """The diagnosis of a run, computed anew from the store, so that older runs have the current checks."""
    folds = folds_of(run)
    if len(folds) > 1:
        return merged_findings([_findings(fold, store) for fold in folds])
    val, test = store.scores(run, "val"), store.scores(run, "test")
    history = store.history(run)
    if not history:
        return unintended(run.diagnosis, run.spec.card)
    try:
        curves = history.curves()
    except ValueError as error:
        raise ConfigError(
            f"--store {store.name}: history.csv of run {run.run_id} is damaged ({error}); delete its folder and "
            "run the card again"
        ) from error
    anew = findings(
        val,
        test,
        curves,
        classes=run.spec.dataset.classes,
        checks=run.checks,
        losses=cross_entropies(run),
        counts=run.split.classes,
    )
    return unintended(anew, run.spec.card)


def cross_entropies(run: Run) -> dict[str, float] | None:
    """The reported losses of a run by split; None where its loss is not cross-entropy."""
    if run.spec.card.recipe.loss.name != "binary_crossentropy":
        return None
    losses = {split: run.figures(split)["loss"].value for split in run.at_half if "loss" in run.figures(split)}
    return {split: value for split, value in losses.items() if value is not None}
