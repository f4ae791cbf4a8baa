"""Train one card on one split: phases, batches, early stopping. Training never gets the test split."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import keras
import numpy as np
import numpy.typing as npt

import benchmark.training.backend as backend
from benchmark.data.decoding.prepared import LabelledImages
from benchmark.training.convolutions.methods import ConvolutionMethod
from benchmark.training.convolutions.operations import can_filter, faster_convolutions
from benchmark.training.epoch_figures import BinaryEpoch, MulticlassEpoch
from benchmark.training.frozen.bank import Bank
from benchmark.training.frozen.features import Network, view_order
from benchmark.training.frozen.logistic_probe import fit_last_layer
from benchmark.training.frozen.methods import FILTERED, AllowedMethods
from benchmark.training.mixup import draw_mixture, mixing_generator
from benchmark.training.model_graph import FlatModel, build_flat, check_scores
from benchmark.training.network import BATCH, frozen_layers, run_batched, training_in, without_single_axis
from benchmark.training.optimizers import make_optimizer
from benchmark.training.precision import TrainingPrecision
from benchmark.training.probe_facts import ProbeFacts
from benchmark.training.targets import class_weights_of, image_weights, targets_of
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard, recipe_problem
from zoo.models.recipe import AverageRecipe, EarlyStopping, Loss, ProbeRecipe, Recipe
from zoo.models.registry import Unfrozen, get_builder, outputs_for

Row = dict[str, float | int | str]


class TrainingDiverged(RuntimeError):
    """The training loss is no longer a number, or scores are no probabilities."""


@dataclass(frozen=True)
class Step:
    """Progress within a training.

    Attributes:
        done: Batches so far.
        total: Batches of all phases.
        label: The epoch or the features in progress, in words.
        before: Batches of the phases that have ended. Those of the current phase may take a hundred times as long.
    """

    done: int
    total: int
    label: str
    before: int = 0


@dataclass(frozen=True)
class Fitted:
    """A trained model.

    Attributes:
        model: One ordinary model from grey levels 0..255 (n, h, w, c) to probabilities: (n, 1) for two classes, (n, k)
            for k classes.
        network: The same weights, split where training began.
        history: One row per epoch: phase, epoch (from 1), loss, accuracy and recall in training mode, val_loss,
            val_accuracy and val_recall in inference mode, seconds. For three or more classes, balanced_accuracy takes
            the place of recall: the mean recall of the classes that have images. Losses include weight penalties, as
            in Keras. Label smoothing and class weights count in `loss`, but not in `val_loss`.
        last_view: The number of the augmented view of the last epoch.
        parameters: Number of weights.
        trainable_parameters: Number of weights that the last phase trained.
        seconds_per_epoch: Mean over all epochs; None for a probe, which has none.
        probe: How the last layer was fitted, for a probe.
        test_views: The number of augmented views that are scored in addition to the unchanged image.
        filterable: Whether training computed convolutions whose method `fit` was told.
    """

    model: keras.Model
    network: Network
    history: tuple[Row, ...]
    last_view: int
    parameters: int
    trainable_parameters: int
    seconds_per_epoch: float | None
    probe: ProbeFacts | None = None
    test_views: int = 0
    filterable: bool = False


@dataclass(frozen=True)
class FeatureOptions:
    """How features of frozen layers are computed and stored.

    Attributes:
        bank: The storage of features.
        methods: The methods that may compute them.
        also_unfrozen: The unfrozen layers in other runs of this base. The features that those runs need are
            stored on the way.
    """

    bank: Bank
    methods: AllowedMethods = FILTERED
    also_unfrozen: tuple[Unfrozen, ...] = ()


@dataclass
class _Phase:
    name: str
    epochs: int
    learning_rate: float
    early_stopping: EarlyStopping | None
    precision: TrainingPrecision
    convolutions: ConvolutionMethod
    views: list[int] = field(default_factory=list)


def fit(
    card: ModelCard,
    train: LabelledImages,
    val: LabelledImages,
    *,
    seed: int,
    view_seed: int,
    features: FeatureOptions,
    views: int | None = None,
    precision: TrainingPrecision = "float32",
    convolutions: ConvolutionMethod = "direct",
    classes: int = 2,
    class_names: Sequence[str] = (),
    on_step: Callable[[Step], None] = lambda _: None,
) -> Fitted:
    """Train `card`.

    Args:
        card: The model and its recipe.
        train: The training images.
        val: The images that measure every epoch, and decide early stopping.
        seed: Decides initial weights, dropout, batch order and the order of views. `backend.prepare_process` must have
            set it.
        view_seed: Decides the augmented views.
        features: How features of frozen layers are computed and stored.
        views: The number of augmented views per image; None for a new one every epoch.
        precision: The precision of training steps. Scores are computed in float32.
        convolutions: How training steps in float32 compute wide convolutions. Scores are computed by direct ones.
        classes: Number of classes, 2 or more. Labels are 0 to `classes` - 1.
        class_names: Their names, for a recipe with class weights by name.
        on_step: Called after every batch.

    Returns:
        The trained model and its history, which is empty for a probe.

    Raises:
        TrainingDiverged: The loss is not finite.
        ConfigError: The builder's model does not turn images into probabilities, its unfreeze hook makes nothing
            trainable, the recipe is for another number of classes, or a probe cannot fit the builder's last layer.
        ValueError: `train` or `val` is another split.
    """
    if (train.split, val.split) != ("train", "val"):
        raise ValueError(f"fit takes the train and val splits, not {train.split} and {val.split}")
    if (problem := recipe_problem(card, classes, class_names)) is not None:
        raise ConfigError(f"card {card.name}: {problem}")
    recipe = card.recipe
    if isinstance(recipe, AverageRecipe):
        raise ConfigError(f"card {card.name}: averages the scores of {', '.join(card.members)} and is not trained")
    pixel_shape = train.pixels.shape[1:]
    built = build_flat(card.model.builder, card.model.params, (*pixel_shape[:2], 3), outputs_for(classes))
    model = built.model
    phases, batches = [], 1
    if isinstance(recipe, Recipe):
        phases, batches = _phases(recipe, seed, views, precision, convolutions), -(-len(train) // recipe.batch_size)
    progress = Step(0, batches * sum(phase.epochs for phase in phases) or 1, "")

    def report(done: int, label: str) -> None:
        nonlocal progress
        progress = replace(progress, done=done, label=label)
        on_step(progress)

    network = Network(
        model,
        pixel_shape,
        recipe,
        view_seed=view_seed,
        bank=features.bank,
        methods=features.methods,
        also_store=_prefix_ends(card, built, features.also_unfrozen),
        on_progress=lambda label: report(progress.done, label),
    )
    history: list[Row] = []
    if isinstance(recipe, ProbeRecipe):
        facts = fit_last_layer(network, recipe, train, views=views, classes=classes, class_names=class_names)
        report(1, "probe")
        return _fitted(card, network, history, 0, facts)
    first = 0
    for number, phase in enumerate(phases):
        if number:
            progress = replace(progress, before=first)
            _unfreeze(card, built, _unfrozen(card))
            network.update_prefix()
        _compile(network.tail, recipe, phase, batches, classes)

        def step(batch: int, epoch: int, first: int = first, phase: _Phase = phase) -> None:
            report(first + (epoch - 1) * batches + batch, f"{phase.name} {epoch}/{phase.epochs}")

        history += _run_phase(card, recipe, phase, number, network, train, val, seed, classes, class_names, step)
        first += phase.epochs * batches
    last_view = phases[-1].views[sum(row["phase"] == phases[-1].name for row in history) - 1]
    trained = model if network.prefix_end is None else network.tail  # the second would be one nested model
    filterable = precision == "float32" and can_filter(trained)
    return _fitted(card, network, history, last_view, filterable=filterable)


def _fitted(
    card: ModelCard,
    network: Network,
    history: Sequence[Row],
    last_view: int,
    probe: ProbeFacts | None = None,
    filterable: bool = False,
) -> Fitted:
    seconds = [float(row["seconds"]) for row in history]
    return Fitted(
        model=network.full_model(card.name.replace(".", "_")),
        network=network,
        history=tuple(history),
        last_view=last_view,
        parameters=network.model.count_params(),
        trainable_parameters=sum(math.prod(v.shape) for v in network.model.trainable_variables),
        seconds_per_epoch=sum(seconds) / len(seconds) if seconds else None,
        probe=probe,
        test_views=card.recipe.test_time_augmentation,
        filterable=filterable,
    )


def loss_function(loss: Loss, classes: int = 2, label_smoothing: float = 0.0) -> keras.losses.Loss:
    """Return the Keras loss of a card.

    Args:
        loss: The loss of the card. With an alpha, focal loss is balanced by class (Lin et al. 2017).
        classes: Number of classes. For three or more, the loss is categorical, of targets (n, k).
        label_smoothing: The share of a label that is spread evenly over the classes, in [0, 1).

    Returns:
        The loss.
    """
    focal = loss.gamma is not None
    if classes > 2 and focal:
        # The alpha of this class is a factor of every class. Without one, focal loss has the factor 1.
        return keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=loss.gamma, label_smoothing=label_smoothing)
    if classes > 2:
        return keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing)
    if focal and loss.alpha is not None:
        return keras.losses.BinaryFocalCrossentropy(
            apply_class_balancing=True, alpha=loss.alpha, gamma=loss.gamma, label_smoothing=label_smoothing
        )
    if focal:
        return keras.losses.BinaryFocalCrossentropy(gamma=loss.gamma, label_smoothing=label_smoothing)
    return keras.losses.BinaryCrossentropy(label_smoothing=label_smoothing)


def total_loss(
    card: ModelCard, model: keras.Model, labels: npt.NDArray[np.int64], scores: npt.NDArray[np.floating]
) -> float:
    """Return the card's loss including weight penalties, as `evaluate` of Keras does.

    Label smoothing and class weights are means of training and do not count.

    Args:
        card: The card that declares the loss.
        model: The model whose weight penalties are added.
        labels: Class indices, shape (n,).
        scores: Probabilities, shape (n,) for two classes, (n, k) for k classes.

    Returns:
        The loss, 0 or more.
    """
    classes = 2 if scores.ndim == 1 else scores.shape[1]
    y_score = np.asarray(scores, dtype=np.float32).reshape(len(labels), -1)
    value = float(loss_function(card.recipe.loss, classes)(targets_of(labels, classes), y_score))
    return value + sum(float(penalty) for penalty in model.losses)


def _new_epoch(classes: int) -> BinaryEpoch | MulticlassEpoch:
    return BinaryEpoch() if classes == 2 else MulticlassEpoch(classes)


def _compile(tail: keras.Model, recipe: Recipe, phase: _Phase, batches: int, classes: int) -> None:
    tail.compile(
        optimizer=make_optimizer(recipe, phase.learning_rate, phase.epochs, batches, tail),
        loss=loss_function(recipe.loss, classes, recipe.label_smoothing),
        metrics=_new_epoch(classes).metrics(mixed=recipe.mixup > 0),
        jit_compile=backend.compiles_training(),
    )
    # If the first step creates variables, TensorFlow traces it twice.
    tail.optimizer.build(tail.trainable_variables)


def _run_phase(
    card: ModelCard,
    recipe: Recipe,
    phase: _Phase,
    number: int,
    network: Network,
    train: LabelledImages,
    val: LabelledImages,
    seed: int,
    classes: int,
    class_names: Sequence[str],
    report: Callable[[int, int], None],
) -> list[Row]:
    tail = network.tail
    val_features = network.unaugmented(val)
    if not number:
        check_scores(card.model.builder, without_single_axis(run_batched(tail, val_features[:BATCH])))
    stopping = _stopping(phase.early_stopping, tail)
    targets = targets_of(train.labels, classes)
    weights = None
    if recipe.class_weights is not None:
        weights = class_weights_of(recipe.class_weights, train.labels, class_names, classes)
    size = recipe.batch_size
    step = backend.training_step(tail, lambda: _tracing(network.model, phase))
    rows: list[Row] = []
    for epoch, view in enumerate(phase.views, 1):
        start = time.perf_counter()
        order = np.random.default_rng([seed, number, epoch]).permutation(len(train))
        mixing = mixing_generator(seed, number, epoch)
        sums = _new_epoch(classes)
        for batch, first in enumerate(range(0, len(order), size), 1):
            chosen = order[first : first + size]
            inputs, wanted = network.batch(train, view, chosen), targets[chosen]
            if recipe.mixup:
                # Behind frozen layers, features are mixed: mixed images would be new to the bank in every batch.
                mixture = draw_mixture(mixing, recipe.mixup, len(chosen))
                inputs, wanted = mixture.of(inputs), mixture.of(wanted)
            logs = step(inputs, wanted, None if weights is None else image_weights(wanted, weights))
            sums.add(logs, train.labels[chosen])
            if not math.isfinite(sums.loss):
                raise TrainingDiverged(
                    f"the training loss is {float(logs['loss'])} in phase '{phase.name}', epoch {epoch}, batch "
                    f"{batch}; a lower learning rate in the card's recipe may help"
                )
            report(batch, epoch)
        scores = without_single_axis(run_batched(tail, val_features))
        row: Row = {"phase": phase.name, "epoch": epoch}
        row |= sums.means()
        val_loss = row["val_loss"] = total_loss(card, tail, val.labels, scores)
        if not (math.isfinite(val_loss) and np.isfinite(scores).all()):
            raise TrainingDiverged(
                f"the validation loss is {val_loss} in phase '{phase.name}', epoch {epoch}; a lower learning "
                "rate in the card's recipe may help"
            )
        check_scores(card.model.builder, scores)
        row |= sums.of_validation(val.labels, scores)
        row["seconds"] = time.perf_counter() - start
        rows.append(row)
        if stopping is not None:
            stopping.on_epoch_end(epoch - 1, {"val_loss": row["val_loss"], "val_accuracy": row["val_accuracy"]})
            if tail.stop_training:
                break
    if stopping is not None:
        stopping.on_train_end()
    return rows


@contextmanager
def _tracing(model: keras.Model, phase: _Phase) -> Iterator[None]:
    """Within the context, calls of `model` that are traced compute as training steps of `phase` do."""
    with training_in(model, phase.precision), faster_convolutions(model, phase.convolutions):
        yield


def _phases(
    recipe: Recipe, seed: int, views: int | None, precision: TrainingPrecision, convolutions: ConvolutionMethod
) -> list[_Phase]:
    rate, how = recipe.optimizer.learning_rate, (precision, convolutions)
    phases = [_Phase("train", recipe.epochs, rate, recipe.early_stopping, *how)]
    if recipe.finetune is not None:
        tune = recipe.finetune
        phases[0].name = "head"
        phases.append(_Phase("finetune", tune.epochs, tune.learning_rate, tune.early_stopping, *how))
    order = view_order(seed, sum(phase.epochs for phase in phases), views)
    for phase in phases:
        phase.views, order = order[: phase.epochs], order[phase.epochs :]
    return phases


def _unfrozen(card: ModelCard) -> Unfrozen:
    return get_builder(card.model.builder).unfrozen(card.model.params)


def _unfreeze(card: ModelCard, built: FlatModel, layers: Unfrozen) -> None:
    unfreeze = get_builder(card.model.builder).unfreeze
    if unfreeze is not None:
        unfreeze.apply(built.original, layers)
        built.sync_trainable()


def _check_unfrozen(card: ModelCard, before: tuple[int, int], after: tuple[int, int]) -> None:
    # A layer without weights counts: the last one of VGG16's base is a pooling layer.
    if after[0] > before[0] or after[1] > before[1]:
        return
    unfreeze = get_builder(card.model.builder).unfreeze
    parameter = "" if unfreeze is None else unfreeze.parameter
    raise ConfigError(
        f"builder {card.model.builder}: its unfreeze hook makes nothing trainable although {parameter} is "
        f"{_unfrozen(card)}; it must set `trainable` of layers that the builder froze"
    )


def _trainable(built: FlatModel) -> tuple[int, int]:
    """The number of trainable layers and of trainable weights."""
    layers = sum(flag for _, flag in built.trainable_flags())
    return layers, sum(math.prod(weight.shape) for weight in built.original.trainable_variables)


def _prefix_ends(card: ModelCard, built: FlatModel, also_unfrozen: Sequence[Unfrozen]) -> list[str]:
    """Return where the frozen prefix ends with the card's own number of unfrozen layers, and with the others.

    Raises:
        ConfigError: The card's own number of layers makes nothing trainable.
    """
    ends: list[str] = []
    before = _trainable(built)
    for layers in sorted({_unfrozen(card), *also_unfrozen} - {0}, key=str):
        flags = built.trainable_flags()
        _unfreeze(card, built, layers)
        if layers == _unfrozen(card):
            _check_unfrozen(card, before, _trainable(built))
        ends += frozen_layers(built.model)[-1:]
        built.restore(flags)
    return ends


def _stopping(declared: EarlyStopping | None, model: keras.Model) -> keras.callbacks.EarlyStopping | None:
    if declared is None:
        return None
    callback = keras.callbacks.EarlyStopping(
        monitor=declared.monitor,
        mode="min" if declared.monitor == "val_loss" else "max",
        patience=declared.patience,
        restore_best_weights=declared.restore_best_weights,
    )
    model.stop_training = False
    callback.set_model(model)
    callback.on_train_begin()
    return callback
