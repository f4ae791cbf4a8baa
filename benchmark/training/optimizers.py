"""Optimisers: the learning rate over the steps of a phase, and decoupled weight decay."""

from __future__ import annotations

import keras

from zoo.models.recipe import Recipe

_NOT_DECAYED = ("bias", "gamma", "beta")
_MAKERS = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD, "rmsprop": keras.optimizers.RMSprop}


def learning_rate(
    recipe: Recipe, peak: float, epochs: int, batches: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate over the steps of a phase.

    With `schedule: cosine` the rate falls from its peak to 0 along half a cosine (Loshchilov and Hutter 2017), which
    ends with the last planned epoch. In the warm-up it rises linearly from 0 (Goyal et al. 2017).

    Args:
        recipe: The schedule and the warm-up. A warm-up in epochs takes at most half of a phase, which a protocol may
            have shortened.
        peak: The learning rate of the phase, above 0.
        epochs: Planned epochs of the phase, 1 or more.
        batches: Steps per epoch, 1 or more.

    Returns:
        The rate itself where it is constant, else Keras' schedule.
    """
    steps = epochs * batches
    warm = min(recipe.warmup * batches, steps / 2) if recipe.warmup >= 1 else recipe.warmup * steps
    warm_steps = int(warm)
    if recipe.schedule == "constant" and not warm_steps:
        return peak
    alpha = 1.0 if recipe.schedule == "constant" else 0.0  # the share of the peak at which the decay ends
    if not warm_steps:
        return keras.optimizers.schedules.CosineDecay(peak, steps, alpha=alpha)
    return keras.optimizers.schedules.CosineDecay(
        0.0, steps - warm_steps, alpha=alpha, warmup_target=peak, warmup_steps=warm_steps
    )


def make_optimizer(
    recipe: Recipe, peak: float, epochs: int, batches: int, model: keras.Model
) -> keras.optimizers.Optimizer:
    """Make the optimiser of a phase.

    Weight decay is decoupled from the gradient (Loshchilov and Hutter 2019): each step subtracts learning rate x
    weight decay x weight. Biases, and scales and offsets of normalisation, do not decay.

    Args:
        recipe: The optimiser, its schedule and its weight decay.
        peak: The learning rate of the phase, above 0.
        epochs: Planned epochs of the phase.
        batches: Steps per epoch.
        model: The model that will be trained.

    Returns:
        A new optimiser.
    """
    rate = learning_rate(recipe, peak, epochs, batches)
    if not recipe.weight_decay:
        return _MAKERS[recipe.optimizer.name](learning_rate=rate)
    optimizer = _MAKERS[recipe.optimizer.name](learning_rate=rate, weight_decay=recipe.weight_decay)
    # Weights of one axis are biases, scales and offsets. Biases of attention have two.
    excluded = [v for v in model.trainable_variables if len(v.shape) < 2 or v.name in _NOT_DECAYED]
    optimizer.exclude_from_weight_decay(var_list=excluded)
    return optimizer
