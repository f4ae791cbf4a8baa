"""Grad-CAM: which parts of an image a model's decision depends on (Selvaraju et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from benchmark.data.dataset import Pixels
from benchmark.training.backend import gradients
from benchmark.training.model_graph import is_plain_model
from benchmark.training.network import without_inputs

Floats = npt.NDArray[np.float32]
_BATCH = 8  # images whose activations are in memory together
_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)


class NoFeatureMaps(ValueError):
    """Grad-CAM is not possible for the model; the message names what is missing."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """Grad-CAM of n images.

    All maps are in 0..1, with the largest value of an image at 1; they are 0 everywhere if no feature map supports the
    class.

    Attributes:
        layer: The name of the layer whose r x c feature maps are weighted.
        scores: The probabilities of class 1, shape (n,); for k classes those of all classes, shape (n, k).
        maps: Maps at the size of the images, shape (n, h, w).
        coarse: Maps at the size of the feature maps, shape (n, r, c).
        head_random: `coarse` after randomising the weights behind `layer` k times, shape (k, n, r, c).
        all_random: `coarse` after randomising all weights k times, shape (k, n, r, c).
    """

    layer: str
    scores: Floats
    maps: Floats
    coarse: Floats
    head_random: Floats
    all_random: Floats


def explain(
    model: keras.Model, pixels: Pixels, predicted: npt.NDArray[np.integer], *, seeds: Sequence[int] = (0, 1, 2)
) -> Explanation:
    """Compute Grad-CAM, and the sanity check of Adebayo et al. 2018.

    The explained value is the logit, whose gradient does not vanish for probabilities near 0 or 1; for class 0 of two
    it is the negative logit. Of k classes, it is the input of the softmax for the class, as in the paper; without a
    softmax as the last step, it is the logit of the class against the rest. The weight of a channel is the mean of its
    gradient over all positions. The map is the positive part of the weighted sum of the channels of the last
    convolution, behind its normalisation and activation, up to the next change of size. The sanity check draws new
    weights from the layers' own initialisers, and explains the same class. The weights of `model` are restored
    afterwards.

    Args:
        model: From grey levels to the probability of class 1, or to those of k classes; it may contain other models.
        pixels: uint8, shape (n, h, w, channels).
        predicted: The class to explain for each image, shape (n,): 0 or 1, or 0 to k - 1. The predicted class, or the
            true one.
        seeds: One randomisation of the weights per seed.

    Returns:
        The maps.

    Raises:
        NoFeatureMaps: The model has no convolution, or branches bypass the last one.
    """
    parts = _Parts(model)
    features = parts.features(pixels)
    direction = parts.direction(np.asarray(predicted))
    logits, coarse = parts.cam(features, direction)
    head, whole = [], []
    for seed in seeds:
        with _randomised(parts.behind, seed):
            head.append(parts.cam(features, direction)[1])
            with _randomised(parts.before, seed):
                whole.append(parts.cam(parts.features(pixels), direction)[1])
    none = np.zeros((0, *coarse.shape), np.float32)
    resized = keras.ops.image.resize(coarse[..., None], pixels.shape[1:3], interpolation="bilinear")
    return Explanation(
        layer=parts.layer,
        scores=parts.probabilities(logits),
        maps=np.clip(keras.ops.convert_to_numpy(resized)[..., 0], 0, 1),
        coarse=coarse,
        head_random=np.stack(head) if head else none,
        all_random=np.stack(whole) if whole else none,
    )


class _Parts:
    """A model in two parts: from grey levels to the feature maps of `layer`, and from these to the logits.

    Attributes:
        layer: The name of the layer.
        outputs: 1 for two classes, k for k classes.
        before: The layers of the first part.
        behind: The layers of the second part. All but the last one are shared with the model.
    """

    def __init__(self, model: keras.Model) -> None:
        last = _last_layer(model)
        steps: list[tuple[keras.layers.Layer, keras.KerasTensor]] = []

        def call(layer: keras.layers.Layer, x: Any, *more: Any, **named: Any) -> Any:
            """Return the output of `layer` for `x`; layers of inner models are called one by one."""
            if isinstance(layer, keras.Sequential) and is_plain_model(layer):
                for inner in without_inputs(layer):
                    x = call(inner, x)
                return x
            if is_plain_model(layer):
                _replay(layer, x, call)
                return steps[-1][1]
            output = _logits(layer, x) if layer is last else layer(x, *more, **named)
            steps.append((layer, output))
            return output

        inputs = keras.Input(model.input_shape[1:], name="levels")
        call(model, inputs)
        layer, maps = steps[_feature_step(steps, model.name)]
        self.layer: str = layer.name
        self._front = keras.Model(inputs, maps)
        try:
            self._back = keras.Model(maps, steps[-1][1])
        except ValueError as error:
            raise NoFeatureMaps(f"{model.name}: a branch bypasses layer {layer.name}") from error
        self.before = without_inputs(self._front)
        self.behind = without_inputs(self._back)
        self.outputs: int = self._back.output_shape[-1]
        self._shares = self.outputs > 1 and _ends_with(last, keras.activations.softmax)

    def direction(self, classes: npt.NDArray[np.integer]) -> Floats:
        """Return the weights (n, outputs) of the logits whose weighted sum explains `classes` (n,)."""
        if self.outputs == 1:
            return np.where(classes == 1, 1.0, -1.0).astype(np.float32)[:, None]
        chosen: Floats = np.eye(self.outputs, dtype=np.float32)[classes]
        return chosen

    def probabilities(self, logits: Floats) -> Floats:
        """Return the probabilities (n,) or (n, k) of logits (n, outputs)."""
        if self.outputs == 1:
            logits = logits[:, 0]
        scores: Floats = softmax(logits, axis=1) if self._shares else expit(logits)
        return scores

    def features(self, pixels: Pixels) -> Floats:
        """Return the feature maps (n, r, c, channels) of `pixels`."""
        maps = []
        for first in range(0, len(pixels), _BATCH):
            batch = np.asarray(pixels[first : first + _BATCH], dtype=np.float32)
            maps.append(_numpy(self._front(batch, training=False)))
        return np.concatenate(maps)

    def cam(self, features: Floats, direction: Floats) -> tuple[Floats, Floats]:
        """Compute Grad-CAM from feature maps.

        Args:
            features: The feature maps, shape (n, r, c, channels).
            direction: As `direction` returns it, shape (n, outputs).

        Returns:
            Logits (n, outputs) and maps (n, r, c).
        """
        logits, maps = [], []
        for first in range(0, len(features), _BATCH):
            batch = slice(first, first + _BATCH)
            value, weight = self._weights(features[batch], direction[batch])
            maps.append(np.maximum((weight * features[batch]).sum(axis=-1), 0))
            logits.append(value)
        cams = np.concatenate(maps)
        largest = cams.max(axis=(1, 2), keepdims=True)
        return np.concatenate(logits), np.divide(cams, largest, out=np.zeros_like(cams), where=largest > 0)

    def _weights(self, features: Floats, direction: Floats) -> tuple[Floats, Floats]:
        """Return logits (n, outputs) and the weights (n, 1, 1, channels) of the feature maps."""
        if self.outputs == 1:
            value, gradient = gradients(lambda x: self._back(x, training=False), features)
            return value, direction[:, :, None, None] * gradient.mean(axis=(1, 2), keepdims=True)
        value = _numpy(self._back(features, training=False))
        _, gradient = gradients(lambda x: self._back(x, training=False) * direction, features)
        return value, gradient.mean(axis=(1, 2), keepdims=True)


def _replay(model: keras.Model, x: Any, call: Any) -> None:
    """Pass every layer of `model` to `call` in order, starting with the symbolic input `x`."""
    inputs = keras.tree.map_structure(lambda _: x, model.input)
    keras.models.clone_model(model, input_tensors=inputs, clone_function=lambda layer: layer, call_function=call)


def _last_layer(model: keras.layers.Layer) -> keras.layers.Layer:
    return _last_layer(model.layers[-1]) if is_plain_model(model) else model


def _ends_with(layer: keras.layers.Layer, activation: Any) -> bool:
    """Whether `layer`, the last one of a model, applies `activation`."""
    if isinstance(layer, keras.layers.Softmax):
        return activation is keras.activations.softmax and layer.axis in (-1, 1)
    return getattr(layer, "activation", None) is activation


def _logits(layer: keras.layers.Layer, x: keras.KerasTensor) -> keras.KerasTensor:
    """Return the logits of the probabilities that `layer`, the last one of a model, computes from `x`."""
    if _ends_with(layer, keras.activations.sigmoid) or _ends_with(layer, keras.activations.softmax):
        if isinstance(layer, keras.layers.Activation | keras.layers.Softmax):
            return x
        if isinstance(layer, keras.layers.Dense):
            linear = keras.layers.Dense(
                layer.units,
                use_bias=layer.use_bias,
                kernel_initializer=layer.kernel_initializer,
                dtype=layer.dtype_policy,
                name="logit",
            )
            logit = linear(x)
            linear.set_weights(layer.get_weights())
            return logit
    p = keras.ops.clip(layer(x), 1e-7, 1 - 1e-7)
    return keras.ops.log(p) - keras.ops.log(1 - p)


def _feature_step(steps: Sequence[tuple[keras.layers.Layer, keras.KerasTensor]], model: str) -> int:
    """Return the last step before the logit whose output is as wide and high as the last convolution."""
    convolutions = [index for index, (layer, _) in enumerate(steps[:-1]) if isinstance(layer, _CONVOLUTIONS)]
    opaque = [layer.name for layer, _ in steps if isinstance(layer, keras.Model)]
    if not convolutions and opaque:
        raise NoFeatureMaps(f"{model}: {opaque[0]} overrides `call`, so its feature maps are not accessible")
    if not convolutions:
        raise NoFeatureMaps(f"{model}: has no convolution, so Grad-CAM has no feature maps to weight")
    size = steps[convolutions[-1]][1].shape[1:3]
    same_size = [index for index, (_, x) in enumerate(steps[:-1]) if len(x.shape) == 4 and x.shape[1:3] == size]
    return same_size[-1]


@contextmanager
def _randomised(layers: Sequence[keras.layers.Layer], seed: int) -> Iterator[None]:
    """Within the context, replace the weights of `layers` by draws of their own initialisers."""
    weights_before = [layer.get_weights() for layer in layers]
    try:
        for index, layer in enumerate(layers):
            if layer.weights:
                layer.set_weights(_new_weights(layer, seed, index))
        yield
    finally:
        for layer, weights in zip(layers, weights_before, strict=True):
            layer.set_weights(weights)


def _new_weights(layer: keras.layers.Layer, seed: int, index: int) -> list[npt.NDArray[Any]]:
    layer_seed = int(np.random.default_rng([seed, index]).integers(2**31))
    config = _seeded(layer.get_config(), layer_seed)
    twin = type(layer).from_config(config)
    twin.build_from_config(layer.get_build_config())
    return twin.get_weights()  # type: ignore[no-any-return]


def _seeded(config: Any, seed: int) -> Any:
    """Return `config` with every seed set: an initialiser without one would draw from the process."""
    if isinstance(config, dict):
        return {key: seed if key == "seed" else _seeded(value, seed) for key, value in config.items()}
    return config


def _numpy(tensor: Any) -> Floats:
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))  # type: ignore[no-any-return]
