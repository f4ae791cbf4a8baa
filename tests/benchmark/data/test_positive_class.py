"""The positive class is the one that was named; a class that sounds like no finding is questioned, others are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.data.checks.describe import describe
from benchmark.data.dataset import Dataset
from benchmark.data.positive_class import in_order, says_no_finding
from benchmark.data.sources import open_dataset
from benchmark.runs.deployment.model_files import command_that_keeps
from benchmark.runs.history import NO_HISTORY
from benchmark.runs.run import DatasetFacts
from benchmark.runs.storage.store import Store
from reports.report import build_report
from tests.support.forked import run_forked
from tests.support.images import image_folder, refusal
from tests.support.records import make_run
from tests.support.tiny import environment, write_npz


def labelled(dataset: Dataset) -> dict[str, str]:
    return {image.name: dataset.classes[image.label] for image in dataset.images}


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, str]:
    folder = image_folder(tmp_path / "images", {"abnormal": 6, "normal": 8})
    return {"folder": str(folder), "npz": str(write_npz(tmp_path / "arrays.npz")), "phantom": "phantom"}


@pytest.mark.parametrize("kind", ["folder", "npz", "phantom"])
def test_the_named_class_is_positive_and_nothing_else_changes(sources: dict[str, str], kind: str) -> None:
    plain = open_dataset(sources[kind])
    turned = open_dataset(sources[kind], positive=plain.classes[0])
    assert turned.classes == plain.classes[::-1]
    assert labelled(turned) == labelled(plain)
    assert turned.fingerprint != plain.fingerprint
    few = slice(0, 6)
    assert np.array_equal(turned.read(turned.images[few], 16), plain.read(plain.images[few], 16))
    same = open_dataset(sources[kind], positive=plain.classes[1])
    assert (same.images, same.fingerprint) == (plain.images, plain.fingerprint)
    assert in_order(turned, plain.classes[1]).fingerprint == plain.fingerprint


def test_a_class_that_is_not_there_is_refused_with_those_that_are(sources: dict[str, str]) -> None:
    message = refusal(lambda: open_dataset(sources["folder"], positive="ill"))
    assert message.startswith("--positive ill: ")
    assert "abnormal and normal" in message


@pytest.mark.parametrize(
    "name",
    [
        "normal", "NORMAL2", "Healthy", "negative", "benign", "control", "controls", "uninfected", "clear",
        "unaffected",
        "no finding", "NoFinding", "no_findings", "No Pneumonia", "without fracture", "none", "COVID-negative",
        "sano", "sana", "sin hallazgos", "negativo", "benigno", "gesund", "unauffällig", "ohne Befund", "kein Tumor",
        "sain", "témoin", "bénin", "négatif", "sans anomalie", "sani", "controllo", "senza reperti", "saudável",
        "não doente", "01_normal",
    ],
)  # fmt: skip
def test_a_class_that_says_that_nothing_was_found_is_known(name: str) -> None:
    assert says_no_finding(name)


@pytest.mark.parametrize(
    "name",
    [
        "abnormal", "Abnormal", "anormal", "non-healthy", "not normal", "unhealthy", "uncontrolled",
        "PNEUMONIA", "malignant",
        "infected", "affected", "positive", "nodule", "nonunion", "enfermo", "krank", "nicht gesund",
        "clear cell carcinoma",
        "bacteria", "1", "肺炎", "",
    ],
)  # fmt: skip
def test_other_classes_are_not_questioned(name: str) -> None:
    assert not says_no_finding(name)


def test_the_question_is_asked_once_and_not_when_the_class_was_named(sources: dict[str, str]) -> None:
    def warned(**more: str) -> list[str]:
        summary = describe(open_dataset(sources["folder"], **more))  # type: ignore[arg-type]
        return [warning for warning in summary.warnings if "--positive" in warning]

    [warning] = warned()
    assert "'normal' is taken as the positive class" in warning
    assert "give --positive 'abnormal'" in warning
    assert warned(positive="abnormal") == warned(positive="normal") == []


@pytest.mark.parametrize(("positive", "asked"), [(None, True), ("normal", False)])
def test_a_report_asks_too(sources: dict[str, str], positive: str | None, asked: bool) -> None:
    run = make_run(dataset=DatasetFacts.of(open_dataset(sources["folder"], positive=positive)))
    [section] = build_report([run], lambda _: NO_HISTORY).sections
    assert any("--positive 'abnormal'" in note for note in section.notes) == asked


def test_the_command_that_computes_a_run_again_names_the_class(sources: dict[str, str], tmp_path: Path) -> None:
    run = make_run(dataset=DatasetFacts.of(open_dataset(sources["folder"], positive="abnormal")))
    assert "--positive abnormal" in command_that_keeps(run, Store(tmp_path / "runs"))
    plain = make_run(dataset=DatasetFacts.of(open_dataset(sources["folder"])))
    assert "--positive" not in command_that_keeps(plain, Store(tmp_path / "runs"))


def test_the_commands_take_it(sources: dict[str, str], tmp_path: Path) -> None:
    done = run_forked(["data", sources["folder"], "--positive", "abnormal"], tmp_path, environment(tmp_path / "cache"))
    assert done.returncode == 0
    assert "positive class: abnormal" in done.stdout
    done = run_forked(["data", sources["folder"], "--positive", "x"], tmp_path, environment(tmp_path / "cache"))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
