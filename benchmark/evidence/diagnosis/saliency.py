"""What heat maps over images are worth: whether they depend on what was learned, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Maps = npt.NDArray[np.floating]
CUT_OFF = 0.5
"""A median rank correlation of at least this much between maps before and after is called unchanged. It is a
convention of this program: Adebayo et al. 2018 name none."""
FEWEST = 4
"""Images that a verdict needs."""


@dataclass(frozen=True)
class Sanity:
    """The test of Adebayo et al. 2018: maps must change when the weights are drawn anew.

    `per_image` is Spearman's rank correlation of an image's map with that after all weights were drawn anew, mean over
    `draws`; None where the trained model's map is empty. `median` is over the images, `head_median` the same with only
    the weights behind the explained layer drawn anew. `passes` is whether `median` is below `cut_off`; None, with a
    `reason`, where it cannot be told.
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
    """Share of the maps within a region: `share` is the mean over `images`, `expected` that of a uniform map, the
    region's own share of the area; `above` counts images whose map lies more in the region than a uniform one.

    `per_image` is None where a map is empty.
    """

    per_image: tuple[float | None, ...]
    share: float | None
    expected: float
    above: int
    images: int


def rank_correlations(before: Maps, after: Maps) -> tuple[float | None, ...]:
    """Spearman's rank correlation of each of `before` (n, ...) with its fellow in `after` (n, ...), ties averaged.

    None where a map of `before` is the same everywhere. One of `after` that is the same everywhere keeps no order of
    its fellow: 0.
    """
    if before.shape != after.shape:
        raise ValueError(f"maps of shapes {before.shape} and {after.shape} cannot be compared")
    return tuple(_rank_correlation(one.ravel(), other.ravel()) for one, other in zip(before, after, strict=True))


def sanity(trained: Maps, head_random: Maps, all_random: Maps, cut_off: float = CUT_OFF) -> Sanity:
    """The verdict on maps `trained` (n, r, c), given those after drawing the weights behind the explained layer, and
    all weights, anew k times: (k, n, r, c) each."""
    whole, head = _mean_over_draws(trained, all_random), _mean_over_draws(trained, head_random)
    known = [value for value in whole if value is not None]
    median = float(np.median(known)) if known else None
    known_head = [value for value in head if value is not None]
    passes, reason = None, None
    if not len(all_random):
        reason = "no weights were drawn anew"
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
    """How much of each map (n, h, w), not negative, lies in its `region` (n, h, w)."""
    if maps.shape != region.shape:
        raise ValueError(f"maps of shape {maps.shape} and a region of shape {region.shape} do not fit")
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


def _mean_over_draws(trained: Maps, drawn: Maps) -> tuple[float | None, ...]:
    if not len(drawn):
        return (None,) * len(trained)
    columns = zip(*(rank_correlations(trained, after) for after in drawn), strict=True)
    known = [[value for value in column if value is not None] for column in columns]
    return tuple(float(np.mean(column)) if column else None for column in known)


def _rank_correlation(one: Maps, other: Maps) -> float | None:
    if one.min() == one.max():
        return None
    if other.min() == other.max():
        return 0.0
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])
