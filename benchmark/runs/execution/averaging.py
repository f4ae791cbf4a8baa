"""The computation of an ensemble: stored scores of its members' runs are averaged, and nothing is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.evidence.averages import choose_members, cross_entropy, mean_scores
from benchmark.evidence.scores import AnyScores, MulticlassValidationScores, SplitName, ValidationScores, scores_of
from benchmark.runs.execution.failure import RunState
from benchmark.runs.outcome import Choice, choose
from benchmark.runs.run import Costs, Job, Member, Run
from benchmark.runs.storage.store import Store
from zoo.config.errors import ConfigError
from zoo.models.recipe import AverageRecipe

Load = Callable[[Path, SplitName, RunState], LabelledImages]


@dataclass(frozen=True)
class Averaged:
    """The scores of an ensemble.

    Attributes:
        runs: The runs of the members.
        members: What is averaged.
        train: Training images.
        val_scores: Scores of validation.
        test_scores: Scores of test.
        choice: The threshold or decision chosen on validation.
    """

    runs: tuple[Run, ...]
    members: tuple[Member, ...]
    train: LabelledImages
    val_scores: AnyScores
    test_scores: AnyScores
    choice: Choice

    def costs(self, seconds: float, stages: dict[str, float], peak_memory_mib: float) -> Costs:
        """Return the costs of averaging, with the parameters and the time per image of all members that count.

        Args:
            seconds: Seconds of the whole run.
            stages: Seconds by stage.
            peak_memory_mib: Peak memory of the process in MiB.

        Returns:
            The costs; without a time per image if a member has none.
        """
        used = [run.costs for run, member in zip(self.runs, self.members, strict=True) if member.weight and run.costs]
        times = [each.inference_ms_per_image for each in used]
        known = [each for each in times if each is not None]
        return Costs(
            seconds=seconds,
            epochs=0,
            seconds_per_epoch=None,
            inference_ms_per_image=sum(known) if len(known) == len(times) else None,
            peak_memory_mib=peak_memory_mib,
            parameters=sum(each.parameters for each in used),
            trainable_parameters=sum(each.trainable_parameters for each in used),
            stages=stages,
            features_needed=0,
            features_computed=0,
        )


def average_and_score(job: Job, store: Store, state: RunState, load: Load) -> Averaged:
    """Choose members on validation, average there, choose the threshold, and only then average the test scores.

    Args:
        job: What to compute.
        store: The store of the members' runs.
        state: The state of the run, which is updated.
        load: Reads prepared images of a split.

    Returns:
        The scores and what was chosen.

    Raises:
        ConfigError: A member has no finished run with scores of the same images.
    """
    spec, recipe = job.spec, job.spec.card.recipe
    assert isinstance(recipe, AverageRecipe)
    state.begin("reading the scores of its members")
    runs = tuple(_member(store, run_id, name) for run_id, name in zip(spec.members, spec.card.members, strict=True))
    train, val = (load(job.folder, part, state) for part in ("train", "val"))
    state.timer.end("data")
    state.begin("choosing members on validation")
    of_val = [_scores_of(store, run, val) for run in runs]
    checked = [each for each in of_val if isinstance(each, ValidationScores | MulticlassValidationScores)]
    counts = [1] * len(runs) if recipe.choose is None else choose_members(checked, recipe.choose, recipe.average)
    members = tuple(
        Member(
            card=run.spec.card.name,
            run_id=run.run_id,
            weight=count / sum(counts),
            log_loss=cross_entropy(each.y_true, each.y_score),
        )
        for run, count, each in zip(runs, counts, of_val, strict=True)
    )
    val_scores = _averaged(job, val, of_val, counts, recipe)
    state.add_scores(val_scores, val)
    state.begin("choosing the threshold")
    choice = choose(spec.protocol, val_scores)
    # The test split is opened only here, after everything is chosen.
    state.begin("scoring the test split")
    test = load(job.folder, "test", state)
    test_scores = _averaged(job, test, [_scores_of(store, run, test) for run in runs], counts, recipe)
    state.add_scores(test_scores, test)
    state.timer.end("scoring")
    return Averaged(runs, members, train, val_scores, test_scores, choice)


def _member(store: Store, run_id: str, name: str) -> Run:
    run = store.get(run_id)
    if run is None or run.status != "ok":
        raise ConfigError(f"the run {run_id} of its member {name} is not in the store; bench {name} first")
    return run


def _scores_of(store: Store, run: Run, images: LabelledImages) -> AnyScores:
    """The stored scores of a run, in the order of `images`."""
    names = store.images(run, images.split)
    scores = store.scores(run, images.split)
    places = {name: place for place, name in enumerate(names)}
    if places.keys() != set(images.names):
        raise ConfigError(f"the run {run.run_id} of {run.spec.card.name} scored other {images.split} images")
    order = np.array([places[name] for name in images.names])
    classes = run.spec.dataset.classes
    return scores_of(images.split, scores.y_true[order], scores.y_score[order], classes)


def _averaged(
    job: Job, images: LabelledImages, scores: Sequence[AnyScores], counts: Sequence[int], recipe: AverageRecipe
) -> AnyScores:
    facts = job.spec.dataset
    patients = None if facts.patients_unknown else images.patients
    mean = mean_scores([each.y_score for each in scores], counts, recipe.average)
    return scores_of(images.split, images.labels, mean, facts.classes, patients, ordered=facts.ordered)
