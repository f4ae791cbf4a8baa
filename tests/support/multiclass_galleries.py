"""Galleries of three and of ten classes, and what they are made of."""

from __future__ import annotations

from functools import cache

import numpy as np

from benchmark.evidence.decisions.decide import Decision
from benchmark.evidence.diagnosis.multiclass_subgroups import multiclass_subgroups
from benchmark.evidence.diagnosis.saliency import sanity
from benchmark.evidence.diagnosis.subgroups import Grouping
from benchmark.evidence.scores import MulticlassTestScores
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.run import DatasetFacts, Run
from reports.gallery.gallery import Gallery, ImageSelection, SaliencyMaps
from reports.gallery.multiclass import (
    build_multiclass_gallery,
    decisions_of,
    explained_classes,
    select_images_of_classes,
)
from tests.support.galleries import pictures
from tests.support.multiclass_stores import DIGITS, RADIOGRAPHS, make_multiclass_run, on_test, on_val, simulated


def scores_of(facts: DatasetFacts = RADIOGRAPHS, images: int = 90, shift: float = 1.2) -> MulticlassTestScores:
    """Simulated test scores, as many of each class."""
    count = len(facts.classes)
    labels = [place % count for place in range(images)]
    return on_test(facts, labels, simulated(labels, count, shift=shift, seed=3))


def names_of(scores: MulticlassTestScores) -> list[str]:
    return [f"test/{place:03d}.png" for place in range(len(scores))]


def run_with(decision: Decision, facts: DatasetFacts = RADIOGRAPHS) -> Run:
    """A run that decides by `decision`; its figures are of other scores than those of the gallery."""
    return (_three() if facts is RADIOGRAPHS else _ten()).model_copy(update={"decision": decision})


@cache
def _three() -> Run:
    return _run(RADIOGRAPHS)


@cache
def _ten() -> Run:
    return _run(DIGITS)


def _run(facts: DatasetFacts) -> Run:
    labels = [place % len(facts.classes) for place in range(60)]
    scores = simulated(labels, len(facts.classes), images=1)
    return make_multiclass_run("attempt-7", on_val(facts, labels, scores), on_test(facts, labels, scores), facts)


def argmax(facts: DatasetFacts = RADIOGRAPHS) -> Decision:
    return Decision(classes=facts.classes)


def abstention(confidence: float, facts: DatasetFacts = RADIOGRAPHS) -> Decision:
    threshold = Threshold(confidence, "abstain")
    return Decision("abstain", facts.classes, target="confidence", value=confidence, threshold=threshold)


def maps_of(scores: MulticlassTestScores, run: Run, selection: ImageSelection, empty: bool = False) -> SaliencyMaps:
    """Maps in the lower left for called classes, and in the upper right for true ones; all are 0 if `empty`."""
    places = list(selection.explained)
    called = np.zeros((len(places), 40, 40), np.float32)
    true = np.zeros((40, 40), np.float32)
    if not empty:
        called[:, 25:, :10] = 1
        true[:10, 30:] = 1
    wrong = explained_classes(scores, decisions_of(run, scores))[places] != scores.y_true[places]
    coarse = np.random.default_rng(1).random((len(places), 6, 6)).astype(np.float32)
    check = sanity(coarse, coarse[::-1][None], coarse[::-1][None])
    return SaliencyMaps("conv3", called, check, of_true=dict.fromkeys(np.flatnonzero(wrong).tolist(), true))


def made(
    decision: Decision | None = None,
    scores: MulticlassTestScores | None = None,
    facts: DatasetFacts = RADIOGRAPHS,
    *,
    with_maps: bool = True,
    empty: bool = False,
    names: list[str] | None = None,
) -> Gallery:
    """A gallery with subgroups of the two halves of the images."""
    scores = scores_of(facts) if scores is None else scores
    run = run_with(decision or argmax(facts), facts)
    names = names_of(scores) if names is None else names
    decided = decisions_of(run, scores)
    half = len(scores) // 2
    halves = Grouping("names", ("a",) * half + ("b",) * (len(scores) - half), ("a", "b"))
    groups = multiclass_subgroups(scores, decided, [halves, Grouping("size", None, reason="size is not known")])
    selection = select_images_of_classes(scores, decided, names, groups, abstains=run.decision.abstains)  # type: ignore[union-attr]
    return build_multiclass_gallery(
        run,
        scores,
        names,
        selection,
        pictures(len(selection.places)),
        heat=maps_of(scores, run, selection, empty) if with_maps else None,
        maps_reason=None if with_maps else "the model was not kept",
        subgroups=groups,
    )
