"""A stored model applied, without refitting, to the images of another source: external validation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.data.dataset import DataError, Dataset, Image
from benchmark.evidence.scores import AnyScores, scores_of
from benchmark.runs.deployment.decision_rule import Prediction
from benchmark.runs.deployment.known_images import KnownImages
from benchmark.runs.deployment.model_files import references_of
from benchmark.runs.deployment.multiclass import AnyDecisionRule, AnyPrediction
from benchmark.runs.deployment.predictions import Predictor
from benchmark.runs.run import Run, now
from benchmark.runs.storage.beside.evaluations import Evaluation, EvaluationSpec, save_evaluation
from benchmark.runs.storage.store import Store
from zoo.config.errors import ConfigError

Watch = Callable[[Iterable[AnyPrediction], int], Iterable[AnyPrediction]]
"""Wraps the predictions and yields them unchanged; gets their number, too."""


def mapping_of(request: Mapping[str, Sequence[str]], dataset: Dataset, run: Run) -> dict[str, str]:
    """Assign each class of another source to a class of the model.

    Args:
        request: The classes of the source that become a class of the model, by its name. Classes that are not in it
            keep their names.
        dataset: The other source.
        run: The run of the model.

    Returns:
        The class of the model by the class of the source.

    Raises:
        ConfigError: A name is unknown, is assigned twice, or a class of the source is none of the model.
    """
    classes = run.spec.dataset.classes
    assigned: dict[str, str] = {}
    for of_model, others in request.items():
        if of_model not in classes:
            raise ConfigError(f"--map {of_model}={others[0]}: the model has the classes {', '.join(classes)}")
        for other in others:
            if other not in dataset.classes:
                known = ", ".join(dataset.classes)
                raise ConfigError(f"--map {of_model}={other}: {dataset.source} has the classes {known}")
            if assigned.setdefault(other, of_model) != of_model:
                raise ConfigError(f"--map: {other} becomes both {assigned[other]} and {of_model}; give one")
    mapping = {name: assigned.get(name, name) for name in dataset.classes}
    unknown = [name for name, of_model in mapping.items() if of_model not in classes]
    if unknown:
        free = next((name for name in classes if name not in mapping.values()), classes[0])
        raise ConfigError(
            f"{dataset.source}: the class {unknown[0]} is none of the model, which has {', '.join(classes)}; name the "
            f"one that it is, such as --map '{free}={unknown[0]}'"
        )
    return mapping


@dataclass(frozen=True)
class Chosen:
    """The images of another source that count as external validation.

    Attributes:
        images: Those that the model does not know.
        total: Number of images of the requested part.
        known: Number of images that were left out as images of the model, by its split.
        related: Number of other images that were left out, since their patients have such images.
        digests_known: Whether the model was stored with the digests of its images.
    """

    images: tuple[Image, ...]
    total: int
    known: dict[str, int]
    related: int
    digests_known: bool


def choose_images(dataset: Dataset, part: str, run: Run, store: Store) -> Chosen:
    """Choose the images of a source that are not those of the model, nor of their patients.

    Args:
        dataset: The other source.
        part: `all`, or one of its parts.
        run: The run of the model.
        store: The store that contains it.

    Returns:
        The images.

    Raises:
        DataError: The source has no such part, or nothing is left.
    """
    images = [image for image in dataset.images if part in ("all", image.part)]
    if not images:
        parts = sorted({image.part for image in dataset.images} - {"all"})
        has = f"its parts are {', '.join(parts)}" if parts else "it has no parts"
        raise DataError(f"--part {part}: {dataset.source} has no such images; {has}")
    known = KnownImages.of(run, store)
    split_of = {image.name: known.part_of_digest(image.digest) for image in images}
    patients_known = dataset.patients is None or dataset.patients.known
    related = {image.patient for image in images if patients_known and split_of[image.name] is not None}
    unknown = [image for image in images if split_of[image.name] is None]
    left = tuple(image for image in unknown if image.patient not in related)
    counts = Counter(split for split in split_of.values() if split is not None)
    if not left:
        listed = ", ".join(f"{count} {split}" for split, count in sorted(counts.items()))
        raise DataError(
            f"{dataset.source}: all {len(images)} images are images of this model ({listed}) or of their patients; "
            "outside validation needs images that the model does not know"
        )
    return Chosen(left, len(images), dict(sorted(counts.items())), len(unknown) - len(left), known.recorded)


def evaluate_images(
    spec: EvaluationSpec,
    dataset: Dataset,
    chosen: Chosen,
    run: Run,
    store: Store,
    decider: AnyDecisionRule,
    watch: Watch = lambda predictions, total: predictions,
    threads: int | None = None,
) -> Evaluation:
    """Score images as `zoo predict` does, and store the result.

    Args:
        spec: What is evaluated.
        dataset: The other source.
        chosen: Its images.
        run: The run of the model.
        store: The store that contains it.
        decider: The decision rule and the calibrator of the run, which stay as they are.
        watch: Wraps the predictions.
        threads: Number of threads; None for one per core that this process may use.

    Returns:
        The stored evaluation.

    Raises:
        ConfigError: The model cannot be read, or no image gets a score.
        DataError: Pixels cannot be read.
        OSError: The store cannot be written.
    """
    classes = run.spec.dataset.classes
    predictor = Predictor(run, store, decider, threads)
    predictions = list(watch(_predictions(predictor, dataset, chosen.images), len(chosen.images)))
    pairs = [(image, each) for image, each in zip(chosen.images, predictions, strict=True) if each.error is None]
    if not pairs:
        raise ConfigError(f"{dataset.source}: no image gets a score: {predictions[0].error}")
    images = [image for image, _ in pairs]
    labels = np.array([classes.index(spec.mapping[dataset.classes[image.label]]) for image in images], dtype=np.int64)
    patients_known = dataset.patients is None or dataset.patients.known
    patients = tuple(image.patient for image in images) if patients_known else None
    y_score = np.array([_score(each, classes) for _, each in pairs], dtype=np.float64)
    scores: AnyScores
    scores = scores_of("test", labels, y_score, classes, patients, ordered=run.spec.dataset.ordered)
    references = references_of(run, store)
    evaluation = Evaluation(
        spec=spec,
        finished=now(),
        images=chosen.total,
        known=chosen.known,
        related=chosen.related,
        digests_known=chosen.digests_known,
        without_score={
            image.name: each.error
            for image, each in zip(chosen.images, predictions, strict=True)
            if each.error is not None
        },
        unlike_by_chance=max((reference.share for reference in references.values()), default=None),
    )
    further: dict[str, Sequence[Any]] = {
        "class": [dataset.classes[image.label] for image in images],
        "probability": [each.probability for _, each in pairs],
        "decision": [each.decision for _, each in pairs],
        "unlike": ["; ".join(each.outside) for _, each in pairs],
    }
    return save_evaluation(store, evaluation, scores, [image.name for image in images], further)


def _predictions(predictor: Predictor, dataset: Dataset, images: Sequence[Image]) -> Iterable[AnyPrediction]:
    if dataset.files:
        files: list[Path] = [dataset.files[image.name] for image in images]
        yield from predictor.predict_files(files)
        return
    for start in range(0, len(images), _CHUNK):
        some = images[start : start + _CHUNK]
        names, digests = [image.name for image in some], [image.digest for image in some]
        yield from predictor.predict_pixels(names, dataset.read(some, predictor.size), digests)


_CHUNK = 1024  # images in memory at the same time; a multiple of every batch


def _score(prediction: AnyPrediction, classes: tuple[str, ...]) -> float | list[float]:
    if isinstance(prediction, Prediction):
        assert prediction.score is not None  # it has no error
        return prediction.score
    return [prediction.scores[name] for name in classes]
