"""Distances of an image from the training images, their limits, and what an image beyond a limit is said to be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LOOKS = {"grey": "grey levels", "layout": "grey levels by place", "features": "features"}
"""The references of a kept model, in words."""

FIELDS = ("means", "precision", "limit", "share", "images")
"""What a file of references contains of each, as `NAME.FIELD`."""


@dataclass(frozen=True, eq=False)
class OODReference:
    """The distribution of training images in one description of d numbers.

    Attributes:
        means: Class means of training images, (classes, d).
        precision: The inverse covariance within classes, (d, d).
        limit: The largest distance of an in-distribution image.
        share: The expected share of in-distribution images beyond `limit`, in (0, 1).
        images: Number of validation images that determined `limit`.
    """

    means: Floats
    precision: Floats
    limit: float
    share: float
    images: int

    def distances(self, described: npt.NDArray[Any]) -> Floats:
        """Compute Mahalanobis distances to the nearest class mean.

        Args:
            described: Descriptions of images, (n, d).

        Returns:
            Distances (n,), 0 or more.
        """
        away = np.asarray(described, dtype=np.float64)[:, None, :] - self.means
        squared = np.einsum("nci,ij,ncj->nc", away, self.precision, away)
        return np.asarray(np.sqrt(np.maximum(squared, 0.0)).min(axis=1))


def references_in(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, OODReference]:
    """Make the references of a file.

    Args:
        arrays: The arrays of the file by `NAME.FIELD`.

    Returns:
        The references by name.

    Raises:
        KeyError: A field of a reference is missing.
    """
    names = dict.fromkeys(key.rpartition(".")[0] for key in arrays)
    return {
        name: OODReference(
            means=arrays[f"{name}.means"],
            precision=arrays[f"{name}.precision"],
            limit=float(arrays[f"{name}.limit"]),
            share=float(arrays[f"{name}.share"]),
            images=int(arrays[f"{name}.images"]),
        )
        for name in names
    }


def ood_reasons(
    references: Mapping[str, OODReference],
    described: Mapping[str, Any],
    *,
    colour: bool,
    channels: Literal[1, 3],
) -> tuple[str, ...]:
    """Say why an image is unlike the training images.

    Args:
        references: References of the training images, by name.
        described: The image as each reference compares it: float (1, d), by name.
        colour: Whether the image is in colour.
        channels: 1 if all training images were grey, else 3.

    Returns:
        One reason for each reference whose limit the distance exceeds, and one for colour.
    """
    reasons = ["in colour, trained on grey images alone"] if colour and channels == 1 else []
    for name, reference in references.items():
        distance = float(reference.distances(described[name])[0])
        if not distance <= reference.limit:  # also when it is not a number
            reasons.append(f"{LOOKS.get(name, name)} {_ratio(distance, reference.limit)} times the limit")
    return tuple(reasons)


def _ratio(distance: float, limit: float) -> str:
    times = distance / limit if limit > 0 else math.inf
    return "over 100" if not times <= 100 else f"{times:.2f}" if times < 2 else f"{times:.0f}"
