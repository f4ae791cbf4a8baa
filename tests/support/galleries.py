"""Galleries, and what they are made of."""

from __future__ import annotations

from functools import cache

import numpy as np

from benchmark.evidence.diagnosis.saliency import inside, sanity
from benchmark.evidence.diagnosis.subgroups import Grouping, subgroups
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.run import Run
from reports.gallery.decided import decided_at
from reports.gallery.gallery import Gallery, ImageSelection, SaliencyMaps, build_gallery, select_images
from tests.support.records import PHANTOM, make_run, on_test, planted

HOSTILE = 'test/<script>alert("1")</script> $x_1$ |*[a](b)é' + "n" * 280 + ".png"
SCORES = on_test(*planted(40, 40, shift=1.5, seed=4))
NAMES = tuple(f"test/{n:03d}.png" for n in range(80))


def run_at(threshold: float | None = 0.5) -> Run:
    reason = None if threshold is not None else "constant scores"
    return make_run(test=SCORES, dataset=PHANTOM, threshold=Threshold(threshold, "youden", reason), at_chosen={})


def pictures(count: int, side: int = 40, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (count, side, side, channels)).astype(np.uint8)


def heat_of(selection: ImageSelection, empty: int | None = None, stays: bool = False) -> SaliencyMaps:
    count = len(selection.explained)
    maps = np.zeros((count, 40, 40), np.float32)
    maps[:, 25:, :10] = 1
    if empty is not None:
        maps[empty] = 0
    coarse = np.random.default_rng(1).random((count, 6, 6)).astype(np.float32)
    other = coarse if stays else coarse[::-1]
    region = np.zeros(maps.shape, bool)
    region[:, :, :20] = True
    found = inside(maps, region)
    return SaliencyMaps("conv3", maps, sanity(coarse, other[None], other[None]), "lungs", found, (0.5,) * count)


@cache
def made(
    names: tuple[str, ...] = NAMES, *, with_maps: bool = True, threshold: float | None = 0.5, **more: object
) -> Gallery:
    run = run_at(threshold)
    at = decided_at(run, SCORES)[0]
    labels = Grouping("names", ("a",) * 40 + ("b",) * 40, ("a", "b"))
    groups = subgroups(SCORES, at, [labels, Grouping("size", None, reason="size is not known")])
    selection = select_images(SCORES, at, names, groups)
    heat = heat_of(selection, **more) if with_maps else None  # type: ignore[arg-type]
    pixels = pictures(len(selection.places))
    why = None if with_maps else "the model was not kept"
    return build_gallery(run, SCORES, names, selection, pixels, heat=heat, maps_reason=why, subgroups=groups)
