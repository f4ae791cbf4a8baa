"""Mixup: training on weighted sums of two images and of their targets (Zhang et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
_STREAM = 0x6D697875
"""Separates these random numbers from those of orders and views, which have the same seeds."""


def mixing_generator(seed: int, phase: int, epoch: int) -> np.random.Generator:
    """Return the random numbers that mix the batches of an epoch.

    Args:
        seed: The seed of the run.
        phase: Number of the phase, from 0.
        epoch: Number of the epoch, from 1.

    Returns:
        A new generator.
    """
    return np.random.default_rng([seed, phase, epoch, _STREAM])


@dataclass(frozen=True)
class Mixture:
    """How the rows of a batch are mixed.

    Attributes:
        share: The share of the row itself, in [0.5, 1]; the rest is its partner's.
        partners: The partner of each row, a permutation, shape (n,).
    """

    share: float
    partners: npt.NDArray[np.int64]

    def of(self, rows: Floats) -> Floats:
        """Return the mixed rows of a batch, whose mean is that of `rows`; shape (n, ...)."""
        share = np.float32(self.share)
        mixed: Floats = share * rows + (np.float32(1) - share) * rows[self.partners]
        return mixed


def draw_mixture(generator: np.random.Generator, alpha: float, count: int) -> Mixture:
    """Draw one share per batch, from Beta(alpha, alpha), and a permutation of its rows.

    The larger of both shares goes to the row itself: over all permutations this gives the same pairs, and each row
    still has a class.

    Args:
        generator: The random numbers.
        alpha: Above 0; the larger it is, the more equal the shares are.
        count: Number of rows, 1 or more.

    Returns:
        The mixture.
    """
    share = float(generator.beta(alpha, alpha))
    return Mixture(max(share, 1 - share), generator.permutation(count))
