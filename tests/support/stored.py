"""Stores of runs that were never trained, with the scores of every image."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmark.evidence import TestScores, ValidationScores
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from tests.support.records import HEALTHY, KAGGLE, Curves, make_run, on_test, on_val, planted, recorded_history
from zoo.models.card import ModelCard


def keep(
    store: Store,
    card: str | ModelCard,
    test: TestScores | None = None,
    val: ValidationScores | None = None,
    *,
    history: Curves = HEALTHY,
    images: str = "test",
    **more: Any,
) -> Run:
    """A finished run of `card` in `store`, on the real data unless `more` says otherwise; test images are named after
    `images`. `more` is what `make_run` takes."""
    test = test or on_test(*planted(100, 100, seed=2))
    val = val or on_val(*planted(60, 60, seed=1))
    run = make_run(card, val=val, test=test, history=history, **{"dataset": KAGGLE, **more})
    names = [[f"{part}/{place}" for place in range(len(scores))] for part, scores in (("val", val), (images, test))]
    store.save(run, [(val, names[0]), (test, names[1])], recorded_history(history))
    return run


SEEDS = (0, 1)
"""Two trainings with the same scores: they show that nothing varies between seeds, so a claim can differ."""


def keep_seeds(store: Store, card: str | ModelCard, *scores: Any, seeds: Sequence[int] = SEEDS, **more: Any) -> None:
    """Finished runs of `card` with the same scores for each of `seeds`; the rest is as for `keep`."""
    for seed in seeds:
        keep(store, card, *scores, seed=seed, **more)


@contextmanager
def believed(store: Store, run: Run) -> Iterator[None]:
    """The record of `run` without digests, as one from before there were any: other files are believed meanwhile."""
    path = store.folder(run.run_id) / "run.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(json.dumps({**json.loads(text), "files": {}}), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")
