"""3 x 3 convolutions with a quarter of the multiplications, by Winograd's minimal filtering F(4 x 4, 3 x 3).

It runs on a processor. A tile of 6 x 6 inputs and the kernel are transformed, multiplied point by point and transformed
back to 4 x 4 outputs. This takes 36 multiplications instead of 144, plus additions (Lavin and Gray 2016). Summed over
channels, the points are 36 matrix products, which NumPy passes to BLAS. In float32 the result agrees with the
definition of a convolution to about six digits, like the same sums in another order. A layer with few input channels is
computed by the definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

Floats = npt.NDArray[np.float32]

VERSION = 1
"""Increased when the same layers would give different bits."""

GROUP = 6  # images that one thread computes together; `Chain.is_batch_invariant` explains why 6 and not 8
_TILE, _SPAN = 4, 6
_PRODUCT_ROWS = 160  # approximate rows of one product: enough for BLAS, few enough to stay in the cache
_CANVAS_LIMIT = 1 << 30  # approximate bytes that all threads together may use between layers
_MIN_CHANNELS = 16  # input channels: with fewer, the transforms cost more than they save
KERNEL_TRANSFORM: Floats = np.array(
    [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], np.float32
) / np.float32(24)
"""The transform of kernels along one side, shape (6, 3)."""


@dataclass(frozen=True)
class Convolution:
    """A 3 x 3 convolution with stride 1 that keeps height and width, then bias, relu and pooling.

    Attributes:
        kernel: Shape (3, 3, c, k). Zeros pad the images.
        bias: Shape (k,).
        relu: Whether relu follows.
        pool: Whether 2 x 2 maximum pooling follows.
    """

    kernel: Floats
    bias: Floats
    relu: bool
    pool: bool


class Chain:
    """Consecutive convolutions for images of `height` x `width`. Kernels are transformed at first use."""

    def __init__(self, layers: Sequence[Convolution], height: int, width: int) -> None:
        self._shape = (height, width, layers[0].kernel.shape[2])
        self._plans: list[_Plan] = []
        for layer in layers:
            plan = (_DirectPlan if _is_narrow(layer) else _FilteredPlan)(layer, height, width)
            height, width = plan.out_size
            self._plans.append(plan)

    def is_batch_invariant(self) -> bool:
        """Whether an image gives the same bits at every position of a group on this machine.

        A BLAS library may add the products of one row in another order than those of the next row. OpenBLAS 0.3 on AVX2
        alternates every six rows; with groups of six and row counts that are multiples of twelve, each image meets both
        orders in the same way. Other libraries and processors differ, so the products are tried in all sizes that `run`
        uses.

        Returns:
            Whether all products agree.
        """
        generator = np.random.default_rng(0)
        with threadpool_limits(1, "blas"):
            for plan in self._plans:
                for rows, inner, outer in plan.products():
                    image = generator.standard_normal((rows // GROUP, 1, inner), np.float32)
                    copies = np.repeat(image, GROUP, axis=1).reshape(1, rows, inner)
                    product = np.matmul(copies, generator.standard_normal((1, inner, outer), np.float32))
                    product = product.reshape(-1, GROUP, outer)
                    if not np.array_equal(product, np.broadcast_to(product[:, :1], product.shape)):
                        return False
        return True

    def __call__(self, inputs: Floats, threads: int) -> Floats:
        """Compute the convolutions.

        Args:
            inputs: Shape (n, h, w, c).
            threads: Number of threads, 1 or more. It does not change the result.

        Returns:
            The outputs, shape (n, h', w', k).

        Raises:
            ValueError: The images have another shape than the chain.
        """
        if inputs.shape[1:] != self._shape:
            raise ValueError(f"the convolutions take images of shape {self._shape}, not {inputs.shape[1:]}")
        starts = range(0, len(inputs), GROUP)
        largest = 2 * max(plan.canvas_bytes() for plan in self._plans)  # one to read and one to write
        at_once = max(1, min(threads, _CANVAS_LIMIT // largest))
        limit = partial(threadpool_limits, 1, "blas")  # some libraries have one limit per thread: each sets it
        with limit(), ThreadPoolExecutor(at_once, initializer=limit) as pool:
            for plan in self._plans:
                plan.prepare()
            outputs = list(pool.map(lambda start: self._group(inputs[start : start + GROUP]), starts))
        return np.concatenate(outputs)

    def _group(self, inputs: Floats) -> Floats:
        """Compute at most GROUP images.

        Between the layers the order of axes is (row, column, image, channel): the values to add and multiply at one
        position are then contiguous in memory over all images.
        """
        count, height, width, channels = inputs.shape
        canvas = _canvas(height, width, channels)
        canvas[1 : height + 1, 1 : width + 1, :count] = inputs.transpose(1, 2, 0, 3)
        for plan in self._plans:
            canvas = plan.run(canvas)
            height, width = plan.out_size
        return np.ascontiguousarray(canvas[1 : height + 1, 1 : width + 1, :count].transpose(2, 0, 1, 3))


def _is_narrow(layer: Convolution) -> bool:
    return bool(layer.kernel.shape[2] < _MIN_CHANNELS)


def _tiles(side: int) -> int:
    return -(-side // _TILE)


def _canvas(height: int, width: int, channels: int) -> Floats:
    """Return zeros for GROUP images: whole tiles, and a border of 1 around them."""
    return np.zeros((_tiles(height) * _TILE + 2, _tiles(width) * _TILE + 2, GROUP, channels), np.float32)


def _canvas_bytes(height: int, width: int, layer: Convolution) -> int:
    sides = (_tiles(height) * _TILE + 2) * (_tiles(width) * _TILE + 2)
    return 4 * GROUP * sides * int(max(layer.kernel.shape[2:]))


def _padded_rows(rows: int) -> int:
    """Round `rows` up to a row count that keeps a product batch-invariant (`Chain.is_batch_invariant`)."""
    return -(-rows // (2 * GROUP)) * 2 * GROUP


class _Plan(Protocol):
    """How one layer is computed for images of one size."""

    out_size: tuple[int, int]

    def prepare(self) -> None:
        """Transform the kernel, unless that is done."""

    def canvas_bytes(self) -> int:
        """The size in bytes of the larger one of its two canvases."""

    def products(self) -> set[tuple[int, int, int]]:
        """Rows, inner and outer size of the matrix products in `run`."""

    def run(self, canvas: Floats) -> Floats:
        """Compute the output canvas from the input canvas."""


class _DirectPlan:
    """Computes a layer by the definition, one line at a time: each 3 x 3 neighbourhood is a row of a matrix."""

    def __init__(self, layer: Convolution, height: int, width: int) -> None:
        self._layer = layer
        self._kernel = np.ascontiguousarray(layer.kernel.reshape(-1, layer.kernel.shape[3]))
        self._size = height, width
        self.out_size = (height // 2, width // 2) if layer.pool else (height, width)

    def prepare(self) -> None:
        pass

    def canvas_bytes(self) -> int:
        return _canvas_bytes(*self._size, self._layer)

    def products(self) -> set[tuple[int, int, int]]:
        return {(_padded_rows(self._size[1] * GROUP), *self._kernel.shape)}

    def run(self, canvas: Floats) -> Floats:
        height, width = self._size
        _, _, channels, filters = self._layer.kernel.shape
        lines = np.ascontiguousarray(canvas.transpose(0, 2, 1, 3)).reshape(len(canvas), GROUP, -1)
        windows = np.lib.stride_tricks.sliding_window_view(lines, 3 * channels, axis=2)[:, :, ::channels]
        out = _canvas(height, width, filters)
        rows = width * GROUP
        matrix = np.zeros((_padded_rows(rows), len(self._kernel)), np.float32)
        around = matrix[:rows].reshape(width, GROUP, 3, 3 * channels)
        values = np.empty((len(matrix), filters), np.float32)
        for line in range(height):
            for row in range(3):
                around[:, :, row] = windows[line + row].swapaxes(0, 1)[:width]
            np.matmul(matrix, self._kernel, out=values)
            _finish(values[:rows].reshape(width, GROUP, filters), self._layer, out[line + 1, 1 : width + 1])
        return self._pooled(out) if self._layer.pool else out

    def _pooled(self, canvas: Floats) -> Floats:
        height, width = self.out_size
        out = _canvas(height, width, canvas.shape[3])
        corners = [canvas[1 + i :: 2, 1 + j :: 2][:height, :width] for i in (0, 1) for j in (0, 1)]
        out[1 : height + 1, 1 : width + 1] = np.maximum.reduce(corners)
        return out


class _FilteredPlan:
    """Computes a layer by Winograd's filtering, some rows of tiles at a time, and pools within tiles."""

    def __init__(self, layer: Convolution, height: int, width: int) -> None:
        self._layer = layer
        self._kernel: Floats | None = None
        self._size = height, width
        self._down, self._across = _tiles(height), _tiles(width)
        self._strip = min(self._down, max(1, round(_PRODUCT_ROWS / (self._across * GROUP))))
        self._step = 2 if layer.pool else 1
        self.out_size = height // self._step, width // self._step

    def prepare(self) -> None:
        if self._kernel is None:
            lines = np.tensordot(KERNEL_TRANSFORM, self._layer.kernel, (1, 0))
            points = [np.tensordot(KERNEL_TRANSFORM, line, (1, 0)) for line in lines]
            self._kernel = np.concatenate(points)  # (36, c, k)

    def canvas_bytes(self) -> int:
        return _canvas_bytes(*self._size, self._layer)

    def products(self) -> set[tuple[int, int, int]]:
        strips = {min(self._strip, self._down - top) for top in range(0, self._down, self._strip)}
        return {(_padded_rows(rows * self._across * GROUP), *self._layer.kernel.shape[2:]) for rows in strips}

    def run(self, canvas: Floats) -> Floats:
        height, width = self.out_size
        _, _, channels, filters = self._layer.kernel.shape
        out = _canvas(height, width, filters)
        buffers = _Buffers(self._strip, self._across, channels, filters)
        side = _TILE // self._step
        for top in range(0, self._down, self._strip):
            rows = min(self._strip, self._down - top)
            tiles = self._tiles(canvas[top * _TILE :], rows, buffers)
            for row in range(side):
                lines = slice(top * side + row, min(height, (top + rows) * side), side)
                for column in range(side):
                    place = out[1:-1, 1:-1][lines, column:width:side]
                    values = tiles[row, column].reshape(rows, self._across, GROUP, filters)
                    _finish(values[: place.shape[0], : place.shape[1]], self._layer, place)
        return out

    def _tiles(self, canvas: Floats, rows: int, buffers: _Buffers) -> Floats:
        """Compute the first `rows` rows of tiles before bias and relu.

        The shape is (4, 4, positions, k), or (2, 2, positions, k) with pooling.
        """
        _, _, channels, filters = self._layer.kernel.shape
        positions = rows * self._across * GROUP
        points = _shaped(buffers.points, _SPAN**2, _padded_rows(positions), channels)
        products = _shaped(buffers.products, _SPAN**2, _padded_rows(positions), filters)
        points[:, positions:] = 0
        _to_points(canvas, points[:, :positions].reshape(_SPAN, _SPAN, rows, self._across, GROUP, channels), buffers)
        assert self._kernel is not None
        np.matmul(points, self._kernel, out=products)
        tiles = _from_points(products[:, :positions].reshape(_SPAN, _SPAN, positions, filters), buffers)
        if self._step == 2:
            np.maximum(tiles[0::2], tiles[1::2], out=tiles[0::2])
            np.maximum(tiles[0::2, 0::2], tiles[0::2, 1::2], out=tiles[0::2, 0::2])
            tiles = tiles[0::2, 0::2]
        return tiles


