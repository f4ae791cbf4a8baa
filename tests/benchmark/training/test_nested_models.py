"""Nested models, lists of layers, and models that override `call`: trained, saved, explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import pytest
from keras import layers

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.training.augmentation import augmented_view
from benchmark.training.fit import FeatureOptions, Fitted, Step, TrainingDiverged, fit, loss_function
from benchmark.training.frozen.bank import Bank
from benchmark.training.frozen.features import view_order
from benchmark.training.network import join, preprocessing_model, run_batched
from benchmark.training.use.explain import NoFeatureMaps, explain
from benchmark.training.use.model_file import load_model, save_model, with_features
from benchmark.training.use.predict import AppliedModel, ImageDescriber, score
from tests.support.nested import SHAPE, SIDE, Own, base, headed, sequential
from zoo.config.errors import ConfigError
from zoo.models import registry
from zoo.models.card import ModelCard
from zoo.models.registry import Unfreeze, build, builder_names, get_builder, register_builder

ROOMY = 1 << 30


def unfreeze_base(model: keras.Model, count: int) -> None:
    """Unfreeze through the base, as in the documentation of Keras."""
    for layer in model.get_layer("base").layers[-count:]:
        layer.trainable = True


@pytest.fixture(autouse=True)
def _builders(monkeypatch: pytest.MonkeyPatch) -> None:
    builder_names()
    monkeypatch.setattr(registry, "_BUILDERS", dict(registry._BUILDERS))

    @register_builder("on_a_base", unfreeze=Unfreeze("tune_last", unfreeze_base))
    def on_a_base(input_shape: tuple[int, int, int], *, tune_last: int = 0) -> keras.Model:
        return headed(base(trainable=False), training=False)

    @register_builder("listed")
    def listed(input_shape: tuple[int, int, int], *, built: bool = True) -> keras.Model:
        return sequential(built=built)

    @register_builder("own")
    def own(input_shape: tuple[int, int, int]) -> keras.Model:
        return Own(name="own")

    @register_builder("linear")
    def linear(input_shape: tuple[int, int, int]) -> keras.Model:
        return keras.Sequential([layers.Flatten(), layers.Dense(1)])


def card(builder: str, *, model: dict[str, Any] | None = None, **recipe: Any) -> ModelCard:
    return ModelCard.model_validate(
        {
            "name": "nested",
            "title": "A network of another package",
            "change": "nested",
            "model": {"builder": builder, **(model or {})},
            "recipe": {"optimizer": {"name": "sgd", "learning_rate": 0.05}, "epochs": 2, "batch_size": 8, **recipe},
        }
    )


FROZEN = card("on_a_base")
UNFROZEN = card("on_a_base", model={"tune_last": 3}, finetune={"learning_rate": 0.02, "epochs": 2})


def images(split: Literal["train", "val", "test"], count: int) -> LabelledImages:
    generator = np.random.default_rng(len(split))
    labels = np.arange(count) % 2
    pixels = generator.normal(100 + 40 * labels[:, None, None, None], 30, (count, SIDE, SIDE, 1))
    names = tuple(f"{split}{number}" for number in range(count))
    digests = tuple(f"{(len(split) * 100 + number) * 2654435761 % 2**64:064x}" for number in range(count))
    return LabelledImages(split, np.clip(pixels, 0, 255).astype(np.uint8), labels, names, names, digests)


def fitted(made: ModelCard, bank: Path, seed: int = 0, **options: Any) -> Fitted:
    keras.utils.set_random_seed(seed)
    train, val = images("train", 24), images("val", 12)
    return fit(made, train, val, seed=seed, view_seed=0, features=FeatureOptions(Bank(bank, ROOMY)), **options)


def test_an_unfreeze_hook_that_unfreezes_nothing_stops_the_run(tmp_path: Path) -> None:
    @register_builder("idle", unfreeze=Unfreeze("tune_last", lambda model, count: None))
    def idle(input_shape: tuple[int, int, int], *, tune_last: int = 0) -> keras.Model:
        return headed(base(trainable=False), training=False)

    problem = "builder idle: its unfreeze hook makes nothing trainable although tune_last is 3; it must set"
    with pytest.raises(ConfigError, match=f"^{problem}"):
        fitted(card("idle", model={"tune_last": 3}, finetune={"learning_rate": 0.02, "epochs": 2}), tmp_path)


def trained_whole(made: ModelCard) -> keras.Model:
    """The reference: what the builder returned, in one piece, by Keras alone, on the same views in the same order."""
    keras.utils.set_random_seed(0)
    train = images("train", 24)
    model = build(made.model.builder, made.model.params, SHAPE)
    whole = join(preprocessing_model((SIDE, SIDE, 1), made.recipe.preprocessing), model, "reference")
    phases = [(made.recipe.epochs, made.recipe.optimizer.learning_rate)]
    if made.recipe.finetune is not None:
        phases.append((made.recipe.finetune.epochs, made.recipe.finetune.learning_rate))
    order = iter(view_order(0, sum(epochs for epochs, _ in phases), None))
    for number, (epochs, rate) in enumerate(phases):
        if number:
            unfreeze = get_builder("on_a_base").unfreeze
            assert unfreeze is not None
            unfreeze.apply(model, int(made.model.params["tune_last"]))
        whole.compile(keras.optimizers.SGD(rate), loss_function(made.recipe.loss), jit_compile=False)
        for epoch in range(1, epochs + 1):
            view = next(order)
            shuffled = np.random.default_rng([0, number, epoch]).permutation(len(train))
            for first in range(0, len(shuffled), made.recipe.batch_size):
                chosen = shuffled[first : first + made.recipe.batch_size]
                digests = [train.digests[i] for i in chosen]
                pixels = augmented_view(train.pixels[chosen], digests, made.recipe.augmentation, view, 0)
                whole.train_on_batch(pixels, train.labels[chosen].astype(np.float32)[:, None])
    return whole


@pytest.mark.parametrize("made", [FROZEN, UNFROZEN], ids=["frozen", "unfrozen"])
def test_training_a_nested_base_on_the_bank_is_training_the_whole_network(made: ModelCard, tmp_path: Path) -> None:
    banked, whole, test = fitted(made, tmp_path), trained_whole(made), images("test", 16)
    assert banked.network.prefix_end == ("active" if made is UNFROZEN else "flatten")
    assert np.abs(score(banked, test) - run_batched(whole, test.pixels)[:, 0]).max() < 1e-4
    ours, theirs = banked.model.get_weights(), whole.get_weights()
    assert max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True)) < 1e-4


def test_a_second_run_and_another_phase_read_the_features_of_a_nested_base(tmp_path: Path) -> None:
    first, test = fitted(UNFROZEN, tmp_path), images("test", 16)
    scores = score(first, test)
    steps: list[Step] = []
    second = fitted(UNFROZEN, tmp_path, on_step=steps.append)
    assert not [step.label for step in steps if "features" in step.label]
    assert np.array_equal(score(second, test), scores)
    assert list(tmp_path.glob("*/*.block"))


@pytest.mark.parametrize(
    ("made", "layer"),
    [
        (FROZEN, "joined"),
        (UNFROZEN, "joined"),
        (card("listed"), "norm"),
        (card("listed", model={"built": False}), "norm"),
    ],
)
def test_a_trained_model_is_saved_scored_described_and_explained(made: ModelCard, layer: str, tmp_path: Path) -> None:
    trained, test = fitted(made, tmp_path / "bank"), images("test", 16)
    assert trained.history[-1]["val_loss"]
    trained.model.save(tmp_path / "model.keras")
    kept = load_model(tmp_path / "model.keras")
    scores = score(trained, test)
    np.testing.assert_allclose(run_batched(kept, test.pixels)[:, 0], scores, atol=1e-5)
    described = ImageDescriber([AppliedModel(kept)]).describe(test.pixels)
    np.testing.assert_allclose(described.scores, scores, atol=1e-5)
    assert described.features["features"].shape == (16, 4)
    found = explain(kept, test.pixels, np.ones(16, int), seeds=(0,))
    assert found.layer == layer
    np.testing.assert_allclose(found.scores, scores, atol=1e-4)


def test_a_model_that_overrides_call_is_trained_and_saved_and_says_why_it_has_no_map(tmp_path: Path) -> None:
    trained, test = fitted(card("own"), tmp_path / "bank"), images("test", 16)
    assert trained.network.prefix_end is None
    path = tmp_path / "model.keras"
    trained.model.save(path)
    with pytest.raises(ConfigError, match=r"model\.keras: is not a readable model"):
        load_model(path)
    kept = load_model(path, lambda: build("own", {}, SHAPE))
    scores = score(trained, test)
    np.testing.assert_allclose(run_batched(kept, test.pixels)[:, 0], scores, atol=1e-5)
    values, features = with_features(kept).predict_on_batch(test.pixels.astype(np.float32))
    np.testing.assert_allclose(values[:, 0], scores, atol=1e-5)
    assert np.array_equal(features, values)
    with pytest.raises(NoFeatureMaps, match=r"own(_\d+)? overrides `call`, so its feature maps are not accessible"):
        explain(kept, test.pixels, np.ones(16, int), seeds=())


def test_scores_that_are_no_probabilities_stop_training_at_the_start(tmp_path: Path) -> None:
    steps: list[Step] = []
    with pytest.raises(ConfigError, match=r"builder linear: its model gives scores from -.* as a last layer Dense"):
        fitted(card("linear"), tmp_path, on_step=steps.append)
    assert steps == []


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            lambda: keras.Sequential([keras.Input((8, 4, 1)), layers.Flatten(), layers.Dense(1)]),
            r"images have shape \(8, 4, 1\)",
        ),
        (lambda: keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2)]), r"has shape \(2,\)"),
    ],
)
def test_a_file_with_another_model_is_named_in_one_line(made: Any, message: str, tmp_path: Path) -> None:
    model = made()
    model.save(tmp_path / "model.keras")
    with pytest.raises(ConfigError, match=rf"model\.keras: is not the model of a run: .*{message}"):
        load_model(tmp_path / "model.keras")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["DenseNet121", "MobileNetV2"])
def test_a_base_of_keras_applications_uses_the_bank(name: str, tmp_path: Path) -> None:
    unfreeze = Unfreeze("tune_last", lambda model, count: _unfreeze_last(model, name.lower(), count))

    @register_builder("keras_base", unfreeze=unfreeze)
    def keras_base(input_shape: tuple[int, int, int], *, tune_last: int = 0) -> keras.Model:
        inner = getattr(keras.applications, name)(
            weights=None, include_top=False, input_shape=(32, 32, 3), pooling="avg", name=name.lower()
        )
        inner.trainable = False
        inputs = keras.Input((32, 32, 3))
        return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(inner(inputs, training=False)))

    def larger(of: LabelledImages) -> LabelledImages:
        pixels = of.pixels.repeat(2, axis=1).repeat(2, axis=2)
        return LabelledImages(of.split, pixels, of.labels, of.names, of.patients, of.digests)

    made = card("keras_base", model={"tune_last": 3}, finetune={"learning_rate": 1e-3, "epochs": 1}, epochs=1)
    keras.utils.set_random_seed(0)
    train, val = larger(images("train", 24)), larger(images("val", 12))
    trained = fit(made, train, val, seed=0, view_seed=0, features=FeatureOptions(Bank(tmp_path, ROOMY)))
    assert trained.network.prefix_end is not None
    assert 0 < trained.trainable_parameters < trained.parameters / 2
    trained.model.save(tmp_path / "model.keras")
    test = larger(images("test", 8))
    kept = load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(run_batched(kept, test.pixels)[:, 0], score(trained, test), atol=1e-5)
    assert explain(kept, test.pixels, np.ones(8, int), seeds=()).maps.shape == (8, 32, 32)


def _unfreeze_last(model: keras.Model, inner: str, count: int) -> None:
    for layer in model.get_layer(inner).layers[-count:]:
        layer.trainable = True


def test_scores_that_are_nan_are_refused(tmp_path: Path) -> None:
    trained = fitted(card("listed"), tmp_path)
    weights = trained.network.tail.get_weights()
    trained.network.tail.set_weights([np.full_like(each, np.nan) for each in weights])
    with pytest.raises(
        TrainingDiverged, match=r"16 of 16 test images get scores that are NaN or outside \[0, 1\], such as nan"
    ):
        score(trained, images("test", 16))


class Opaque(layers.Layer):  # type: ignore[misc]
    """A layer without a configuration."""

    def __init__(self, thing: object) -> None:
        super().__init__()
        self.thing = thing

    def call(self, inputs: Any) -> Any:
        return inputs


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: layers.Lambda(lambda x: x * 2, name="twice"), "twice is a Lambda layer, whose code is never read"),
        (lambda: Opaque(object()), "Object Opaque was created by passing non-serializable argument values"),
    ],
)
def test_a_model_that_cannot_be_read_again_is_not_saved(layer: Any, message: str, tmp_path: Path) -> None:
    inputs = keras.Input(SHAPE)
    x = layers.GlobalAveragePooling2D()(layer()(inputs))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    whole = join(preprocessing_model((SIDE, SIDE, 1), "rescale"), model, "whole")
    with pytest.raises(ConfigError, match=f"the model cannot be saved: {message}") as caught:
        save_model(whole, tmp_path / "model.keras")
    assert "\n" not in str(caught.value)
