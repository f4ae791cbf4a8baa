"""The inputs of the trained part of a network: pixels of augmented views, or their features behind a frozen prefix.

A network is split behind the last layer of its frozen prefix, `prefix_end`. Features of each (image, view) are computed
once and stored in the bank. Every epoch, phase, run and card reads them there, provided that pixels, view,
preprocessing, weights, `prefix_end` and precision are the same.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

import benchmark.training.backend as backend
from benchmark.data.decoding.prepared import LabelledImages
from benchmark.training.augmentation import augmented_view
from benchmark.training.frozen.bank import Bank, Rows
from benchmark.training.frozen.methods import FILTERED, AllowedMethods
from benchmark.training.frozen.prefix import ChosenMethod, Compute, choose_method, prefix
from benchmark.training.frozen.winograd import VERSION as FILTERING
from benchmark.training.network import (
    BATCH,
    frozen_layers,
    join,
    layer_digests,
    preprocessing_model,
    segment,
    set_precision,
)
from zoo.models.recipe import Augmentation, ProbeRecipe, Recipe

_CHUNK = 3 * BATCH  # images: a multiple of BATCH and of `winograd.GROUP`


def view_order(seed: int, epochs: int, available: int | None) -> list[int]:
    """Draw the augmented view of each epoch.

    Args:
        seed: Decides the order.
        epochs: Number of epochs.
        available: Number of views, which are cycled, each cycle in a new order; None for a new view every epoch.

    Returns:
        View numbers from 0, one per epoch.
    """
    count = available or epochs
    generator = np.random.default_rng([seed, 0x76696577])
    cycles = -(-epochs // count)
    return [int(v) for _ in range(cycles) for v in generator.permutation(count)][:epochs]


@dataclass(frozen=True)
class _View:
    """View `number` of images under `augmentation`; None for the unchanged images."""

    number: int
    augmentation: Augmentation | None


@dataclass(frozen=True)
class _LastRead:
    """The features that were read last. The next batch most likely needs them again."""

    images: LabelledImages
    view: _View
    prefix_end: str
    rows: Rows


class Network:
    """A builder's model behind its preprocessing, split behind the last frozen layer.

    Attributes:
        model: The builder's model.
        front: The preprocessing, from grey levels to the input of `model`.
        tail: The part that trains: everything behind `prefix_end`, or the whole network from the pixels.
        prefix_end: The name of the last frozen layer; None without a frozen prefix.
        method: The method that computes the frozen layers; None without any.
        feature_seconds: Seconds spent so far on reading and computing features.
        features_needed: Number of features that were needed so far; each counts once, for an image, a view and a layer.
        features_computed: Number of those that the bank did not have.
    """

    def __init__(
        self,
        model: keras.Model,
        pixel_shape: tuple[int, int, int],
        recipe: Recipe | ProbeRecipe,
        *,
        view_seed: int,
        bank: Bank,
        methods: AllowedMethods = FILTERED,
        also_store: Sequence[str] = (),
        on_progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Split `model` behind its frozen layers.

        Args:
            model: The builder's model.
            pixel_shape: (h, w, 1 or 3) of the images.
            recipe: The preprocessing and the augmentation.
            view_seed: Decides the augmented views.
            bank: The storage of features.
            methods: The methods that may compute the frozen layers.
            also_store: Layers whose features are stored on the way to `prefix_end`, because another phase or card needs
                them.
            on_progress: Called with a label after each chunk of features.
        """
        self.model = model
        self.front = preprocessing_model(pixel_shape, recipe.preprocessing)
        self._recipe = recipe
        self._view_seed = view_seed
        self._bank = bank
        self._also_store = also_store
        self._on_progress = on_progress
        self._digests = layer_digests(model, frozen_layers(model))
        self.method: ChosenMethod | None = choose_method(model, list(self._digests), methods) if self._digests else None
        self.feature_seconds = 0.0
        self.features_needed = 0
        self.features_computed = 0
        self._counted: set[tuple[str, str]] = set()
        self._last: _LastRead | None = None
        self._segments: dict[tuple[str | None, str], Compute] = {}
        self.prefix_end: str | None = None
        self.tail: keras.Model = model
        self.update_prefix()

    def update_prefix(self) -> None:
        """Determine `prefix_end` and `tail` again. Call it after changing which layers are trainable."""
        frozen = frozen_layers(self.model)
        self.prefix_end = frozen[-1] if frozen else None
        low = self.method is not None and self.method.method == "bfloat16"
        set_precision(self.model, frozen, "bfloat16" if low else "float32")
        self._segments = {}
        self.tail = segment(self.model, self.prefix_end, None) if frozen else join(self.front, self.model, "whole")

    def replace_last(self, layer: keras.layers.Layer) -> None:
        """Replace the last layer of the network by `layer`, which gets the same features."""
        last = self.model.layers[-1]
        self.model = keras.Model(self.model.inputs, layer(last.input), name=self.model.name)
        self.update_prefix()

    def full_model(self, name: str) -> keras.Model:
        """Build one ordinary model that shares the weights.

        Args:
            name: The name of the model.

        Returns:
            The model from grey levels (n, h, w, c) to probabilities (n, outputs).
        """
        if self.prefix_end is None:
            return join(self.front, self.model, name)
        pixels = self.front.inputs
        features = segment(self.model, None, self.prefix_end)(self.front.outputs[0])
        return keras.Model(pixels, segment(self.model, self.prefix_end, None)(features), name=name)

    def batch(self, images: LabelledImages, view: int, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the inputs of `tail` for a batch.

        Args:
            images: The images of a split.
            view: The number of the augmented view, from 0.
            indices: The images of the batch, shape (k,).

        Returns:
            Pixels or features, float32, shape (k, ...).
        """
        return self._read(images, _View(view, self._recipe.augmentation), indices)

    def unaugmented(self, images: LabelledImages) -> npt.NDArray[np.float32]:
        """Return the inputs of `tail` for all images without augmentation.

        Args:
            images: The images of a split.

        Returns:
            Pixels or features, float32, shape (n, ...).
        """
        return self._read(images, _View(0, None), np.arange(len(images)))

    def _read(self, images: LabelledImages, view: _View, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        if view.augmentation is None:
            view = _View(0, None)
        if self.prefix_end is None:
            return self._pixels(images, view, indices)
        last = self._last
        if last is None or last.images is not images or (last.view, last.prefix_end) != (view, self.prefix_end):
            self._bank.unmap()
            start = time.perf_counter()
            last = self._last = _LastRead(images, view, self.prefix_end, self._features(images, view, self.prefix_end))
            self.feature_seconds += time.perf_counter() - start
        return np.asarray(last.rows.take(indices), dtype=np.float32)

    def _pixels(self, images: LabelledImages, view: _View, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        digests = [images.digests[i] for i in indices]
        return augmented_view(images.pixels[indices], digests, view.augmentation, view.number, self._view_seed)

    def _features(self, images: LabelledImages, view: _View, prefix_end: str) -> Rows:
        """Read the features of every image at layer `prefix_end` from the bank; compute and store missing ones."""
        keys = _keys(images, view)
        namespace = self._namespace(view, prefix_end)
        rows = self._bank.rows(namespace, keys)
        if (namespace, images.split) not in self._counted:
            self._counted.add((namespace, images.split))
            self.features_needed += len(set(keys))
        if rows is not None:
            return rows
        with self._bank.lock(namespace):
            stored = self._bank.find(namespace, keys)
            missing = {key: index for index, key in enumerate(keys) if key not in stored}
            computed = self._compute(images, view, prefix_end, missing)
            self.features_computed += len(computed)
            rows = self._bank.rows(namespace, keys)
        if rows is None:  # they do not fit into the bank
            if len(computed) < len(set(keys)):
                computed = self._compute(images, view, prefix_end, {key: index for index, key in enumerate(keys)})
            rows = _in_memory([computed[key] for key in keys])
        return rows

    def _compute(
        self, images: LabelledImages, view: _View, prefix_end: str, missing: dict[str, int]
    ) -> dict[str, npt.NDArray[Any]]:
        """Compute features at `prefix_end` of the `missing` images, each from the deepest earlier layer in the bank."""
        computed: dict[str, npt.NDArray[Any]] = {}
        total = len(missing)
        layers = list(self._digests)
        shallower = layers[: layers.index(prefix_end)]
        for start in (*reversed(shallower), None):
            available: Container[str] = missing
            if start is not None:
                available = self._bank.find(self._namespace(view, start), list(missing))
            todo = [key for key in missing if key in available]
            stops = [name for name in shallower if name in self._also_store] if start is None else []
            for first in range(0, len(todo), _CHUNK):
                chunk = todo[first : first + _CHUNK]
                if start is None:
                    values = self._pixels(images, view, np.array([missing[key] for key in chunk]))
                else:
                    rows = self._bank.rows(self._namespace(view, start), chunk)
                    if rows is None:  # another process removed them: earlier layers or the pixels remain
                        break
                    values = rows.take(np.arange(len(chunk)))
                at = start
                for stop in (*stops, prefix_end):
                    values = self._segment(at, stop)(values)
                    self._bank.write(self._namespace(view, stop), chunk, values)
                    at = stop
                computed |= dict(zip(chunk, values, strict=True))
                source = f"view {view.number}" if view.augmentation is not None else images.split
                self._on_progress(f"features of {source} {len(computed)}/{total}")
            missing = {key: index for key, index in missing.items() if key not in computed}
        return computed

    def _segment(self, start: str | None, stop: str) -> Compute:
        if (start, stop) not in self._segments:
            filtered = self.method.filtered if self.method is not None else ()
            self._segments[start, stop] = prefix(self.front, self.model, start, stop, filtered)
        return self._segments[start, stop]

    def _namespace(self, view: _View, prefix_end: str) -> str:
        facts = {  # changing a key would discard every stored feature
            "view": view.number,
            "augmentation": None if view.augmentation is None else view.augmentation.model_dump(mode="json"),
            "view_seed": None if view.augmentation is None else self._view_seed,
            "preprocessing": self._recipe.preprocessing,
            "pixels": self.front.input_shape,
            "network": self._digests[prefix_end],
            "cut": prefix_end,
            "versions": backend.versions() | {"numpy": np.__version__},
            "way": None if self.method is None else [self.method.method, *self.method.filtered],
            "filtering": FILTERING,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _keys(images: LabelledImages, view: _View) -> list[str]:
    """Return one key per image: the digest of its pixels.

    The stored digest of the image decides its augmented views, so it is part of the key with augmentation.
    """
    keys = []
    for pixels, digest in zip(images.pixels, images.digests, strict=True):
        content = hashlib.blake2b(np.ascontiguousarray(pixels).tobytes(), digest_size=16)
        if view.augmentation is not None:
            content.update(digest.encode())
        keys.append(content.hexdigest())
    return keys


def _in_memory(values: Sequence[npt.NDArray[Any]]) -> Rows:
    index = np.stack([np.zeros(len(values), np.int64), np.arange(len(values))], axis=1)
    return Rows((np.stack(values),), index)