class _Buffers:
    """Memory that the strips of one layer share."""

    def __init__(self, rows: int, across: int, channels: int, filters: int) -> None:
        positions = _padded_rows(rows * across * GROUP)
        lines = rows * (across * _TILE + 2) * GROUP
        widest = max(channels, filters)
        self.lines = np.empty(_SPAN * lines * channels, np.float32)
        self.points = np.empty(_SPAN**2 * positions * widest, np.float32)
        self.products = np.empty(_SPAN**2 * positions * filters, np.float32)
        self.tiles = np.empty(_TILE**2 * positions * filters, np.float32)
        self.scratch = np.empty((2, max(lines * channels, _SPAN * positions * widest)), np.float32)


def _to_points(canvas: Floats, points: Floats, buffers: _Buffers) -> None:
    """Transform the first rows of tiles into `points`, shape (6, 6, rows, across, GROUP, c)."""
    _, _, rows, across, _, channels = points.shape
    shape = (rows, across * _TILE + 2, GROUP, channels)
    lines = _shaped(buffers.lines, _SPAN, *shape)
    _transform([canvas[i : i + (rows - 1) * _TILE + 1 : _TILE] for i in range(_SPAN)], lines, _scratch(buffers, *shape))
    columns = [lines[:, :, j : j + (across - 1) * _TILE + 1 : _TILE] for j in range(_SPAN)]
    _transform(columns, points.swapaxes(0, 1), _scratch(buffers, _SPAN, rows, across, GROUP, channels))


