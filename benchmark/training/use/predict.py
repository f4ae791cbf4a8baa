"""Scores of images from a trained model: of a split in memory, and of any image files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from benchmark.data.dataset import Pixels
from benchmark.data.decoding.pixels import Channels, decode_other, is_grey, read_content, resize
from benchmark.data.decoding.prepared import LabelledImages
from benchmark.data.levels import Levels
from benchmark.data.sources.entries import printable
from benchmark.data.sources.scan import reason_of
from benchmark.training.fit import Fitted, TrainingDiverged
from benchmark.training.network import BATCH, run_batched
from benchmark.training.use.model_file import with_features

Floats = npt.NDArray[np.float64]

_BATCH = 8  # large enough for the speed of larger ones, small enough to cost a run little
_TIMED = 2 * _BATCH
_GRID = 8
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def score(fitted: Fitted, images: LabelledImages) -> Floats:
    """The probability of the positive class for every image, in order, in inference mode: (n,), float64 in [0, 1].

    Raises TrainingDiverged where the network gives something else.
    """
    scores = run_batched(fitted.network.tail, fitted.network.plain(images))[:, 0].astype(np.float64)
    wrong = scores[~((scores >= 0) & (scores <= 1))]
    if len(wrong):
        count = f"{len(wrong)} of {len(scores)} {images.split} images"
        raise TrainingDiverged(f"{count} get scores that are NaN or outside [0, 1], such as {wrong[0]:.4g}")
    return scores


def ms_per_image(fitted: Fitted, images: LabelledImages) -> float:
    """Milliseconds the whole model takes for one image, from its pixels, once it is warm."""
    sample = images.pixels[:_TIMED]
    run_batched(fitted.model, sample[:_BATCH], _BATCH)
    start = time.perf_counter()
    run_batched(fitted.model, sample, _BATCH)
    return 1000 * (time.perf_counter() - start) / len(sample)


@dataclass(frozen=True)
class Described:
    """Images in numbers, one row each: `scores` (n,) in [0, 1]; `grey` (n, 5), quantiles .05, .25, .5, .75 and .95 of
    the grey levels 0..255; `layout` (n, 64), mean grey levels of the cells of an 8 x 8 grid; `features` (n, d), means
    over all places of the model's last feature maps."""

    scores: Floats
    grey: Floats
    layout: Floats
    features: Floats

    def looks(self) -> dict[str, Floats]:
        """What tells one kind of images from another, by name."""
        return {"grey": self.grey, "layout": self.layout, "features": self.features}


@dataclass(frozen=True)
class Seen:
    """An image file: its description as one row, whether it is in colour, and a note where it is stored in another
    depth than the training images; or why it could not be read."""

    name: str
    described: Described | None = None
    colour: bool = False
    error: str | None = None
    note: str | None = None


class Describer:
    """A model as `load_model` gives it, compiled once for scores and features together. `levels` is the scale by which
    its training images were read."""

    def __init__(self, model: keras.Model, levels: Levels | None = None) -> None:
        self._levels: Levels = levels or {}
        self._model = with_features(model)
        _, height, width, channels = model.input_shape
        if height != width or channels not in (1, 3):
            raise ValueError(
                f"the model reads images of shape {(height, width, channels)}, not square grey or RGB ones"
            )
        self.size: int = height
        self.channels: Channels = channels

    def describe(self, pixels: Pixels) -> Described:
        """Images uint8 (n, size, size, channels) in numbers; the last batch is filled up with zeros."""
        scores, features = [], []
        for first in range(0, len(pixels), BATCH):
            chosen = np.asarray(pixels[first : first + BATCH], dtype=np.float32)
            filled = np.zeros((BATCH, *chosen.shape[1:]), np.float32)
            filled[: len(chosen)] = chosen
            found = self._model.predict_on_batch(filled)
            scores.append(keras.ops.convert_to_numpy(found[0])[: len(chosen), 0])
            features.append(keras.ops.convert_to_numpy(found[1])[: len(chosen)])
        return Described(
            scores=np.concatenate(scores).astype(np.float64),
            grey=np.stack([np.quantile(image, _QUANTILES) for image in pixels]),
            layout=np.stack([_layout(image) for image in pixels]),
            features=np.concatenate(features).astype(np.float64),
        )

    def describe_files(self, files: Iterable[Path]) -> Iterator[Seen]:
        """Every image of `files` in their order, decoded and resized as a folder of training images is. At most two
        batches are in memory; a file that cannot be read is told, and the others go on."""
        with ThreadPoolExecutor(max_workers=min(16, os.cpu_count() or 1)) as pool:
            left = iter(files)
            while chunk := list(islice(left, BATCH)):
                read = list(pool.map(self._read, chunk))
                good = [pixels for pixels, *_ in read if pixels is not None]
                rows = iter(_rows(self.describe(np.stack(good))) if good else ())
                for path, (pixels, colour, error, note) in zip(chunk, read, strict=True):
                    yield Seen(printable(str(path)), None if pixels is None else next(rows), colour, error, note)

    def _read(self, path: Path) -> tuple[Pixels | None, bool, str | None, str | None]:
        try:
            image, note = decode_other(read_content(path), self._levels)
            colour = not is_grey(image)
            if colour and self.channels == 1:
                image = image.convert("L")
            return resize(image, self.size, self.channels), colour, None, note
        except Exception as error:  # Pillow's decoders raise many kinds of errors on damaged files
            reason = getattr(error, "strerror", None) or reason_of(error, path)
        return None, False, reason, None


def _layout(image: Pixels) -> Floats:
    """Mean grey levels of the cells of a grid over one image (h, w, c), row by row."""
    grey = image.mean(axis=2)
    cells = [cell.mean() for band in np.array_split(grey, _GRID) for cell in np.array_split(band, _GRID, axis=1)]
    return np.array(cells)


def _rows(described: Described) -> Sequence[Described]:
    count = len(described.scores)
    parts = (np.split(each, count) for each in (described.scores, *described.looks().values()))
    return [Described(*row) for row in zip(*parts, strict=True)]
