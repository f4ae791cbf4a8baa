"""Facts that distinguish the classes without content: judged on train and val, the strongest scored on test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from benchmark.data.checks.describe import Measured
from benchmark.data.checks.fact_groups import FACTS, OF_CONTENT, FactGroup, FactName, PixelFacts, fact_groups
from benchmark.data.checks.near_duplicates import thumbnails
from benchmark.data.checks.shortcuts import Assessment, Shortcut, judge, scores_on
from benchmark.data.dataset import Dataset, Image
from benchmark.data.decoding.prepared import load, prepare
from benchmark.data.splits import Split
from benchmark.evidence.intervals.seeds import AnyPairedScores, MulticlassPairedScores, PairedScores, seed_figure
from benchmark.evidence.metrics.multiclass import argmax
from benchmark.evidence.scores import AnyScores, MulticlassScores, Scores, scores_of
from zoo.config.strict import Strict

VERSION = 2
"""Raised when the same split would give other figures or scores."""

_PARTS: tuple[Literal["train", "val"], ...] = ("train", "val")
_DECIMALS = 9


class TestScoresOfFacts(Strict):
    """Test scores of a classifier that sees one group of facts alone and was fitted to train.

    Attributes:
        facts: The group: of those judged on train and validation, the one with the highest AUC.
        names: Names of the test images (n,).
        labels: Their classes (n,), from 0.
        scores: Scores in [0, 1] (n, k); each row sums to 1.
    """

    __test__ = False  # pytest must not collect it as a test class

    facts: FactName
    names: tuple[str, ...]
    labels: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]

    @model_validator(mode="after")
    def _whole(self) -> TestScoresOfFacts:
        if not len(self.names) == len(self.labels) == len(self.scores):
            raise ValueError("every test image needs a class and scores")
        return self


class SplitShortcuts(Strict):
    """What a store records about the shortcuts of a split.

    Attributes:
        version: Version of the computation.
        shortcuts: The groups of facts, judged on train and validation.
        test: The scores of one of them, which pixels can carry, on test; None if none could be judged.
    """

    version: int = VERSION
    shortcuts: tuple[Shortcut, ...] = Field(min_length=1)
    test: TestScoresOfFacts | None = None


def shortcuts_of_dataset(dataset: Dataset, measured: Measured) -> tuple[Shortcut, ...]:
    """Judge the facts about the images of a data set. The test part of the source is left out.

    Args:
        dataset: The data set.
        measured: What was measured of its pixels.

    Returns:
        A result per group of facts.
    """
    rows = np.array([row for row, image in enumerate(dataset.images) if image.part != "test"], dtype=np.int64)
    images = [dataset.images[row] for row in rows]
    return _assess(dataset, images, fact_groups(images, dataset.stored, measured.facts.take(rows)))


def shortcuts_of_split(dataset: Dataset, split: Split, size: int, root: Path | None = None) -> SplitShortcuts:
    """Judge the facts about train and validation, and score the strongest group of facts on test.

    The group is chosen on train and validation, and its classifier is fitted to train. Images are measured as runs at
    this size see them.

    Args:
        dataset: The data set.
        split: Its parts.
        size: Side in pixels.
        root: Parent of prepared pixels; by default in the cache.

    Returns:
        The results.

    Raises:
        DataError: An image can no longer be read.
        OSError: The pixels cannot be written.
    """
    groups = _facts(dataset, [*split.train, *split.val], prepare(dataset, split, size, root), _PARTS)
    shortcuts = _assess(dataset, [*split.train, *split.val], groups)
    known = [each for each in shortcuts if each.auc is not None and each.in_pixels]  # no card could use the others
    if not known:
        return SplitShortcuts(shortcuts=shortcuts)
    # Of groups with the same AUC, one that does not depend on the content.
    strongest = max(known, key=lambda each: (each.auc or 0.0, each.facts not in OF_CONTENT, -FACTS.index(each.facts)))
    # The test part is opened only here, after the group is chosen.
    images = [*split.train, *split.test]
    both = _facts(dataset, images, prepare(dataset, split, size, root), ("train", "test"))
    group = next(group for group in both if group.name == strongest.facts)
    labels = np.array([image.label for image in images], dtype=np.int64)
    train, test = np.arange(len(split.train)), np.arange(len(split.train), len(images))
    scores = scores_on(group, labels, train, test, len(dataset.classes)).round(_DECIMALS)
    scored = TestScoresOfFacts(
        facts=strongest.facts,
        names=tuple(image.name for image in split.test),
        labels=tuple(image.label for image in split.test),
        scores=tuple(map(tuple, scores.tolist())),
    )
    return SplitShortcuts(shortcuts=shortcuts, test=scored)


def _facts(
    dataset: Dataset, images: Sequence[Image], folder: Path, parts: Sequence[Literal["train", "val", "test"]]
) -> tuple[FactGroup, ...]:
    """Facts about the images of some parts of a prepared split, in the order of `images`."""
    loaded = [load(folder, part) for part in parts]
    pixels = PixelFacts.joined([PixelFacts.of(thumbnails(part.pixels)) for part in loaded])
    row = {name: index for index, name in enumerate(name for part in loaded for name in part.names)}
    order = np.array([row[image.name] for image in images], dtype=np.int64)
    return fact_groups(images, dataset.stored, pixels.take(order))


def _assess(dataset: Dataset, images: Sequence[Image], groups: Sequence[FactGroup]) -> tuple[Shortcut, ...]:
    assessments = judge(images, groups, dataset.classes, unit=f"{dataset.unit}s")
    return tuple(_with_interval(each, images, dataset) for each in assessments)


def _with_interval(assessment: Assessment, images: Sequence[Image], dataset: Dataset) -> Shortcut:
    """Add the interval over images or patients. It does not account for the fits."""
    if assessment.shortcut.auc is None:
        return assessment.shortcut
    count = assessment.scores.shape[1]
    patients = tuple(images[row].patient for row in assessment.rows) if dataset.unit == "patient" else None
    y_score = assessment.scores[:, 1] if count == 2 else assessment.scores
    # Out-of-fold scores of training and validation images: nothing may be chosen on them.
    scores = scores_of("train", assessment.labels, y_score, tuple(map(str, range(count))), patients)
    figure = seed_figure(auc_key(count), without_decisions((scores,)))
    return replace(assessment.shortcut, low=figure.low, high=figure.high)


def auc_key(count: int) -> str:
    """The AUC of two classes, or the macro mean of more."""
    return "auc" if count == 2 else "auc:macro"


def without_decisions(runs: Sequence[AnyScores]) -> AnyPairedScores:
    """Scores of one or more runs for figures that need no decisions; these are at 0.5, or for the highest score."""
    of_two = tuple(run for run in runs if isinstance(run, Scores))
    if of_two:
        return PairedScores(of_two, (0.5,) * len(of_two))
    of_more = tuple(run for run in runs if isinstance(run, MulticlassScores))
    return MulticlassPairedScores(of_more, tuple(map(argmax, of_more)))
