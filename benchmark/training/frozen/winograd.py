"""3 x 3 convolutions in a quarter of the multiplications, on a processor: Winograd's minimal filtering F(4 x 4, 3 x 3).

A tile of 6 x 6 inputs and the kernel are transformed, multiplied point by point and transformed back to 4 x 4 outputs:
36 multiplications where the definition has 144, and additions beside them (Lavin and Gray 2016). Summed over channels,
the points are 36 matrix products, which NumPy hands to BLAS. In float32 the result differs from the definition's as two
orders of its sums do: in the sixth digit. A layer that reads few channels is computed by the definition.
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
"""Raised when the same layers would give other bits."""

GROUP = 6  # images that one thread computes side by side, always as many; why 6 and not 8: see `Chain.repeats`
_TILE, _SPAN = 4, 6
_ROWS = 160  # of one product, about: enough for BLAS, and few enough that its operands stay in the cache
_CANVASES = 1 << 30  # bytes, about, that the threads together may hold between layers
_NARROW = 16  # input channels; with fewer the transforms cost more than they save
_KERNEL = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], np.float32) / 24


@dataclass(frozen=True)
class Convolution:
    """A 3 x 3 convolution with steps of 1 that keeps height and width, zeros around; then bias, relu and 2 x 2 maximum
    pooling, each where asked for.

    `kernel` is (3, 3, c, k), `bias` (k,).
    """

    kernel: Floats
    bias: Floats
    relu: bool
    pool: bool


class Chain:
    """Convolutions one behind the other for images of `height` x `width`; kernels are transformed when first needed."""

    def __init__(self, layers: Sequence[Convolution], height: int, width: int) -> None:
        self._shape = (height, width, layers[0].kernel.shape[2])
        self._plans: list[_Plan] = []
        for layer in layers:
            plan = (_Narrow if _is_narrow(layer) else _Wide)(layer, height, width)
            height, width = plan.out_size
            self._plans.append(plan)

    def repeats(self) -> bool:
        """Whether the same image gives the same bits at every place of a group here.

        A BLAS may add the products of one row in another order than those of its neighbour: OpenBLAS 0.3 on AVX2
        takes turns every six rows, and with groups of six and rows in dozens each image meets both orders alike. Other
        libraries and processors have other habits, so it is tried out, on products of the sizes that will be made.
        """
        generator = np.random.default_rng(0)
        with threadpool_limits(1, "blas"):
            for plan in self._plans:
                for rows, inner, outer in plan.products():
                    one = generator.standard_normal((rows // GROUP, 1, inner), np.float32)
                    same = np.repeat(one, GROUP, axis=1).reshape(1, rows, inner)
                    made = np.matmul(same, generator.standard_normal((1, inner, outer), np.float32))
                    placed = made.reshape(-1, GROUP, outer)
                    if not np.array_equal(placed, np.broadcast_to(placed[:, :1], placed.shape)):
                        return False
        return True

    def __call__(self, inputs: Floats, threads: int) -> Floats:
        """(n, h, w, c) to (n, h', w', k), the same whatever the number of `threads`, which is 1 or more.

        Raises ValueError for images of another shape.
        """
        if inputs.shape[1:] != self._shape:
            raise ValueError(f"the convolutions take images of shape {self._shape}, not {inputs.shape[1:]}")
        starts = range(0, len(inputs), GROUP)
        largest = 2 * max(plan.canvas_bytes() for plan in self._plans)  # one that is read, one that is written
        at_once = max(1, min(threads, _CANVASES // largest))
        one = partial(threadpool_limits, 1, "blas")  # where each thread has a limit of its own, it is set in each
        with one(), ThreadPoolExecutor(at_once, initializer=one) as pool:
            for plan in self._plans:
                plan.prepare()
            done = list(pool.map(lambda start: self._group(inputs[start : start + GROUP]), starts))
        return np.concatenate(done)

    def _group(self, inputs: Floats) -> Floats:
        """At most GROUP images. Between the layers they lie (row, column, image, channel): what is added and
        multiplied at a place is then one stretch of memory over all of them."""
        count, height, width, channels = inputs.shape
        canvas = _canvas(height, width, channels)
        canvas[1 : height + 1, 1 : width + 1, :count] = inputs.transpose(1, 2, 0, 3)
        for plan in self._plans:
            canvas = plan.run(canvas)
            height, width = plan.out_size
        return np.ascontiguousarray(canvas[1 : height + 1, 1 : width + 1, :count].transpose(2, 0, 1, 3))


def _is_narrow(layer: Convolution) -> bool:
    return bool(layer.kernel.shape[2] < _NARROW)


def _tiles(side: int) -> int:
    return -(-side // _TILE)


def _canvas(height: int, width: int, channels: int) -> Floats:
    """Zeros for GROUP images with the border of a convolution around whole tiles."""
    return np.zeros((_tiles(height) * _TILE + 2, _tiles(width) * _TILE + 2, GROUP, channels), np.float32)


def _canvas_bytes(height: int, width: int, layer: Convolution) -> int:
    sides = (_tiles(height) * _TILE + 2) * (_tiles(width) * _TILE + 2)
    return 4 * GROUP * sides * int(max(layer.kernel.shape[2:]))


def _dozens(rows: int) -> int:
    """`rows`, rounded up to what a product may have (`Chain.repeats`)."""
    return -(-rows // (2 * GROUP)) * 2 * GROUP


class _Plan(Protocol):
    """One layer for images of one size."""

    out_size: tuple[int, int]

    def prepare(self) -> None:
        """Transform the kernel, if that is still to be done."""

    def canvas_bytes(self) -> int:
        """What the larger one of its canvases takes."""

    def products(self) -> set[tuple[int, int, int]]:
        """Rows, inner and outer size of the matrix products that `run` makes."""

    def run(self, canvas: Floats) -> Floats:
        """From canvas to canvas."""


class _Narrow:
    """By the definition: every neighbourhood of 3 x 3 is a row of a matrix, a line of the images at a time."""

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
        return {(_dozens(self._size[1] * GROUP), *self._kernel.shape)}

    def run(self, canvas: Floats) -> Floats:
        height, width = self._size
        _, _, channels, filters = self._layer.kernel.shape
        lines = np.ascontiguousarray(canvas.transpose(0, 2, 1, 3)).reshape(len(canvas), GROUP, -1)
        windows = np.lib.stride_tricks.sliding_window_view(lines, 3 * channels, axis=2)[:, :, ::channels]
        out = _canvas(height, width, filters)
        rows = width * GROUP
        matrix = np.zeros((_dozens(rows), len(self._kernel)), np.float32)
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


class _Wide:
    """By Winograd's filtering, some rows of tiles at a time. Pooling takes the maximum within tiles."""

    def __init__(self, layer: Convolution, height: int, width: int) -> None:
        self._layer = layer
        self._kernel: Floats | None = None
        self._size = height, width
        self._down, self._across = _tiles(height), _tiles(width)
        self._strip = min(self._down, max(1, round(_ROWS / (self._across * GROUP))))
        self._step = 2 if layer.pool else 1
        self.out_size = height // self._step, width // self._step

    def prepare(self) -> None:
        if self._kernel is None:
            lines = np.tensordot(_KERNEL, self._layer.kernel, (1, 0))
            self._kernel = np.concatenate([np.tensordot(_KERNEL, line, (1, 0)) for line in lines])  # (36, c, k)

    def canvas_bytes(self) -> int:
        return _canvas_bytes(*self._size, self._layer)

    def products(self) -> set[tuple[int, int, int]]:
        strips = {min(self._strip, self._down - top) for top in range(0, self._down, self._strip)}
        return {(_dozens(rows * self._across * GROUP), *self._layer.kernel.shape[2:]) for rows in strips}

    def run(self, canvas: Floats) -> Floats:
        height, width = self.out_size
        _, _, channels, filters = self._layer.kernel.shape
        out = _canvas(height, width, filters)
        room = _Room(self._strip, self._across, channels, filters)
        side = _TILE // self._step
        for top in range(0, self._down, self._strip):
            rows = min(self._strip, self._down - top)
            tiles = self._tiles(canvas[top * _TILE :], rows, room)
            for row in range(side):
                lines = slice(top * side + row, min(height, (top + rows) * side), side)
                for column in range(side):
                    place = out[1:-1, 1:-1][lines, column:width:side]
                    values = tiles[row, column].reshape(rows, self._across, GROUP, filters)
                    _finish(values[: place.shape[0], : place.shape[1]], self._layer, place)
        return out

    def _tiles(self, canvas: Floats, rows: int, room: _Room) -> Floats:
        """The first `rows` rows of tiles before bias and relu: (4, 4, places, k), or pooled (2, 2, places, k)."""
        _, _, channels, filters = self._layer.kernel.shape
        places = rows * self._across * GROUP
        points = _shaped(room.points, _SPAN**2, _dozens(places), channels)
        products = _shaped(room.products, _SPAN**2, _dozens(places), filters)
        points[:, places:] = 0
        _to_points(canvas, points[:, :places].reshape(_SPAN, _SPAN, rows, self._across, GROUP, channels), room)
        assert self._kernel is not None
        np.matmul(points, self._kernel, out=products)
        tiles = _from_points(products[:, :places].reshape(_SPAN, _SPAN, places, filters), room)
        if self._step == 2:
            np.maximum(tiles[0::2], tiles[1::2], out=tiles[0::2])
            np.maximum(tiles[0::2, 0::2], tiles[0::2, 1::2], out=tiles[0::2, 0::2])
            tiles = tiles[0::2, 0::2]
        return tiles