def _from_points(products: Floats, buffers: _Buffers) -> Floats:
    """Transform products (6, 6, positions, k) back to the outputs of each tile, (4, 4, positions, k)."""
    _, _, positions, filters = products.shape
    lines = _shaped(buffers.points, _TILE, _SPAN, positions, filters)  # the points are no longer needed
    _transform_back(products, lines, _scratch(buffers, _SPAN, positions, filters))
    tiles = _shaped(buffers.tiles, _TILE, _TILE, positions, filters)
    _transform_back(lines.swapaxes(0, 1), tiles.swapaxes(0, 1), _scratch(buffers, _TILE, positions, filters))
    return tiles


def _shaped(buffers: Floats, *shape: int) -> Floats:
    return buffers[: int(np.prod(shape))].reshape(shape)


def _scratch(buffers: _Buffers, *shape: int) -> tuple[Floats, Floats]:
    return _shaped(buffers.scratch[0], *shape), _shaped(buffers.scratch[1], *shape)


def _transform(d: Sequence[Floats], out: Floats, scratch: tuple[Floats, Floats]) -> None:
    """Transform the inputs along one dimension, from six arrays `d` to six in `out`:
    4 d0 - 5 d2 + d4;  d4 - 4 d2 +- (d3 - 4 d1);  d4 - d2 +- 2 (d3 - d1);  4 d1 - 5 d3 + d5.
    """
    a, b = scratch
    four = np.float32(4)
    np.subtract(d[4], d[2], out=a)
    np.subtract(d[3], d[1], out=b)
    np.add(b, b, out=b)
    np.add(a, b, out=out[3])
    np.subtract(a, b, out=out[4])
    np.subtract(d[0], d[2], out=out[0])
    np.multiply(out[0], four, out=out[0])
    np.add(out[0], a, out=out[0])
    np.add(b, b, out=b)
    np.subtract(d[5], d[3], out=out[5])
    np.subtract(out[5], b, out=out[5])
    np.multiply(d[2], four, out=a)
    np.subtract(d[4], a, out=a)
    np.multiply(d[1], four, out=b)
    np.subtract(d[3], b, out=b)
    np.add(a, b, out=out[1])
    np.subtract(a, b, out=out[2])


