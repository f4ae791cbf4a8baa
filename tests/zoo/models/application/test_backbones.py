"""What the table of networks says is what the installed Keras says."""

from __future__ import annotations

import inspect
import sys

import keras
import numpy as np
import pytest
from keras.src.applications import resnet

from zoo.models.application.backbones import BACKBONES
from zoo.models.application.builder import network_input

OF_KERAS = [name for name, backbone in BACKBONES.items() if backbone.weights.package is None]


def test_every_network_of_keras_with_one_input_rule_is_known() -> None:
    of_keras = {name for name in dir(keras.applications) if name[0].isupper()}
    assert set(OF_KERAS) == {name for name in of_keras if not name.startswith("EfficientNetB")}


@pytest.mark.parametrize("name", OF_KERAS)
def test_files_and_digests_are_those_of_keras(name: str) -> None:
    backbone = BACKBONES[name]
    source = inspect.getsource(sys.modules[getattr(keras.applications, name).__module__])
    digest = backbone.weights.digest
    assert digest is None or f'"{digest}"' in source + inspect.getsource(resnet)  # and of its version 2
    assert (digest is None) == (name in ("MobileNet", "MobileNetV2"))
    assert backbone.weights.url.startswith("https://")
    if backbone.minimum != 32:
        assert f"min_size={backbone.minimum}," in source


@pytest.mark.parametrize(
    "name", ["DenseNet121", "ResNet50", "ResNet50V2", "VGG16", "Xception", "ConvNeXtTiny", "NASNetMobile"]
)
def test_levels_become_the_input_that_keras_makes_of_them(name: str) -> None:
    levels = np.random.default_rng(0).uniform(0, 255, (1, 2, 2, 3)).astype(np.float32)
    inputs = keras.Input((2, 2, 3))
    outputs = network_input(inputs, BACKBONES[name].rule)
    ours = levels if outputs is inputs else keras.Model(inputs, outputs)(levels)
    theirs = sys.modules[getattr(keras.applications, name).__module__].preprocess_input(levels.copy())
    assert np.allclose(ours, theirs, rtol=1e-5, atol=1e-5)
