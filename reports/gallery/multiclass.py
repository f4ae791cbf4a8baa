"""Chooses and presents test images of a run on three or more classes.

The choice depends on the stored test scores and the decision of the run alone, so the same run always has the same
gallery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from benchmark.data.dataset import Pixels
from benchmark.evidence.calibration.scaling import MulticlassCalibrator
from benchmark.evidence.decisions.decide import Decision, FoldedDecision, decide_all
from benchmark.evidence.diagnosis.multiclass_subgroups import MulticlassSubgroups
from benchmark.evidence.metrics.influence import Labels
from benchmark.evidence.scores import MulticlassScores
from benchmark.runs.run import Run
from reports.gallery.gallery import (
    PER_GROUP,
    PER_SUBGROUP,
    Gallery,
    ImageSelection,
    SaliencyMaps,
    Tile,
    TileGroup,
    evenly,
    with_map,
)
from reports.gallery.tiles import empty_map, large_tile, map_alt, overlay, small_tile
from reports.results.scale import Scale, probability_text, scale_of

MOST_PER_GROUP = 10
ABSTAINED = "abstained"
"""The key of the images without a decision."""

_NONE = "none"
_TITLES = {
    "correct": ("Right", "Right decisions of each class, spread evenly from the least to the most certain."),
    "wrong": ("Wrong", "Wrong decisions of each class, spread evenly from the least to the most certain."),
    "certain": (
        "Most certain wrong",
        "Wrong decisions with the highest score of the predicted class, in turn for each true class.",
    ),
    "nearest": (
        "Smallest margin",
        "Images whose two highest scores differ least, in turn for each true class.",
    ),
    ABSTAINED: (
        "Without a decision",
        "Images that the rule left open, of each class, spread evenly from the least to the most certain.",
    ),
}
_EMPTY = {
    "correct": "no decision was right, or all right ones are among those with the smallest margin",
    "wrong": "there are no other wrong decisions",
    "certain": "no decision was wrong",
    "nearest": "all decided images are among the wrong ones",
    ABSTAINED: "every image has a decision",
}


def decided_by(run: Run) -> tuple[Decision, str]:
    """The decision of a gallery of `run`, and a phrase that says what it is and where it comes from."""
    decision = run.decision or Decision(classes=run.spec.dataset.classes)
    if not decision.is_chosen:
        return decision, f"highest score; nothing could be chosen on validation: {decision.reason}"
    words, threshold = decision.in_words(), decision.threshold
    if isinstance(decision, FoldedDecision):
        return decision, f"{words}; each image by the decision of its fold"
    if threshold is None or threshold.value is None or decision.target == "confidence":
        return decision, words
    return decision, f"{words} (threshold {threshold.value:.3g})"


def decisions_of(run: Run, scores: MulticlassScores) -> Labels:
    """The classes (n,) that `run` predicts; -1 without a decision."""
    return decide_all(decided_by(run)[0], scores)


def explained_classes(scores: MulticlassScores, decided: Labels) -> Labels:
    """The class (n,) that a map explains: the predicted one; without a decision, that with the highest score."""
    highest: Labels = np.argmax(scores.y_score, axis=1).astype(np.int64)
    return np.where(decided < 0, highest, decided)


def images_per_group(classes: int) -> int:
    """As many images of each class as make four in all, but at most ten in all."""
    return min(MOST_PER_GROUP, classes * -(-PER_GROUP // classes))


def select_images_of_classes(
    scores: MulticlassScores,
    decided: Labels,
    names: Sequence[str],
    subgroups: MulticlassSubgroups | None = None,
    *,
    abstains: bool = False,
    per_subgroup: int = PER_SUBGROUP,
) -> ImageSelection:
    """Choose the images of a gallery: the most certain wrong, then those with the smallest margin, then others.

    Args:
        scores: Test scores, n images.
        decided: Decisions (n,), class indices; -1 without a decision.
        names: Image names in the order of the scores; they order equal scores.
        subgroups: Subgroups of the test images.
        abstains: Whether the rule may leave images without a decision, which then are a group of their own.
        per_subgroup: Failures of each subgroup, at most.

    Returns:
        The images; no image is in two groups.
    """
    chooser = _Chooser(scores, names)
    certainty = scores.y_score[np.arange(len(scores)), explained_classes(scores, decided)]
    highest = np.sort(scores.y_score, axis=1)
    margin = highest[:, -1] - highest[:, -2]
    open_, right = decided < 0, decided == scores.y_true
    wrong = ~right & ~open_
    certain = chooser.first(wrong, -certainty)
    nearest = chooser.first(~open_, margin)
    spread = {key: chooser.spread(kind, certainty) for key, kind in (("wrong", wrong), ("correct", right))}
    groups = {"correct": spread["correct"], "wrong": spread["wrong"], "certain": certain, "nearest": nearest}
    if abstains:
        groups[ABSTAINED] = chooser.spread(open_, certainty)
    failures = []
    for group in () if subgroups is None else subgroups.groups:
        indices = np.array([index for index in group.failures if not open_[index]], np.int64)
        failures.append(tuple(chooser.ranked(indices, -certainty)[:per_subgroup].tolist()))
    return ImageSelection(groups, tuple(failures))


def build_multiclass_gallery(
    run: Run,
    scores: MulticlassScores,
    names: Sequence[str],
    selection: ImageSelection,
    pixels: Pixels,
    *,
    heat: SaliencyMaps | None = None,
    maps_reason: str | None = None,
    subgroups: MulticlassSubgroups | None = None,
    notes: Sequence[str] = (),
    calibrators: Sequence[MulticlassCalibrator] = (),
) -> Gallery:
    """Build the gallery of `run`.

    Args:
        run: A finished run on three or more classes.
        scores: Its test scores.
        names: Image names in the order of the scores.
        selection: The images to present.
        pixels: uint8 (n, h, w, channels), the images of `selection.places`.
        heat: Their Grad-CAM maps for the called and the true class, if any.
        maps_reason: Why there are no maps.
        subgroups: Subgroups of the test images.
        notes: Remarks for the reader.
        calibrators: The calibrator of its scores, fitted on validation, or that of each fold of a cross-validation;
            none leaves them as they are.

    Returns:
        The gallery.
    """
    decided = decisions_of(run, scores)
    explained = explained_classes(scores, decided)
    classes, scale = scores.classes, scale_of(*calibrators)
    row_of = {index: row for row, index in enumerate(selection.places)}

    def tile(index: int, key: str | None) -> Tile:
        row = row_of[index]
        calibrator = calibrators[0 if scores.fold is None else scores.fold[index]] if calibrators else None
        plain = _tile(scores, index, int(decided[index]), names[index], pixels[row], key, (scale, calibrator))
        if key is None or heat is None:
            return plain
        return _with_true_map(
            with_map(plain, heat, row, pixels[row], classes[explained[index]]), heat, row, pixels[row]
        )

    groups = []
    for key, indices in selection.groups.items():
        tiles = tuple(tile(index, key) for index in indices)
        groups.append(TileGroup(key, *_TITLES[key], tiles, None if tiles else _EMPTY[key]))
    return Gallery(
        run_id=run.run_id,
        card=run.spec.card.name,
        seed=run.spec.seed,
        data=run.spec.dataset.title,
        synthetic=run.spec.dataset.synthetic,
        classes=classes,
        threshold=None,
        decided=decided_by(run)[1],
        groups=tuple(groups),
        layer=None if heat is None else heat.layer,
        maps_reason=maps_reason if heat is None else None,
        sanity=None if heat is None else heat.sanity,
        region=None if heat is None else heat.region,
        inside=None if heat is None else heat.inside,
        subgroups=subgroups,
        failures=tuple(tuple(tile(index, None) for index in group) for group in selection.failures),
        notes=tuple(notes),
        scale=scale,
    )


class _Chooser:
    """Takes images of each class; an image is taken once."""

    def __init__(self, scores: MulticlassScores, names: Sequence[str]) -> None:
        self._y_true = scores.y_true
        self._classes = len(scores.classes)
        self._name_rank = np.argsort(np.argsort(np.asarray(names)))
        self._unused = np.ones(len(scores), bool)
        self._count = images_per_group(self._classes)

    def ranked(self, indices: npt.NDArray[np.int64], key: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """`indices` by their `key`, then by the names of the images."""
        return indices[np.lexsort((self._name_rank[indices], key[indices]))]

    def first(self, mask: npt.NDArray[np.bool_], key: npt.NDArray[np.float64]) -> tuple[int, ...]:
        """Images of `mask` with the lowest `key`: the first of each class, then the second, by `key`."""
        rankings = self._rankings(mask, key)
        turns = [np.concatenate([ranking[turn : turn + 1] for ranking in rankings]) for turn in range(self._count)]
        in_turn = np.concatenate([self.ranked(turn, key) for turn in turns])
        return self._take(self.ranked(in_turn[: self._count], key))

    def spread(self, mask: npt.NDArray[np.bool_], key: npt.NDArray[np.float64]) -> tuple[int, ...]:
        """Images of `mask`, class by class, spread evenly over the ranking by `key` of each class."""
        rankings = self._rankings(mask, key)
        quotas = [0] * self._classes
        for _ in range(self._count):
            left = [label for label in range(self._classes) if quotas[label] < len(rankings[label])]
            if left:
                quotas[min(left, key=lambda label: quotas[label])] += 1
        return self._take(np.concatenate([evenly(*pair) for pair in zip(rankings, quotas, strict=True)]))

    def _rankings(self, mask: npt.NDArray[np.bool_], key: npt.NDArray[np.float64]) -> list[npt.NDArray[np.int64]]:
        """The unused images of `mask` by `key`, for each class."""
        unused = mask & self._unused
        return [self.ranked(np.flatnonzero(unused & (self._y_true == label)), key) for label in range(self._classes)]

    def _take(self, indices: npt.NDArray[np.integer]) -> tuple[int, ...]:
        self._unused[indices] = False
        return tuple(indices.tolist())


def _tile(
    scores: MulticlassScores,
    index: int,
    decided: int,
    name: str,
    pixels: npt.NDArray[np.uint8],
    key: str | None,
    scaled: tuple[Scale, MulticlassCalibrator | None],
) -> Tile:
    """The tile of an image in the group `key`, or small in a table of subgroups; `scaled` is the scale of captions with
    the calibrator of the image."""
    scale, calibrator = scaled
    row, label = scores.y_score[index], int(scores.y_true[index])
    order = np.argsort(-row, kind="stable")
    if calibrator is not None and calibrator.accepted:
        row = calibrator.probabilities(row[None])[0]
    top = int(order[0]) if decided < 0 else decided
    next_best = int(next(other for other in order if other != top))
    other = label if top != label else next_best
    real, called = scores.classes[label], scores.classes[top]
    probability, beside = (probability_text(float(row[a]), float(row[b])) for a, b in ((top, other), (other, top)))
    caption = f"Real: {real}  Pred: {_NONE if decided < 0 else called}  {scale.head}({called}): {probability}"
    if top != label:
        caption += f" (true class {beside})"
    elif key == "nearest":
        caption += f" (next {scores.classes[next_best]} {beside})"
    if decided < 0:
        decision = f"without a decision; the highest {scale.noun} is {probability}, of {called}"
    else:
        decision = f"{'rightly' if top == label else 'wrongly'} predicted as {called} with {scale.noun} {probability}"
    return Tile(
        name=name,
        real=real,
        predicted=_NONE if decided < 0 else called,
        probability=float(row[top]),
        right=decided == label,
        caption=caption,
        alt=f"Test image {name}: {real}, {decision}{'' if top == label else f'; that of {real} is {beside}'}.",
        image=small_tile(pixels) if key is None else large_tile(pixels),
        abstained=decided < 0,
        brief=f"{real}, predicted as {called}, {probability}",
    )


def _with_true_map(tile: Tile, heat: SaliencyMaps, index: int, pixels: npt.NDArray[np.uint8]) -> Tile:
    """Add the map for the true class, if the image has one."""
    heatmap = heat.of_true.get(index)
    if heatmap is None:
        return tile
    if not heatmap.any():
        return replace(tile, true_overlay_reason=empty_map(heat.layer, tile.real))
    return replace(tile, true_overlay=overlay(pixels, heatmap), true_overlay_alt=map_alt(tile.name, tile.real, heatmap))
