"""Expected time and space of a benchmark of six cards, which `auto` compares with its budget.

The cards are those of a first look at a data set: two that train no convolution, a small CNN trained from scratch,
frozen VGG16 twice, and VGG16 with its last block fine-tuned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmark.runs.run import RunSpec
from benchmark.training.machine_speed import VGG16_BLOCKS, MachineSpeed, convolution_work
from zoo.models.recipe import Recipe
from zoo.models.registry import get_builder

CARDS = 6
"""The cards that `auto` plans for."""
EPOCHS = 12
"""Epochs of the CNN; the head of frozen VGG16 and the fine-tuned block have fewer each, and as many together."""

_START_S = 12.0  # start of a run, its figures and its diagnosis, measured on two cores
_BACKWARD = 3.0  # a training step takes about three times the multiply-adds of a forward pass
_BYTES = 4  # of a feature in float32


@dataclass(frozen=True)
class Workload:
    """What a benchmark computes.

    Attributes:
        train: Number of training images.
        scored: Number of validation and test images.
        image_size: Side of the images in pixels.
        views: Augmented views per training image.
        max_epochs: The cap on epochs per phase; None for none.
        trainings: How many times each card is trained: once, or once per fold.
    """

    train: int
    scored: int
    image_size: int
    views: int
    max_epochs: int | None = None
    trainings: int = 1


@dataclass(frozen=True)
class ExpectedCost:
    """Expected time in minutes, and space for features of frozen layers in GiB."""

    minutes: float
    feature_gib: float


@dataclass(frozen=True)
class Trainings:
    """What a benchmark trains, each number a number of runs.

    Attributes:
        runs: All runs.
        small: Runs of a CNN that is trained from scratch.
        finetuned: Runs that train the last block of a pretrained network.
        has_frozen: Whether any run needs features of frozen layers.
    """

    runs: int
    small: int
    finetuned: int
    has_frozen: bool

    @classmethod
    def of(cls, specs: Iterable[RunSpec]) -> Trainings:
        """Count the runs of each kind: pretrained networks have frozen layers."""
        runs = small = finetuned = 0
        has_frozen = False
        for spec in specs:
            recipe, model = spec.card.recipe, spec.card.model
            pretrained = get_builder(model.builder).weights_of(model.params) is not None
            runs += 1
            has_frozen |= pretrained
            small += isinstance(recipe, Recipe) and not pretrained
            finetuned += isinstance(recipe, Recipe) and recipe.finetune is not None
        return cls(runs, small, finetuned, has_frozen)


def expected_cost(work: Workload, speed: MachineSpeed, trainings: Trainings | None = None) -> ExpectedCost:
    """Estimate what a benchmark costs on a machine.

    Features of frozen layers are computed once per image and view, whatever the number of trainings. The fine-tuned
    block trains on features of the layers before it.

    Args:
        work: What is computed.
        speed: What the machine was measured to do.
        trainings: The runs; None for six cards, each trained `work.trainings` times.

    Returns:
        The estimate. Neither decoding of images nor the load of the machine is included.
    """
    if trainings is None:
        trainings = Trainings(CARDS * work.trainings, work.trainings, work.trainings, has_frozen=True)
    side, epochs = work.image_size, EPOCHS if work.max_epochs is None else min(EPOCHS, work.max_epochs)
    used_views = min(work.views, epochs)
    forward_passes = work.train * (used_views + 1) + work.scored
    whole = convolution_work(side)
    last_block = whole - convolution_work(side, VGG16_BLOCKS[:-1])
    giga_operations = trainings.has_frozen * forward_passes * whole / 1e9
    giga_operations += trainings.finetuned * (_BACKWARD * work.train * epochs / 2 + work.scored) * last_block / 1e9
    megapixels = trainings.small * (work.train + work.scored / 2 / _BACKWARD) * epochs * side * side / 1e6
    seconds = trainings.runs * _START_S + giga_operations / speed.frozen + megapixels / speed.training
    features = (side // 16) ** 2 * 512 + (side // 32) ** 2 * 512  # per view: before the last block, and after it
    return ExpectedCost(seconds / 60, forward_passes * features * _BYTES / 1024**3)
