"""The networks of `application`: their input rules, smallest images, and files of ImageNet weights.

This module loads no Keras, because every plan reads it. `tests/zoo/models/application/test_backbones.py` compares it
with the installed Keras. EfficientNetB0 to B7 are left out: Keras builds another input rule for its own ImageNet
weights than for the same weights from a file. EfficientNetV2 has one rule. SqueezeNet 1.1 and EfficientNet-Lite0 are
not among Keras' own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from zoo.models.known_weights import KnownWeights, known_weights

InputRule = Literal["levels", "tf", "torch", "caffe", "lite"]
"""What a network expects: levels 0..255; [-1, 1]; ImageNet's mean 0 and standard deviation 1; BGR minus means;
(level - 127) / 128."""


@dataclass(frozen=True)
class Backbone:
    """A network.

    Attributes:
        rule: How grey levels become its input.
        weights: Its ImageNet weights, without the top.
        minimum: The smallest image side in pixels.
    """

    rule: InputRule
    weights: KnownWeights
    minimum: int = 32


_RULES: Mapping[str, InputRule] = MappingProxyType(
    {
        "ConvNeXtBase": "levels",
        "ConvNeXtLarge": "levels",
        "ConvNeXtSmall": "levels",
        "ConvNeXtTiny": "levels",
        "ConvNeXtXLarge": "levels",
        "DenseNet121": "torch",
        "DenseNet169": "torch",
        "DenseNet201": "torch",
        "EfficientNetLite0": "lite",
        "EfficientNetV2B0": "levels",
        "EfficientNetV2B1": "levels",
        "EfficientNetV2B2": "levels",
        "EfficientNetV2B3": "levels",
        "EfficientNetV2L": "levels",
        "EfficientNetV2M": "levels",
        "EfficientNetV2S": "levels",
        "InceptionResNetV2": "tf",
        "InceptionV3": "tf",
        "MobileNet": "tf",
        "MobileNetV2": "tf",
        "MobileNetV3Large": "levels",
        "MobileNetV3Small": "levels",
        "NASNetLarge": "tf",
        "NASNetMobile": "tf",
        "ResNet101": "caffe",
        "ResNet101V2": "tf",
        "ResNet152": "caffe",
        "ResNet152V2": "tf",
        "ResNet50": "caffe",
        "ResNet50V2": "tf",
        "SqueezeNet1.1": "caffe",
        "VGG16": "caffe",
        "VGG19": "caffe",
        "Xception": "tf",
    }
)
_MINIMUM: Mapping[str, int] = MappingProxyType(
    {"InceptionResNetV2": 75, "InceptionV3": 75, "SqueezeNet1.1": 31, "Xception": 71}
)

BACKBONES: Mapping[str, Backbone] = MappingProxyType(
    {name: Backbone(rule, known_weights()[name], _MINIMUM.get(name, 32)) for name, rule in _RULES.items()}
)
"""The networks by name: that in keras.applications, SqueezeNet1.1, or EfficientNetLite0."""
