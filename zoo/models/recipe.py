"""Training recipes: an optimiser with epochs, or a probe of frozen features without either."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from zoo.config.strict import Strict
from zoo.config.strict_yaml import suggest

LearningRate = Annotated[float, Field(gt=0.0, le=1.0, description="step size of the optimiser")]

# Upper bounds are far above every sensible value: they stop typing errors and files made to waste time.
Epochs = Annotated[int, Field(gt=0, le=100_000)]
Factor = Annotated[float, Field(gt=0, le=1000)]
Preprocessing = Annotated[
    Literal["rescale", "caffe", "builder"],
    Field(description="rescale: grey levels / 255; caffe: BGR minus ImageNet's means; builder: left to the builder"),
]
SCHEDULES = ("constant", "cosine")


def _known_schedule(name: Any) -> Any:
    if isinstance(name, str) and name not in SCHEDULES:
        raise ValueError(f"unknown schedule '{name}'. {suggest(name, SCHEDULES)}")
    return name


def _known_optimizer(name: Any) -> Any:
    if isinstance(name, str) and name.lower() == "adamw":
        raise ValueError(
            "input should be 'adam', 'sgd' or 'rmsprop'; adamw is adam with `weight_decay: 1e-4` in the recipe"
        )
    return name


def _known_weights(weights: Any) -> Any:
    # The members of a union would each report an error.
    if isinstance(weights, str) and weights != "balanced":
        raise ValueError(f"unknown class weights '{weights}'; give balanced, or a weight per class: {{CLASS: 2.0}}")
    if isinstance(weights, dict):
        for name, weight in weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= 1000:
                raise ValueError(f"the weight of {name} must be a number above 0, and at most 1000")
        if len(weights) < 2:
            raise ValueError("give a weight to each class, at least two")
    elif weights is not None and weights != "balanced":
        raise ValueError("give balanced, or a weight per class: {CLASS: 2.0}")
    return weights


ClassWeights = Annotated[
    Literal["balanced"] | Annotated[dict[str, Factor], Field(min_length=2, max_length=1000)] | None,
    BeforeValidator(_known_weights),
    Field(
        description="balanced: each class has the same weight in training, however many images it has; or a weight per "
        "class of the data, by name"
    ),
]
TestViews = Annotated[
    int,
    Field(
        ge=0,
        le=1000,
        description="augmented views whose scores are averaged with the score of the unchanged image, on validation "
        "and test; 0: none",
    ),
]
_AUGMENTATION = "random changes of training images, in the views that the protocol asks for; null: none"


class Augmentation(Strict):
    """Random changes of a training image, in physical units, as Keras' ImageDataGenerator defines them.

    One number `r` means a uniform distribution on [-r, r]. With the defaults, nothing changes.
    """

    rotation_degrees: Annotated[float, Field(ge=0, le=180, description="largest rotation either way, in degrees")] = 0.0
    width_shift: Annotated[float, Field(ge=0, lt=1, description="largest shift sideways, as a share of the width")] = (
        0.0
    )
    height_shift: Annotated[
        float, Field(ge=0, lt=1, description="largest shift up or down, as a share of the height")
    ] = 0.0
    shear_degrees: Annotated[float, Field(ge=0, lt=90, description="largest shear either way, in degrees")] = 0.0
    zoom: tuple[Factor, Factor] = Field(
        default=(1.0, 1.0), description="range of two independent factors, of width and height; above 1 zooms out"
    )
    brightness: tuple[Annotated[float, Field(ge=0, le=1000)], Annotated[float, Field(ge=0, le=1000)]] | None = Field(
        default=None, description="range of a factor on grey levels; null: none"
    )
    channel_shift: Annotated[
        float, Field(ge=0, le=255, description="largest number of grey levels, of 255, that is added or subtracted")
    ] = 0.0
    horizontal_flip: bool = Field(default=False, description="whether half of the images are mirrored left to right")
    vertical_flip: bool = Field(default=False, description="whether half of the images are mirrored top to bottom")
    fill: Literal["nearest", "reflect", "constant"] = Field(
        default="nearest",
        description="pixels outside the image: those of its edge, those mirrored at its edge, or black",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Augmentation:
        for name in ("zoom", "brightness"):
            pair = getattr(self, name)
            if pair is not None and pair[0] > pair[1]:
                raise ValueError(f"{name} must be [low, high] with low <= high")
        return self


class Optimizer(Strict):
    """The optimiser of a phase."""

    name: Annotated[Literal["adam", "sgd", "rmsprop"], BeforeValidator(_known_optimizer)] = Field(
        default="adam", description="Keras' optimiser of this name, with its other settings at Keras' defaults"
    )
    learning_rate: LearningRate


class Loss(Strict):
    """The training loss: cross-entropy, or focal loss (Lin et al. 2017).

    For three or more classes, both are categorical. `crossentropy` is another name for `binary_crossentropy`, and with
    an alpha `focal_crossentropy` is another name for `binary_focal_crossentropy`. Both are stored under the longer
    name.
    """

    name: Literal["binary_crossentropy", "binary_focal_crossentropy", "crossentropy", "focal_crossentropy"] = Field(
        default="binary_crossentropy",
        description="cross-entropy or focal loss, of any number of classes; both also without `binary_`",
    )
    alpha: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="focal loss: weight of the positive class of two"
    )
    gamma: Annotated[float, Field(ge=0, le=1000)] | None = Field(
        default=None, description="focal loss: how much less images count that are already classified well"
    )

    @model_validator(mode="before")
    @classmethod
    def _one_name(cls, data: Any) -> Any:
        # Run ids contain the name, so each loss is stored under one name.
        if isinstance(data, dict) and data.get("name") == "crossentropy":
            return data | {"name": "binary_crossentropy"}
        if isinstance(data, dict) and data.get("name") == "focal_crossentropy" and data.get("alpha") is not None:
            return data | {"name": "binary_focal_crossentropy"}
        return data

    @model_validator(mode="after")
    def _focal(self) -> Loss:
        if self.name == "focal_crossentropy":
            if self.gamma is None:
                raise ValueError("focal_crossentropy needs gamma; add it, and alpha for two classes of unequal weight")
            return self
        focal = self.name == "binary_focal_crossentropy"
        if focal != (self.alpha is not None and self.gamma is not None) or (self.alpha is None) != (self.gamma is None):
            raise ValueError("alpha and gamma belong to binary_focal_crossentropy, which needs both; drop or add them")
        return self


class EarlyStopping(Strict):
    """Stops a phase if a validation figure has not improved for `patience` epochs."""

    monitor: Literal["val_loss", "val_accuracy"] = Field(
        default="val_loss", description="the validation figure that is watched"
    )
    patience: Annotated[Epochs, Field(description="epochs without improvement after which the phase stops")]
    restore_best_weights: bool = Field(
        default=True, description="whether the weights of the best epoch are used, rather than those of the last"
    )


def _check_test_views(views: int, augmentation: Augmentation | None) -> None:
    if views and augmentation is None:
        raise ValueError("test_time_augmentation needs views to average; add recipe.augmentation, or give 0")


def _without(data: dict[str, Any], names: tuple[str, ...], model: type[Strict]) -> dict[str, Any]:
    """`data` without the fields `names` that have their defaults."""
    return {key: v for key, v in data.items() if key not in names or v != model.model_fields[key].default}


class Finetune(Strict):
    """The second phase: trains the layers that the model's parameters unfreeze, or else the head, at this rate."""

    learning_rate: LearningRate
    epochs: Annotated[Epochs, Field(description="passes through the training images; the protocol may cap them")]
    early_stopping: EarlyStopping | None = Field(default=None, description="when the phase ends earlier; null: never")


