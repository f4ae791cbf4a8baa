"""The work of convolutions."""

from __future__ import annotations

import pytest

from benchmark.training.machine_speed import convolution_work


def test_vgg16_has_the_published_number_of_multiply_adds() -> None:
    # 15.5 billion for the whole network at 224 px, of which 0.12 in dense layers (He et al. 2015, table 1 of ResNet:
    # 15.3 billion for VGG16's convolutions).
    assert convolution_work(224) == pytest.approx(15.3e9, rel=0.01)


def test_the_work_follows_the_area() -> None:
    assert convolution_work(224) / convolution_work(112) == pytest.approx(4)