def _transform_back(m: Floats, out: Floats, scratch: tuple[Floats, Floats]) -> None:
    """Transform the products back along one dimension, from six arrays `m` to four in `out`:
    m0 + s + u;  d + 2 v;  s + 4 u;  d + 8 v + m5  with  s, d = m1 +- m2  and  u, v = m3 +- m4.
    """
    a, b = scratch
    four = np.float32(4)
    np.add(m[1], m[2], out=a)
    np.add(m[3], m[4], out=b)
    np.add(m[0], a, out=out[0])
    np.add(out[0], b, out=out[0])
    np.multiply(b, four, out=b)
    np.add(a, b, out=out[2])
    np.subtract(m[1], m[2], out=a)
    np.subtract(m[3], m[4], out=b)
    np.add(b, b, out=b)
    np.add(a, b, out=out[1])
    np.multiply(b, four, out=b)
    np.add(a, b, out=out[3])
    np.add(out[3], m[5], out=out[3])


def _finish(values: Floats, layer: Convolution, out: Floats) -> None:
    """Add the bias and apply relu, from `values`, which are overwritten, to `out`."""
    if layer.relu:
        np.add(values, layer.bias, out=values)
        np.maximum(values, np.float32(0), out=out)
    else:
        np.add(values, layer.bias, out=out)
