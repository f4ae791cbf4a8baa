"""Chooses and presents test images of a run: right, wrong, most certain wrong, nearest to the threshold.

The choice depends on the stored test scores alone, so the same run always has the same gallery. Three or more classes
have `reports.gallery.multiclass`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from benchmark.data.dataset import Pixels
from benchmark.evidence.calibration.calibrators import Calibrator
from benchmark.evidence.diagnosis.multiclass_subgroups import MulticlassSubgroups
from benchmark.evidence.diagnosis.saliency import Inside, Sanity
from benchmark.evidence.diagnosis.subgroups import Subgroups, certainty
from benchmark.evidence.metrics.influence import Cut
from benchmark.evidence.scores import Scores
from benchmark.runs.run import Run
from reports.gallery.decided import decided_at, on_scale, thresholds_on_scale
from reports.gallery.tiles import data_uri, empty_map, is_even, large_tile, map_alt, overlay, small_tile
from reports.results.scale import AS_SCORED, Scale, probability_text, scale_of, short_name

PER_GROUP = 4
PER_SUBGROUP = 3
_TITLES = {
    "correct": ("Right", "Right decisions of each class, spread evenly from the least to the most certain."),
    "wrong": ("Wrong", "Wrong decisions of each class, spread evenly from the least to the most certain."),
    "certain": ("Most certain wrong", "Wrong decisions whose score is farthest from the threshold."),
    "nearest": ("Nearest to the threshold", "Images whose score is nearest to the threshold."),
}


@dataclass(frozen=True)
class Tile:
    """One test image.

    Attributes:
        image: The image as WebP.
        overlay: The image with its map as WebP; None for the reason `overlay_reason`.
        caption: The line below the image.
        alt: Alternative text of the image; `overlay_alt` is that of the overlay.
        inside: Share of the map inside the known region, in [0, 1].
        area: Share of the image that the known region covers, in [0, 1].
        even: Whether the map is at least half of its largest value everywhere, so that it highlights nothing.
        abstained: Whether the image was left without a decision.
        brief: A short line below a small tile of three or more classes.
        true_overlay: The image with its map for the true class, if another of three or more classes was predicted.
    """

    name: str
    real: str
    predicted: str
    probability: float
    right: bool
    caption: str
    alt: str
    image: bytes
    overlay: bytes | None = None
    overlay_alt: str = ""
    overlay_reason: str | None = None
    inside: float | None = None
    area: float | None = None
    even: bool = False
    abstained: bool = False
    brief: str | None = None
    true_overlay: bytes | None = None
    true_overlay_alt: str = ""
    true_overlay_reason: str | None = None

    @property
    def verdict(self) -> str:
        """Whether the decision was `right` or `wrong`, or `undecided`."""
        return "undecided" if self.abstained else "right" if self.right else "wrong"

    @property
    def image_uri(self) -> str:
        """The image as a data URI."""
        return data_uri(self.image)

    @property
    def overlay_uri(self) -> str | None:
        """The image with its map as a data URI."""
        return None if self.overlay is None else data_uri(self.overlay)

    @property
    def true_overlay_uri(self) -> str | None:
        """The image with its map for the true class as a data URI."""
        return None if self.true_overlay is None else data_uri(self.true_overlay)


@dataclass(frozen=True)
class TileGroup:
    """Tiles of one kind; without tiles, `reason` says why."""

    key: str
    title: str
    about: str
    tiles: tuple[Tile, ...]
    reason: str | None = None

    def named(self) -> Iterator[tuple[str, Tile]]:
        """The tiles with the prefix of their file names, such as `correct-1`."""
        for number, tile in enumerate(self.tiles, start=1):
            yield f"{self.key}-{number}", tile


@dataclass(frozen=True)
class Gallery:
    """The test images that illustrate a run.

    Attributes:
        threshold: The score from which an image is predicted positive; None for three or more classes, and where each
            fold of a cross-validation has its own.
        decided: Where the threshold comes from, or the decision rule of three or more classes.
        scale: What the values in captions are.
        layer: The layer that Grad-CAM explains; None for the reason `maps_reason`.
        region: A region that is known in these images, such as the lungs; `inside` compares the maps with it.
        failures: The most certain wrong images of each of `subgroups.groups`, in the same order.
        notes: Remarks for the reader.
    """

    run_id: str
    card: str
    seed: int
    data: str
    synthetic: bool
    classes: tuple[str, ...]
    threshold: float | None
    decided: str
    groups: tuple[TileGroup, ...]
    layer: str | None = None
    maps_reason: str | None = None
    sanity: Sanity | None = None
    region: str | None = None
    inside: Inside | None = None
    subgroups: Subgroups | MulticlassSubgroups | None = None
    failures: tuple[tuple[Tile, ...], ...] = ()
    notes: tuple[str, ...] = ()
    scale: Scale = AS_SCORED

    @property
    def folder(self) -> str:
        """The end of the name of its picture folder: `CARD-SEED`."""
        return f"{self.card}-{self.seed}"


@dataclass(frozen=True)
class ImageSelection:
    """The test images of a gallery, as indices of the scores: `groups` by key, and `failures` by subgroup."""

    groups: Mapping[str, tuple[int, ...]]
    failures: tuple[tuple[int, ...], ...] = ()

    @property
    def explained(self) -> tuple[int, ...]:
        """The images that get a map, each once."""
        return tuple(place for group in self.groups.values() for place in group)

    @property
    def places(self) -> tuple[int, ...]:
        """All images, each once; those of `explained` come first."""
        return tuple(dict.fromkeys((*self.explained, *(place for group in self.failures for place in group))))


@dataclass(frozen=True, eq=False)
class SaliencyMaps:
    """Grad-CAM maps of the explained images.

    Attributes:
        layer: The layer that the maps explain.
        maps: Shape (n, h, w) in [0, 1], in the order of `ImageSelection.explained`.
        sanity: The result of the sanity check.
        region: A region that is known in these images, such as the lungs.
        inside: How much of the maps lies inside it.
        areas: Share of each image that the region covers, in [0, 1].
        of_true: Maps (h, w) for the true class of images that were predicted as another class, by index of `maps`.
    """

    layer: str
    maps: npt.NDArray[np.float32]
    sanity: Sanity
    region: str | None = None
    inside: Inside | None = None
    areas: tuple[float, ...] = ()
    of_true: Mapping[int, npt.NDArray[np.float32]] = field(default_factory=dict)


def select_images(
    scores: Scores,
    threshold: Cut,
    names: Sequence[str],
    subgroups: Subgroups | None = None,
    per_group: int = PER_GROUP,
    per_subgroup: int = PER_SUBGROUP,
) -> ImageSelection:
    """Choose the images of a gallery: the most certain wrong, then the nearest to the threshold, then others.

    Args:
        scores: Test scores.
        threshold: The score from which an image is predicted positive; one for all images, or one per image (n,).
        names: Image names in the order of the scores; they order equal scores.
        subgroups: Subgroups of the test images.
        per_group: Images of each kind, at most.
        per_subgroup: Failures of each subgroup, at most.

    Returns:
        The images; no image is in two groups.
    """
    distance = certainty(scores, threshold)
    name_rank = np.argsort(np.argsort(np.asarray(names)))
    right = (scores.y_score >= threshold) == (scores.y_true == 1)
    unused = np.ones(len(scores), bool)

    def take(order: npt.NDArray[np.integer]) -> tuple[int, ...]:
        unused[order[:per_group]] = False
        return tuple(order[:per_group].tolist())

    def ranked(indices: npt.NDArray[np.integer], key: npt.NDArray[np.float64]) -> npt.NDArray[np.integer]:
        return indices[np.lexsort((name_rank[indices], key[indices]))]

    certain = take(ranked(np.flatnonzero(~right), -distance))
    nearest = take(ranked(np.flatnonzero(unused), np.abs(scores.y_score - threshold)))
    spread = {
        key: take(
            _of_both(
                scores,
                [ranked(np.flatnonzero(unused & kind & (scores.y_true == c)), distance) for c in (1, 0)],
                per_group,
            )
        )
        for key, kind in (("wrong", ~right), ("correct", right))
    }
    groups = {"correct": spread["correct"], "wrong": spread["wrong"], "certain": certain, "nearest": nearest}
    worst = () if subgroups is None else tuple(group.failures[:per_subgroup] for group in subgroups.groups)
    return ImageSelection(groups, worst)


def build_gallery(
    run: Run,
    scores: Scores,
    names: Sequence[str],
    selection: ImageSelection,
    pixels: Pixels,
    *,
    heat: SaliencyMaps | None = None,
    maps_reason: str | None = None,
    subgroups: Subgroups | None = None,
    notes: Sequence[str] = (),
    calibrators: Sequence[Calibrator] = (),
) -> Gallery:
    """Build the gallery of `run`.

    Args:
        run: A finished run.
        scores: Its test scores.
        names: Image names in the order of the scores.
        selection: The images to present.
        pixels: uint8 (n, h, w, channels), the images of `selection.places`.
        heat: Their Grad-CAM maps, if any.
        maps_reason: Why there are no maps.
        subgroups: Subgroups of the test images.
        notes: Remarks for the reader.
        calibrators: The calibrator of its scores, fitted on validation, or that of each fold of a cross-validation;
            none leaves them as they are.

    Returns:
        The gallery.
    """
    cut, decided = decided_at(run, scores)
    scale = scale_of(*calibrators)
    decided += f"; {thresholds_on_scale(cut, scores, calibrators)}" if scale.calibrated else ""
    thresholds = np.broadcast_to(cut, len(scores))
    classes = run.spec.dataset.classes
    row_of = {index: row for row, index in enumerate(selection.places)}

    def tile(index: int, large: bool) -> Tile:
        row = row_of[index]
        score, threshold = float(scores.y_score[index]), float(thresholds[index])
        fold = 0 if scores.fold is None else int(scores.fold[index])
        real, predicted = classes[scores.y_true[index]], classes[int(score >= threshold)]
        value = (scale, on_scale(score, calibrators, fold), on_scale(threshold, calibrators, fold))
        plain = _tile(names[index], real, predicted, value, classes, pixels[row], large)
        return with_map(plain, heat, row, pixels[row]) if large and heat is not None else plain

    groups = []
    for key, indices in selection.groups.items():
        title, about = _TITLES[key]
        tiles = tuple(tile(index, True) for index in indices)
        groups.append(TileGroup(key, title, about, tiles, None if tiles else _empty(key)))
    return Gallery(
        run_id=run.run_id,
        card=run.spec.card.name,
        seed=run.spec.seed,
        data=run.spec.dataset.title,
        synthetic=run.spec.dataset.synthetic,
        classes=classes,
        threshold=cut if isinstance(cut, float) else None,
        decided=decided,
        groups=tuple(groups),
        layer=None if heat is None else heat.layer,
        maps_reason=maps_reason if heat is None else None,
        sanity=None if heat is None else heat.sanity,
        region=None if heat is None else heat.region,
        inside=None if heat is None else heat.inside,
        subgroups=subgroups,
        failures=tuple(tuple(tile(index, False) for index in group) for group in selection.failures),
        notes=tuple(notes),
        scale=scale,
    )


def _of_both(scores: Scores, ranked: Sequence[npt.NDArray[np.integer]], count: int) -> npt.NDArray[np.integer]:
    """`count` indices, half of each class if there are enough, spread evenly over each ranking."""
    first, second = ranked
    half = min(len(second), max(count // 2, count - len(first)))
    chosen = [evenly(first, count - half), evenly(second, half)]
    return np.concatenate(chosen).astype(np.int64)


def evenly(ranking: npt.NDArray[np.integer], count: int) -> npt.NDArray[np.integer]:
    """`count` entries of `ranking`: the middles of as many equal parts."""
    count = min(count, len(ranking))
    middles = ((np.arange(count) + 0.5) / max(count, 1) * len(ranking)).astype(int)
    chosen: npt.NDArray[np.integer] = ranking[middles]
    return chosen


def _empty(key: str) -> str:
    return {
        "correct": "no decision was right, or all right ones are among the nearest to the threshold",
        "wrong": "there are no other wrong decisions",
        "certain": "no decision was wrong",
        "nearest": "all images are among the wrong ones",
    }[key]


def _tile(
    name: str,
    real: str,
    predicted: str,
    value: tuple[Scale, float, float],
    classes: tuple[str, ...],
    pixels: npt.NDArray[np.uint8],
    large: bool,
) -> Tile:
    """The tile of an image; `value` is the scale of captions, and score and threshold on it."""
    scale, score, threshold = value
    text = probability_text(score, threshold)
    right = real == predicted
    decision = f"{'rightly' if right else 'wrongly'} called {predicted}"
    return Tile(
        name=name,
        real=real,
        predicted=predicted,
        probability=score,
        right=right,
        caption=f"Real: {real}  Pred: {predicted}  {scale.head}({short_name(classes)}): {text}",
        alt=f"Test image {name}: {real}, {decision} with {scale.noun} {text} of {classes[1]}.",
        image=large_tile(pixels) if large else small_tile(pixels),
    )


def with_map(
    tile: Tile, heat: SaliencyMaps, index: int, pixels: npt.NDArray[np.uint8], of_class: str | None = None
) -> Tile:
    """Add the map of an image to its tile, or the reason why it is empty.

    Args:
        tile: The tile.
        heat: The maps.
        index: The index of the image in `heat`.
        pixels: The image, uint8 (h, w, channels).
        of_class: The class that the map explains; None for the predicted one.

    Returns:
        The tile with its map.
    """
    heatmap, explained = heat.maps[index], of_class or tile.predicted
    if not heatmap.any():
        return replace(tile, overlay_reason=empty_map(heat.layer, explained))
    share = None if heat.inside is None else heat.inside.per_image[index]
    within = "" if share is None else f" {share:.0%} of it lies inside the {heat.region}."
    return replace(
        tile,
        overlay=overlay(pixels, heatmap),
        overlay_alt=map_alt(tile.name, explained, heatmap) + within,
        even=is_even(heatmap),
        inside=share,
        area=heat.areas[index] if heat.areas else None,
    )
