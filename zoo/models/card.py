"""Model cards: what a model is, how it is trained, and what was published about it. Strict, frozen, plain data."""

from __future__ import annotations

from copy import deepcopy
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from zoo.config.metric_names import canonical
from zoo.config.strict import Strict

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
LearningRate = Annotated[float, Field(gt=0.0, le=1.0, description="step size of the optimiser, (0, 1]")]

# Upper bounds are far above what is ever asked for: they stop slips of the keyboard and files made to cost time.
Epochs = Annotated[int, Field(gt=0, le=100_000)]
ImageCount = Annotated[int, Field(gt=0, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Factor = Annotated[float, Field(gt=0, le=1000)]
Printed = Annotated[float, Field(ge=-1e9, le=1e9)]
MetricName = Annotated[str, AfterValidator(canonical)]
"""A metric by its own name or another of the field's; kept under its own."""

MOST_ENTRIES = 1000
"""How many entries a list of a file may hold."""


class Augmentation(Strict):
    """Random changes of a training image, in physical units, with the meaning of Keras' ImageDataGenerator.

    A range `r` given as one number means uniform on [-r, r]. Every default changes nothing.
    """

    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    width_shift: Annotated[float, Field(ge=0, lt=1, description="share of the width")] = 0.0
    height_shift: Annotated[float, Field(ge=0, lt=1, description="share of the height")] = 0.0
    shear_degrees: Annotated[float, Field(ge=0, lt=90)] = 0.0
    zoom: tuple[Factor, Factor] = Field(
        default=(1.0, 1.0), description="range of two independent factors; above 1 zooms out"
    )
    brightness: tuple[Annotated[float, Field(ge=0, le=1000)], Annotated[float, Field(ge=0, le=1000)]] | None = Field(
        default=None, description="range of a factor on grey levels"
    )
    channel_shift: Annotated[float, Field(ge=0, le=255, description="grey levels of 255")] = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    fill: Literal["nearest", "reflect", "constant"] = "nearest"

    @model_validator(mode="after")
    def _ordered(self) -> Augmentation:
        for name in ("zoom", "brightness"):
            pair = getattr(self, name)
            if pair is not None and pair[0] > pair[1]:
                raise ValueError(f"{name} must be [low, high] with low <= high")
        return self


class Optimizer(Strict):
    """The optimiser of a phase."""

    name: Literal["adam", "sgd", "rmsprop"] = "adam"
    learning_rate: LearningRate


class Loss(Strict):
    """The training loss. `alpha` and `gamma` are those of the balanced focal loss (Lin et al. 2017)."""

    name: Literal["binary_crossentropy", "binary_focal_crossentropy"] = "binary_crossentropy"
    alpha: Annotated[float, Field(gt=0, lt=1)] | None = None
    gamma: Annotated[float, Field(ge=0, le=1000)] | None = None

    @model_validator(mode="after")
    def _focal(self) -> Loss:
        focal = self.name == "binary_focal_crossentropy"
        if focal != (self.alpha is not None and self.gamma is not None) or (self.alpha is None) != (self.gamma is None):
            raise ValueError("alpha and gamma belong to binary_focal_crossentropy, which needs both; drop or add them")
        return self


class EarlyStopping(Strict):
    """Stops a phase when a validation figure has not improved for `patience` epochs."""

    monitor: Literal["val_loss", "val_accuracy"] = "val_loss"
    patience: Epochs
    restore_best_weights: bool = True


class Finetune(Strict):
    """The second phase: the layers that the model's parameters unfreeze, or its head alone, train at this rate."""

    learning_rate: LearningRate
    epochs: Epochs
    early_stopping: EarlyStopping | None = None


class Recipe(Strict):
    """How a model is trained. `preprocessing` maps grey levels 0..255 to what the network reads."""

    optimizer: Optimizer
    epochs: Epochs
    batch_size: Annotated[int, Field(gt=0, le=100_000)]
    loss: Loss = Loss()
    early_stopping: EarlyStopping | None = None
    augmentation: Augmentation | None = None
    preprocessing: Literal["rescale", "caffe"] = Field(
        default="rescale", description="rescale: pixels / 255; caffe: BGR minus the ImageNet means, as VGG16"
    )
    finetune: Finetune | None = None


class ModelSpec(BaseModel):
    """A registered builder and its parameters, side by side: `{builder: NAME, parameter: value, ...}`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    builder: str

    @property
    def params(self) -> dict[str, Any]:
        """The builder's parameters as written in the card."""
        return deepcopy(self.model_extra or {})


class Source(Strict):
    """Where a model comes from: a report, its section, the data set it used (a SOURCE of `zoo data`) and how many
    negative and positive test images its figures rest on."""

    report: str
    section: str
    data: str | None = None
    test_negatives: ImageCount | None = None
    test_positives: ImageCount | None = None


SHARES = {
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "specificity",
    "f1",
    "auc",
    "average_precision",
    "brier",
    "score",
}
"""Metrics that are shares, within [0, 1]."""


class PublishedFigure(Strict):
    """One printed figure: its value, where it stands, and with how many decimals it was printed.

    `upper` makes it a printed range [value, upper]. `epoch` says where in training it was read; None means the
    finished model.
    """

    metric: MetricName
    value: Printed
    upper: Printed | None = None
    split: Literal["train", "val", "test"]
    decimals: Annotated[int, Field(ge=0, le=10)]
    epoch: Literal["first", "last", "every"] | None = None
    where: str

    @model_validator(mode="after")
    def _plausible(self) -> PublishedFigure:
        high = self.value if self.upper is None else self.upper
        if high < self.value:
            raise ValueError("upper must not be below value")
        if self.metric in SHARES and not (self.value >= 0 and high <= 1):
            raise ValueError(f"{self.metric} must be within [0, 1]; is it given in percent?")
        return self


class ModelCard(Strict):
    """A model, its recipe and what was published about it.

    `changes` says in a few words what the card changes against the one it comes from; `left_open` says what the
    source did not state and what the card chose.
    """

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    title: Annotated[str, Field(min_length=1, max_length=200)]
    changes: Annotated[str, Field(min_length=1, max_length=200)]
    extends: str | None = None
    source: Source | None = None
    left_open: str | None = None
    model: ModelSpec
    recipe: Recipe
    published: Annotated[tuple[PublishedFigure, ...], Field(max_length=MOST_ENTRIES)] = ()

    def identity(self) -> dict[str, Any]:
        """What decides a run's result: name, model and recipe. Prose and published figures are left out, so that
        editing a sentence causes no retraining."""
        return self.model_dump(mode="json", include={"name", "model", "recipe"})
