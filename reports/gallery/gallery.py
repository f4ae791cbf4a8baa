"""The images behind a run's figures: right, wrong, most certain wrong and nearest to the threshold, with the place
that decided. What to show is chosen from the stored test scores alone, so that the same run shows the same images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from benchmark.data.dataset import Pixels
from benchmark.evidence.diagnosis.saliency import Inside, Sanity
from benchmark.evidence.diagnosis.subgroups import Subgroups, certainty
from benchmark.evidence.scores import Scores
from benchmark.runs.run import Run
from reports.gallery.tiles import CONTOUR, data_uri, overlay, shown, small, where_strongest

PER_GROUP = 4
PER_SUBGROUP = 3
_TITLES = {
    "correct": ("Right", "Right decisions of each class, spread evenly from the least to the most certain."),
    "wrong": ("Wrong", "Wrong decisions of each class, spread evenly from the least to the most certain."),
    "certain": ("Most certain wrong", "Wrong decisions whose probability is farthest from the threshold."),
    "nearest": ("Nearest to the threshold", "Images whose probability is nearest to the threshold."),
}


@dataclass(frozen=True)
class Tile:
    """One test image. `image` and `overlay`, the same under its map, are WebP; `overlay` is None with
    `overlay_reason`. `caption` is the report's own line, `alt` and `overlay_alt` say what the pictures show.
    `inside` is the share of the map in the known region, `area` that of a uniform one, where it is known. `even` is
    whether the map is at least half of its largest value everywhere, so that it points at no place."""

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

    @property
    def verdict(self) -> str:
        """The word `right` or `wrong`."""
        return "right" if self.right else "wrong"

    @property
    def image_uri(self) -> str:
        """The image as a data URI."""
        return data_uri(self.image)

    @property
    def overlay_uri(self) -> str | None:
        """The image under its map as a data URI."""
        return None if self.overlay is None else data_uri(self.overlay)


@dataclass(frozen=True)
class Group:
    """Tiles of one kind; `reason` says why there is none."""

    key: str
    title: str
    about: str
    tiles: tuple[Tile, ...]
    reason: str | None = None

    def named(self) -> Iterator[tuple[str, Tile]]:
        """The tiles, each with the name that its files begin with, such as `correct-1`."""
        for number, tile in enumerate(self.tiles, start=1):
            yield f"{self.key}-{number}", tile


@dataclass(frozen=True)
class Gallery:
    """What a run shows of its test images, decided at `threshold`, which `decided` puts in words.

    `layer` is the one whose feature maps Grad-CAM weighs, None with `maps_reason`. `inside` is about the `region` that
    is known in these images, such as lungs. `failures` holds the most certain wrong images of each of
    `subgroups.groups`, in their order.
    """

    run_id: str
    card: str
    seed: int
    data: str
    synthetic: bool
    classes: tuple[str, str]
    threshold: float
    decided: str
    groups: tuple[Group, ...]
    layer: str | None = None
    maps_reason: str | None = None
    sanity: Sanity | None = None
    region: str | None = None
    inside: Inside | None = None
    subgroups: Subgroups | None = None
    failures: tuple[tuple[Tile, ...], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """What the folder of its pictures beside a report is named after: `CARD-SEED`."""
        return f"{self.card}-{self.seed}"


@dataclass(frozen=True)
class Picked:
    """Which test images are shown, as places in the scores: `groups` by key, and those of each subgroup."""

    groups: Mapping[str, tuple[int, ...]]
    failures: tuple[tuple[int, ...], ...] = ()

    @property
    def explained(self) -> tuple[int, ...]:
        """The images that get a map, each once."""
        return tuple(place for group in self.groups.values() for place in group)

    @property
    def places(self) -> tuple[int, ...]:
        """All images shown, each once; those of `explained` come first."""
        return tuple(dict.fromkeys((*self.explained, *(place for group in self.failures for place in group))))


@dataclass(frozen=True, eq=False)
class Heat:
    """Maps (n, h, w) in 0..1 of `Picked.explained`, in its order, from the feature maps of `layer`; what is known of
    their worth, and how much lies in a known `region` of the images."""

    layer: str
    maps: npt.NDArray[np.float32]
    sanity: Sanity
    region: str | None = None
    inside: Inside | None = None
    areas: tuple[float, ...] = ()


def decided_at(run: Run) -> tuple[float, str]:
    """The threshold that a gallery of `run` decides at, and where it comes from."""
    chosen = run.threshold
    if chosen is None or chosen.value is None:
        why = f": {chosen.reason}" if chosen is not None and chosen.reason else ""
        return 0.5, f"0.5; none could be chosen on validation{why}"
    return chosen.value, f"{chosen.value:.3g}, chosen on validation by the rule {chosen.rule}"


def pick(
    scores: Scores,
    threshold: float,
    names: Sequence[str],
    subgroups: Subgroups | None = None,
    per_group: int = PER_GROUP,
    per_subgroup: int = PER_SUBGROUP,
) -> Picked:
    """The images to show of `scores` at `threshold`: at most `per_group` of each kind, none in two of them.

    The most certain wrong ones are taken first, then the nearest to the threshold, then others. Equal scores are taken
    in the order of `names`.
    """
    away = certainty(scores, threshold)
    by_name = np.argsort(np.argsort(np.asarray(names)))
    right = (scores.y_score >= threshold) == (scores.y_true == 1)
    left = np.ones(len(scores), bool)

    def take(order: npt.NDArray[np.integer]) -> tuple[int, ...]:
        left[order[:per_group]] = False
        return tuple(order[:per_group].tolist())

    def ranked(places: npt.NDArray[np.integer], key: npt.NDArray[np.float64]) -> npt.NDArray[np.integer]:
        return places[np.lexsort((by_name[places], key[places]))]

    certain = take(ranked(np.flatnonzero(~right), -away))
    nearest = take(ranked(np.flatnonzero(left), np.abs(scores.y_score - threshold)))
    spread = {
        key: take(
            _of_both(
                scores, [ranked(np.flatnonzero(left & kind & (scores.y_true == c)), away) for c in (1, 0)], per_group
            )
        )
        for key, kind in (("wrong", ~right), ("correct", right))
    }
    groups = {"correct": spread["correct"], "wrong": spread["wrong"], "certain": certain, "nearest": nearest}
    worst = () if subgroups is None else tuple(group.failures[:per_subgroup] for group in subgroups.groups)
    return Picked(groups, worst)


def gallery(
    run: Run,
    scores: Scores,
    names: Sequence[str],
    picked: Picked,
    pixels: Pixels,
    *,
    heat: Heat | None = None,
    maps_reason: str | None = None,
    subgroups: Subgroups | None = None,
    notes: Sequence[str] = (),
) -> Gallery:
    """The gallery of `run`, whose test `scores` and image `names` are in one order; `pixels` uint8 (n, h, w, channels)
    are those of `picked.places`. Without `heat`, `maps_reason` says why there are no maps."""
    threshold, decided = decided_at(run)
    classes = run.spec.dataset.classes
    row = {place: index for index, place in enumerate(picked.places)}

    def tile(place: int, with_map: bool) -> Tile:
        index = row[place]
        score = float(scores.y_score[place])
        real, predicted = classes[scores.y_true[place]], classes[int(score >= threshold)]
        plain = _tile(names[place], real, predicted, score, threshold, classes, pixels[index], with_map)
        return _with_map(plain, heat, index, pixels[index]) if with_map and heat is not None else plain

    groups = []
    for key, places in picked.groups.items():
        title, about = _TITLES[key]
        tiles = tuple(tile(place, True) for place in places)
        groups.append(Group(key, title, about, tiles, None if tiles else _empty(key)))
    return Gallery(
        run_id=run.run_id,
        card=run.spec.card.name,
        seed=run.spec.seed,
        data=run.spec.dataset.title,
        synthetic=run.spec.dataset.synthetic,
        classes=classes,
        threshold=threshold,
        decided=decided,
        groups=tuple(groups),
        layer=None if heat is None else heat.layer,
        maps_reason=maps_reason if heat is None else None,
        sanity=None if heat is None else heat.sanity,
        region=None if heat is None else heat.region,
        inside=None if heat is None else heat.inside,
        subgroups=subgroups,
        failures=tuple(tuple(tile(place, False) for place in group) for group in picked.failures),
        notes=tuple(notes),
    )


def _of_both(scores: Scores, ranked: Sequence[npt.NDArray[np.integer]], count: int) -> npt.NDArray[np.integer]:
    """`count` places, half of each class where there are as many, spread evenly over each ranking."""
    first, second = ranked
    half = min(len(second), max(count // 2, count - len(first)))
    chosen = [_evenly(first, count - half), _evenly(second, half)]
    return np.concatenate(chosen).astype(np.int64)


def _evenly(ranking: npt.NDArray[np.integer], count: int) -> npt.NDArray[np.integer]:
    """`count` places of `ranking`, the middles of as many equal parts."""
    count = min(count, len(ranking))
    middles = ((np.arange(count) + 0.5) / max(count, 1) * len(ranking)).astype(int)
    found: npt.NDArray[np.integer] = ranking[middles]
    return found


def _empty(key: str) -> str:
    return {
        "correct": "no test image was decided rightly, or all are shown as nearest to the threshold",
        "wrong": "there are no other wrong decisions",
        "certain": "no test image was decided wrongly",
        "nearest": "all images are shown as wrong",
    }[key]


def _tile(
    name: str,
    real: str,
    predicted: str,
    score: float,
    threshold: float,
    classes: tuple[str, str],
    pixels: npt.NDArray[np.uint8],
    large: bool,
) -> Tile:
    probability = _probability(score, threshold)
    right = real == predicted
    decision = f"{'rightly' if right else 'wrongly'} called {predicted}"
    return Tile(
        name=name,
        real=real,
        predicted=predicted,
        probability=score,
        right=right,
        caption=f"Real: {real}  Pred: {predicted}  Prob({_short(classes)}): {probability}",
        alt=f"Test image {name}: {real}, {decision} with probability {probability} of {classes[1]}.",
        image=shown(pixels) if large else small(pixels),
    )


def _with_map(tile: Tile, heat: Heat, index: int, pixels: npt.NDArray[np.uint8]) -> Tile:
    found = heat.maps[index]
    if not found.any():
        reason = f"empty map: nothing in {heat.layer} speaks for {tile.predicted}"
        return replace(tile, overlay_reason=reason)
    share = None if heat.inside is None else heat.inside.per_image[index]
    within = "" if share is None else f" {share:.0%} of it lies inside the {heat.region}."
    even = bool(found.min() >= CONTOUR)
    where = "nearly even over the picture" if even else f"strongest in the {where_strongest(found)} of the picture"
    return replace(
        tile,
        overlay=overlay(pixels, found),
        overlay_alt=f"Grad-CAM of {tile.name}: what speaks for {tile.predicted} is {where}.{within}",
        even=even,
        inside=share,
        area=heat.areas[index] if heat.areas else None,
    )


def _probability(score: float, threshold: float) -> str:
    """`score` with two decimals, or as many as tell it from the threshold."""
    decimals = 2
    while decimals < 6 and score != threshold and round(score, decimals) == round(threshold, decimals):
        decimals += 1
    return f"{score:.{decimals}f}"


def _short(classes: tuple[str, str]) -> str:
    """The positive class by its first letter, where that is not the other's too."""
    negative, positive = classes
    return positive if positive[:1] == negative[:1] else positive[:1]
