"""One card of each family with JAX and with PyTorch as the backend of Keras, through the commands."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from tests.support.tiny import run_zoo, write_folder, write_npz, write_protocol
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo

zoo = test_zoo_cli.zoo
CARDS = ("constant", "pixels-logistic", "small-cnn", "vgg16-finetuned", "application")
APPLICATION = """
title: A network of keras.applications
change: random weights
model: {builder: application, backbone: SqueezeNet1.1, weights: random}
recipe: {preprocessing: builder, optimizer: {name: adam, learning_rate: 0.001}, epochs: 1, batch_size: 20}
"""


@dataclass(frozen=True)
class Benched:
    """What the commands printed with a backend, and the runs by card."""

    backend: str
    process: subprocess.CompletedProcess[str]
    predicted: subprocess.CompletedProcess[str]
    runs: dict[str, Run]


@pytest.fixture(scope="module", params=["jax", "torch"])
def benched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Benched:
    backend: str = request.param
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    folder = tmp_path_factory.mktemp(backend)
    data, protocol = write_npz(folder / "tiny.npz"), write_protocol(folder / "p.yaml")
    images = write_folder(folder / "new", ["HEALTHY", "ILL"], images=2)
    (folder / "cards").mkdir()
    (folder / "cards" / "application.yaml").write_text(APPLICATION, encoding="utf-8")
    words = ["--data", str(data), "--protocol", str(protocol), "--cards", str(folder / "cards"), "--seeds", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "KERAS_BACKEND", backend)
        where = {"cwd": folder, "cache": folder / "cache"}
        process = run_zoo("bench", *CARDS, *words, "--keep-models", **where)
        predicted = run_zoo("predict", "small-cnn", str(images), "--json", **where)
    assert process.returncode == 0, process.stderr
    runs, _ = Store(folder / "runs").runs()
    return Benched(backend, process, predicted, {run.spec.card.name: run for run in runs})


@pytest.mark.slow
@pytest.mark.parametrize("name", CARDS)
def test_a_card_of_each_family_trains_and_its_record_names_the_backend(benched: Benched, name: str) -> None:
    run = benched.runs[name]
    assert run.status == "ok", run.error
    assert run.environment is not None
    assert run.environment.versions["backend"] == benched.backend
    assert benched.backend in run.environment.versions
    assert "tensorflow" not in run.environment.versions


@pytest.mark.slow
def test_native_code_of_other_backends_prints_nothing(benched: Benched) -> None:
    assert "absl" not in benched.process.stderr
    assert "structure of `inputs`" not in benched.process.stderr


@pytest.mark.slow
def test_a_stored_model_predicts(benched: Benched) -> None:
    assert benched.predicted.returncode == 0, benched.predicted.stderr
    scores = [each["score"] for each in json.loads(benched.predicted.stdout)["images"]]
    assert len(scores) == 4
    assert all(0 < score < 1 for score in scores)


def test_a_backend_that_cannot_train_is_one_line(zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("bench", "constant", "--store", tmp_path / "runs")
    for name, problem in (("numpy", "cannot train; give tensorflow, jax, torch"), ("torch", "torch is not installed")):
        if importlib.util.find_spec(name) is not None and name == "torch":
            continue
        monkeypatch.setenv("KERAS_BACKEND", name)
        refused = zoo(*words)
        assert refused.code == 2
        assert refused.err.startswith(f"zoo: KERAS_BACKEND={name}: {problem}")
        assert refused.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()
