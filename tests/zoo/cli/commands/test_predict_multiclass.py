"""`zoo predict` and `zoo export` of a model of ten classes: the scores and decisions of the bench."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import zoo as package
from benchmark.data.decoding.prepared import LabelledImages
from benchmark.data.sources import open_dataset
from benchmark.evidence.decisions.decide import decide
from benchmark.evidence.scores import MulticlassScores
from benchmark.runs.deployment.multiclass import MulticlassDecisionRule, any_decider_of
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from tests.support.kept import compute, images_of, in_this_process, write_images
from tests.support.tiny import card, protocol
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo

pytestmark = pytest.mark.slow
zoo = test_zoo_cli.zoo

CLASSES = tuple("0123456789")
RULES = protocol(
    sampling={"train": 300, "val": 200, "test": 200, "balanced": True, "min_val": 0},
    keep_models=True,
    decision={"rule": "abstain", "target": "confidence", "value": 0.6},
)


@dataclass(frozen=True)
class World:
    """A store with a kept model of ten classes, its test images, and the same as files."""

    store: Store
    run: Run
    test: LabelledImages
    files: dict[str, Path]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("digits")
    cache, store, digits = root / "cache", Store(root / "runs"), open_dataset("digits")
    run = compute(card(epochs=4, model={"filters": [8, 16], "dense_units": 32}), RULES, digits, store, cache)
    test = images_of(RULES, digits, cache, "test")
    files = write_images(root / "files", tuple(f"{name}.png" for name in test.names), test.pixels)
    with in_this_process(cache):
        yield World(store, run, test, files)


@pytest.fixture(scope="module")
def exported(world: World) -> Path:
    folder = world.store.root.parent / "exported"
    package.export(world.run, store=world.store, out=folder)
    return folder


def stored_scores(world: World) -> MulticlassScores:
    scores = world.store.scores(world.run, "test")
    assert isinstance(scores, MulticlassScores)
    return scores


def expected_decisions(world: World) -> list[str | None]:
    assert world.run.decision is not None
    labels = decide(world.run.decision, stored_scores(world).y_score)
    return [None if label < 0 else CLASSES[label] for label in labels]


def test_decisions_and_probabilities_of_files_are_those_of_the_bench(zoo: Zoo, world: World) -> None:
    answer = zoo("predict", "tiny", *world.files.values(), "--store", world.store.root, "--json")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert document["classes"] == list(CLASSES)
    assert (document["decision"]["rule"], document["decision"]["raw"]) == ("abstain", 0.6)
    assert {"threshold", "positive"}.isdisjoint(document)
    rows: list[dict[str, Any]] = document["images"]
    scores = stored_scores(world)
    np.testing.assert_allclose([[row["scores"][name] for name in CLASSES] for row in rows], scores.y_score, atol=1e-5)
    decider = any_decider_of(world.run, world.store)
    assert isinstance(decider, MulticlassDecisionRule)
    calibrated = decider.calibrator.probabilities(scores.y_score)
    by_class = [[row["probabilities"][name] for name in CLASSES] for row in rows]
    np.testing.assert_allclose(by_class, calibrated, atol=1e-5)
    decisions = expected_decisions(world)
    assert [row["decision"] for row in rows] == decisions
    assert [row["abstained"] for row in rows] == [decision is None for decision in decisions]
    assert {True, False} == {row["abstained"] for row in rows}


def test_csv_has_a_column_per_class_and_the_table_the_called_one(zoo: Zoo, world: World, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("no image")
    decisions = expected_decisions(world)
    chosen = [decisions.index(None), next(index for index, each in enumerate(decisions) if each is not None)]
    files = [list(world.files.values())[index] for index in chosen]
    answer = zoo("predict", "tiny", *files, tmp_path / "words.png", "--store", world.store.root, "--csv")
    assert answer.code == 1
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    heads = ["image", "decision", "probability"]
    heads += [f"{kind}:{name}" for kind in ("probability", "score") for name in CLASSES]
    assert list(rows[0]) == [*heads, "note", "calibrated", "threshold", "run"]
    assert rows[0]["note"].startswith("no class: its highest score is below the confidence")
    assert (rows[0]["decision"], rows[0]["probability"]) == ("", "")
    assert rows[1]["decision"] == decisions[chosen[1]]
    assert rows[1]["probability"] == rows[1][f"probability:{rows[1]['decision']}"]
    assert sum(float(rows[1][f"probability:{name}"]) for name in CLASSES) == pytest.approx(1)
    assert rows[2]["note"] == "no prediction: not an image"
    assert {rows[2][head] for head in heads[1:]} == {""}
    text = " ".join(zoo("predict", "tiny", *files, "--store", world.store.root).out.split())
    assert "1 left without a class" in text
    assert "decision: abstention below confidence 0.6" in text
    assert "next class" in text


def test_python_gives_the_same_values_as_a_frame(world: World) -> None:
    files = list(world.files.values())[:3]
    table = package.predict(world.run, files, store=world.store).to_frame()
    assert table[[f"score:{name}" for name in CLASSES]].sum(axis=1).tolist() == pytest.approx([1] * 3)
    assert [name or None for name in table["decision"].fillna("")] == expected_decisions(world)[:3]
    assert "next class" in package.predict(world.run, files, store=world.store)._repr_html_()


def test_the_exported_network_has_ten_outputs_and_the_stored_scores(world: World, exported: Path) -> None:
    session = onnxruntime.InferenceSession(exported / "model.onnx")
    scores = session.run(None, {"pixels": np.asarray(world.test.pixels, np.float32)})[0]
    assert scores == pytest.approx(stored_scores(world).y_score, abs=1e-4)
    facts = json.loads((exported / "decision.json").read_text(encoding="utf-8"))
    assert facts["format"] == 3
    assert facts["classes"] == list(CLASSES)
    assert (facts["decision"]["rule"], facts["decision"]["raw"]) == ("abstain", 0.6)
    assert len(facts["calibration"]["slopes"]) in (0, 10)


def test_the_example_runs_without_zoo_and_decides_the_same(world: World, exported: Path) -> None:
    files = list(world.files.values())[:40]
    source = (exported / "example.py").read_text(encoding="utf-8").replace("    sys.exit(failed)\n", "")
    code = f"{source}\nassert not {{'zoo', 'benchmark', 'reports', 'keras', 'tensorflow'}} & set(sys.modules)\n"
    (exported / "checked.py").write_text(code, encoding="utf-8")
    run = [sys.executable, str(exported / "checked.py"), *map(str, files)]
    done = subprocess.run(run, cwd=exported, env={}, capture_output=True, text=True, check=True)
    *rows, batch = [json.loads(line) for line in done.stdout.splitlines()]
    assert batch["batch"].startswith("40 images: ")
    assert [row["decision"] for row in rows] == expected_decisions(world)[:40]
    predicted = package.predict(world.run, files, store=world.store).predictions
    for row, each in zip(rows, predicted, strict=True):
        assert row["unlike"] == bool(each.outside)
        assert row["probabilities"] == pytest.approx(each.probabilities, abs=1e-4)  # type: ignore[union-attr]


def test_the_model_card_names_every_class_and_its_figures(exported: Path) -> None:
    text = (exported / "README.md").read_text(encoding="utf-8")
    assert "distinguish `0`, `1`, `2`, `3`, `4`, `5`, `6`, `7`, `8` and `9` in images" in text
    assert "raw scores per class, (n, 10)" in text
    assert "the class with the highest raw score if it is at least 0.6, else none" in text
    for figure in ("balanced accuracy", "recall of 7", "coverage", "log loss"):
        assert f"| {figure}" in text
    assert "ECE of the highest score" in text


def test_a_model_of_other_classes_than_the_run_is_refused_in_one_line(world: World, tmp_path: Path) -> None:
    from benchmark.runs.deployment.model_files import maker_of
    from benchmark.training.use.model_file import load_model
    from zoo.config.errors import ConfigError

    with pytest.raises(
        ConfigError, match=r"its output per image has shape \(10,\); the classes of the run need \(1,\)"
    ):
        load_model(world.store.model_file(world.run), maker_of(world.run), 1)
