"""3 x 3 convolutions in training, forward and backward, by Winograd's minimal filtering.

A tile of inputs and the kernel are transformed, multiplied point by point, and transformed back (Lavin and Gray 2016).
Summed over channels, the points are matrix products; so are the transforms. Both gradients are the transposed steps in
reverse order, so they save as many multiplications. In float32 the results agree with the definition of a convolution
to five or six digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from benchmark.training.backend import matrix_product
from benchmark.training.frozen.winograd import KERNEL_TRANSFORM

Floats = npt.NDArray[np.float32]
Tensor = Any
"""A tensor of the Keras backend."""


@dataclass(frozen=True)
class Filtering:
    """The transforms of F(m x m, 3 x 3), which computes m x m outputs of one channel with (m + 2)^2 multiplications.

    Attributes:
        tile: m, the outputs of a tile along one side.
        one_input: The transform of inputs along one side, shape (m + 2, m + 2).
        one_kernel: The transform of kernels along one side, shape (m + 2, 3).
        one_output: The transform back along one side, shape (m, m + 2).
    """

    tile: int
    one_input: Floats
    one_kernel: Floats
    one_output: Floats

    @property
    def span(self) -> int:
        """The inputs of a tile along one side."""
        return self.tile + 2

    @cached_property
    def inputs(self) -> Floats:
        """The transform of the inputs of a tile, shape (points, points)."""
        return np.kron(self.one_input, self.one_input)

    @cached_property
    def kernel(self) -> Floats:
        """The transform of a kernel, shape (points, 9)."""
        return np.kron(self.one_kernel, self.one_kernel)

    @cached_property
    def outputs(self) -> Floats:
        """The transform back to the outputs of a tile, shape (m^2, points)."""
        return np.kron(self.one_output, self.one_output)

    def tiles(self, side: int) -> int:
        """Tiles that cover `side` outputs."""
        return -(-side // self.tile)

    def multiplications(self, height: int, width: int) -> int:
        """Multiplications for one channel of `height` x `width` outputs."""
        return self.tiles(height) * self.tiles(width) * self.span**2


_THREE = Filtering(
    3,
    np.array([[2, -1, -2, 1, 0], [0, -2, -1, 1, 0], [0, 2, -3, 1, 0], [0, -1, 0, 1, 0], [0, 2, -1, -2, 1]], np.float32),
    np.array([[3, 0, 0], [-3, -3, -3], [-1, 1, -1], [1, 2, 4], [0, 0, 6]], np.float32) / np.float32(6),
    np.array([[1, 1, 1, 1, 0], [0, 1, -1, 2, 0], [0, 1, 1, 4, 1]], np.float32),
)
_FOUR = Filtering(
    4,
    np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ],
        np.float32,
    ),
    KERNEL_TRANSFORM,
    np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], np.float32),
)


def filtering_for(height: int, width: int) -> Filtering:
    """Return the filtering that needs the fewest multiplications for outputs of `height` x `width`."""
    return min((_THREE, _FOUR), key=lambda each: each.multiplications(height, width))


def convolve(inputs: Tensor, kernel: Tensor) -> Tensor:
    """Convolve images with stride 1 and zeros around them; its gradients are filtered as well.

    Args:
        inputs: Shape (n, h, w, c), float32; h, w and c are known.
        kernel: Shape (3, 3, c, k).

    Returns:
        The outputs, shape (n, h, w, k).
    """
    height, width = inputs.shape[1:3]
    filtering = filtering_for(height, width)

    @ops.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
    def filtered(x: Tensor, weights: Tensor) -> Any:
        inputs_at, kernel_at = _input_points(filtering, x), _kernel_points(filtering, weights)
        products = matrix_product(inputs_at, kernel_at)

        def backward(*arguments: Tensor, upstream: Tensor = None) -> tuple[Tensor, Tensor]:
            gradient = arguments[0] if upstream is None else upstream  # PyTorch passes it by name
            gradient_at = _output_gradient_points(filtering, gradient, height, width)
            by_inputs = matrix_product(gradient_at, kernel_at, transpose_second=True)
            by_kernel = matrix_product(inputs_at, gradient_at, transpose_first=True)
            return _input_gradient(filtering, by_inputs, height, width), _kernel_gradient(filtering, by_kernel)

        return _outputs(filtering, products, height, width), backward

    return filtered(inputs, kernel)


def _input_points(filtering: Filtering, x: Tensor) -> Tensor:
    """Transform inputs (n, h, w, c) to (points, n * tiles, c)."""
    tile = filtering.tile
    _, height, width, channels = x.shape
    down, across = filtering.tiles(height), filtering.tiles(width)
    # A tile needs its own lines and the first two of the next. In this shape both are slices without steps.
    x = ops.pad(x, ((0, 0), (1, (down + 1) * tile - height - 1), (1, (across + 1) * tile - width - 1), (0, 0)))
    x = ops.reshape(x, (-1, down + 1, tile, across + 1, tile, channels))
    lines = [divmod(line, tile) for line in range(filtering.span)]
    points = ops.stack([x[:, r : r + down, i, c : c + across, j] for r, i in lines for c, j in lines])
    return ops.reshape(_transform(filtering.inputs, points), (filtering.span**2, -1, channels))


def _input_gradient(filtering: Filtering, points: Tensor, height: int, width: int) -> Tensor:
    """Transform the gradient by `_input_points` to that by its inputs, summed over the tiles that share them."""
    tile, span = filtering.tile, filtering.span
    channels = points.shape[-1]
    down, across = filtering.tiles(height), filtering.tiles(width)
    lines = ops.reshape(_transform(filtering.one_input.T, points), (span, span, -1, down, across, channels))
    rows = _joined(lines, tile, 2)
    lines = ops.reshape(_transform(filtering.one_input.T, rows), (span, -1, down + 1, tile, across, channels))
    x = ops.reshape(_joined(lines, tile, 3), (-1, (down + 1) * tile, (across + 1) * tile, channels))
    return x[:, 1 : height + 1, 1 : width + 1]


def _joined(lines: Tensor, tile: int, axis: int) -> Tensor:
    """Join the lines of tiles, and add the two of each tile that the next one shares.

    Args:
        lines: Shape (m + 2, ...), where axis `axis` of ... counts t tiles.
        tile: m.
        axis: The axis.

    Returns:
        An array of shape ... with t + 1 tiles and, behind them, an axis of m lines.
    """
    first_lines = ops.stack([lines[i] for i in range(tile)], axis + 1)
    next_lines = ops.stack([lines[i] for i in range(tile, tile + 2)], axis + 1)
    behind, before = [[0, 0] for _ in first_lines.shape], [[0, 0] for _ in first_lines.shape]
    behind[axis], before[axis], before[axis + 1] = [0, 1], [1, 0], [0, tile - 2]
    return ops.pad(first_lines, behind) + ops.pad(next_lines, before)


def _kernel_points(filtering: Filtering, kernel: Tensor) -> Tensor:
    """Transform a kernel (3, 3, c, k) to (points, c, k)."""
    return ops.reshape(_transform(filtering.kernel, kernel), (filtering.span**2, *kernel.shape[2:]))


def _kernel_gradient(filtering: Filtering, points: Tensor) -> Tensor:
    """Transform the gradient by `_kernel_points` to that by the kernel."""
    return ops.reshape(_transform(filtering.kernel.T, points), (3, 3, *points.shape[1:]))


def _outputs(filtering: Filtering, products: Tensor, height: int, width: int) -> Tensor:
    """Transform products (points, n * tiles, k) to outputs (n, h, w, k)."""
    tile, filters = filtering.tile, products.shape[-1]
    down, across = filtering.tiles(height), filtering.tiles(width)
    tiles = ops.reshape(_transform(filtering.outputs, products), (tile, tile, -1, down, across, filters))
    outputs = ops.reshape(ops.transpose(tiles, (2, 3, 0, 4, 1, 5)), (-1, down * tile, across * tile, filters))
    return outputs[:, :height, :width]


def _output_gradient_points(filtering: Filtering, gradient: Tensor, height: int, width: int) -> Tensor:
    """Transform the gradient by `_outputs` to that by the products."""
    tile, filters = filtering.tile, gradient.shape[-1]
    down, across = filtering.tiles(height), filtering.tiles(width)
    gradient = ops.pad(gradient, ((0, 0), (0, down * tile - height), (0, across * tile - width), (0, 0)))
    tiles = ops.transpose(ops.reshape(gradient, (-1, down, tile, across, tile, filters)), (2, 4, 0, 1, 3, 5))
    return ops.reshape(_transform(filtering.outputs.T, tiles), (filtering.span**2, -1, filters))


def _transform(matrix: Floats, values: Tensor) -> Tensor:
    """Multiply a matrix (p, q) by values of which the leading axes count q."""
    return matrix_product(ops.convert_to_tensor(matrix), ops.reshape(values, (matrix.shape[1], -1)))
