"""Expected time and space of a benchmark of six cards, which `auto` compares with its budget.

The cards are those of a first look at a data set: two that train no convolution, a small CNN trained from scratch,
frozen VGG16 twice, and VGG16 with its last block fine-tuned.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.training.machine_speed import VGG16_BLOCKS, MachineSpeed, convolution_work

CARDS = 6
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


def expected_cost(work: Workload, speed: MachineSpeed) -> ExpectedCost:
    """Estimate what a benchmark costs on a machine.

    Features of frozen layers are computed once per image and view, whatever the number of trainings. The fine-tuned
    block trains on features of the layers before it.

    Args:
        work: What is computed.
        speed: What the machine was measured to do.

    Returns:
        The estimate. Neither decoding of images nor the load of the machine is included.
    """
    side, epochs = work.image_size, EPOCHS if work.max_epochs is None else min(EPOCHS, work.max_epochs)
    used_views = min(work.views, epochs)
    forward_passes = work.train * (used_views + 1) + work.scored
    whole = convolution_work(side)
    last_block = whole - convolution_work(side, VGG16_BLOCKS[:-1])
    giga_operations = forward_passes * whole / 1e9
    giga_operations += work.trainings * (_BACKWARD * work.train * epochs / 2 + work.scored) * last_block / 1e9
    megapixels = work.trainings * (work.train + work.scored / 2 / _BACKWARD) * epochs * side * side / 1e6
    seconds = CARDS * work.trainings * _START_S + giga_operations / speed.frozen + megapixels / speed.training
    features = (side // 16) ** 2 * 512 + (side // 32) ** 2 * 512  # per view: before the last block, and after it
    return ExpectedCost(seconds / 60, forward_passes * features * _BYTES / 1024**3)
