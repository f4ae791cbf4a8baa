"""Any model of a builder becomes one graph of layers with the same outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from benchmark.training.model_graph import FlatModel, check_scores, flatten
from benchmark.training.network import frozen_layers, layer_digests, segment
from tests.support.nested import SHAPE, SIDE, Own, base, headed, sequential
from zoo.config.errors import ConfigError

IMAGES = np.random.default_rng(0).uniform(-1, 2, (8, *SHAPE)).astype(np.float32)
LABELS = (np.arange(8) % 2).astype(np.float32)[:, None]


def flat(made: Any) -> FlatModel:
    return flatten(made, SHAPE, "mine")


def scores(model: keras.Model) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(IMAGES, training=False)))


def twice_nested() -> keras.Model:
    inner = keras.Sequential([keras.Input(SHAPE), base(name="deepest"), layers.ReLU(name="active")], name="middle")
    return headed(inner)


def shared() -> keras.Model:
    """One base that looks at an image and at its mirror image."""
    inputs = keras.Input(SHAPE, name="image")
    inner = base()
    x = layers.Concatenate(name="both")([inner(inputs), inner(keras.ops.flip(inputs, axis=2))])
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid", name="probability")(x), name="twins")


def several_outputs() -> keras.Model:
    inputs = keras.Input(SHAPE, name="inner_image")
    x = layers.Conv2D(3, 3, strides=2, name="one")(inputs)
    y = layers.Conv2D(3, 3, strides=2, name="two")(x)
    inner = keras.Model(inputs, {"late": y, "early": x}, name="pyramid")
    image = keras.Input(SHAPE, name="image")
    found = inner(image / 255.0)
    pooled = [layers.GlobalMaxPooling2D(name=f"pool_{name}")(found[name]) for name in ("early", "late")]
    x = layers.Concatenate(name="both")(pooled)
    return keras.Model(image, layers.Dense(1, activation="sigmoid", name="probability")(x), name="pyramids")


MADE: dict[str, Callable[[], keras.Model]] = {
    "nested": lambda: headed(base()),
    "frozen": lambda: headed(base(trainable=False), training=False),
    "deeper": twice_nested,
    "shared": shared,
    "several outputs": several_outputs,
    "sequential": sequential,
    "sequential, not built": lambda: sequential(built=False),
}


@pytest.mark.parametrize("kind", MADE)
def test_the_graph_gives_the_same_scores_bit_for_bit_from_the_same_weights(kind: str) -> None:
    made = MADE[kind]()
    built = flat(made)
    assert built.opaque_reason is None
    assert not [layer.name for layer in built.model.layers if isinstance(layer, keras.Model)]
    assert np.array_equal(scores(built.model), scores(made))
    assert built.model.input_shape == (None, *SHAPE)
    ours, theirs = built.model.weights, made.weights
    assert [weight.path.rsplit("/", 1)[-1] for weight in ours] == [weight.path.rsplit("/", 1)[-1] for weight in theirs]
    assert all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))
    assert [weight.trainable for weight in ours] == [weight.trainable for weight in theirs]
    assert float(sum(built.model.losses)) == pytest.approx(float(sum(made.losses)))


def test_a_graph_of_layers_is_left_as_it_is() -> None:
    inputs = keras.Input(SHAPE)
    x = layers.BatchNormalization()(layers.Conv2D(2, 3)(inputs))
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))  # Keras notes training=False at its call
    made = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    assert flat(made).model is made


def test_names_are_kept_and_a_second_layer_of_one_name_gets_that_of_its_model() -> None:
    names = [layer.name for layer in flat(twice_nested()).model.layers]
    assert names[:8] == ["image", "first", "norm", "active", "second", "joined", "pooled", "middle_active"]
    inputs = keras.Input(SHAPE, name="image")
    x = base(name="left")(inputs)
    other = keras.Sequential([keras.Input(x.shape[1:]), layers.Conv2D(2, 1, name="first")], name="right")
    outputs = layers.Dense(1, activation="sigmoid", name="first")(layers.Flatten()(other(x)))
    model = flat(keras.Model(inputs, outputs)).model
    named = [layer.name for layer in model.layers if layer.name.endswith(("first", "first_2"))]
    assert named == ["first", "right_first", "first_2"]


def test_training_the_graph_is_training_what_the_builder_returned() -> None:
    made = headed(base())
    model = flat(made).model
    for each in (made, model):
        each.compile(keras.optimizers.SGD(0.1), "binary_crossentropy", jit_compile=False)
        for _ in range(3):
            each.train_on_batch(IMAGES, LABELS)
    for one, other in zip(model.get_weights(), made.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("nested", [True, False])
def test_layers_called_in_inference_mode_keep_statistics_and_train_weights(nested: bool) -> None:
    if nested:
        made = headed(base(), training=False)
    else:
        inputs = keras.Input(SHAPE, name="image")
        x = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 3, name="first")(inputs), training=False)
        x = layers.GlobalAveragePooling2D()(x)
        made = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    model = flat(made).model
    norm = model.get_layer("norm")
    before = dict_of(norm)
    tail = segment(model, "first", None)  # what trains is a part made of the same layers
    features = segment(model, None, "first").predict_on_batch(IMAGES)
    tail.compile(keras.optimizers.SGD(0.5), "binary_crossentropy", jit_compile=False)
    tail.train_on_batch(features, LABELS)
    moved = {name for name, weight in before.items() if not np.array_equal(weight, dict_of(norm)[name])}
    assert moved == {"gamma", "beta"}


def dict_of(layer: keras.layers.Layer) -> dict[str, np.ndarray]:
    return {weight.name: keras.ops.convert_to_numpy(weight) for weight in layer.weights}


def test_dropout_that_was_called_in_inference_mode_drops_nothing() -> None:
    inputs = keras.Input(SHAPE, name="image")
    inner = keras.Sequential([keras.Input(SHAPE), layers.Dropout(0.9, name="inner_dropout")], name="inner")
    x = layers.GlobalAveragePooling2D()(inner(inputs, training=False))
    model = flat(keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))).model
    assert np.array_equal(model(IMAGES, training=True), scores(model))


def test_the_frozen_layers_of_a_base_are_seen_and_random_ones_end_them() -> None:
    assert frozen_layers(flat(headed(base(trainable=False))).model)[-1] == "flatten"
    assert frozen_layers(flat(headed(base())).model) == ()
    half = base()
    for layer in half.layers[:4]:
        layer.trainable = False
    assert frozen_layers(flat(headed(half)).model)[-1] == "active"
    turned = keras.Sequential([keras.Input(SHAPE), layers.RandomFlip(), base(trainable=False)], name="turned")
    assert frozen_layers(flat(headed(turned)).model) == ()


def test_normalisation_without_scale_and_offset_is_no_frozen_layer_unless_it_is_frozen() -> None:
    for frozen, last in ((False, "first"), (True, "flatten")):
        inputs = keras.Input(SHAPE, name="image")
        x = layers.Conv2D(2, 3, trainable=False, name="first")(inputs)
        norm = layers.BatchNormalization(scale=False, center=False, trainable=not frozen, name="norm")
        x = layers.Flatten(name="flatten")(norm(x))
        made = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
        assert frozen_layers(flat(made).model)[-1] == last


def test_a_nested_random_layer_is_not_frozen() -> None:
    class Inside(layers.Layer):  # type: ignore[misc]
        def __init__(self, **more: Any) -> None:
            super().__init__(**more)
            self.dropout = layers.Dropout(0.5)

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            return self.dropout(inputs, training=training)

    inputs = keras.Input(SHAPE, name="image")
    x = Inside(name="inside")(layers.Conv2D(2, 3, trainable=False, name="first")(inputs))
    made = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.Flatten()(x)))
    assert frozen_layers(flat(made).model) == ("first",)


def test_digests_of_a_base_do_not_change_with_the_head() -> None:
    keras.utils.set_random_seed(0)
    one = flat(headed(base(trainable=False))).model
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE, name="image")
    x = layers.GlobalAveragePooling2D(name="other")(base(trainable=False)(inputs))
    two = flat(keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))).model
    names = ("first", "pooled")
    assert layer_digests(one, names) == layer_digests(two, names)
    two.get_layer("norm").set_weights([each + 1 for each in two.get_layer("norm").get_weights()])
    assert layer_digests(one, names)["first"] == layer_digests(two, names)["first"]
    assert layer_digests(one, names)["pooled"] != layer_digests(two, names)["pooled"]


def test_trainable_flags_of_the_builder_s_model_are_copied_to_the_graph() -> None:
    made = headed(base(trainable=False))
    built = flat(made)
    flags = built.trainable_flags()
    for layer in made.get_layer("base").layers[-3:]:
        layer.trainable = True
    built.sync_trainable()
    assert built.model.get_layer("second").trainable
    assert not built.model.get_layer("first").trainable
    assert frozen_layers(built.model)[-1] == "active"
    built.restore(flags)
    assert frozen_layers(built.model)[-1] == "flatten"
    assert not made.get_layer("base").trainable


def test_a_model_that_overrides_call_stays_whole() -> None:
    built = flat(Own(name="own"))
    assert built.opaque_reason == "Own overrides `call`"
    assert built.model.output_shape == (None, 1)
    assert np.array_equal(scores(built.model), scores(built.original))
    assert frozen_layers(built.model) == ()
    assert len(built.model.trainable_variables) == 4


def test_a_nested_model_that_overrides_call_is_one_layer() -> None:
    inputs = keras.Input(SHAPE, name="image")
    inner = keras.Sequential([keras.Input(SHAPE), layers.Conv2D(3, 3, padding="same", name="first")], name="inner")
    made = keras.Model(inputs, Own(name="own")(inner(inputs)))
    built = flat(made)
    assert [layer.name for layer in built.model.layers] == ["image", "first", "own"]
    assert np.array_equal(scores(built.model), scores(made))


def test_layers_whose_copies_differ_stay_whole() -> None:
    class Secret(layers.Layer):  # type: ignore[misc]
        factor = 1.0

        def call(self, inputs: Any) -> Any:
            return inputs * self.factor

    secret = Secret(name="secret")
    secret.factor = 3.0  # neither a variable nor in the configuration
    inner = keras.Sequential([keras.Input(SHAPE), secret], name="inner")
    built = flat(headed(inner))
    assert built.opaque_reason == "a copy of its layers gives different scores"
    assert np.array_equal(scores(built.model), scores(built.original))
    assert frozen_layers(built.model) == ()


def test_normalisation_adapted_to_data_keeps_what_it_learnt() -> None:
    norm = layers.Normalization(name="scale")
    norm.adapt(IMAGES)
    made = headed(keras.Sequential([keras.Input(SHAPE), norm], name="inner"))
    built = flat(made)
    assert built.opaque_reason is None
    assert np.array_equal(scores(built.model), scores(made))


def ends(inputs: int = 1, outputs: int = 1, units: int = 1, shape: tuple[int, ...] = SHAPE) -> keras.Model:
    images = [keras.Input(shape) for _ in range(inputs)]
    x = layers.Flatten()(images[0] if inputs == 1 else layers.Add()(images))
    return keras.Model(images, [layers.Dense(units, activation="sigmoid")(x) for _ in range(outputs)])


ONE = r"builder mine: its model must have one input \(n, 16, 16, 3\) and one output \(n, 1\)"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: "no model", r"builder mine: must return a keras\.Model, not str"),
        (lambda: ends(inputs=2), rf"{ONE}; it has 2 and 1"),
        (lambda: ends(outputs=2), rf"{ONE}; it has 1 and 2"),
        (lambda: ends(units=2), rf"{ONE}, the probability of the positive class; its output is \(n, 2\)"),
        (lambda: ends(shape=(SIDE, SIDE, 1)), rf"{ONE}; its input is \(n, 16, 16, 1\)"),
        (lambda: ends(shape=(48,)), rf"{ONE}; its input is \(n, 48\)"),
        (
            lambda: keras.Sequential([layers.Dense(1, activation="sigmoid")]),
            rf"{ONE}, the probability of the positive class; its output is \(n, 16, 16, 1\)",
        ),
        (
            lambda: keras.Sequential([layers.Conv2D(2, 20), layers.Flatten(), layers.Dense(1)]),
            r"builder mine: its model does not accept images of shape \(16, 16, 3\): ",
        ),
    ],
)
def test_an_unsuitable_model_is_refused_in_one_line(made: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        flat(made())
    assert "\n" not in str(caught.value)


def test_finite_scores_outside_0_to_1_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"builder mine: its model gives scores from -0\.5 to 1; they must be"):
        check_scores("mine", np.array([-0.5, 1.0, np.nan]))
    check_scores("mine", np.array([0.0, 1.0, np.nan]))
    check_scores("mine", np.array([np.nan]))


def test_scores_of_several_classes_must_be_shares() -> None:
    shares = np.array([[0.2, 0.3, 0.5], [np.nan, 1.0, 0.0]])
    check_scores("mine", shares)
    with pytest.raises(ConfigError, match=r"builder mine: its model gives scores that sum to 1\.5 over the classes"):
        check_scores("mine", np.array([[0.5, 0.5, 0.5]]))
    with pytest.raises(ConfigError, match=r"scores from -1 to 1; .* Dense\(outputs, activation='softmax'\)"):
        check_scores("mine", np.array([[1.0, 1.0, -1.0]]))


def test_a_model_with_another_number_of_outputs_is_refused_in_one_line() -> None:
    model = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(1, activation="sigmoid")])
    with pytest.raises(ConfigError, match=r"one output \(n, 3\), a probability per class; its output is \(n, 1\)"):
        flatten(model, SHAPE, "mine", 3)
