"""Stores with the runs of a curve over training images, with simulated scores and without any training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmark.runs.run import Run, SplitFacts, TrainingSubset
from benchmark.runs.storage.store import Store
from tests.support import multiclass_stores as several
from tests.support.records import KAGGLE, make_run, on_test, on_val, planted
from zoo.models.card import ModelCard

SIZES = (50, 100, 200, 400)
AVAILABLE = 800
TESTED = 200


def binary_scores(images: int, draw: int) -> list[float]:
    """Scores of half negative and half positive test images: noise that all runs share, and noise of the draw."""
    shared = np.random.default_rng(1).normal(size=TESTED)
    rest = np.random.default_rng([2, images, draw]).normal(size=TESTED)
    distance = 2.2 - 9 * images**-0.5
    logits = distance * (np.arange(TESTED) % 2 - 0.5) + 0.95 * shared + 0.31 * rest
    return [float(score) for score in 1 / (1 + np.exp(-logits))]


def as_curve_run(run: Run, images: int, draw: int) -> Run:
    """`run` as one of a curve."""
    classes = len(run.spec.dataset.classes)
    counts = {"train": (images // classes,) * classes}
    split = SplitFacts({"train": images, "val": 120, "test": TESTED}, "cd" * 32, (), counts)
    subset = TrainingSubset(images=images, of=AVAILABLE, draw=draw)
    spec = run.spec.model_copy(update={"stage": "curve", "subset": subset, "seed": draw})
    return run.model_copy(update={"spec": spec, "split": split})


def keep_curve(
    store: Store,
    card: str | ModelCard = "attempt-1",
    *,
    sizes: Sequence[int] = SIZES,
    draws: int = 4,
    failed: Sequence[tuple[int, int]] = (),
    **changes: Any,
) -> list[Run]:
    """Save the runs of a curve on two classes; those in `failed`, by size and draw, as failed. `changes` replace fields
    of the records."""
    runs = []
    for draw in range(draws):
        for images in sizes:
            error = "it ran out of patience" if (images, draw) in failed else None
            val = on_val(*planted(60, 60, seed=1))
            test = on_test([row % 2 for row in range(TESTED)], binary_scores(images, draw))
            run = as_curve_run(make_run(card, val=val, test=test, dataset=KAGGLE, error=error), images, draw)
            run = run.model_copy(update=changes)
            names = [[f"{part.split}/{place}" for place in range(len(part))] for part in (val, test)]
            store.save(run, [] if error else [(val, names[0]), (test, names[1])])
            runs.append(run)
    return runs


def keep_multiclass_curve(store: Store, card: str | ModelCard = "attempt-1", *, draws: int = 3) -> list[Run]:
    """Save the runs of a curve on three classes."""
    facts, runs = several.RADIOGRAPHS, []
    labels = [row % 3 for row in range(TESTED)]
    for draw in range(draws):
        for images in SIZES:
            scores = several.simulated(labels, 3, shift=2.5 - 9 * images**-0.5, images=1, seed=100 * draw + images)
            val, test = several.on_val(facts, labels, scores), several.on_test(facts, labels, scores)
            run = as_curve_run(several.make_multiclass_run(card, val, test, facts), images, draw)
            names = [[f"{part.split}/{place}" for place in range(len(part))] for part in (val, test)]
            store.save(run, [(val, names[0]), (test, names[1])])
            runs.append(run)
    return runs
