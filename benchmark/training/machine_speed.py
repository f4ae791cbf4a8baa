"""How fast a machine computes frozen layers and trains a small network. This module needs no Keras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from zoo.config.strict import Strict

VGG16_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""The filters of the convolutions of VGG16, block by block (Simonyan and Zisserman 2015)."""

_Positive = Annotated[float, Field(gt=0)]


class MachineSpeed(Strict):
    """What a machine was measured to do.

    Attributes:
        frozen: Billions of multiply-adds per second in frozen 3 x 3 convolutions, by the method that runs would use.
        training: Megapixels per second through a training step of a small CNN (32, 64 and 128 filters).
        busy: Whether other processes used the machine, so that the speed of an idle machine was estimated.
    """

    frozen: _Positive
    training: _Positive
    busy: bool = False


def convolution_work(side: int, blocks: Sequence[Sequence[int]] = VGG16_BLOCKS) -> float:
    """Count the multiply-adds of 3 x 3 convolutions with padding, each block followed by 2 x 2 pooling.

    Args:
        side: Side of the square image in pixels.
        blocks: The filters of the convolutions, block by block.

    Returns:
        Multiply-adds per image with three channels.
    """
    total, channels = 0.0, 3
    for block in blocks:
        for filters in block:
            total += 9.0 * channels * filters * side * side
            channels = filters
        side //= 2
    return total
