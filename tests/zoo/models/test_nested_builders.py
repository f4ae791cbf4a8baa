"""Builders of another package, in processes of their own: nested, listed and closed models from bench to gallery."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from benchmark.runs.storage.store import Store
from tests.support.forked import run_forked
from tests.support.tiny import environment, write_npz, write_protocol

pytestmark = pytest.mark.slow

GUEST = '''
"""Networks of another package."""
from zoo import Unfreeze, register_builder


def unfreeze(model, count):
    for layer in model.get_layer("base").layers[-count:]:
        layer.trainable = True


@register_builder("guest_nested", unfreeze=Unfreeze("tune_last", unfreeze))
def nested(input_shape, *, tune_last: int = 0):
    """A frozen base under a head."""
    import keras
    from keras import layers

    image = keras.Input(input_shape)
    x = layers.Conv2D(4, 3, padding="same")(image)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    base = keras.Model(image, layers.MaxPooling2D(4)(x), name="base")
    base.trainable = False
    inputs = keras.Input(input_shape)
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(base(inputs, training=False)))
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


@register_builder("guest_listed")
def listed(input_shape):
    """A list of layers."""
    import keras
    from keras import layers

    return keras.Sequential(
        [layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(1, activation="sigmoid")]
    )


@register_builder("guest_closed")
def closed(input_shape):
    """A model with a call of its own."""
    import keras
    from keras import layers

    class Closed(keras.Model):
        def __init__(self, **more):
            super().__init__(**more)
            self.steps = [layers.Conv2D(4, 3), layers.GlobalMaxPooling2D(), layers.Dense(1, activation="sigmoid")]

        def call(self, inputs):
            for step in self.steps:
                inputs = step(inputs)
            return inputs

    return Closed(name="closed")


@register_builder("guest_linear")
def linear(input_shape):
    """A model that gives no probability."""
    import keras
    from keras import layers

    return keras.Sequential([layers.Flatten(), layers.Dense(1)])


@register_builder("guest_pair")
def pair(input_shape):
    """A model that gives two scores."""
    import keras
    from keras import layers

    return keras.Sequential([layers.Flatten(), layers.Dense(2, activation="softmax")])
'''
CARD = """title: "{title}"
change: "the network"
model: {{builder: guest_{title}{model}}}
recipe:
  optimizer: {{name: adam, learning_rate: 1e-2}}
  epochs: 2
  batch_size: 16
"""
NAMES = ("nested", "listed", "closed", "linear", "pair")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package installed beside it, cards, a data set, a protocol and the runs of all cards."""
    folder = tmp_path_factory.mktemp("guest")
    info = folder / "site" / "guest-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "site" / "guest.py").write_text(GUEST, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guest\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[zoo.builders]\nguest = guest\n", encoding="utf-8")
    (folder / "cards").mkdir()
    for name in NAMES:
        model = ", tune_last: 2" if name == "nested" else ""
        text = CARD.format(title=name, model=model)
        text += "  finetune: {learning_rate: 1e-3, epochs: 1}\n" if name == "nested" else ""
        (folder / "cards" / f"{name}.yaml").write_text(text, encoding="utf-8")
    write_protocol(folder / "smallest.yaml")
    write_npz(folder / "images.npz")
    return folder


def zoo(place: Path, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    env = environment(place / "cache")
    env["PYTHONPATH"] = os.pathsep.join([str(place / "site"), env["PYTHONPATH"]])
    done = run_forked([str(argument) for argument in arguments], place, env)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done


def test_what_another_package_builds_goes_from_bench_to_gallery(place: Path) -> None:
    bench = ("bench", *NAMES, "--cards", "cards", "--data", "images.npz", "--protocol", "smallest.yaml")
    zoo(place, *bench, "--keep-models", "--store", "mine", code=1)
    runs = {run.spec.card.name: run for run in Store(place / "mine").runs()[0]}
    errors = {name: run.error for name, run in runs.items()}
    assert [name for name in NAMES if errors[name] is None] == ["nested", "listed", "closed"]
    assert str(errors["linear"]).startswith("builder guest_linear: its model gives scores from ")
    assert str(errors["pair"]).startswith("builder guest_pair: its model must have one input (n, 32, 32, 3) and one")
    assert list((place / "cache" / "features").glob("*/*.block"))
    (place / "pictures").mkdir()
    Image.linear_gradient("L").save(place / "pictures" / "ramp.png")
    for name in ("nested", "listed", "closed"):
        rows = zoo(place, "predict", name, "pictures", "--store", "mine", "--csv").stdout
        (row,) = csv.DictReader(io.StringIO(rows))
        assert 0 <= float(row["probability"]) <= 1
        zoo(place, "export", name, "--store", "mine", "--out", f"out-{name}")
        facts = json.loads((place / f"out-{name}" / "decision.json").read_text(encoding="utf-8"))
        assert facts["onnx"]["difference"] <= 1e-4
    zoo(place, "report", "--store", "mine", "--data", "images.npz", "--gallery", "--out", "report", "--format", "md")
    page = (place / "report" / "report.md").read_text(encoding="utf-8")
    assert "closed overrides `call`" in page
    assert list((place / "report" / "figures").glob("gallery-*/*-map.webp"))
