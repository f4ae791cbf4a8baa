"""A builder of another package with its own pretrained weights and its own unfreezing, through the command."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from tests.support.guests import install, zoo
from tests.support.tiny import write_npz, write_protocol

pytestmark = pytest.mark.slow

PACKAGE = '''
"""Networks of another package."""
import hashlib
from pathlib import Path

from zoo import PretrainedWeights, Unfreeze, register_builder
from zoo.config.errors import ConfigError


def pretrained(params):
    path = Path(params["checkpoint"])

    def find():
        if not path.is_file():
            raise ConfigError(f"model.checkpoint: {path}: no such file")
        return "checkpoint of the test"

    def digest():
        return hashlib.sha256(path.read_bytes()).hexdigest()

    return PretrainedWeights(str(path), find, digest, licence="CC0, *nobody*")


def unfreeze(model, layers):
    for layer in model.layers[3 - layers : 3]:
        layer.trainable = True


@register_builder("guest", pretrained=pretrained, unfreeze=Unfreeze("tune_last", unfreeze))
def guest(input_shape, *, checkpoint: str, tune_last: int = 0, weights: str = "resnet-imagenet"):
    """Two frozen convolutions under a head; `weights` only names the model."""
    import keras
    import numpy
    from keras import layers

    x = inputs = keras.Input(input_shape)
    x = layers.Conv2D(4, 3, strides=2, activation="relu", trainable=False, name="first")(x)
    x = layers.Conv2D(8, 3, strides=2, activation="relu", trainable=False, name="second")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x), name=weights.replace("-", "_"))
    with numpy.load(checkpoint) as arrays:
        for name in ("first", "second"):
            model.get_layer(name).set_weights([arrays[f"{name}_kernel"], arrays[f"{name}_bias"]])
    return model


@register_builder("resnet_like")
def resnet_like(input_shape, *, weights: str = "resnet-imagenet", unfreeze_layers: str = "none"):
    """A list of layers whose parameters have names that another builder gives a meaning."""
    import keras
    from keras import layers

    return keras.Sequential([layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(1, activation="sigmoid")])
'''
CARD = """title: "A guest"
change: "the network"
model: {model}
recipe:
  optimizer: {{name: adam, learning_rate: 1e-2}}
  epochs: 1
  batch_size: 16
"""
FINETUNE = "  finetune: {learning_rate: 1e-2, epochs: 1}\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, its checkpoint, cards, a data set, a protocol, and the runs of three cards."""
    folder = tmp_path_factory.mktemp("foreign")
    install(folder / "site", "guest", {"zoo.builders": "guest"}, guest=PACKAGE)
    np.savez(folder / "checkpoint.npz", **checkpoint())
    (folder / "cards").mkdir()
    models = {
        "head": "{builder: guest, checkpoint: checkpoint.npz}",
        "tuned": "{builder: guest, checkpoint: checkpoint.npz, tune_last: 1}",
        "nowhere": "{builder: guest, checkpoint: nowhere.npz}",
        "same-names": "{builder: resnet_like}",
    }
    for name, model in models.items():
        text = CARD.format(model=model) + (FINETUNE if name in ("head", "tuned") else "")
        (folder / "cards" / f"{name}.yaml").write_text(text, encoding="utf-8")
    write_protocol(folder / "smallest.yaml")
    write_npz(folder / "images.npz")
    bench = ["bench", *models, "--cards", "cards", "--data", "images.npz", "--protocol", "smallest.yaml"]
    done = zoo(folder / "site", folder / "cache", *bench, "--keep-models", "--store", "mine", cwd=folder)
    assert done.returncode == 1, done.stdout + done.stderr  # a named card was skipped
    (folder / "printed.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return folder


def checkpoint() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(5)
    shapes = {"first_kernel": (3, 3, 3, 4), "first_bias": (4,), "second_kernel": (3, 3, 4, 8), "second_bias": (8,)}
    return {name: generator.normal(0.1, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}


def run_of(place: Path, card: str) -> Run:
    (run,) = [run for run in Store(place / "mine").runs()[0] if run.spec.card.name == card]
    return run


def kernels(place: Path, card: str) -> list[np.ndarray]:
    """The kernels of the kept model's convolutions, read without Keras."""
    path = Store(place / "mine").model_file(run_of(place, card))
    arrays: list[np.ndarray] = []
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(lambda _, item: arrays.append(np.array(item)) if isinstance(item, h5py.Dataset) else None)
    return [array for array in arrays if array.ndim == 4]


def is_in(kernel: np.ndarray, kernels: list[np.ndarray]) -> bool:
    return any(np.array_equal(kernel, other) for other in kernels)


def test_the_builders_own_weights_are_loaded_and_recorded(place: Path) -> None:
    assert all(is_in(checkpoint()[name], kernels(place, "head")) for name in ("first_kernel", "second_kernel"))
    digest = hashlib.sha256((place / "checkpoint.npz").read_bytes()).hexdigest()
    environment = run_of(place, "head").environment
    assert environment is not None
    assert environment.weights == f"checkpoint of the test, SHA-256 {digest[:16]}"


def test_the_builders_own_parameter_says_which_layers_the_second_phase_trains(place: Path) -> None:
    phases = [epoch.phase for epoch in Store(place / "mine").history(run_of(place, "tuned")).epochs]
    assert phases == ["head", "finetune"]
    assert is_in(checkpoint()["first_kernel"], kernels(place, "tuned"))
    assert not is_in(checkpoint()["second_kernel"], kernels(place, "tuned"))


def test_cards_that_unfreeze_other_numbers_of_layers_share_the_bank(place: Path) -> None:
    """Train, val and test behind each of the two convolutions: 3 blocks at the second, and 3 at the first."""
    assert len(list((place / "cache" / "features").glob("*/*.block"))) == 6


def test_weights_that_are_missing_skip_the_card_with_the_builders_reason(place: Path) -> None:
    assert "model.checkpoint: nowhere.npz: no such file" in (place / "printed.txt").read_text(encoding="utf-8")


def test_parameters_called_weights_and_unfreeze_layers_may_mean_anything(place: Path) -> None:
    run = run_of(place, "same-names")
    assert run.status == "ok", run.error
    assert run.environment is not None
    assert run.environment.weights is None


def test_the_model_card_prints_the_licence_of_the_builders_weights(place: Path) -> None:
    done = zoo(place / "site", place / "cache", "export", "tuned", "--store", "mine", "--out", "folder", cwd=place)
    assert done.returncode == 0, done.stderr
    text = (place / "folder" / "README.md").read_text(encoding="utf-8")
    assert r"- licence of the pretrained weights: CC0, \*nobody\*" in text
    assert "VGG16" not in text


def test_unfrozen_layers_without_a_second_phase_are_an_error_that_names_the_parameter(place: Path) -> None:
    (place / "wrong").mkdir()
    text = CARD.format(model="{builder: guest, checkpoint: checkpoint.npz, tune_last: 1}")
    (place / "wrong" / "no-phase.yaml").write_text(text, encoding="utf-8")
    done = zoo(place / "site", place / "cache", "cards", "--cards", "wrong", cwd=place)
    assert done.returncode == 2
    assert "no-phase.yaml: model.tune_last needs recipe.finetune, the phase that trains them; add it" in done.stderr
