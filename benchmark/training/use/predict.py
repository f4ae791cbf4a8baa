"""Scores of images from a trained model: of a split in memory, and of any image files."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from benchmark.data.dataset import Pixels
from benchmark.data.decoding.pixels import MOST_PIXELS, Channels, PreparedImage, prepare_content, read_content
from benchmark.data.decoding.prepared import LabelledImages
from benchmark.data.grey_descriptors import grey_layout, grey_quantiles
from benchmark.data.levels import Levels
from benchmark.data.sources.entries import printable
from benchmark.data.sources.scan import reason_of
from benchmark.training.augmentation import augmented_view
from benchmark.training.fit import Fitted, TrainingDiverged
from benchmark.training.model_graph import wrong_sums
from benchmark.training.network import BATCH, padded_batches, run_batched, without_single_axis
from benchmark.training.use.model_file import with_features
from zoo.config.cgroups import usable_cores
from zoo.models.recipe import Augmentation

Floats = npt.NDArray[np.float64]

_BATCH = 8  # as fast per image as larger batches, and cheap enough for every run
_TIMED = 2 * _BATCH
_TIMED_S = 0.25  # after which no further batch is timed


def score(fitted: Fitted, images: LabelledImages) -> Floats:
    """Score every image of a split in inference mode.

    With `test_time_augmentation`, the score of an image is the mean of those of the unchanged image and of its first
    augmented views, which the protocol's view seed draws. Validation and test are scored alike.

    The k scores of an image are divided by their sum in float64: a softmax in float32 sums to 1 within 1e-6 only.

    Args:
        fitted: The trained model.
        images: The images of a split.

    Returns:
        Float64 in [0, 1]: for two classes the probabilities of the positive class, shape (n,); for k classes the
        probabilities of all classes, shape (n, k).

    Raises:
        TrainingDiverged: A score is not in [0, 1], or the k scores of an image do not sum to 1.
    """
    network = fitted.network
    everything = np.arange(len(images))
    total = _checked(run_batched(network.tail, network.unaugmented(images)), images)
    for view in range(fitted.test_views):
        total = total + _checked(run_batched(network.tail, network.batch(images, view, everything)), images)
    return total / (1 + fitted.test_views)


def _checked(outputs: npt.NDArray[np.floating], images: LabelledImages) -> Floats:
    """The scores of one view of the images; raises as `score` does."""
    scores = without_single_axis(outputs).astype(np.float64)
    wrong = ~((scores >= 0) & (scores <= 1))
    if wrong.any():
        count = f"{wrong.reshape(len(scores), -1).any(axis=1).sum()} of {len(scores)} {images.split} images"
        raise TrainingDiverged(f"{count} get scores that are NaN or outside [0, 1], such as {scores[wrong][0]:.4g}")
    if scores.ndim == 2 and (sums := wrong_sums(scores)).size:
        count = f"{len(sums)} of {len(scores)} {images.split} images"
        raise TrainingDiverged(f"{count} get scores that sum to {sums[0]:.4g} over the classes, not to 1")
    return summing_to_one(scores)


def summing_to_one(scores: Floats) -> Floats:
    """Divide the scores (n, k) of images by their sums; scores (n,) of two classes stay as they are."""
    if scores.ndim == 1:
        return scores
    with np.errstate(divide="ignore", invalid="ignore"):  # scores that are not finite stay so, and are reported
        shares: Floats = scores / scores.sum(axis=1, keepdims=True)
    return shares


def ms_per_image(fitted: Fitted, images: LabelledImages) -> float:
    """Measure how long the whole model takes per image, from pixels to score, after a first batch.

    With `test_time_augmentation`, the model scores every view; the time to make the views does not count.

    Args:
        fitted: The trained model.
        images: The images of a split; at most 16 are used, 8 for a slow network.

    Returns:
        Milliseconds per image.
    """
    sample = images.pixels[:_TIMED]
    run_batched(fitted.model, sample[:_BATCH], _BATCH)
    seconds, timed = 0.0, 0
    while timed < len(sample) and seconds < _TIMED_S:
        batch = sample[timed : timed + _BATCH]
        start = time.perf_counter()
        for _ in range(1 + fitted.test_views):
            run_batched(fitted.model, batch, _BATCH)
        seconds += time.perf_counter() - start
        timed += len(batch)
    return 1000 * seconds / timed


@dataclass(frozen=True)
class ImageDescriptors:
    """Numbers that describe images, one row per image.

    Attributes:
        scores: Probabilities in [0, 1], shape (n,) for two classes, (n, k) for k classes.
        grey: Quantiles .05, .25, .5, .75 and .95 of the grey levels 0..255, shape (n, 5).
        layout: Mean grey levels in the cells of an 8 x 8 grid, shape (n, 64).
        features: Means over all positions of the last feature maps of each model, shape (n, d), by its name.
    """

    scores: Floats
    grey: Floats
    layout: Floats
    features: dict[str, Floats]

    def by_name(self) -> dict[str, Floats]:
        """Return the descriptors that can distinguish kinds of images, by name."""
        return {"grey": self.grey, "layout": self.layout, **self.features}

    def rows(self) -> Iterator[ImageDescriptors]:
        """Yield the descriptors of each image, with one row each."""
        for place in range(len(self.scores)):
            row = slice(place, place + 1)
            features = {name: each[row] for name, each in self.features.items()}
            yield ImageDescriptors(self.scores[row], self.grey[row], self.layout[row], features)


class ReadImage(NamedTuple):
    """An image as a model takes it, with what decides its augmented views.

    Attributes:
        prepared: The image.
        digest: SHA-256 of the bytes of its file, in hexadecimal.
    """

    prepared: PreparedImage
    digest: str


@dataclass(frozen=True)
class AveragedViews:
    """The augmented views over which `test_time_augmentation` averages, in addition to the unchanged image.

    Attributes:
        augmentation: The ranges of their random changes.
        count: Number of views, 1 or more.
        seed: The view seed of the protocol.
    """

    augmentation: Augmentation
    count: int
    seed: int


@dataclass(frozen=True)
class AppliedModel:
    """A model that scores images.

    Attributes:
        model: As returned by `load_model`.
        views: The views over which its scores are averaged; None for the unchanged image alone.
        features: The name of its features among the descriptors.
    """

    model: keras.Model
    views: AveragedViews | None = None
    features: str = "features"


@dataclass(frozen=True)
class DescribedFile:
    """An image file with its descriptors, or why it cannot be read.

    Attributes:
        name: The printable path.
        descriptors: One row; None if the file cannot be read.
        colour: Whether the image is in colour.
        error: Why the file cannot be read.
        note: How its stored depth differs from that of the training images.
    """

    name: str
    descriptors: ImageDescriptors | None = None
    colour: bool = False
    error: str | None = None
    note: str | None = None


Mean = Callable[[Sequence[Floats]], Floats]
"""Averages the scores of models, each (n,) or (n, k), in their order."""


class ImageDescriber:
    """Models of one split that are compiled once for scores and features together. Their scores are averaged.

    Attributes:
        size: Width and height of their images in pixels.
        channels: 1 or 3.
    """

    def __init__(
        self, models: Sequence[AppliedModel], levels: Levels | None = None, mean: Mean = lambda scores: scores[0]
    ) -> None:
        """Compile the models.

        Args:
            models: One or several.
            levels: The scale by which their training images were read.
            mean: Averages their scores; the default takes those of the first one.

        Raises:
            ValueError: A model does not take square grey or RGB images, or others than the first one takes.
        """
        self._levels: Levels = levels or {}
        self._mean = mean
        self._models = [(each, with_features(each.model)) for each in models]
        shapes = {each.model.input_shape[1:] for each in models}
        height, width, channels = models[0].model.input_shape[1:]
        if len(shapes) > 1 or height != width or channels not in (1, 3):
            listed = ", ".join(map(str, sorted(shapes)))
            raise ValueError(f"the images of the model have shape {listed}; they must be square, grey or RGB")
        self.size: int = height
        self.channels: Channels = channels

    def describe(self, pixels: Pixels, digests: Sequence[str] = (), batch: int = BATCH) -> ImageDescriptors:
        """Describe images by scores, grey levels and features.

        Features are those of the unchanged images, also where scores are averaged over views.

        Args:
            pixels: uint8, shape (n, size, size, channels).
            digests: The content digest of each image (n,), which decides its views; not needed without views.
            batch: Images per call of a model, 1 or more.

        Returns:
            The descriptors, n rows.
        """
        scores, features = [], {}
        for applied, model in self._models:
            total, features[applied.features] = _outputs(model, pixels, batch)
            if (views := applied.views) is not None:
                for view in range(views.count):
                    total = total + _of_view(model, pixels, digests, views, view, batch)
                total = total / (1 + views.count)
            scores.append(total)
        return ImageDescriptors(
            scores=self._mean(scores),
            grey=np.stack([grey_quantiles(image) for image in pixels]),
            layout=np.stack([grey_layout(image) for image in pixels]),
            features=features,
        )

    def describe_each(self, pixels: Pixels, digests: Sequence[str]) -> Iterator[ImageDescriptors]:
        """Describe images as `describe` does, batch by batch, with one row of descriptors per image."""
        for start in range(0, len(pixels), BATCH):
            some = slice(start, start + BATCH)
            yield from self.describe(pixels[some], digests[some]).rows()

    def describe_files(self, files: Iterable[Path]) -> Iterator[DescribedFile]:
        """Describe image files, decoded and resized like a folder of training images.

        At most two batches are in memory. A file that cannot be read does not stop the others.

        Args:
            files: The files.

        Yields:
            The descriptors or the error of each file, in order.
        """
        with ThreadPoolExecutor(max_workers=min(16, usable_cores())) as pool:
            remaining = iter(files)
            while chunk := list(islice(remaining, BATCH)):
                decoded = list(pool.map(self._read, chunk))
                good = [image for image, _ in decoded if image is not None]
                rows: Iterator[ImageDescriptors] = iter(())
                if good:
                    pixels = np.stack([image.prepared.pixels for image in good])
                    rows = self.describe(pixels, [image.digest for image in good]).rows()
                for path, (image, error) in zip(chunk, decoded, strict=True):
                    name = printable(str(path))
                    if image is None:
                        yield DescribedFile(name, error=error)
                    else:
                        yield DescribedFile(name, next(rows), image.prepared.colour, note=image.prepared.note)

    def prepare(self, content: bytes, most_pixels: int = MOST_PIXELS) -> ReadImage:
        """Decode and resize the bytes of an image file; raises as `prepare_content` does."""
        prepared = prepare_content(content, self._levels, self.size, self.channels, most_pixels)
        return ReadImage(prepared, hashlib.sha256(content).hexdigest())

    def _read(self, path: Path) -> tuple[ReadImage | None, str | None]:
        try:
            return self.prepare(read_content(path)), None
        except Exception as error:  # Pillow's decoders raise many kinds of errors on damaged files
            return None, getattr(error, "strerror", None) or reason_of(error, path)


def _outputs(model: keras.Model, pixels: npt.NDArray[np.generic], batch: int) -> tuple[Floats, Floats]:
    """The scores and the features that a model with both outputs gives for images."""
    scores, features = [], []
    for padded, count in padded_batches(pixels, batch):
        outputs = model.predict_on_batch(padded)
        scores.append(keras.ops.convert_to_numpy(outputs[0])[:count])
        features.append(keras.ops.convert_to_numpy(outputs[1])[:count])
    each_class = without_single_axis(np.concatenate(scores)).astype(np.float64)
    return summing_to_one(each_class), np.concatenate(features).astype(np.float64)


def _of_view(
    model: keras.Model, pixels: Pixels, digests: Sequence[str], views: AveragedViews, view: int, batch: int
) -> Floats:
    """The scores of one augmented view of images."""
    return _outputs(model, augmented_view(pixels, digests, views.augmentation, view, views.seed), batch)[0]