_LEFT_OUT = (
    "label_smoothing",
    "class_weights",
    "schedule",
    "warmup",
    "weight_decay",
    "mixup",
    "test_time_augmentation",
)
"""Fields that are left out at their defaults."""


class Recipe(Strict):
    """How a model is trained."""

    optimizer: Optimizer = Field(description="the optimiser of the first phase")
    epochs: Annotated[Epochs, Field(description="passes through the training images; the protocol may cap them")]
    batch_size: Annotated[int, Field(gt=0, le=100_000, description="images per step of the optimiser")]
    loss: Loss = Field(default=Loss(), description="what training minimises")
    early_stopping: EarlyStopping | None = Field(
        default=None, description="when the first phase ends earlier; null: never"
    )
    augmentation: Augmentation | None = Field(default=None, description=_AUGMENTATION)
    preprocessing: Preprocessing = "rescale"
    finetune: Finetune | None = Field(
        default=None, description="a second phase, in which unfrozen layers of a base are trained; null: none"
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="share of a label that training spreads evenly over the classes"
    )
    class_weights: ClassWeights = None
    schedule: Annotated[Literal["constant", "cosine"], BeforeValidator(_known_schedule)] = Field(
        default="constant",
        description="learning rate over the steps of a phase; cosine: falls to 0 along half a cosine",
    )
    warmup: Annotated[float, Field(ge=0, le=100_000)] = Field(
        default=0.0,
        description="length of the linear rise of the learning rate from 0 at the start of each phase: a number of "
        "epochs, or below 1 a share of the phase",
    )
    weight_decay: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.0,
        description="decoupled decay of weights per step, times the learning rate; with adam this is AdamW",
    )
    mixup: Annotated[float, Field(ge=0, le=100)] = Field(
        default=0.0, description="alpha of the Beta distribution of the shares by which training images are mixed"
    )
    test_time_augmentation: TestViews = 0

    @model_validator(mode="after")
    def _possible(self) -> Recipe:
        phases = {"recipe.epochs": self.epochs}
        if self.finetune is not None:
            phases["recipe.finetune.epochs"] = self.finetune.epochs
        if self.warmup >= 1 and self.warmup % 1:
            raise ValueError(f"warmup {self.warmup:g} is neither a share below 1 nor a whole number of epochs")
        for name, epochs in phases.items():
            if self.warmup >= 1 and self.warmup >= epochs:
                raise ValueError(f"warmup must be below {name}, {epochs}; a share such as 0.1 fits any number")
        _check_test_views(self.test_time_augmentation, self.augmentation)
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Run ids and records of cards without these options stay as they were before the options existed.
        return _without(serialize(self), _LEFT_OUT, type(self))


