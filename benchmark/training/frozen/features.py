"""What the trained part of a network reads: pixels of augmented views, or their features behind a frozen prefix.

Behind a frozen prefix every (image, view) is computed once and kept in the bank, where every epoch, phase, run and card
finds it that asks for the same pixels, view, preprocessing, weights, cut and precision.
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
from benchmark.training.frozen.methods import FILTERED, Ways
from benchmark.training.frozen.prefix import Compute, Taken, prefix, take
from benchmark.training.frozen.winograd import VERSION as FILTERING
from benchmark.training.network import (
    BATCH,
    entry,
    frozen_layers,
    join,
    layer_digests,
    segment,
    set_precision,
)
from zoo.models.card import Augmentation, Recipe

_CHUNK = 3 * BATCH  # whole batches, and whole groups of `winograd.GROUP`


def view_order(seed: int, epochs: int, available: int | None) -> list[int]:
    """Which augmented view each of `epochs` epochs sees, in an order drawn by `seed`.

    `available` views are cycled, each cycle in a new order; None makes a new one for every epoch.
    """
    count = available or epochs
    generator = np.random.default_rng([seed, 0x76696577])
    cycles = -(-epochs // count)
    return [int(v) for _ in range(cycles) for v in generator.permutation(count)][:epochs]


@dataclass(frozen=True)
class _View:
    """View `number` of images under `augmentation`; None is the images as they are."""

    number: int
    augmentation: Augmentation | None


@dataclass(frozen=True)
class _Shown:
    """The features last asked for; the next batch is most likely one of theirs."""

    images: LabelledImages
    view: _View
    cut: str
    rows: Rows


class Network:
    """A builder's model behind its preprocessing, cut where training begins.

    `tail` is the part from the cut on, which trains; without a frozen prefix it begins at the pixels. `cut` names the
    layer of the cut, None without a prefix. Call `recut` after changing which layers are trainable. `wanted` are
    layers whose features are worth keeping on the way to a deeper cut, since another phase or card begins there.
    `taken` is which of `ways` computes the frozen layers, None where there are none; `seconds_of_features` is the time
    spent on reading and computing them.
    """

    def __init__(
        self,
        model: keras.Model,
        pixel_shape: tuple[int, int, int],
        recipe: Recipe,
        *,
        view_seed: int,
        bank: Bank,
        ways: Ways = FILTERED,
        wanted: Sequence[str] = (),
        on_fill: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.model = model
        self._front = entry(pixel_shape, recipe.preprocessing)
        self._recipe = recipe
        self._view_seed = view_seed
        self._bank = bank
        self._wanted = wanted
        self._on_fill = on_fill
        self._digests = layer_digests(model, frozen_layers(model))
        self.taken: Taken | None = take(model, list(self._digests), ways) if self._digests else None
        self.seconds_of_features = 0.0
        self._shown: _Shown | None = None
        self._segments: dict[tuple[str | None, str], Compute] = {}
        self.cut: str | None = None
        self.tail: keras.Model = model
        self.recut()

    def recut(self) -> None:
        """Find the cut anew: behind the last of the leading layers that training leaves alone."""
        frozen = frozen_layers(self.model)
        self.cut = frozen[-1] if frozen else None
        low = self.taken is not None and self.taken.way == "bfloat16"
        set_precision(self.model, frozen, "bfloat16" if low else "float32")
        self._segments = {}
        self.tail = segment(self.model, self.cut, None) if frozen else join(self._front, self.model, "whole")

    def whole(self, name: str) -> keras.Model:
        """One ordinary model from grey levels (n, h, w, c) to probabilities (n, 1)."""
        if self.cut is None:
            return join(self._front, self.model, name)
        pixels = self._front.inputs
        features = segment(self.model, None, self.cut)(self._front.outputs[0])
        return keras.Model(pixels, segment(self.model, self.cut, None)(features), name=name)

    def batch(self, images: LabelledImages, view: int, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """What the tail reads of augmented view `view` of the images at `indices`: (len(indices), ...)."""
        return self._read(images, _View(view, self._recipe.augmentation), indices)

    def plain(self, images: LabelledImages) -> npt.NDArray[np.float32]:
        """What the tail reads of all `images` without augmentation."""
        return self._read(images, _View(0, None), np.arange(len(images)))

    def _read(self, images: LabelledImages, view: _View, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        if view.augmentation is None:
            view = _View(0, None)
        if self.cut is None:
            return self._pixels(images, view, indices)
        shown = self._shown
        if shown is None or shown.images is not images or (shown.view, shown.cut) != (view, self.cut):
            self._bank.forget()
            start = time.perf_counter()
            shown = self._shown = _Shown(images, view, self.cut, self._features(images, view, self.cut))
            self.seconds_of_features += time.perf_counter() - start
        return np.asarray(shown.rows.take(indices), dtype=np.float32)

    def _pixels(self, images: LabelledImages, view: _View, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        digests = [images.digests[i] for i in indices]
        return augmented_view(images.pixels[indices], digests, view.augmentation, view.number, self._view_seed)

    def _features(self, images: LabelledImages, view: _View, cut: str) -> Rows:
        """Features of every image at `cut`, from the bank; what it lacks is computed and put there."""
        keys = _keys(images, view)
        shelf = self._shelf(view, cut)
        rows = self._bank.rows(shelf, keys)
        if rows is not None:
            return rows
        with self._bank.filling(shelf):
            held = self._bank.find(shelf, keys)
            missing = {key: index for index, key in enumerate(keys) if key not in held}
            fresh = self._compute(images, view, cut, missing)
            rows = self._bank.rows(shelf, keys)
        if rows is None:  # the bank has no room
            if len(fresh) < len(set(keys)):
                fresh = self._compute(images, view, cut, {key: index for index, key in enumerate(keys)})
            rows = _in_memory([fresh[key] for key in keys])
        return rows

    def _compute(
        self, images: LabelledImages, view: _View, cut: str, missing: dict[str, int]
    ) -> dict[str, npt.NDArray[Any]]:
        """Features at `cut` of the images in `missing`, each from the nearest shallower cut that the bank holds."""
        fresh: dict[str, npt.NDArray[Any]] = {}
        total = len(missing)
        layers = list(self._digests)
        shallower = layers[: layers.index(cut)]
        for start in (*reversed(shallower), None):
            held: Container[str] = missing
            if start is not None:
                held = self._bank.find(self._shelf(view, start), list(missing))
            todo = [key for key in missing if key in held]
            stops = [name for name in shallower if name in self._wanted] if start is None else []
            for first in range(0, len(todo), _CHUNK):
                chunk = todo[first : first + _CHUNK]
                if start is None:
                    values = self._pixels(images, view, np.array([missing[key] for key in chunk]))
                else:
                    found = self._bank.rows(self._shelf(view, start), chunk)
                    if found is None:  # gone in the meantime; what is left is computed from the pixels
                        break
                    values = found.take(np.arange(len(chunk)))
                at = start
                for stop in (*stops, cut):
                    values = self._segment(at, stop)(values)
                    self._bank.write(self._shelf(view, stop), chunk, values)
                    at = stop
                fresh |= dict(zip(chunk, values, strict=True))
                what = f"view {view.number}" if view.augmentation is not None else images.split
                self._on_fill(f"features of {what} {len(fresh)}/{total}")
            missing = {key: index for key, index in missing.items() if key not in fresh}
        return fresh

    def _segment(self, start: str | None, stop: str) -> Compute:
        if (start, stop) not in self._segments:
            filtered = self.taken.filtered if self.taken is not None else ()
            self._segments[start, stop] = prefix(self._front, self.model, start, stop, filtered)
        return self._segments[start, stop]

    def _shelf(self, view: _View, cut: str) -> str:
        facts = {
            "view": view.number,
            "augmentation": None if view.augmentation is None else view.augmentation.model_dump(mode="json"),
            "view_seed": None if view.augmentation is None else self._view_seed,
            "preprocessing": self._recipe.preprocessing,
            "pixels": self._front.input_shape,
            "network": self._digests[cut],
            "cut": cut,
            "versions": backend.versions() | {"numpy": np.__version__},
            "way": None if self.taken is None else [self.taken.way, *self.taken.filtered],
            "filtering": FILTERING,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _keys(images: LabelledImages, view: _View) -> list[str]:
    """A key for each image: its pixels and, since its digest seeds its augmented views, that too."""
    keys = []
    for pixels, digest in zip(images.pixels, images.digests, strict=True):
        content = hashlib.blake2b(np.ascontiguousarray(pixels).tobytes(), digest_size=16)
        if view.augmentation is not None:
            content.update(digest.encode())
        keys.append(content.hexdigest())
    return keys


def _in_memory(values: Sequence[npt.NDArray[Any]]) -> Rows:
    places = np.stack([np.zeros(len(values), np.int64), np.arange(len(values))], axis=1)
    return Rows((np.stack(values),), places)
