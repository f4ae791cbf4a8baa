"""Where in an image a model finds what speaks for its decision: Grad-CAM (Selvaraju et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from scipy.special import expit

from benchmark.data.dataset import Pixels
from benchmark.training.backend import gradients
from benchmark.training.model_graph import is_open

Floats = npt.NDArray[np.float32]
_BATCH = 8  # a few layers' activations of as many images are held at a time
_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)


class NoFeatureMaps(ValueError):
    """The model has nothing that Grad-CAM could be computed from; the message says what is missing."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """Grad-CAM of n images.

    `layer` is the one whose r x c feature maps are weighed. `scores` (n,) are the model's probabilities. `maps`
    (n, h, w) are at the images' size, `coarse` (n, r, c) as computed; both lie in 0..1 with the largest value of an
    image at 1, or are 0 everywhere where nothing in the feature maps speaks for the class. `head_random` and
    `all_random` (k, n, r, c) are `coarse` with the weights behind `layer`, and with all weights, drawn anew k times.
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
    """Grad-CAM of `pixels` uint8 (n, h, w, channels) for the classes `predicted` (n,) of 0 and 1.

    `model` goes from grey levels to the probability of class 1; it may hold other models. What is explained is its
    logit, whose gradient does not vanish where the probability is near 0 or 1; for class 0 it is the negative logit.
    A channel's weight is the mean of its gradient over all places; the map is the positive part of the weighted sum
    of the channels of the last convolution (with normalisation and activation behind it, up to the next change of
    size). For the sanity check of Adebayo et al. 2018, kernels are drawn anew by the layers' own initialisers, once
    with each of `seeds`; the class that is explained stays. The model is as before afterwards.

    Raises NoFeatureMaps for a model without convolutions, or one whose branches pass them by.
    """
    parts = _Parts(model)
    features = parts.features(pixels)
    sign = np.where(np.asarray(predicted) == 1, 1.0, -1.0).astype(np.float32)
    logits, coarse = parts.cam(features, sign)
    head, whole = [], []
    for seed in seeds:
        with _randomised(parts.behind, seed):
            head.append(parts.cam(features, sign)[1])
            with _randomised(parts.before, seed):
                whole.append(parts.cam(parts.features(pixels), sign)[1])
    none = np.zeros((0, *coarse.shape), np.float32)
    resized = keras.ops.image.resize(coarse[..., None], pixels.shape[1:3], interpolation="bilinear")
    return Explanation(
        layer=parts.layer,
        scores=expit(logits),
        maps=np.clip(keras.ops.convert_to_numpy(resized)[..., 0], 0, 1),
        coarse=coarse,
        head_random=np.stack(head) if head else none,
        all_random=np.stack(whole) if whole else none,
    )


class _Parts:
    """A model as two: from grey levels to the feature maps of `layer`, and from these to the logit. `before` and
    `behind` are their layers; all but the last one are the model's own."""

    def __init__(self, model: keras.Model) -> None:
        last = _last_layer(model)
        steps: list[tuple[keras.layers.Layer, keras.KerasTensor]] = []

        def call(layer: keras.layers.Layer, x: Any, *more: Any, **named: Any) -> Any:
            """What `layer` gives for `x`, layers of inner models one by one."""
            if isinstance(layer, keras.Sequential) and is_open(layer):
                for inner in _without_input(layer):
                    x = call(inner, x)
                return x
            if is_open(layer):
                _replay(layer, x, call)
                return steps[-1][1]
            found = _logit(layer, x) if layer is last else layer(x, *more, **named)
            steps.append((layer, found))
            return found

        inputs = keras.Input(model.input_shape[1:], name="levels")
        call(model, inputs)
        place = _feature_step(steps, model.name)
        layer, maps = steps[place]
        self.layer: str = layer.name
        self._front = keras.Model(inputs, maps)
        try:
            self._back = keras.Model(maps, steps[-1][1])
        except ValueError as error:
            raise NoFeatureMaps(f"{model.name}: not everything passes through layer {layer.name}") from error
        self.before = _without_input(self._front)
        self.behind = _without_input(self._back)

    def features(self, pixels: Pixels) -> Floats:
        """The feature maps (n, r, c, channels) of `pixels`."""
        found = []
        for first in range(0, len(pixels), _BATCH):
            batch = np.asarray(pixels[first : first + _BATCH], dtype=np.float32)
            found.append(_numpy(self._front(batch, training=False)))
        return np.concatenate(found)

    def cam(self, features: Floats, sign: Floats) -> tuple[Floats, Floats]:
        """Logits (n,) and maps (n, r, c), for class 1 where `sign` (n,) is 1 and class 0 where it is -1."""
        logits, maps = [], []
        for first in range(0, len(features), _BATCH):
            chosen = slice(first, first + _BATCH)
            value, slope = gradients(lambda x: self._back(x, training=False), features[chosen])
            weight = sign[chosen, None, None, None] * slope.mean(axis=(1, 2), keepdims=True)
            maps.append(np.maximum((weight * features[chosen]).sum(axis=-1), 0))
            logits.append(value[:, 0])
        found = np.concatenate(maps)
        largest = found.max(axis=(1, 2), keepdims=True)
        return np.concatenate(logits), np.divide(found, largest, out=np.zeros_like(found), where=largest > 0)


