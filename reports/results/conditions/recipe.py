"""A card's model and recipe in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from reports.text import listed, plural
from zoo.models.card import ModelCard
from zoo.models.recipe import Augmentation, AverageRecipe, EarlyStopping, Loss, ProbeRecipe, Recipe

PREPROCESSING: Mapping[str, str] = MappingProxyType(
    {
        "rescale": "grey levels / 255",
        "caffe": "BGR minus the ImageNet means",
        "members": "as in each member of the ensemble",
        "builder": "grey levels 0..255, converted inside the network by the rule of its base",
    }
)
"""The input of the network for each kind of preprocessing."""

PROBES: Mapping[str, str] = MappingProxyType(
    {
        "logistic": "the last layer alone, by logistic regression whose penalty was chosen by cross-validation on "
        "train",
        "knn": "votes of the nearest training images, by the cosine of features; their number was chosen by "
        "cross-validation on train",
    }
)
"""What each kind of probe fits."""

MIXED = "of images, or behind frozen layers of features"
"""What mixup mixes."""

NO_EPOCHS = "no epochs: fitted in one step"
"""What a probe has in place of epochs."""

AVERAGED = "no epochs: stored scores are averaged"
"""What an ensemble has in place of epochs."""


def recipe_in_words(card: ModelCard, classes: int = 2) -> tuple[tuple[str, str], ...]:
    """The settings of a card by topic: network, optimiser, loss, epochs, augmentation, preprocessing.

    Args:
        card: The card.
        classes: The number of classes that it was trained on. For more than two, a loss is in its categorical form.

    Returns:
        Pairs of a topic and its settings.
    """
    settings = dict(_recipe(card))
    if classes > 2:
        settings["loss"] = settings["loss"].replace("binary", "categorical", 1)
    return tuple(settings.items())


def _recipe(card: ModelCard) -> Iterator[tuple[str, str]]:
    recipe, params = card.recipe, card.model.params
    if isinstance(recipe, AverageRecipe):
        yield "network", f"none: the mean of the {recipe.average} of {listed(card.members)}"
        rounds = "" if recipe.choose is None else f" in up to {plural(recipe.choose, 'round')}, with replacement"
        how = "every member counts once" if recipe.choose is None else f"members chosen by validation log loss{rounds}"
        yield "fit", how
        yield "loss", _loss(recipe.loss)
        yield "epochs", AVERAGED
        return
    settings = ", ".join(
        f"{name.replace('_', ' ')} {_setting(value)}" for name, value in params.items() if value is not None
    )
    yield "network", card.model.builder + (f": {settings}" if settings else "")
    if isinstance(recipe, ProbeRecipe):
        yield "fit", ", ".join([PROBES[recipe.probe], *_weights(recipe)])
        yield "loss", _loss(recipe.loss)
        yield "epochs", NO_EPOCHS
        yield from _views(recipe)
        yield "preprocessing", PREPROCESSING[recipe.preprocessing]
        return
    yield "optimiser", f"{recipe.optimizer.name}, learning rate {recipe.optimizer.learning_rate:g}{_over_steps(recipe)}"
    smoothing = [f"label smoothing {recipe.label_smoothing:g}"] if recipe.label_smoothing else []
    yield "loss", ", ".join([_loss(recipe.loss), *smoothing, *_weights(recipe)])
    yield "epochs", f"{recipe.epochs}, batch {recipe.batch_size}; {kept_weights(card)}"
    if recipe.finetune is not None:
        rate, epochs = recipe.finetune.learning_rate, recipe.finetune.epochs
        yield "fine-tuning", f"{plural(epochs, 'epoch')}, learning rate {rate:g}"
    if recipe.mixup:
        yield "mixup", f"alpha {recipe.mixup:g}, {MIXED}"
    yield from _views(recipe)
    yield "preprocessing", PREPROCESSING[recipe.preprocessing]


def _weights(recipe: Recipe | ProbeRecipe) -> list[str]:
    weights = recipe.class_weights
    if isinstance(weights, dict):
        return ["class weights " + ", ".join(f"{name} {weight:g}" for name, weight in weights.items())]
    return [] if weights is None else [f"class weights {weights}"]


def _over_steps(recipe: Recipe) -> str:
    """The schedule and the weight decay, where the recipe has any."""
    warmup = plural(int(recipe.warmup), "epoch") if recipe.warmup >= 1 else f"{recipe.warmup:.0%} of the steps"
    parts = [] if recipe.schedule == "constant" else [f"{recipe.schedule} schedule"]
    parts += [f"linear warm-up over {warmup} per phase"] if recipe.warmup else []
    parts += [f"decoupled weight decay {recipe.weight_decay:g}"] if recipe.weight_decay else []
    return "".join(f", {part}" for part in parts)


def _views(recipe: Recipe | ProbeRecipe) -> Iterator[tuple[str, str]]:
    yield "augmentation", augmentation_in_words(recipe.augmentation)
    if count := recipe.test_time_augmentation:
        yield (
            "test-time augmentation",
            f"mean score of the unchanged image and of {plural(count, 'augmented view')}, on validation and test",
        )


def _loss(loss: Loss) -> str:
    parts = [loss.name.replace("_", " ")]
    parts += [] if loss.alpha is None else [f"alpha {loss.alpha:g}"]
    parts += [] if loss.gamma is None else [f"gamma {loss.gamma:g}"]
    return ", ".join(parts)


def augmentation_in_words(augmentation: Augmentation | None) -> str:
    """The augmentation of training images in words; neutral settings are left out."""
    if augmentation is None:
        return "none"
    neutral = Augmentation().model_dump()
    changed = {name: value for name, value in augmentation.model_dump().items() if value != neutral[name]}
    parts = [f"{name.replace('_', ' ')} {_setting(value)}" for name, value in changed.items()]
    if parts and "fill" not in changed:
        parts.append(f"fill {augmentation.fill}")
    return ", ".join(parts) or "none"


def _setting(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return "-".join(map(_setting, value))
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def kept_weights(card: ModelCard) -> str:
    """The epoch whose weights a recipe keeps, and its early stopping, in words."""
    if isinstance(card.recipe, ProbeRecipe):
        return NO_EPOCHS
    if isinstance(card.recipe, AverageRecipe):
        return AVERAGED
    first, second = card.recipe, card.recipe.finetune
    if second is None or second.early_stopping == first.early_stopping:
        return _stopping(first.early_stopping)
    return f"{_stopping(first.early_stopping)}; in fine-tuning {_stopping(second.early_stopping)}"


def _stopping(stopping: EarlyStopping | None) -> str:
    if stopping is None:
        return "weights of the last epoch"
    restored = "weights of the best epoch restored" if stopping.restore_best_weights else "weights of the last epoch"
    return f"stopped when {stopping.monitor} had not improved for {plural(stopping.patience, 'epoch')}, {restored}"
