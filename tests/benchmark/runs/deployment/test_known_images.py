"""Files that are images of a stored model are recognised by their content."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from benchmark.evidence.calibration.calibrators import best_calibrator
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.deployment.decision_rule import DecisionRule, Prediction
from benchmark.runs.deployment.known_images import IMAGES, known_parts, write_known
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.render.terminal.predictions import predictions_csv, predictions_document, predictions_table
from tests.support.records import on_val, planted
from tests.support.stored import keep


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_found_by_its_content_and_not_by_its_name(store: Store, tmp_path: Path) -> None:
    run = keep(store, "attempt-1")
    parts = {"train": [of(b"a"), of(b"b")], "val": [of(b"c")], "test": [of(b"d")]}
    write_known(store.model_file(run).with_name(IMAGES), parts)
    files = [tmp_path / f"{place}.png" for place in range(5)]
    for file, content in zip(files, (b"b", b"c", b"d", b"e", b""), strict=True):
        file.write_bytes(content)
    os.mkfifo(tmp_path / "pipe.png")  # is never opened
    files += [tmp_path / "pipe.png", tmp_path / "missing.png", tmp_path]
    assert known_parts(run, store, files) == ("train", "val", "test", None, None, None, None, None)


@pytest.mark.parametrize("content", [None, "no JSON", '{"train": 3}'])
def test_a_model_without_digests_knows_no_file(store: Store, tmp_path: Path, content: str | None) -> None:
    run = keep(store, "attempt-1")
    if content is not None:
        store.model_file(run).with_name(IMAGES).write_text(content)
    (tmp_path / "a.png").write_bytes(b"a")
    assert known_parts(run, store, [tmp_path / "a.png"]) == (None,)


@pytest.fixture
def fold_run(store: Store) -> Run:
    run = keep(store, "attempt-1")
    return run.model_copy(update={"spec": run.spec.model_copy(update={"fold": (5, 0)})})


def test_predictions_name_the_model_of_a_fold_and_the_images_that_it_knows(fold_run: Run) -> None:
    decider = DecisionRule(("A", "B"), Threshold(0.711, "youden"), best_calibrator(on_val(*planted(60, 60, seed=1))))
    images = [decider.predict(name, 0.9) for name in ("a.png", "b.png", "c.png")]
    known = ("train", "test", None)
    file = io.StringIO()
    Console(file=file, width=200).print(predictions_table(fold_run, decider, images, known=known))
    text = file.getvalue()
    assert ": attempt-1 seed 0: the model of fold 1 of 5, threshold 0.711, trained on " in text
    rows = {line.split()[0]: line.rstrip() for line in text.splitlines() if ".png" in line}
    assert rows["a.png"].endswith("a training image of this model")
    assert rows["b.png"].endswith("a test image of this model")
    assert rows["c.png"].endswith("B")
    assert "1 file of 3 used for training or validation of this model: " in text
    first = next(csv.DictReader(io.StringIO(predictions_csv(fold_run, decider, images, known=known))))
    assert first["note"] == "a training image of this model"
    assert (first["threshold"], first["run"]) == ("0.711", fold_run.run_id)
    assert [each["known"] for each in predictions_document(fold_run, decider, images, known=known)["images"]] == [
        *known
    ]
    assert predictions_document(fold_run, decider, [Prediction("x", error="no")])["images"][0]["known"] is None
