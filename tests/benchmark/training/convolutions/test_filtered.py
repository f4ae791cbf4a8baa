"""Filtered convolutions: outputs and gradients equal those of the definition, in any size."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchmark.training.backend as backend
from benchmark.training.convolutions.filtered import convolve, filtering_for
from benchmark.training.trials import rms_difference

Array = npt.NDArray[np.float64]


def convolution(x: Array, kernel: Array) -> Array:
    """The definition, in float64."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), (3, 3), (1, 2))
    return np.einsum("nhwcij,ijck->nhwk", windows, kernel)


def gradients(x: Array, kernel: Array, upstream: Array) -> tuple[Array, Array]:
    """The gradients of sum(convolution * upstream) by inputs and kernel, in float64."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), (3, 3), (1, 2))
    by_inputs = convolution(upstream, kernel[::-1, ::-1].transpose(0, 1, 3, 2))
    return by_inputs, np.einsum("nhwcij,nhwk->ijck", windows, upstream)


def draw(count: int, height: int, width: int, channels: int, filters: int, seed: int = 0) -> tuple[Any, Any, Any]:
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((count, height, width, channels), np.float32)
    kernel = generator.standard_normal((3, 3, channels, filters), np.float32)
    return x, kernel, generator.standard_normal((count, height, width, filters), np.float32)


def computed(x: Any, kernel: Any, upstream: Any) -> tuple[Any, Any, Any]:
    weighted, by_inputs = backend.gradients(lambda each: convolve(each, kernel) * upstream, x)
    _, by_kernel = backend.gradients(lambda each: convolve(keras.ops.convert_to_tensor(x), each) * upstream, kernel)
    return weighted, by_inputs, by_kernel


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 3),
    height=st.integers(1, 13),
    width=st.integers(1, 13),
    channels=st.integers(1, 4),
    filters=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_size_gives_the_outputs_and_gradients_of_the_definition(
    count: int, height: int, width: int, channels: int, filters: int, seed: int
) -> None:
    x, kernel, upstream = draw(count, height, width, channels, filters, seed)
    exact = [each.astype(np.float64) for each in (x, kernel, upstream)]
    weighted, by_inputs, by_kernel = computed(x, kernel, upstream)
    expected = (convolution(*exact[:2]) * exact[2], *gradients(*exact))
    for values, reference in zip((weighted, by_inputs, by_kernel), expected, strict=True):
        np.testing.assert_allclose(values, reference, rtol=0, atol=1e-4 * float(np.abs(reference).max()) + 1e-4)


@pytest.mark.parametrize("side", [9, 14])
def test_many_channels_agree_to_five_digits(side: int) -> None:
    x, kernel, upstream = draw(2, side, side, 256, 128)
    exact = [each.astype(np.float64) for each in (x, kernel, upstream)]
    weighted, by_inputs, by_kernel = computed(x, kernel, upstream)
    expected = (convolution(*exact[:2]) * exact[2], *gradients(*exact))
    for values, reference in zip((weighted, by_inputs, by_kernel), expected, strict=True):
        assert rms_difference(values, reference) < 1e-5


def test_the_same_inputs_give_the_same_bits() -> None:
    drawn = draw(4, 9, 9, 128, 128)
    for one, other in zip(computed(*drawn), computed(*drawn), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(("side", "tile"), [(3, 3), (4, 4), (7, 4), (9, 3), (14, 4), (16, 4), (28, 4)])
def test_the_tile_with_the_fewest_multiplications_is_used(side: int, tile: int) -> None:
    chosen = filtering_for(side, side)
    assert chosen.tile == tile
    assert chosen.multiplications(side, side) <= min((-(-side // m)) ** 2 * (m + 2) ** 2 for m in (3, 4))
    assert chosen.multiplications(side, side) < 9 * side**2
