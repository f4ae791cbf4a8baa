"""What a user would write instead: plain Keras models with the legacy ImageDataGenerator, and stock KerasTuner.

compare.py starts it as `plain.py WORKLOAD ARRAYS JSON`. It prints the validation AUCs as JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras.applications.vgg16 import preprocess_input
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from sklearn.metrics import roc_auc_score

from zoo.models.vgg16.weights import load

REPORT = {
    "rotation_range": 20,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "shear_range": 0.25,
    "zoom_range": 0.25,
    "brightness_range": [0.7, 1.3],
    "channel_shift_range": 75,
    "fill_mode": "nearest",
}


class Data:
    """The same images as for zoo, in memory as RGB. Decoding is not timed, which favours this side."""

    def __init__(self, path: str) -> None:
        with np.load(path) as arrays:
            self.x, self.y = np.repeat(arrays["x"], 3, axis=-1), arrays["y"].astype(np.float32)
            self.val_x = np.repeat(arrays["val_x"], 3, axis=-1).astype(np.float32) / 255
            self.val_y = arrays["val_y"].astype(np.float32)
        self.scale: float | None = 1 / 255
        self.preprocess: Callable[[np.ndarray], np.ndarray] | None = None
        self.augmentation = REPORT

    def flow(self, batch: int) -> Any:
        generator = ImageDataGenerator(rescale=self.scale, preprocessing_function=self.preprocess, **self.augmentation)
        return generator.flow(self.x, self.y, batch_size=batch, seed=0)

    def auc(self, model: keras.Model) -> float:
        return float(roc_auc_score(self.val_y, model.predict(self.val_x, verbose=0)[:, 0]))


def vgg16(size: int, metrics: bool = False) -> tuple[keras.Model, keras.Model]:
    base = keras.applications.VGG16(weights=None, include_top=False, input_shape=(size, size, 3))
    for name, (kernel, bias) in load("imagenet")[0].items():
        base.get_layer(name).set_weights([kernel, bias])
    base.trainable = False
    x = keras.layers.Flatten()(base.output)
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(128, activation="relu")(x))
    model = keras.Model(base.input, keras.layers.Dense(1, activation="sigmoid")(x))
    return base, model


def compiled(model: keras.Model, rate: float, loss: Any = "binary_crossentropy") -> keras.Model:
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=loss,
        metrics=["accuracy", keras.metrics.Recall(name="recall"), keras.metrics.AUC(name="auc", num_thresholds=1000)],
    )
    return model


def fit(model: keras.Model, data: Data, epochs: int, batch: int = 32, callbacks: Sequence[Any] = ()) -> Any:
    validation = (data.val_x, data.val_y)
    return model.fit(data.flow(batch), epochs=epochs, validation_data=validation, callbacks=[*callbacks], verbose=0)


def unfreeze(base: keras.Model, layers: int) -> None:
    base.trainable = True
    for layer in base.layers[: len(base.layers) - layers]:
        layer.trainable = False


def search(data: Data, options: dict[str, Any]) -> list[float]:
    import keras_tuner

    bases: dict[int, keras.Model] = {}

    class Model(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> keras.Model:
            hp.Float("recipe.finetune.learning_rate", 1e-6, 1e-3, sampling="log")
            hp.Int("model.unfreeze_layers", 0, 4)
            base, model = vgg16(data.x.shape[1])
            bases[id(model)] = base
            return compiled(model, 1e-4)

        def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
            fit(model, data, options["epochs"])
            unfreeze(bases.pop(id(model)), hp.get("model.unfreeze_layers"))
            return fit(compiled(model, hp.get("recipe.finetune.learning_rate")), data, options["epochs"])

    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.RandomSearch(
            Model(),
            objective=keras_tuner.Objective("val_auc", "max"),
            max_trials=options["trials"],
            seed=1,
            directory=folder,
        )
        tuner.search(verbose=0)
        trials = tuner.oracle.trials.values()
        return [float(trial.score) for trial in trials]


def frozen(data: Data, options: dict[str, Any]) -> list[float]:
    model = compiled(vgg16(data.x.shape[1])[1], 1e-4)
    fit(model, data, options["epochs"])
    return [data.auc(model)]


def finetuned(data: Data, options: dict[str, Any]) -> list[float]:
    aucs = []
    for seed in range(options["seeds"]):
        keras.utils.set_random_seed(seed)
        base, model = vgg16(data.x.shape[1])
        fit(compiled(model, 1e-4), data, options["epochs"])
        unfreeze(base, 4)
        fit(compiled(model, 1e-5), data, options["finetune_epochs"])
        aucs.append(data.auc(model))
    return aucs


def scratch(data: Data, options: dict[str, Any]) -> list[float]:
    model = compiled(scratch_network(data.x.shape[1]), 1e-4)
    fit(model, data, options["epochs"])
    return [data.auc(model)]


def scratch_network(
    size: int,
    *,
    filters: Sequence[int] = (32, 64, 128),
    pooling: str = "max",
    dropout: float = 0.5,
    l2: float = 0.001,
    batch_norm_momentum: float | None = None,
    dense_units: int = 128,
) -> keras.Model:
    stack: list[Any] = [keras.Input((size, size, 3))]
    for count in filters:
        stack.append(keras.layers.Conv2D(count, 3, activation="relu"))
        if batch_norm_momentum is not None:
            stack.append(keras.layers.BatchNormalization(momentum=batch_norm_momentum))
        stack.append(keras.layers.MaxPooling2D(2) if pooling == "max" else keras.layers.AveragePooling2D(2))
    penalty = keras.regularizers.L2(l2)
    stack += [keras.layers.Flatten(), keras.layers.Dense(dense_units, activation="relu", kernel_regularizer=penalty)]
    stack += [keras.layers.Dropout(dropout), keras.layers.Dense(1, activation="sigmoid")]
    return keras.Sequential(stack)


def card(data: Data, options: dict[str, Any]) -> list[float]:
    """One of the fourteen scripts: `options` has the model and the recipe of a card, as in its YAML file."""
    model_options, recipe = dict(options["model"]), options["recipe"]
    batch, size = recipe["batch_size"], data.x.shape[1]
    stop = recipe.get("early_stopping")
    callbacks = [keras.callbacks.EarlyStopping(**stop)] if stop else []
    if recipe["preprocessing"] == "caffe":
        data.scale, data.preprocess = None, preprocess_input
        data.val_x = preprocess_input(data.val_x * 255)
    if recipe["augmentation"] is None:
        data.augmentation = {}
    if model_options.pop("builder") == "vgg16":
        base, model = vgg16(size)
    else:
        base, model = None, scratch_network(size, **model_options)
    loss: Any = keras.losses.BinaryCrossentropy()
    if recipe["loss"]["name"] == "binary_focal_crossentropy":
        alpha, gamma = recipe["loss"]["alpha"], recipe["loss"]["gamma"]
        loss = keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=alpha, gamma=gamma)
    compiled(model, recipe["optimizer"]["learning_rate"], loss)
    fit(model, data, recipe["epochs"], batch, callbacks)
    if tune := recipe.get("finetune"):
        unfreeze(base, model_options["unfreeze_layers"])
        fit(compiled(model, tune["learning_rate"], loss), data, tune["epochs"], batch, callbacks)
    return [data.auc(model)]


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    workloads = {"search": search, "frozen": frozen, "finetuned": finetuned, "scratch": scratch, "card": card}
    print(json.dumps(workloads[sys.argv[1]](Data(sys.argv[2]), json.loads(sys.argv[3]))))
