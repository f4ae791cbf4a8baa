"""Fits the last layer of a network, or replaces it by neighbours. The features before it are computed once."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.training.frozen.features import Network
from benchmark.training.logistic import fit_logistic
from benchmark.training.nearest import NearestNeighbours, fit_nearest
from benchmark.training.network import join, run_batched, segment, without_inputs
from benchmark.training.probe_facts import ProbeFacts
from benchmark.training.targets import class_weights_of
from zoo.config.errors import ConfigError
from zoo.models.recipe import ProbeRecipe

FRESH_VIEWS = 4
"""Augmented views per image where the protocol sets no number: a probe has no epochs that could each have a new one."""


def fit_last_layer(
    network: Network,
    recipe: ProbeRecipe,
    train: LabelledImages,
    *,
    views: int | None,
    classes: int,
    class_names: Sequence[str] = (),
) -> ProbeFacts:
    """Fit the last layer of a network as logistic regression, or replace it by one that lets neighbours vote.

    Each image is one row without augmentation, and with an augmentation one more row per view. Rows are not averaged:
    the mean of views has less variance than the features of a single image, which is what the model scores. The rows of
    an image have the total weight 1, so that C does not depend on the number of views. For neighbours, each row counts
    as one, and their number is multiplied by the rows per image.

    Args:
        network: The network, whose last layer changes.
        recipe: The augmentation and the class weights.
        train: The training images.
        views: The number of augmented views per image; None for `FRESH_VIEWS`.
        classes: Number of classes, 2 or more.
        class_names: Their names, for class weights by name.

    Returns:
        How the layer was fitted.

    Raises:
        ConfigError: The last layer is no dense layer with a sigmoid or softmax, other layers have weights that would
            stay untrained, a class has no training image, or, for neighbours, no feature varies between images.
    """
    last = _last_layer(network.model, classes)
    if missing := sorted(set(range(classes)) - set(train.labels.tolist())):
        raise ConfigError(f"recipe.probe: class {missing[0]} has no image in train; give more images")
    inputs = [network.unaugmented(train)]
    if recipe.augmentation is not None:
        everything = np.arange(len(train))
        inputs += [network.batch(train, view, everything) for view in range(FRESH_VIEWS if views is None else views)]
    features = _features_before(network, last)
    rows = np.concatenate([_rows(features, part) for part in inputs])
    weights = np.full(len(train), 1 / len(inputs))
    if recipe.class_weights is not None:
        of_class = class_weights_of(recipe.class_weights, train.labels, class_names, classes)
        weights *= [of_class[label] for label in train.labels.tolist()]
    labels, patients = np.tile(train.labels, len(inputs)), train.patients * len(inputs)
    weights = np.tile(weights, len(inputs))
    if recipe.probe == "knn":
        if not np.ptp(rows, axis=0).any():
            raise ConfigError("recipe.probe: no feature varies between images, so none is nearer; give probe: logistic")
        nearest = fit_nearest(rows, labels, patients, weights, classes, len(inputs))
        layer = NearestNeighbours(len(rows), classes, nearest.count, name=last.name)
        network.replace_last(layer)
        layer.set_weights([nearest.directions, nearest.votes])
        return nearest.facts
    model = fit_logistic(rows, labels, patients, weights, classes)
    last.set_weights([model.kernel.astype(np.float32), model.bias.astype(np.float32)])
    return model.facts


def _last_layer(model: keras.Model, classes: int) -> keras.layers.Dense:
    """Return the last layer of a network if a probe can fit it. Raises ConfigError."""
    *others, last = without_inputs(model)
    activation = keras.activations.sigmoid if classes == 2 else keras.activations.softmax
    dense = isinstance(last, keras.layers.Dense) and last.use_bias and last.activation is activation
    if not dense or len(last.input.shape) != 2:
        raise ConfigError(
            f"recipe.probe: '{last.name}', the last layer of the builder, is not one that a probe can fit; the builder "
            f"must end with a Dense layer with a bias and {activation.__name__}, on one row of features per image"
        )
    untrained = [layer.name for layer in others if layer.trainable_variables]
    if untrained:
        raise ConfigError(
            f"recipe.probe: fits the last layer alone, so '{untrained[0]}' would keep random weights; choose a builder "
            "or parameters without trainable layers before the last one, such as `builder: vgg16_pooled` without "
            "`dense_units`"
        )
    return last


def _features_before(network: Network, last: keras.layers.Dense) -> keras.Model | None:
    """Return the model from the inputs of `network.tail` to those of `last`; None if they are the same."""
    before = network.model.get_layer(last.input._keras_history.operation.name)
    if network.prefix_end is not None:
        return None if network.prefix_end == before.name else segment(network.model, network.prefix_end, before.name)
    return join(network.front, segment(network.model, None, before.name), "features")


def _rows(features: keras.Model | None, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return inputs if features is None else run_batched(features, inputs)
