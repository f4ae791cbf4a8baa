"""External validations of stored models as plain data: figures on images from elsewhere beside those of the test."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmark.evidence.calibration.class_wise import assess_multiclass
from benchmark.evidence.calibration.reliability import ReliabilityBin, assess
from benchmark.evidence.external.observed_expected import share_of
from benchmark.evidence.external.two_samples import independent_difference
from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.scores import AnyScores, MulticlassScores
from benchmark.runs.deployment.multiclass import any_decider_of
from benchmark.runs.outcome import Choice
from benchmark.runs.run import DatasetFacts, Run
from benchmark.runs.storage.beside.evaluations import Evaluation, evaluated_images, evaluations_of
from benchmark.runs.storage.store import Store
from reports.results.outside.figures import Group, calibrated, class_counts, grouped_figures, without_absent
from reports.results.outside.recalibration import Recalibration, recalibration_on


@dataclass(frozen=True)
class OutsideRow:
    """One figure on images from elsewhere.

    Attributes:
        key: Its key.
        label: Its name in tables.
        group: What it is about. `calibration` is of the probabilities as `zoo predict` gives them.
        test: The figure on the test images of the run; None where the run has none.
        outside: The figure on the images from elsewhere.
        difference: The latter minus the former, from two independent sets of images.
    """

    key: str
    label: str
    group: Group
    test: Figure | None
    outside: Figure
    difference: Figure


@dataclass(frozen=True)
class OutsideValidation:
    """The external validation of one model on one source.

    Attributes:
        evaluation: What was evaluated, on which images.
        card: The name of the card.
        seed: The seed of the run in words.
        classes: The classes of the model; of two, the positive one is last.
        rule: The rule that chose threshold or decision on the validation images of the run, in words.
        choice: The threshold or decision, as transferred.
        calibrated: Whether the probabilities are calibrated on the validation images of the run.
        images: Numbers of images of each class from elsewhere.
        test_images: Numbers of test images of each class; empty without test scores.
        patients: Number of patients from elsewhere; None where patients are not known.
        rows: The figures.
        curve: The reliability curve; of three or more classes, that of the highest probability.
        unlike: The share of images that are unlike the training images.
        recalibration: What recalibration would give; None where it was not asked for.
        own_source: Whether the images are of the source that the model was trained on, so that nothing is external.
    """

    evaluation: Evaluation
    card: str
    seed: str
    classes: tuple[str, ...]
    rule: str
    choice: Choice
    calibrated: bool
    images: tuple[int, ...]
    test_images: tuple[int, ...]
    patients: int | None
    rows: tuple[OutsideRow, ...]
    curve: tuple[ReliabilityBin, ...]
    unlike: Figure
    recalibration: Recalibration | None
    own_source: bool = False

    @property
    def absent(self) -> tuple[str, ...]:
        """The classes of the model without an image from elsewhere."""
        return tuple(name for name, count in zip(self.classes, self.images, strict=True) if not count)

    def row(self, key: str) -> OutsideRow | None:
        """The row with this key; None without one."""
        return next((row for row in self.rows if row.key == key), None)


def outside_validations(runs: Iterable[Run], store: Store) -> tuple[OutsideValidation, ...]:
    """The external validations of the models of runs, as the store has them.

    Args:
        runs: Finished runs.
        store: The store that contains them.

    Returns:
        The validations in the order of the runs; empty without any.

    Raises:
        ConfigError: Scores cannot be read.
    """
    listed = list(runs)
    of_run = evaluations_of(store, listed)
    return tuple(
        outside_validation(run, evaluation, store) for run in listed for evaluation in of_run.get(run.run_id, ())
    )


def outside_validation(run: Run, evaluation: Evaluation, store: Store) -> OutsideValidation:
    """Compute the figures of an evaluation from its stored scores.

    Args:
        run: The run, with the threshold or decision that is transferred.
        evaluation: The evaluation of its model.
        store: The store that contains both.

    Returns:
        The validation.

    Raises:
        ConfigError: Scores cannot be read.
    """
    outside, names, unlike = evaluated_images(store, evaluation, run)
    test = store.scores(run, "test") if run.spec.stage == "bench" else None
    choice, decider = run.choice, any_decider_of(run, store)
    assert choice is not None  # the run is finished
    probabilities = calibrated(decider, outside)
    spec, protocol = evaluation.spec, run.spec.protocol
    sizes = protocol.class_sizes
    of_test = {} if test is None else grouped_figures(test, calibrated(decider, test), choice, sizes)
    classes, images = run.spec.dataset.classes, class_counts(outside, len(run.spec.dataset.classes))
    of_outside = without_absent(grouped_figures(outside, probabilities, choice, "drawn"), classes, images)
    rows = tuple(
        OutsideRow(key, label, group, before, figure, independent_difference(figure, before))
        for (group, key, label), figure in of_outside.items()
        for before in [of_test.get((group, key, label))]
    )
    several = isinstance(probabilities, MulticlassScores)
    return OutsideValidation(
        evaluation=evaluation,
        card=run.spec.card.name,
        seed=run.spec.seed_text,
        classes=classes,
        rule=protocol.decision.in_words() if several else protocol.threshold.in_words(),
        choice=choice,
        calibrated=decider.calibrator.accepted,
        images=images,
        test_images=() if test is None else class_counts(test, len(classes)),
        patients=None if outside.patient is None else len(set(outside.patient)),
        rows=rows,
        curve=_curve(probabilities),
        unlike=share_of("unlike", np.array([bool(text) for text in unlike]), outside.patient),
        recalibration=None
        if not spec.recalibrated_on
        else recalibration_on(run, outside, names, decider, spec.recalibrated_on, spec.split_seed),
        own_source=is_own_source(run.spec.dataset, spec.data),
    )


def is_own_source(trained: DatasetFacts, evaluated: DatasetFacts) -> bool:
    """Whether images are of the source that a model was trained on: the same data, or the same name of a source."""
    return trained.fingerprint == evaluated.fingerprint or trained.source == evaluated.source


def _curve(probabilities: AnyScores) -> tuple[ReliabilityBin, ...]:
    if isinstance(probabilities, MulticlassScores):
        return assess_multiclass(probabilities).top_label.curve
    return assess(probabilities).curve
