"""Winograd's filtering computes convolutions, independent of threads and of the position in the batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

import benchmark.training.frozen.winograd as winograd
from benchmark.training.frozen.winograd import GROUP, Chain, Convolution

Floats = npt.NDArray[Any]


def by_definition(images: Floats, layer: Convolution) -> Floats:
    """The layer in double precision, by SciPy's correlation."""
    n, height, width, _ = images.shape
    out = np.empty((n, height, width, layer.kernel.shape[3]))
    padded = np.pad(images.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    for image in range(n):
        for k in range(out.shape[3]):
            out[image, :, :, k] = correlate(padded[image], layer.kernel[..., k].astype(np.float64), "valid")[..., 0]
    out += layer.bias
    if layer.relu:
        out = np.maximum(out, 0)
    if layer.pool:
        out = out[:, : height // 2 * 2, : width // 2 * 2]
        out = out.reshape(n, height // 2, 2, width // 2, 2, -1).max(axis=(2, 4))
    return out


def made(seed: int, channels: int, filters: int, *, relu: bool = True, pool: bool = False) -> Convolution:
    generator = np.random.default_rng(seed)
    kernel = generator.normal(0, np.sqrt(2 / (9 * channels)), (3, 3, channels, filters)).astype(np.float32)
    return Convolution(kernel, generator.normal(0, 0.1, filters).astype(np.float32), relu, pool)


def pictures(seed: int, *shape: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 50, shape).astype(np.float32)


@st.composite
def cases(draw: st.DrawFn) -> tuple[npt.NDArray[np.float32], Convolution]:
    pool = draw(st.booleans())
    side = st.integers(2 if pool else 1, 19)
    n, height, width = draw(st.integers(1, 2 * GROUP + 1)), draw(side), draw(side)
    channels, filters = draw(st.sampled_from([1, 3, 15, 16, 17, 24])), draw(st.sampled_from([1, 2, 8, 9]))
    seed = draw(st.integers(0, 2**32 - 1))
    layer = made(seed, channels, filters, relu=draw(st.booleans()), pool=pool)
    return pictures(seed, n, height, width, channels), layer


@settings(deadline=None, max_examples=60)
@given(cases())
def test_a_layer_equals_its_definition(case: tuple[npt.NDArray[np.float32], Convolution]) -> None:
    images, layer = case
    expected = by_definition(images, layer)
    found = Chain([layer], *images.shape[1:3])(images, 2)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    largest_sum = np.abs(images).max() * np.abs(layer.kernel).sum(axis=(0, 1, 2)).max()
    assert np.abs(found - expected).max() < 2e-6 * largest_sum


def test_layers_follow_one_another() -> None:
    layers = [made(0, 3, 16), made(1, 16, 24, pool=True), made(2, 24, 8, relu=False, pool=True)]
    images = pictures(0, 7, 21, 14, 3)
    expected: Floats = images
    for layer in layers:
        expected = by_definition(expected, layer)
    found = Chain(layers, 21, 14)(images, 1)
    assert found.shape == (7, 5, 3, 8)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_a_broken_image_affects_no_other() -> None:
    chain = Chain([made(0, 3, 16), made(1, 16, 32, pool=True)], 13, 13)
    images = pictures(0, 5, 13, 13, 3)
    whole = chain(images, 1)
    images[1], images[3] = np.nan, np.inf
    assert np.array_equal(chain(images, 1)[[0, 2, 4]], whole[[0, 2, 4]])


def test_images_of_another_shape_are_refused() -> None:
    chain = Chain([made(0, 3, 16)], 8, 8)
    with pytest.raises(ValueError, match=r"take images of shape \(8, 8, 3\), not \(12, 8, 3\)"):
        chain(pictures(0, 2, 12, 8, 3), 1)


@pytest.mark.parametrize("channels", [3, 24])
def test_pooling_with_a_layer_is_pooling_behind_it(channels: int) -> None:
    layer = made(0, channels, 16)
    images = pictures(0, 4, 11, 14, channels)
    apart = Chain([layer], 11, 14)(images, 1)[:, :10].reshape(4, 5, 2, 7, 2, 16).max(axis=(2, 4))
    assert np.array_equal(Chain([replace(layer, pool=True)], 11, 14)(images, 1), apart)


def test_the_number_of_threads_changes_no_bit() -> None:
    chain = Chain([made(0, 3, 16), made(1, 16, 32, pool=True)], 30, 30)
    images = pictures(0, 20, 30, 30, 3)
    assert np.array_equal(chain(images, 1), chain(images, 3))


def test_a_batch_invariant_chain_gives_the_same_bits_in_any_batch() -> None:
    layers = [made(0, 3, 16), made(1, 16, 32, pool=True), made(2, 32, 64)]
    chain = Chain(layers, 37, 37)
    if not chain.is_batch_invariant():
        pytest.skip("with this BLAS the chain is not batch-invariant, so it is not used")
    images = pictures(0, 2 * GROUP, 37, 37, 3)
    together = chain(images, 2)
    for first in range(2 * GROUP):
        assert np.array_equal(chain(np.roll(images, -first, axis=0)[:5], 1), np.roll(together, -first, axis=0)[:5])
    halves = Chain(layers[2:], 18, 18)(Chain(layers[:2], 37, 37)(images, 1), 1)
    assert np.array_equal(halves, together)


def test_products_that_depend_on_the_position_are_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain([made(0, 3, 16), made(1, 16, 32)], 20, 20)
    plain = np.matmul

    def uneven(a: Floats, b: Floats, **options: Any) -> Floats:
        product: Floats = plain(a, b, **options)
        product[..., 5::GROUP, :] = np.nextafter(product[..., 5::GROUP, :], np.float32(np.inf))
        return product

    monkeypatch.setattr(winograd.np, "matmul", uneven)
    assert not chain.is_batch_invariant()


def test_every_size_of_a_product_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [made(0, 3, 16), made(1, 16, 32, pool=True), made(2, 32, 64)]
    chain = Chain(layers, 37, 30)
    plain, sizes = np.matmul, [set[tuple[int, ...]](), set[tuple[int, ...]]()]
    into = 0

    def noting(a: Floats, b: Floats, **options: Any) -> Floats:
        sizes[into].add((*a.shape[-2:], b.shape[-1]))
        product: Floats = plain(a, b, **options)
        return product

    monkeypatch.setattr(winograd.np, "matmul", noting)
    chain.is_batch_invariant()
    into = 1
    chain(pictures(0, 3, 37, 30, 3), 1)
    assert sizes[1] <= sizes[0]
