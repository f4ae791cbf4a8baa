"""What was measured about each card: its runs, seed by seed, with the scores of every image."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from benchmark.evidence.diagnosis.causes import Finding, diagnose
from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.evidence.scores import TestScores, ValidationScores
from benchmark.runs.run import Run, RunSpec
from benchmark.runs.storage.store import Store
from zoo.config.strict_yaml import ConfigError
from zoo.models.card import ModelCard


@dataclass(frozen=True)
class CardResults:
    """A card's finished runs under one protocol on one data set, by seed, all on the same test images.

    `val`, `test` and `findings` are in the order of `runs`; `images` names the test images in the order of their
    scores. `left_out` are seeds that saw other test images than the first.
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
        """The threshold that each run chose on validation."""
        return tuple(run.threshold.value if run.threshold else None for run in self.runs)

    @property
    def class_sizes(self) -> ClassSizes:
        """Whether the protocol fixed how many images of each class there are."""
        return self.runs[0].spec.protocol.class_sizes

    @property
    def related(self) -> dict[str, tuple[str, ...]] | None:
        """The test images that any run found a relative of, by what makes them relatives; None where one did not
        look."""
        held = [run.checks.related if run.checks else None for run in self.runs]
        looked = [found for found in held if found is not None]
        if len(looked) < len(held):
            return None
        reasons = dict.fromkeys(reason for found in looked for reason in found)
        return {reason: tuple(sorted({name for f in looked for name in f.get(reason, ())})) for reason in reasons}

    def same_images(self, other: CardResults) -> bool:
        """Whether both were scored on the same test images, so that they may be compared pairwise."""
        return self.images == other.images and self.test[0].y_true.tolist() == other.test[0].y_true.tolist()


def collect_results(runs: Iterable[Run], store: Store) -> dict[str, CardResults]:
    """The finished bench runs of `runs`, which share data and protocol, by card name. Raises ConfigError when scores
    cannot be read.

    Of a card that was changed under its name, or of a harness that was, only the version that ran last counts.
    """
    found: dict[str, CardResults] = {}
    finished = [run for run in runs if run.status == "ok" and run.spec.stage == "bench"]
    latest = {run.spec.card.name: _version(run) for run in sorted(finished, key=lambda run: (run.finished, run.run_id))}
    for run in sorted(finished, key=lambda run: (run.spec.card.name, run.spec.seed)):
        if _version(run) != latest[run.spec.card.name]:
            continue
        one = _measured(run, store)
        held = found.get(run.spec.card.name)
        if held is None:
            found[run.spec.card.name] = one
        elif held.same_images(one):
            found[run.spec.card.name] = replace(
                held,
                runs=held.runs + one.runs,
                val=held.val + one.val,
                test=held.test + one.test,
                findings=held.findings + one.findings,
            )
        else:
            found[run.spec.card.name] = replace(held, left_out=(*held.left_out, run.spec.seed))
    return found


def _version(run: Run) -> tuple[str, int]:
    """What makes runs of one card name runs of one model."""
    return json.dumps(run.spec.card.identity(), sort_keys=True), run.spec.semantics


def conditions(spec: RunSpec) -> str:
    """The data and the protocol of a run in words."""
    kind = "SYNTHETIC, " if spec.dataset.synthetic else ""
    return f"{spec.dataset.title} ({kind}source {spec.dataset.source}), protocol {spec.protocol.name}"


def _measured(run: Run, store: Store) -> CardResults:
    val, test = store.scores(run, "val"), store.scores(run, "test")
    if not isinstance(val, ValidationScores) or not isinstance(test, TestScores):
        raise TypeError("a store reads each split in a type of its own")
    return CardResults(
        run.spec.card, (run,), (val,), (test,), (_findings(run, val, test, store),), store.images(run, "test")
    )


def _findings(run: Run, val: ValidationScores, test: TestScores, store: Store) -> tuple[Finding, ...]:
    """The diagnosis from what is stored, so that runs of before know what was learned since."""
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