class _Room:
    """Memory that the strips of one layer share."""

    def __init__(self, rows: int, across: int, channels: int, filters: int) -> None:
        places = _dozens(rows * across * GROUP)
        lines = rows * (across * _TILE + 2) * GROUP
        widest = max(channels, filters)
        self.lines = np.empty(_SPAN * lines * channels, np.float32)
        self.points = np.empty(_SPAN**2 * places * widest, np.float32)
        self.products = np.empty(_SPAN**2 * places * filters, np.float32)
        self.tiles = np.empty(_TILE**2 * places * filters, np.float32)
        self.aside = np.empty((2, max(lines * channels, _SPAN * places * widest)), np.float32)


def _to_points(canvas: Floats, points: Floats, room: _Room) -> None:
    """Tiles of the first rows of tiles, transformed, into `points` (6, 6, rows, across, GROUP, c)."""
    _, _, rows, across, _, channels = points.shape
    shape = (rows, across * _TILE + 2, GROUP, channels)
    lines = _shaped(room.lines, _SPAN, *shape)
    _transform([canvas[i : i + (rows - 1) * _TILE + 1 : _TILE] for i in range(_SPAN)], lines, _aside(room, *shape))
    columns = [lines[:, :, j : j + (across - 1) * _TILE + 1 : _TILE] for j in range(_SPAN)]
    _transform(columns, points.swapaxes(0, 1), _aside(room, _SPAN, rows, across, GROUP, channels))


