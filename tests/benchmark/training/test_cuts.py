"""A network is cut only where one tensor crosses, and both parts together compute what the network computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmark.training.cuts import crossing_layers, cuts
from benchmark.training.frozen.bank import Bank
from benchmark.training.frozen.features import Network
from benchmark.training.model_graph import FlatModel, flatten
from benchmark.training.network import segment, without_inputs
from tests.support import multiclass
from zoo.models.recipe import ProbeRecipe
from zoo.models.registry import build, get_builder

L = keras.layers
SIDE = 64
UNFREEZE = {
    "DenseNet121": ("conv5", "pool4_pool"),
    "ResNet50V2": ("conv5", "conv4_block6_out"),
    "EfficientNetV2B0": ("block6", "block5e_add"),
    "MobileNetV3Small": ("expanded_conv_9", "expanded_conv_8_project_bn"),
    "ConvNeXtTiny": ("convnext_tiny_stage_3", "convnext_tiny_downsampling_conv_2"),
}


def conv(name: str, **options: Any) -> Any:
    return L.Conv2D(3, 1, name=name, **options)


def graph(of: Callable[[Any], Any]) -> keras.Model:
    inputs = keras.Input((4, 4, 3), name="in")
    return keras.Model(inputs, of(inputs))


def skipped(x: Any) -> Any:
    x = conv("a")(x)
    return conv("d")(L.Add(name="sum")([conv("c")(conv("b")(x)), x]))


def joined(x: Any) -> Any:
    x = conv("a")(x)
    return conv("d")(L.Concatenate(name="joined")([conv("b")(x), conv("c")(x), x]))


def from_the_input(x: Any) -> Any:
    return conv("d")(L.Add(name="sum")([conv("b")(conv("a")(x)), x]))


def to_the_end(x: Any) -> Any:
    x = conv("a")(x)
    return L.Add(name="sum")([conv("c")(conv("b")(x)), x])


def used_twice(x: Any) -> Any:
    again = conv("again")
    return conv("c")(again(conv("b")(again(x))))


def an_operation(x: Any) -> Any:
    return conv("b")(conv("a")(x) * 2.0)


def overlapping(x: Any) -> Any:
    a = conv("a")(x)
    b = conv("b")(a)
    c = L.Add(name="c")([b, a])
    return conv("e")(L.Add(name="d")([c, b]))


GRAPHS = {
    "a skip connection": (skipped, ("a", "sum", "d")),
    "concatenation": (joined, ("a", "joined", "d")),
    "a path from the input": (from_the_input, ("sum", "d")),
    "a path to the end": (to_the_end, ("a", "sum")),
    "a layer used twice": (used_twice, ("b", "c")),
    "an operation that is no layer": (an_operation, ("a", "b")),
    "overlapping paths": (overlapping, ("a", "d", "e")),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_everything_passes_through_a_crossing_layer(name: str) -> None:
    of, expected = GRAPHS[name]
    assert crossing_layers(graph(of)) == expected


@pytest.mark.parametrize("name", GRAPHS)
def test_the_parts_of_a_graph_compute_what_it_computes(name: str) -> None:
    model = graph(GRAPHS[name][0])
    pixels = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
    whole = keras.ops.convert_to_numpy(model(pixels))
    for layer in crossing_layers(model)[:-1]:
        features = segment(model, None, layer)([pixels])
        assert np.allclose(segment(model, layer, None)(features), whole, rtol=1e-6), layer


def test_a_nested_model_is_cut_inside() -> None:
    inner = graph(skipped)
    inner.trainable = False
    inputs = keras.Input((4, 4, 3))
    outer = keras.Model(inputs, L.Dense(1, activation="sigmoid")(L.Flatten(name="flat")(inner(inputs, training=False))))
    assert crossing_layers(flatten(outer, (4, 4, 3), "nested").model)[:4] == ("a", "sum", "d", "flat")


def test_a_model_without_a_graph_has_no_cut() -> None:
    class Own(keras.Model):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return inputs

    assert crossing_layers(Own()) == ()
    assert cuts(Own(), ()) == ()


def test_of_layers_without_weights_between_them_the_last_is_the_cut() -> None:
    model = graph(lambda x: conv("b")(L.ReLU(name="relu")(conv("a")(L.Rescaling(2.0, name="twice")(x)))))
    assert [(cut.layer, cut.shape, cut.behind) for cut in cuts(model, {"a", "relu"})] == [("relu", (4, 4, 3), 12)]


def application(backbone: str) -> FlatModel:
    """A network of Keras with random weights whose normalisation fits some images, as that of trained ones does."""
    keras.utils.set_random_seed(0)
    model = build("application", {"backbone": backbone, "weights": "random"}, (SIDE, SIDE, 3))
    base = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    generator = np.random.default_rng(0)
    base.trainable = True
    for layer in base.layers:
        if isinstance(layer, L.BatchNormalization):
            layer.momentum = 0.0
        elif type(layer).__name__ == "LayerScale":  # new ones scale everything but the skip connection away
            layer.set_weights([generator.normal(0, 0.5, each.shape) for each in layer.get_weights()])
    base(generator.uniform(0, 255, (4, SIDE, SIDE, 3)).astype(np.float32), training=True)
    base.trainable = False
    return flatten(model, (SIDE, SIDE, 3), "application")


def assert_exact_cuts(backbone: str, folder: Path) -> None:
    """Assert that prefix and tail compute what the network computes, frozen, unfrozen, and during training."""
    block, end = UNFREEZE[backbone]
    built = application(backbone)
    images = multiclass.images("train", np.arange(4) % 2, 2, side=SIDE)
    recipe = ProbeRecipe(probe="logistic", preprocessing="builder")
    network = Network(built.model, (SIDE, SIDE, 1), recipe, view_seed=0, bank=Bank(folder, 1 << 30))
    assert network.prefix_end == without_inputs(built.model)[-2].name  # everything but the head
    unfreeze = get_builder("application").unfreeze
    assert unfreeze is not None
    pixels = images.pixels.astype(np.float32)
    for step in ("frozen", "unfrozen"):
        if step == "unfrozen":
            unfreeze.apply(built.original, block)
            built.sync_trainable()
            network.update_prefix()
            assert network.prefix_end == end
        whole = built.model(network.front(pixels, training=False), training=False)
        logits = np.log(whole / (1 - whole))
        assert np.ptp(logits) > 0
        for training in (False, True):
            scores = keras.ops.convert_to_numpy(network.tail(network.unaugmented(images), training=training))
            assert np.allclose(np.log(scores / (1 - scores)), logits, rtol=1e-4, atol=1e-5 * np.abs(logits).max())


def test_a_family_with_skips_and_products_is_cut_exactly(tmp_path: Path) -> None:
    assert_exact_cuts("MobileNetV3Small", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", [name for name in UNFREEZE if name != "MobileNetV3Small"])
def test_other_families_are_cut_exactly(backbone: str, tmp_path: Path) -> None:
    assert_exact_cuts(backbone, tmp_path)
