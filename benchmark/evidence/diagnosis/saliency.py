"""Checks of saliency maps: whether they depend on the trained weights, and which region they highlight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

Maps = npt.NDArray[np.floating]
CUT_OFF = 0.5
"""Maps count as unchanged if their median rank correlation is at least this. It is a convention of this program:
Adebayo et al. 2018 give no cut-off."""
FEWEST = 4
"""The fewest images with a map for which a verdict is given."""


@dataclass(frozen=True)
class Sanity:
    """The model randomisation test of Adebayo et al. 2018: maps must change if the weights are randomised.

    Attributes:
        per_image: Spearman's rank correlation of an image's map before and after randomising all weights, mean over
            draws; None if the map of the trained model is constant.
        median: Median of `per_image`.
        head_median: The same with only the weights after the explained layer randomised.
        draws: Number of random draws of the weights.
        cut_off: Correlation from which maps count as unchanged.
        passes: Whether `median` is below `cut_off`; None if undetermined.
        reason: Why `passes` is undetermined.
    """

    per_image: tuple[float | None, ...]
    median: float | None
    head_median: float | None
    draws: int
    cut_off: float
    passes: bool | None
    reason: str | None = None


@dataclass(frozen=True)
class Inside:
    """The share of saliency inside a region.

    Attributes:
        per_image: The share of each map inside the region, in [0, 1]; None if the map is empty.
        share: Mean of `per_image`.
        expected: The share for a uniform map: the mean share of the image area.
        above: Number of images whose map exceeds the uniform share.
        images: Number of images whose map is not empty.
    """

    per_image: tuple[float | None, ...]
    share: float | None
    expected: float
    above: int
    images: int


def rank_correlations(before: Maps, after: Maps) -> tuple[float | None, ...]:
    """Compute Spearman's rank correlation of each pair of maps, with average ranks for ties.

    Args:
        before: Maps, (n, ...).
        after: Maps of the same images, (n, ...).

    Returns:
        n correlations; None if the map before is constant, 0 if only the map after is.

    Raises:
        ValueError: The shapes differ.
    """
    if before.shape != after.shape:
        raise ValueError(f"maps of shapes {before.shape} and {after.shape} cannot be compared")
    return tuple(_rank_correlation(one.ravel(), other.ravel()) for one, other in zip(before, after, strict=True))


def sanity(trained: Maps, head_random: Maps, all_random: Maps, cut_off: float = CUT_OFF) -> Sanity:
    """Run the model randomisation test.

    Args:
        trained: Maps of the trained model, (n, r, c).
        head_random: Maps after randomising the weights after the explained layer k times, (k, n, r, c).
        all_random: Maps after randomising all weights k times, (k, n, r, c).
        cut_off: Correlation from which maps count as unchanged.

    Returns:
        The result of the test.
    """
    whole, head = _mean_over_draws(trained, all_random), _mean_over_draws(trained, head_random)
    known = [value for value in whole if value is not None]
    median = float(np.median(known)) if known else None
    known_head = [value for value in head if value is not None]
    passes, reason = None, None
    if not len(all_random):
        reason = "no weights were randomised"
    elif len(known) < FEWEST:
        reason = f"{len(known)} of {len(trained)} images have a map; {FEWEST} are needed"
    else:
        passes = bool(np.median(known) < cut_off)
    return Sanity(
        per_image=whole,
        median=median,
        head_median=float(np.median(known_head)) if known_head else None,
        draws=len(all_random),
        cut_off=cut_off,
        passes=passes,
        reason=reason,
    )


def inside(maps: Maps, region: npt.NDArray[np.bool_]) -> Inside:
    """Compute the share of each map inside a region.

    Args:
        maps: Maps (n, h, w), 0 or more.
        region: The region of each image, (n, h, w).

    Returns:
        The shares.

    Raises:
        ValueError: The shapes differ.
    """
    if maps.shape != region.shape:
        raise ValueError(f"maps of shape {maps.shape} and a region of shape {region.shape} differ")
    total, within = maps.sum(axis=(1, 2)), (maps * region).sum(axis=(1, 2))
    area = region.mean(axis=(1, 2))
    shares = tuple(float(w / t) if t > 0 else None for w, t in zip(within, total, strict=True))
    known = [(share, float(a)) for share, a in zip(shares, area, strict=True) if share is not None]
    return Inside(
        per_image=shares,
        share=float(np.mean([share for share, _ in known])) if known else None,
        expected=float(np.mean([a for _, a in known])) if known else float(area.mean()),
        above=sum(share > a for share, a in known),
        images=len(known),
    )


def _mean_over_draws(trained: Maps, random: Maps) -> tuple[float | None, ...]:
    if not len(random):
        return (None,) * len(trained)
    columns = zip(*(rank_correlations(trained, after) for after in random), strict=True)
    known = [[value for value in column if value is not None] for column in columns]
    return tuple(float(np.mean(column)) if column else None for column in known)


def _rank_correlation(one: Maps, other: Maps) -> float | None:
    if one.min() == one.max():
        return None
    if other.min() == other.max():
        return 0.0
    return float(np.corrcoef(scipy.stats.rankdata(one), scipy.stats.rankdata(other))[0, 1])
