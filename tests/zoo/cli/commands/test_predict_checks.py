"""`zoo predict` and `zoo export` of models that give no probability: named, never decided; names that are formulas."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image as Pillow
from pydantic import ValidationError

from benchmark.evidence.calibration.calibrators import Calibrator
from benchmark.evidence.diagnosis.reference import OODReference, ood_reasons
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.deployment.decision_rule import DecisionRule
from benchmark.runs.storage.store import Store
from benchmark.training.use.export import write_onnx
from tests.support.kept import in_this_process
from tests.support.records import PHANTOM, make_run, on_test, on_val, planted, recorded_history
from tests.support.tiny import SIDE, card, protocol
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo
from zoo.config.errors import ConfigError

zoo = test_zoo_cli.zoo
FORMULA = '=cmd|"/c calc"!A0'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path) -> Iterator[None]:
    with in_this_process(tmp_path / "cache"):
        yield


def network(scale: float = 1 / 255, activation: str = "sigmoid", units: int = 1, side: int = SIDE) -> keras.Model:
    """The mean grey level, multiplied by `scale` twice and taken from itself, through a dense layer."""
    inputs = keras.Input((side, side, 1), name="pixels")
    x = layers.Rescaling(scale)(layers.GlobalAveragePooling2D()(inputs))
    x = layers.Rescaling(scale)(layers.ReLU()(x))  # two scales side by side are made one
    x = layers.Subtract()([x, layers.Rescaling(0.5)(x)])
    dense = layers.Dense(units, activation=activation, kernel_initializer="ones", bias_initializer="ones")
    return keras.Model(inputs, dense(x), name="mean")


def keep(
    store: Store, model: keras.Model, classes: tuple[str, str] = ("NORMAL", "PNEUMONIA"), calibrated: bool = False
) -> None:
    """A run whose kept model is `model`; its validation scores are those of a `calibrated` model, or too moderate."""
    val = on_val(*(planted(30, 30, shift=1.0, seed=2) if calibrated else planted(30, 30, seed=1)))
    test = on_test(*planted(30, 30, seed=2))
    data = PHANTOM.model_copy(update={"classes": classes})
    run = make_run(card(), val=val, test=test, protocol=protocol(), dataset=data)
    names = [[f"{part}{number}" for number in range(60)] for part in ("v", "t")]
    store.save(run, [(val, names[0]), (test, names[1])], recorded_history(), model.save)


def pictures(folder: Path, **levels: int) -> Path:
    """A grey image of one level by each name."""
    folder.mkdir(exist_ok=True)
    for name, level in levels.items():
        Pillow.fromarray(np.full((SIDE, SIDE), level, np.uint8)).save(folder / f"{name}.png")
    return folder


def rows(zoo: Zoo, tmp_path: Path, code: int) -> dict[str, dict[str, Any]]:
    answer = zoo("predict", "tiny", tmp_path / "pictures", "--store", tmp_path / "runs", "--json")
    assert answer.code == code, answer.err
    return {Path(row["image"]).stem: row for row in json.loads(answer.out)["images"]}


def test_an_image_whose_score_is_no_number_is_named_and_not_decided(zoo: Zoo, tmp_path: Path) -> None:
    keep(Store(tmp_path / "runs"), network(scale=1e30))  # infinite but for a black image, less infinity: no number
    pictures(tmp_path / "pictures", black=0, white=255)
    found = rows(zoo, tmp_path, code=1)
    assert found["black"]["decision"] == "PNEUMONIA"
    assert found["black"]["error"] is None
    white = found["white"]
    assert white["error"] == "the model gives nan, which is not a probability"
    assert [white[name] for name in ("probability", "score", "decision", "outside")] == [None, None, None, []]
    where = (tmp_path / "pictures", "--store", tmp_path / "runs")
    text = zoo("predict", "tiny", *where, "--csv")
    assert text.code == 1
    line = next(csv.DictReader(io.StringIO(text.out.split("\n", 2)[0] + "\n" + text.out.split("\n", 2)[2])))
    assert (line["probability"], line["decision"]) == ("", "")
    assert line["note"] == "no prediction: the model gives nan, which is not a probability"
    table = zoo("predict", "tiny", *where)
    assert table.code == 1
    assert "2 images: 0 NORMAL, 1 PNEUMONIA; 0 unlike the training images; 1 without a prediction" in table.out


@pytest.mark.parametrize("how", ["weights", "linear"])
def test_a_model_without_a_probability_for_any_image_decides_nothing(zoo: Zoo, tmp_path: Path, how: str) -> None:
    model = network() if how == "weights" else network(scale=1.0, activation="linear")
    if how == "weights":
        model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    keep(Store(tmp_path / "runs"), model)
    pictures(tmp_path / "pictures", dark=10, light=200)
    found = rows(zoo, tmp_path, code=1)
    assert [row["decision"] for row in found.values()] == [None, None]
    said = "nan" if how == "weights" else "6"
    assert found["dark"]["error"] == f"the model gives {said}, which is not a probability"


@pytest.mark.parametrize("command", ["predict", "export"])
def test_a_model_that_gives_two_scores_is_refused_in_one_line(zoo: Zoo, tmp_path: Path, command: str) -> None:
    keep(Store(tmp_path / "runs"), network(units=2))
    more = [pictures(tmp_path / "pictures", one=1)] if command == "predict" else ["--out", tmp_path / "out"]
    answer = zoo(command, "tiny", *more, "--store", tmp_path / "runs")
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert "model.keras: is not the model of a run: its output per image has shape (2,)" in answer.err


def test_names_that_a_spreadsheet_would_run_are_text_in_csv_and_themselves_in_json(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(Store(tmp_path / "runs"), network(), classes=("-2+3", "@SUM(1+1)"))
    monkeypatch.chdir(tmp_path)
    names = [f"{start}1+1.png" for start in "=+@"]
    for name in names:
        Pillow.fromarray(np.full((SIDE, SIDE), 90, np.uint8)).save(name)
    answer = zoo("predict", "tiny", *names, "--store", "runs", "--csv")
    assert answer.code == 0, answer.err
    told = list(csv.DictReader(io.StringIO(answer.out)))
    assert [row["image"] for row in told] == [f"'{name}" for name in names]
    assert {row["decision"] for row in told} == {"'@SUM(1+1)"}
    assert all(0 <= float(row["probability"]) <= 1 for row in told)
    document = json.loads(zoo("predict", "tiny", *names, "--store", "runs", "--json").out)
    assert [row["image"] for row in document["images"]] == names
    assert os.path.exists(names[0])


@pytest.mark.parametrize("calibrated", [True, False])
def test_csv_says_whether_probabilities_are_calibrated(zoo: Zoo, tmp_path: Path, calibrated: bool) -> None:
    store = Store(tmp_path / "runs")
    keep(store, network(), calibrated=not calibrated)  # nothing improves what is calibrated as it is
    where = (pictures(tmp_path / "pictures", dark=10, light=200), "--store", store.root)
    answer = zoo("predict", "tiny", *where, "--csv")
    assert answer.code == 0, answer.err
    for row in csv.DictReader(io.StringIO(answer.out)):
        assert list(row) == ["image", "probability", "score", "decision", "note", "calibrated", "threshold", "run"]
        assert (row["calibrated"] == "true") == (row["probability"] != row["score"]) == calibrated
        assert row["decision"] == ("PNEUMONIA" if float(row["score"]) >= float(row["threshold"]) else "NORMAL")
        assert row["run"] == store.runs()[0][0].run_id
    notes = [line for line in answer.err.splitlines() if line.startswith("note: score (not calibrated): ")]
    assert len(notes) == (0 if calibrated else 1)
    assert all(note.removeprefix("note: ") in " ".join(zoo("predict", "tiny", *where).out.split()) for note in notes)


def test_what_does_not_decide_is_told_by_the_decider() -> None:
    flat = Calibrator("temperature", accepted=False, reason="none helps")
    decider = DecisionRule(("A", "B"), Threshold(0.5, "youden"), flat)
    assert decider.problem(0.0) is None
    assert decider.problem(1.0) is None
    for score in (float("nan"), float("inf"), -1e-9, 1.5):
        assert "which is not a probability" in str(decider.problem(score))
    broken = Calibrator("platt", accepted=True, parameters=(float("nan"), 0.0))
    assert "calibration turns the score 0.25 into nan" in str(
        DecisionRule(("A", "B"), Threshold(0.5, "youden"), broken).problem(0.25)
    )


@pytest.mark.parametrize("cut", [float("nan"), -0.1, 1.5])
def test_no_record_holds_a_threshold_outside_0_to_1(cut: float) -> None:
    with pytest.raises(ValidationError, match="is not between 0 and 1"):
        make_run(card(), threshold=Threshold(cut, "youden"))


def test_features_that_are_no_numbers_are_unlike_the_training() -> None:
    reference = OODReference(np.zeros((1, 2)), np.eye(2), 2.0, 0.01, 120)
    row = {"features": np.array([[np.nan, 1.0]])}
    assert ood_reasons({"features": reference}, row, colour=False, channels=1) == ("features over 100 times the limit",)


def test_a_model_whose_scores_are_no_numbers_is_not_exported(tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx")
    with pytest.raises(ConfigError, match="gives scores that are no probabilities"):
        write_onnx(network(scale=1e30), tmp_path / "model.onnx")