class ProbeRecipe(Strict):
    """How the last layer of a network is fitted to the features before it, without epochs.

    `probe: logistic` is logistic regression with an L2 penalty. `probe: knn` lets the most similar training images
    vote, by cosine. Cross-validation by patient on the training images chooses the strength of the penalty, or the
    number of neighbours. Everything else of the network stays as the builder returns it.
    """

    probe: Literal["logistic", "knn"] = Field(
        description="logistic: logistic regression; knn: votes of nearest images; settings are chosen on train"
    )
    augmentation: Augmentation | None = Field(default=None, description=_AUGMENTATION)
    preprocessing: Preprocessing = "rescale"
    class_weights: ClassWeights = None
    test_time_augmentation: TestViews = 0

    @model_validator(mode="after")
    def _possible(self) -> ProbeRecipe:
        _check_test_views(self.test_time_augmentation, self.augmentation)
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without(serialize(self), ("test_time_augmentation",), type(self))

    @property
    def loss(self) -> Loss:
        """Cross-entropy: logistic regression minimises it, and it is measured for every probe."""
        return Loss()

    @model_validator(mode="before")
    @classmethod
    def _nothing_of_epochs(cls, data: Any) -> Any:
        stated = [name for name in Recipe.model_fields if name in data and name not in cls.model_fields]
        if stated:
            which = "it" if len(stated) == 1 else "them"
            raise ValueError(
                f"a probe is fitted in one step and has no {', '.join(stated)}; drop {which}, or drop `probe` to train "
                "in epochs"
            )
        return data


def is_probe(recipe: Mapping[str, Any]) -> bool:
    """Return whether the keys of a recipe are those of a probe."""
    return "probe" in recipe


class AverageRecipe(Strict):
    """How an ensemble averages the scores of its members. Nothing is trained.

    `average: logits` is the mean of log odds, or for three or more classes the normalised geometric mean of
    probabilities. `choose` adds members one by one, with replacement, each time the one that lowers the log loss on
    validation most (Caruana et al. 2004); the members of the round with the lowest log loss are averaged.
    """

    average: Literal["probabilities", "logits"] = Field(description="what of the members' scores is averaged")
    choose: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None,
        description="rounds of forward selection on validation; null: every member counts once",
    )

    @property
    def loss(self) -> Loss:
        """Cross-entropy: it is measured, and `choose` lowers it."""
        return Loss()

    @property
    def preprocessing(self) -> Literal["members"]:
        """Each member converts grey levels as its own card says."""
        return "members"

    @property
    def augmentation(self) -> None:
        """The members have their own."""

    @property
    def class_weights(self) -> None:
        """The members have their own."""

    @property
    def test_time_augmentation(self) -> Literal[0]:
        """The members have their own."""
        return 0


def recipe_model(recipe: Mapping[str, Any]) -> type[Recipe | ProbeRecipe | AverageRecipe]:
    """Return the kind of recipe that has these keys."""
    return AverageRecipe if is_average(recipe) else ProbeRecipe if is_probe(recipe) else Recipe


def is_average(recipe: Mapping[str, Any]) -> bool:
    """Return whether the keys of a recipe are those of an ensemble."""
    return "average" in recipe
