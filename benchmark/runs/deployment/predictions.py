"""Predictions of kept models for image files. Keras is loaded with the first prediction."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Pillow

from benchmark.data.dataset import Pixels
from benchmark.data.decoding.pixels import MOST_PIXELS, Channels, PreparedImage
from benchmark.data.sources.entries import is_hidden, printable
from benchmark.evidence.diagnosis.reference import ood_reasons
from benchmark.runs.deployment.decision_rule import DecisionRule, Prediction
from benchmark.runs.deployment.model_files import (
    StoredModel,
    features_name,
    maker_of,
    mean_of,
    outputs_of,
    references_of,
    stored_models,
)
from benchmark.runs.deployment.multiclass import AnyDecisionRule, AnyPrediction, MulticlassPrediction
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from benchmark.training.quiet import load_keras
from zoo.config.cgroups import usable_cores
from zoo.config.errors import ConfigError
from zoo.models.recipe import AverageRecipe

if TYPE_CHECKING:
    from benchmark.training.use.predict import AppliedModel, ImageDescriptors, ReadImage


def image_files(paths: Iterable[Path]) -> list[Path]:
    """List image files, with folders replaced by the files in and below them.

    Args:
        paths: Files and folders.

    Returns:
        The files in the order of `paths`; those of a folder sorted by path, without hidden and system files.

    Raises:
        ConfigError: A path does not exist, or a folder contains no files.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            contents = sorted(_below(path))
            if not contents:
                raise ConfigError(f"{printable(str(path))}: contains no files; give images, or a folder of images")
            files += contents
        elif path.exists():
            files.append(path)
        else:
            raise ConfigError(f"{printable(str(path))}: no such file or folder; give images, or a folder of images")
    return files


class Predictor:
    """Kept models that are loaded once and predict any number of images as the bench scored them: one model, or those
    of an ensemble. It is not safe to use from several threads at once."""

    def __init__(self, run: Run, store: Store, decider: AnyDecisionRule, threads: int | None = None) -> None:
        """Load the models and the references of their training images.

        Args:
            run: A finished run.
            store: The store that contains it and its models.
            decider: The decision rule of the run.
            threads: Number of threads; None for one per core that this process may use.

        Raises:
            ConfigError: A model of the run was not kept or cannot be read.
        """
        load_keras()
        import benchmark.training.backend as backend
        from benchmark.training.use.predict import ImageDescriber

        models = stored_models(run, store)
        self._decider = decider
        self._references = references_of(run, store)
        backend.prepare_process(run.spec.seed, threads or usable_cores())
        applied = [_applied(each, features_name(run, each.run.spec.card.name)) for each in models]
        self._describer = ImageDescriber(applied, run.spec.dataset.reading, mean_of(run, models))
        self.size: int = self._describer.size
        self.channels: Channels = self._describer.channels

    def predict_files(self, files: Iterable[Path]) -> Iterator[AnyPrediction]:
        """Predict images exactly as the bench scored its images: decoding, resizing, preprocessing, precision and
        batches are the same.

        Args:
            files: Image files.

        Yields:
            One prediction per file, in order.
        """
        for file in self._describer.describe_files(files):
            if file.descriptors is None:
                kind = Prediction if isinstance(self._decider, DecisionRule) else MulticlassPrediction
                yield kind(file.name, error=file.error)
            else:
                yield self._predict(file.name, file.descriptors, file.colour, file.note)

    def predict_pixels(self, names: Sequence[str], pixels: Pixels, digests: Sequence[str]) -> Iterator[AnyPrediction]:
        """Predict images that a source reads without files, in the same batches as `predict_files`.

        Args:
            names: The name of each image (n,).
            pixels: Grey levels, uint8 (n, size, size, channels); grey and colour are converted to those of the model.
            digests: The content digest of each image (n,), which decides its augmented views.

        Yields:
            One prediction per image, in order.
        """
        colour = (pixels != pixels[..., :1]).any(axis=(1, 2, 3))
        if pixels.shape[-1] > self.channels:
            pixels = np.stack([np.asarray(Pillow.fromarray(each).convert("L"))[..., None] for each in pixels])
        elif pixels.shape[-1] < self.channels:
            pixels = np.repeat(pixels, self.channels, axis=-1)
        for name, each, coloured in zip(names, self._describer.describe_each(pixels, digests), colour, strict=True):
            yield self._predict(name, each, bool(coloured), None)

    def prepare(self, content: bytes, most_pixels: int = MOST_PIXELS) -> ReadImage:
        """Decode and resize the bytes of one image file; raises as `prepare_content` does."""
        return self._describer.prepare(content, most_pixels)

    def warm_up(self) -> None:
        """Predict a black image, so that the first request does not wait until the model is compiled."""
        black = np.zeros((self.size, self.size, self.channels), np.uint8)
        self._predict_one(PreparedImage(black, colour=False, note=None), "0" * 64)

    def predict_prepared(self, image: ReadImage) -> AnyPrediction:
        """Predict one prepared image. Its scores may differ from those of `predict_files` in the last digits, since
        the image is not padded to a batch.

        Args:
            image: As `prepare` returns it.

        Returns:
            The prediction, with an empty name.
        """
        return self._predict_one(image.prepared, image.digest)

    def _predict_one(self, image: PreparedImage, digest: str) -> AnyPrediction:
        descriptors = self._describer.describe(image.pixels[None], [digest], batch=1)
        return self._predict("", descriptors, image.colour, image.note)

    def _predict(self, name: str, descriptors: ImageDescriptors, colour: bool, note: str | None) -> AnyPrediction:
        outside = (
            *([note] if note else []),
            *ood_reasons(self._references, descriptors.by_name(), colour=colour, channels=self.channels),
        )
        score = descriptors.scores[0]
        if isinstance(self._decider, DecisionRule):
            return self._decider.predict(name, float(score), outside)
        return self._decider.predict(name, score, outside)


def _applied(stored: StoredModel, features: str) -> AppliedModel:
    """Load a model, with the views over which its run averaged scores."""
    from benchmark.training.use.model_file import load_model
    from benchmark.training.use.predict import AppliedModel, AveragedViews

    run = stored.run
    recipe, views = run.spec.card.recipe, None
    if not isinstance(recipe, AverageRecipe) and recipe.test_time_augmentation and recipe.augmentation is not None:
        views = AveragedViews(recipe.augmentation, recipe.test_time_augmentation, run.spec.protocol.view_seed)
    return AppliedModel(load_model(stored.path, maker_of(run), outputs_of(run)), views, features)


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden(name)]
        yield from (Path(parent, name) for name in names if not is_hidden(name))
