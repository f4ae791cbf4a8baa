"""Test images by card: which cards decide wrongly on which image, the most missed images first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmark.evidence.calibration.calibrators import Calibrator
from benchmark.evidence.metrics.influence import Cut, Floats, Labels
from benchmark.evidence.scores import AnyScores
from reports.results.comparison.pairs import on_most_common_images
from reports.results.folds import AnyCalibrator, FoldCalibrators
from reports.results.measured import AnyResults, CardResults


@dataclass(frozen=True)
class ImageError:
    """The decisions of all cards on one test image. The tuples are in the order of `ImageErrors.cards`.

    Attributes:
        name: The name of the image.
        true_class: The name of its class.
        missed: Whether a card decides wrongly in most of its runs. To abstain is not to be right.
        wrong_runs: The number of runs of each card that decide wrongly.
        probability: The probability of the positive class, or of the true one of three or more classes, in [0, 1]: the
            mean over the runs of a card. It is calibrated on validation where calibration helps, else the score.
        fold: The number of the fold that tests the image, from 1; None without folds.
        threshold: The threshold of each card on the scale of `probability`; None where several runs have one each, and
            for three or more classes.
    """

    name: str
    true_class: str
    missed: tuple[bool, ...]
    wrong_runs: tuple[int, ...]
    probability: tuple[float, ...]
    fold: int | None = None
    threshold: tuple[float | None, ...] = ()

    @property
    def misses(self) -> int:
        """The number of cards that miss the image."""
        return sum(self.missed)


@dataclass(frozen=True)
class ImageErrors:
    """The test images of a section and the cards that miss them.

    Decisions are those at the threshold, or by the rule, that each run chose on validation. A run that chose nothing
    decides at 0.5, or for the class with the highest score.

    Attributes:
        cards: The names of the cards.
        runs: The number of runs of each card.
        calibrated: The number of models of each card whose values are calibrated, and the number of its models: one
            for each run, or for each fold of each run.
        probability_of: The positive class that `ImageError.probability` is of; None for three or more classes, where it
            is that of the true class.
        rows: All test images: most missed first, then by how far the scores are from the true class, then by name.
        one_answer: Cards that are left out because they give every image the same answer. Such a card misses all other
            images, whatever these show.
        other_images: Cards that are left out because they were scored on other test images.
    """

    cards: tuple[str, ...]
    runs: tuple[int, ...]
    calibrated: tuple[tuple[int, int], ...]
    probability_of: str | None
    rows: tuple[ImageError, ...]
    one_answer: tuple[str, ...] = ()
    other_images: tuple[str, ...] = ()

    @property
    def missed_by_any(self) -> tuple[ImageError, ...]:
        """The images that some card misses."""
        return tuple(row for row in self.rows if row.misses)

    @property
    def missed_by_all(self) -> tuple[ImageError, ...]:
        """The images that every card misses."""
        return tuple(row for row in self.rows if row.misses == len(self.cards))


@dataclass(frozen=True)
class _Decided:
    """The decisions (runs, n) of a card as class indices and its mean probabilities (n,) of the true class.

    `calibrated` counts its calibrated models and all of its models. `thresholds` (n,) are on the scale of the
    probabilities; None if the card has several runs.
    """

    name: str
    labels: npt.NDArray[np.int64]
    of_truth: Floats
    calibrated: tuple[int, int]
    thresholds: Floats | None = None


def image_errors(measured: Mapping[str, AnyResults], classes: Sequence[str]) -> ImageErrors | None:
    """The test images with the cards that miss them.

    Args:
        measured: The results of the cards by name. Only the largest set of cards with the same test images counts.
        classes: The names of the classes; of two, the positive one is last.

    Returns:
        The images; None without a card that gives more than one answer.
    """
    comparable = on_most_common_images(list(measured.values()))
    decided = [_decided(each) for each in comparable]
    varied = [each for each in decided if len(np.unique(each.labels)) > 1]
    if not varied:
        return None
    first = comparable[0]
    truth: Labels = first.test[0].y_true
    wrong = np.stack([(each.labels != truth).sum(axis=0) for each in varied])
    runs = [len(each.labels) for each in varied]
    missed = wrong > np.array(runs)[:, None] / 2
    of_truth = np.stack([each.of_truth for each in varied])
    positive = isinstance(first, CardResults)
    probability = np.where(truth == 1, of_truth, 1 - of_truth) if positive else of_truth
    folds = first.test[0].fold
    order = np.lexsort((np.asarray(first.images), of_truth.mean(axis=0), -missed.sum(axis=0)))
    return ImageErrors(
        cards=tuple(each.name for each in varied),
        runs=tuple(runs),
        calibrated=tuple(each.calibrated for each in varied),
        probability_of=classes[1] if positive else None,
        rows=tuple(
            ImageError(
                name=first.images[place],
                true_class=classes[truth[place]],
                missed=tuple(missed[:, place].tolist()),
                wrong_runs=tuple(wrong[:, place].tolist()),
                probability=tuple(probability[:, place].tolist()),
                fold=None if folds is None else int(folds[place]) + 1,
                threshold=tuple(None if each.thresholds is None else float(each.thresholds[place]) for each in varied),
            )
            for place in order
        ),
        one_answer=tuple(each.name for each in decided if len(np.unique(each.labels)) == 1),
        other_images=tuple(sorted(measured.keys() - {each.name for each in decided})),
    )


def _decided(results: AnyResults) -> _Decided:
    truth = results.test[0].y_true
    mean = np.mean([scores.y_score for _, scores in results.served], axis=0)
    fits = [each for calibrator, _ in results.served for each in _fits(calibrator)]
    counts = sum(each.accepted for each in fits), len(fits)
    if isinstance(results, CardResults):
        thresholds = [0.5 if chosen is None else chosen for chosen in results.thresholds]
        labels = [test.y_score >= at for test, at in zip(results.test, thresholds, strict=True)]
        of_truth = np.where(truth == 1, mean, 1 - mean)
        cuts = _on_scale(thresholds[0], results.test[0], fits) if len(thresholds) == 1 else None
        return _Decided(results.card.name, np.asarray(labels, dtype=np.int64), of_truth, counts, cuts)
    decisions = np.asarray(results.chosen or results.argmax, dtype=np.int64)
    return _Decided(results.card.name, decisions, mean[np.arange(len(truth)), truth], counts)


def _fits(calibrator: AnyCalibrator | FoldCalibrators) -> tuple[AnyCalibrator, ...]:
    return calibrator.fits if isinstance(calibrator, FoldCalibrators) else (calibrator,)


def _on_scale(cut: Cut, test: AnyScores, fits: Sequence[AnyCalibrator]) -> Floats:
    """The threshold (n,) of each image as a value of the calibrator of its fold."""
    folds = np.zeros(len(test), dtype=np.int64) if test.fold is None else test.fold
    cuts = np.broadcast_to(np.asarray(cut, dtype=np.float64), len(test))
    values = np.empty(len(test))
    for fold, calibrator in enumerate(fits):
        rows = folds == fold
        if rows.any() and isinstance(calibrator, Calibrator):
            values[rows] = calibrator.probability(float(cuts[rows][0]))  # one threshold per fold
    return values
