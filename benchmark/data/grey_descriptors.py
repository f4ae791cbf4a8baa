"""Descriptions of an image by its grey levels alone, which distinguish kinds of images without a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

GRID = 8
"""The side of the grid of `grey_layout`, in cells."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The quantiles of `grey_quantiles`."""


def grey_quantiles(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the QUANTILES of the grey levels 0..255 of one image (h, w, c), shape (5,)."""
    return np.asarray(np.quantile(image, QUANTILES), dtype=np.float64)


def grey_layout(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return mean grey levels in the cells of a grid over one image (h, w, c), row by row, shape (64,)."""
    grey = image.mean(axis=2)
    cells = [cell.mean() for band in np.array_split(grey, GRID) for cell in np.array_split(band, GRID, axis=1)]
    return np.array(cells)


def with_grey(image: npt.NDArray[np.uint8], features: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float64]]:
    """Describe one image in every way that a reference compares.

    Args:
        image: Grey levels, (h, w, c).
        features: Its features, (1, d).

    Returns:
        One row per description, by name: `grey` (1, 5), `layout` (1, 64) and `features` (1, d).
    """
    return {
        "grey": grey_quantiles(image)[None],
        "layout": grey_layout(image)[None],
        "features": np.asarray(features, dtype=np.float64),
    }
