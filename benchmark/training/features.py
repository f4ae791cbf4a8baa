"""What the trained part of a network reads: features of augmented views behind a frozen prefix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmark.data.prepared import LabelledImages
from benchmark.training.network import BATCH, Floats, Parts, run_batched
from benchmark.training.views import views
from zoo.card import Augmentation

_KEEP_BYTES = 2 * 1024**3


def view_order(seed: int, epochs: int, available: int | None) -> list[int]:
    """Which augmented view each of `epochs` epochs sees, in an order drawn by `seed`.

    `available` views are cycled, each cycle in a new order; None makes a fresh one for every epoch.
    """
    count = available or epochs
    generator = np.random.default_rng([seed, 0x76696577])
    cycles = -(-epochs // count)
    return [int(v) for _ in range(cycles) for v in generator.permutation(count)][:epochs]


class ViewFeatures:
    """Features of the views of one training set.

    Behind a frozen prefix a view is computed once, for all images. `planned` are the view numbers in the order in
    which they will be asked for: those that come again are kept as long as they fit a fixed memory budget. Without
    a frozen prefix, features are preprocessed pixels, made batch by batch.
    """

    def __init__(
        self,
        parts: Parts,
        images: LabelledImages,
        augmentation: Augmentation | None,
        view_seed: int,
        batch_size: int,
        planned: Sequence[int],
    ) -> None:
        self._parts = parts
        self._images = images
        self._augmentation = augmentation
        self._view_seed = view_seed
        self._batch_size = batch_size
        self._again = {view for view, times in Counter(planned).items() if times > 1}
        self._kept: dict[int, Floats] = {}

    def batch(self, view: int, indices: npt.NDArray[np.int64]) -> Floats:
        """Features (len(indices), ...) of view number `view` of the images at `indices`."""
        if not self._parts.frozen:
            return run_batched(self._parts.prefix, self._pixels(view, indices), self._batch_size)
        view = 0 if self._augmentation is None else view
        if view not in self._kept:
            if self._augmentation is not None:
                self._kept = {number: held for number, held in self._kept.items() if number in self._again}
            everything = self._whole_view(view)
            while self._kept and everything.nbytes * (len(self._kept) + 1) > _KEEP_BYTES:
                del self._kept[next(iter(self._kept))]
            self._kept[view] = everything
        return self._kept[view][indices]

    def _whole_view(self, view: int) -> Floats:
        parts = []
        for start in range(0, len(self._images), BATCH):
            indices = np.arange(start, min(start + BATCH, len(self._images)))
            parts.append(run_batched(self._parts.prefix, self._pixels(view, indices)))
        return np.concatenate(parts)

    def _pixels(self, view: int, indices: npt.NDArray[np.int64]) -> Floats:
        keys = [self._images.digests[i] for i in indices]
        return views(self._images.pixels[indices], keys, self._augmentation, view, self._view_seed)
