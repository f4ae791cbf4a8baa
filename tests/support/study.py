"""A store with everything that a report shows, made without training: several seeds, a failed run, patients, claims."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark.evidence import TestScores, ValidationScores
from benchmark.runs.storage.store import Store
from reports.claims.model import Claims, load_claims
from reports.report import Report, build_report
from tests.support.claims import contents, figure, row, write_claims
from tests.support.records import KAGGLE, cards, make_run, of_counts, on_test, on_val, planted
from tests.support.stored import keep

SINGLE, SEVERAL, COLLAPSED, FAILED = "attempt-6b", "attempt-7", "attempt-1-batchnorm", "attempt-2"


def store_in(folder: Path, **more: Any) -> Store:
    """Runs of four cards on the same 468 images, two images a patient: one of a single seed, one of two, one that
    calls everything positive, and one that failed."""
    store = Store(folder / "runs")
    keep(store, SINGLE, with_patients(of_counts(tp=131, fp=6, tn=228, fn=103)), _val(3), **more)
    for seed in (0, 1):
        keep(store, SEVERAL, with_patients(on_test(*_as_counted(seed))), _val(seed), seed=seed, **more)
    collapsed = on_val([0, 1] * 60, [0.98] * 120)
    keep(store, COLLAPSED, with_patients(on_test(_labels(), [0.98] * 468)), collapsed, **more)
    store.save(make_run(FAILED, error="ResourceExhausted: no memory", **{"dataset": KAGGLE, **more}))
    return store


def claims_in(folder: Path, **more: Any) -> Claims:
    """A figure with each kind of verdict, and statements that hold, do not, and cannot be told."""
    said = {
        "fine-tuning-helps": {"superior": {"a": SEVERAL, "b": SINGLE, "metric": "auc"}},
        "freezing-helps": {"superior": {"a": SINGLE, "b": SEVERAL, "metric": "auc"}},
        "both-are-alike": {"equivalent": {"a": SINGLE, "b": FAILED, "metric": "auc", "within": 0.05}},
    }
    statements = [
        {"id": name, "location": f"Section {place}", "text": f"Dicho {place}.", "assertion": says}
        for place, (name, says) in enumerate(said.items(), start=1)
    ]
    test = {"negatives": 234, "positives": 234, "location": "Section 2"}
    source = {"report": "A study", "data": KAGGLE.source, "test": test}
    rows = [
        row("frozen", figure("recall", 0.9, "val"), card=SINGLE),
        row("tuned", card=SEVERAL),
        row("odd", figure("accuracy", 0.9113), card=COLLAPSED),
    ]
    held = contents(*rows, source=source, statements=statements, **{"margin": 0.1, **more})
    return load_claims(str(write_claims(folder / "claims", held)), cards())


def report_in(folder: Path, **more: Any) -> Report:
    """The report on the store and the claims above; `more` is what `make_run` takes."""
    store = store_in(folder, **more)
    return build_report(store.runs()[0], store.history, scores=store, claims=[claims_in(folder)])


def with_patients(scores: TestScores) -> TestScores:
    """Two images of each patient, who are numbered in the order of the images."""
    return replace(scores, patient=tuple(f"p{place // 2}" for place in range(len(scores))))


def _labels() -> list[int]:
    return of_counts(tp=131, fp=6, tn=228, fn=103).y_true.tolist()


def _as_counted(seed: int) -> tuple[list[int], list[float]]:
    """Scores of a better ranking for the same labels in the same order."""
    negatives, positives = (iter(half) for half in _halves(planted(234, 234, 3.0, seed)[1]))
    labels = _labels()
    return labels, [next(positives if label else negatives) for label in labels]


def _halves(scores: list[float]) -> tuple[list[float], list[float]]:
    return scores[:234], scores[234:]


def _val(seed: int) -> ValidationScores:
    return on_val(*planted(60, 60, seed=seed))
