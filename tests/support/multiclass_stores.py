"""Stores of runs on three and on ten classes, with simulated scores of every image and without any training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.scores import MulticlassScores, MulticlassTestScores, MulticlassValidationScores
from benchmark.runs.outcome import Choice, choose, costs_of, default_decision, figures_of, findings, is_chosen
from benchmark.runs.protocol import Protocol
from benchmark.runs.run import DatasetFacts, Run, SplitFacts
from benchmark.runs.storage.store import Store
from tests.support.records import COSTS, ENVIRONMENT, HEALTHY, Curves, make_run, make_spec, recorded_history
from zoo.models.card import ModelCard

RADIOGRAPHS = DatasetFacts(
    source="labels.csv",
    title="chest radiographs in three classes",
    synthetic=False,
    classes=("NORMAL", "BACTERIA", "VIRUS"),
    fingerprint="89abcdef01234567" * 4,
)
DIGITS = DatasetFacts(
    source="digits",
    title="handwritten digits",
    synthetic=False,
    classes=tuple(map(str, range(10))),
    fingerprint="76543210fedcba98" * 4,
)
BETTER, WORSE, COLLAPSED, FAILED = "attempt-7", "attempt-6b", "attempt-1-batchnorm", "attempt-2"
_NOISE = 0.6  # of the share of an image's noise that all cards and seeds have in common


def simulated(
    labels: Sequence[int],
    count: int,
    *,
    shift: float = 2.0,
    images: int = 0,
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """Scores (n, `count`) of these labels: the softmax of normal values, that of the true class higher by `shift`.

    `images` decides the noise that all cards and seeds have in common, `seed` the rest.
    """
    shape = len(labels), count
    common, rest = (
        np.random.default_rng([root, place]).normal(size=shape) for place, root in enumerate((images, seed))
    )
    hidden = _NOISE**0.5 * common + (1 - _NOISE) ** 0.5 * rest
    hidden[np.arange(len(labels)), labels] += shift
    powers = np.exp(hidden - hidden.max(axis=1, keepdims=True))
    scores: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return scores


def on_val(facts: DatasetFacts, labels: Sequence[int], scores: npt.NDArray[np.float64]) -> MulticlassValidationScores:
    """Validation scores of the classes of `facts`."""
    return MulticlassValidationScores("val", np.asarray(labels), scores, facts.classes, facts.ordered)


def on_test(
    facts: DatasetFacts, labels: Sequence[int], scores: npt.NDArray[np.float64], patients: int | None = None
) -> MulticlassTestScores:
    """Test scores of the classes of `facts`, every patient with `patients` images in the order of the images."""
    owners = None if patients is None else tuple(f"p{place // patients}" for place in range(len(labels)))
    return MulticlassTestScores("test", np.asarray(labels), scores, facts.classes, facts.ordered, owners)


def make_multiclass_run(
    card: str | ModelCard,
    val: MulticlassValidationScores,
    test: MulticlassTestScores,
    facts: DatasetFacts = RADIOGRAPHS,
    *,
    seed: int = 0,
    protocol: str | Protocol = "quick",
    **changes: Any,
) -> Run:
    """A finished run with the figures of these scores; `changes` replace fields of the record."""
    counts = {
        part.split: tuple(np.bincount(part.y_true, minlength=len(facts.classes)).tolist()) for part in (val, test)
    }
    images = {"train": 480, "val": len(val), "test": len(test)}
    spec = make_spec(card, seed=seed, dataset=facts, protocol=protocol)
    choice, sizes = choose(spec.protocol, val), spec.protocol.class_sizes
    fields: dict[str, Any] = {
        "spec": spec,
        "status": "ok",
        "finished": "2026-01-02T03:04:05+00:00",
        "split": SplitFacts(images, "cd" * 32, (), counts),
        "decision": choice,
        "at_half": {part.split: _figures(part, default_decision(part), choice, sizes) for part in (val, test)},
        "at_chosen": {part.split: _figures(part, choice, choice, sizes) for part in (val, test) if is_chosen(choice)},
        "diagnosis": findings(val, test, HEALTHY, classes=facts.classes, checks=None, losses=None, counts=counts),
        "costs": COSTS,
        "environment": ENVIRONMENT,
    }
    return Run(**{**fields, **changes})


def keep_multiclass(
    store: Store,
    card: str | ModelCard,
    val: MulticlassValidationScores,
    test: MulticlassTestScores,
    facts: DatasetFacts = RADIOGRAPHS,
    *,
    history: Curves = HEALTHY,
    **more: Any,
) -> Run:
    """A finished run of `card` in `store`; `more` is what `make_multiclass_run` takes."""
    run = make_multiclass_run(card, val, test, facts, **more)
    names = [[f"{part.split}/{place}" for place in range(len(part))] for part in (val, test)]
    store.save(run, [(val, names[0]), (test, names[1])], recorded_history(history))
    return run


def three_classes_in(folder: Path, **more: Any) -> Store:
    """Runs on radiographs of three classes, of which VIRUS is the smallest; two test images of each patient.

    A better card has two seeds, a worse one has one, one calls every image BACTERIA, and one failed.
    """
    store, facts = Store(folder / "runs"), RADIOGRAPHS
    labels = _labels((116, 120, 64))
    few = _labels((40, 40, 20))
    for seed in (0, 1):
        val = on_val(facts, few, simulated(few, 3, shift=2.6, images=1, seed=seed))
        keep_multiclass(
            store,
            BETTER,
            val,
            on_test(facts, labels, simulated(labels, 3, shift=2.6, seed=seed), 2),
            seed=seed,
            **more,
        )
    val = on_val(facts, few, simulated(few, 3, shift=1.4, images=1, seed=5))
    keep_multiclass(store, WORSE, val, on_test(facts, labels, simulated(labels, 3, shift=1.4, seed=5), 2), **more)
    same = np.array([0.1, 0.8, 0.1])
    val = on_val(facts, few, np.tile(same, (len(few), 1)))
    keep_multiclass(store, COLLAPSED, val, on_test(facts, labels, np.tile(same, (len(labels), 1)), 2), **more)
    store.save(make_run(FAILED, error="ResourceExhausted: no memory", dataset=facts, **more))
    return store


def ten_classes_in(folder: Path, cards: Sequence[str] = (BETTER, WORSE), *, seeds: int = 2, images: int = 360) -> Store:
    """Runs of each of `cards` on `images` test images of ten digits, patients unknown; every next card is worse."""
    store, facts = Store(folder / "runs"), DIGITS
    labels, few = ([place % 10 for place in range(n)] for n in (images, images // 2))
    for place, card in enumerate(cards):
        shift = 3.4 - 1.2 * place / max(1, len(cards) - 1)
        for seed in range(seeds):
            root = 100 * place + seed
            val = on_val(facts, few, simulated(few, 10, shift=shift, images=1, seed=root))
            test = on_test(facts, labels, simulated(labels, 10, shift=shift, seed=root))
            keep_multiclass(store, card, val, test, facts, seed=seed)
    return store


def _labels(counts: Sequence[int]) -> list[int]:
    """Labels of this many images of each class, class by class."""
    return [label for label, count in enumerate(counts) for _ in range(count)]


def _figures(scores: MulticlassScores, decision: Choice, chosen: Choice, sizes: ClassSizes) -> dict[str, Figure]:
    of_scores = figures_of(scores, decision, sizes, costs_of(chosen))
    return {"loss": Figure("loss", of_scores["log_loss"].value), **of_scores}