def _replay(model: keras.Model, x: Any, call: Any) -> None:
    """Hand every layer of `model` to `call` in order, on the symbolic input `x`."""
    inputs = keras.tree.map_structure(lambda _: x, model.input)
    keras.models.clone_model(model, input_tensors=inputs, clone_function=lambda layer: layer, call_function=call)


def _last_layer(model: keras.layers.Layer) -> keras.layers.Layer:
    return _last_layer(model.layers[-1]) if is_open(model) else model


def _logit(layer: keras.layers.Layer, x: keras.KerasTensor) -> keras.KerasTensor:
    """The logit of the probability that `layer`, a model's last, gives for `x`."""
    if getattr(layer, "activation", None) is keras.activations.sigmoid:
        if isinstance(layer, keras.layers.Activation):
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
    """The last of `steps`, the one to the logit left out, that is as wide and high as the last convolution."""
    found = [place for place, (layer, _) in enumerate(steps[:-1]) if isinstance(layer, _CONVOLUTIONS)]
    whole = [layer.name for layer, _ in steps if isinstance(layer, keras.Model)]
    if not found and whole:
        raise NoFeatureMaps(f"{model}: {whole[0]} has a call of its own, so that its feature maps cannot be reached")
    if not found:
        raise NoFeatureMaps(f"{model}: has no convolution, so that Grad-CAM has no feature maps to weigh")
    size = steps[found[-1]][1].shape[1:3]
    alike = [place for place, (_, x) in enumerate(steps[:-1]) if len(x.shape) == 4 and x.shape[1:3] == size]
    return next(place for place in reversed(alike) if place >= found[-1])


@contextmanager
def _randomised(layers: Sequence[keras.layers.Layer], seed: int) -> Iterator[None]:
    """Weights of `layers` as their own initialisers draw them from `seed` and the layer's place, until left."""
    kept = [layer.get_weights() for layer in layers]
    try:
        for place, layer in enumerate(layers):
            if layer.weights:
                layer.set_weights(_fresh(layer, seed, place))
        yield
    finally:
        for layer, weights in zip(layers, kept, strict=True):
            layer.set_weights(weights)


def _fresh(layer: keras.layers.Layer, seed: int, place: int) -> list[npt.NDArray[Any]]:
    drawn = int(np.random.default_rng([seed, place]).integers(2**31))
    config = _seeded(layer.get_config(), drawn)
    twin = type(layer).from_config(config)
    twin.build_from_config(layer.get_build_config())
    return twin.get_weights()  # type: ignore[no-any-return]


def _seeded(config: Any, seed: int) -> Any:
    """`config` with every seed in it set: an initialiser without one draws it from the process."""
    if isinstance(config, dict):
        return {key: seed if key == "seed" else _seeded(value, seed) for key, value in config.items()}
    return config


def _without_input(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def _numpy(tensor: Any) -> Floats:
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))  # type: ignore[no-any-return]
