"""Evaluations of runs in a store, with given scores and without a model."""

from __future__ import annotations

from typing import Any

from benchmark.evidence.scores import AnyScores
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.evaluations import (
    EvaluatedData,
    Evaluation,
    EvaluationSpec,
    model_digest,
    save_evaluation,
)
from benchmark.runs.storage.store import Store


def elsewhere(classes: tuple[str, ...] = ("NORMAL", "PNEUMONIA"), **changes: Any) -> EvaluatedData:
    """Facts of images from another hospital."""
    fields = {"source": "other", "title": "images of another hospital", "synthetic": False, "fingerprint": "e" * 64}
    return EvaluatedData(**{**fields, "classes": classes, **changes})


def keep_evaluation(
    store: Store, run: Run, scores: AnyScores, *, unlike: int = 0, recalibrated_on: float = 0.5, **changes: Any
) -> Evaluation:
    """A stored evaluation of `run` with these scores, of which the first `unlike` images are unlike the training
    images; `changes` replace fields of the record."""
    classes = run.spec.dataset.classes
    spec = EvaluationSpec(
        run_id=run.run_id,
        model=model_digest(run, store),
        data=elsewhere(classes),
        mapping={name: name for name in classes},
        recalibrated_on=recalibrated_on,
    )
    fields = {"spec": spec, "finished": "2026-02-03T04:05:06+00:00", "images": len(scores), "digests_known": True}
    names = [f"other/{place}" for place in range(len(scores))]
    further = {"unlike": ["grey levels 2.00 times the limit"] * unlike + [""] * (len(scores) - unlike)}
    return save_evaluation(store, Evaluation(**{**fields, **changes}), scores, names, further)