def _from_points(products: Floats, room: _Room) -> Floats:
    """(6, 6, places, k) to outputs of each tile: (4, 4, places, k)."""
    _, _, places, filters = products.shape
    lines = _shaped(room.points, _TILE, _SPAN, places, filters)  # the points have been multiplied; their memory is free
    _transform_back(products, lines, _aside(room, _SPAN, places, filters))
    tiles = _shaped(room.tiles, _TILE, _TILE, places, filters)
    _transform_back(lines.swapaxes(0, 1), tiles.swapaxes(0, 1), _aside(room, _TILE, places, filters))
    return tiles


def _shaped(room: Floats, *shape: int) -> Floats:
    return room[: int(np.prod(shape))].reshape(shape)


def _aside(room: _Room, *shape: int) -> tuple[Floats, Floats]:
    return _shaped(room.aside[0], *shape), _shaped(room.aside[1], *shape)


def _transform(d: Sequence[Floats], out: Floats, aside: tuple[Floats, Floats]) -> None:
    """One dimension of the transform of the inputs, `d` and `out` six each:
    4 d0 - 5 d2 + d4;  d4 - 4 d2 +- (d3 - 4 d1);  d4 - d2 +- 2 (d3 - d1);  4 d1 - 5 d3 + d5."""
    a, b = aside
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


def _transform_back(m: Floats, out: Floats, aside: tuple[Floats, Floats]) -> None:
    """One dimension of the transform of the products, six in `m` to four in `out`:
    m0 + s + u;  d + 2 v;  s + 4 u;  d + 8 v + m5  with  s, d = m1 +- m2  and  u, v = m3 +- m4."""
    a, b = aside
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
    """Bias and relu, from `values`, which are overwritten, to `out`."""
    if layer.relu:
        np.add(values, layer.bias, out=values)
        np.maximum(values, np.float32(0), out=out)
    else:
        np.add(values, layer.bias, out=out)
