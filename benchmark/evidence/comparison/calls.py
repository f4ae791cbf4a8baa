"""Two cards' decisions on the same images: who is right where the other is not, and whether class shares shifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc

from benchmark.evidence.comparison.paired import sign_flip
from benchmark.evidence.metrics.influence import Clusters, Floats, Labels

FEW_CHANGES = 100
"""Below this number of patients with a changed decision, random exchanges give the p-value, else the chi-square
distribution."""

_MOST_ENUMERATED = 13
_FLIPS = 9_999
_ROUNDING = 1e-9


@dataclass(frozen=True)
class McNemar:
    """The images for which exactly one of two cards is right.

    Attributes:
        only_a: Number of images for which only the first card is right.
        only_b: Number of images for which only the second card is right.
        p_value: Two-sided, for the hypothesis that both cards are right equally often.
        test: The name of the test.
    """

    only_a: int
    only_b: int
    p_value: float
    test: str


@dataclass(frozen=True)
class ShiftOfShares:
    """How often two cards predict each class.

    Attributes:
        calls_a: Number of images by class that the first card predicts; a last entry counts abstentions, if any.
        calls_b: The same for the second card.
        statistic: Stuart's and Maxwell's chi-square statistic; 0 if no decision differs.
        df: Its degrees of freedom.
        p_value: For the hypothesis that both cards predict each class equally often.
        test: The name of the test.
    """

    calls_a: tuple[int, ...]
    calls_b: tuple[int, ...]
    statistic: float
    df: int
    p_value: float
    test: str


def mcnemar(
    right_a: npt.NDArray[np.bool_], right_b: npt.NDArray[np.bool_], patient: Sequence[str] | None = None
) -> McNemar:
    """Return McNemar's exact test on correctness (McNemar 1947).

    If patients have several images, the sum of changes of each patient has one random sign.

    Args:
        right_a: Whether the first card is right, (n,).
        right_b: Whether the second card is right, (n,), on the same images.
        patient: The patient of each image (n,); None where patients are not known.

    Returns:
        Both counts and the p-value, which is exact for any number of images.

    Raises:
        ValueError: If the lengths differ.
    """
    if len(right_a) != len(right_b):
        raise ValueError(f"{len(right_a)} and {len(right_b)} decisions cannot be paired")
    changes = right_a.astype(np.float64) - right_b.astype(np.float64)
    clusters = Clusters(np.ones(len(changes), np.int64), patient)
    p_value = sign_flip(clusters.sums(changes[None])[0])
    return McNemar(int((changes > 0).sum()), int((changes < 0).sum()), p_value, f"McNemar exact{_by(clusters)}")


def stuart_maxwell(
    decided_a: Labels, decided_b: Labels, count: int, patient: Sequence[str] | None = None
) -> ShiftOfShares:
    """Return the test of equal class shares of two cards' decisions (Stuart 1955, Maxwell 1970).

    The statistic is d' V⁻ d: d has the differences of the counts by class, V is their covariance if shares are equal.
    With several images per patient, V sums over patients instead of images (for two classes, Durkalski et al. 2003).
    A class that neither card predicts, or that both predict for the same images, adds no degree of freedom.

    The chi-square distribution is too coarse for few changed decisions. If fewer than `FEW_CHANGES` images or patients
    have different decisions, the p-value is the share of random exchanges of both cards, one per patient, whose
    statistic is at least as large: all exchanges up to 13 patients, else 9,999 at random.

    Args:
        decided_a: Decisions (n,) of the first card, class indices, -1 where it abstained.
        decided_b: Decisions (n,) of the second card on the same images.
        count: The number of classes.
        patient: The patient of each image (n,); None where patients are not known.

    Returns:
        Decisions by class and the test.

    Raises:
        ValueError: If the lengths differ.
    """
    if len(decided_a) != len(decided_b):
        raise ValueError(f"{len(decided_a)} and {len(decided_b)} decisions cannot be paired")
    abstained = bool((decided_a < 0).any() or (decided_b < 0).any())
    each = np.arange(count + abstained)
    calls = [(np.where(decided < 0, count, decided)[:, None] == each) for decided in (decided_a, decided_b)]
    clusters = Clusters(np.ones(len(decided_a), np.int64), patient)
    changes = clusters.sums((calls[0].astype(np.float64) - calls[1]).T).T
    changes = changes[changes.any(axis=1)]
    calls_a, calls_b = (tuple(one.sum(axis=0).tolist()) for one in calls)
    by = _by(clusters)
    if not len(changes):
        return ShiftOfShares(calls_a, calls_b, 0.0, 0, 1.0, "no decision differs")
    covariance = changes.T @ changes
    inverse = np.linalg.pinv(covariance, hermitian=True).astype(np.float64)
    df = int(np.linalg.matrix_rank(covariance, hermitian=True))
    statistic = float(_quadratic(changes.sum(axis=0)[None], inverse)[0])
    if len(changes) >= FEW_CHANGES:
        return ShiftOfShares(
            calls_a, calls_b, statistic, df, float(chdtrc(df, statistic)), f"Stuart-Maxwell, chi-square{by}"
        )
    p_value = _by_exchange(changes, inverse, statistic)
    return ShiftOfShares(calls_a, calls_b, statistic, df, p_value, f"Stuart-Maxwell, by exchange of cards{by}")


def _by_exchange(changes: Floats, inverse: Floats, statistic: float) -> float:
    """Return the share of sign flips of the rows of `changes` with a statistic at least as large."""
    size = len(changes)
    if size <= _MOST_ENUMERATED:
        signs, extra = np.array(list(product((1.0, -1.0), repeat=size))), 0
    else:
        # The decisions as they are count as one more exchange, so that the p-value is valid and never 0.
        signs, extra = np.random.default_rng(0).choice((1.0, -1.0), size=(_FLIPS, size)), 1
    larger = int((_quadratic(signs @ changes, inverse) >= statistic - _ROUNDING).sum())
    return (larger + extra) / (len(signs) + extra)


def _quadratic(rows: Floats, inverse: Floats) -> Floats:
    values: Floats = np.einsum("ri,ij,rj->r", rows, inverse, rows, optimize=True)
    return values


def _by(clusters: Clusters) -> str:
    return ", by patient" if clusters.repeated else ""
