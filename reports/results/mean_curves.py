"""The mean of several ROC curves, at each false positive rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.results.curves import Curve

_BESIDE = 1e-9  # smaller than any step between false positive rates


def mean_roc(curves: Sequence[Curve]) -> Curve | None:
    """The vertical mean of ROC curves (Fawcett 2006), such as those of several classes.

    Its area is the mean of their areas: for the curves of classes against the rest, the macro AUC.

    Args:
        curves: The curves, from (0, 0) to (1, 1).

    Returns:
        The mean, without a band; None without curves.
    """
    if not curves:
        return None
    rates = np.unique(np.concatenate([np.asarray(curve.x) for curve in curves]))
    x = np.repeat(rates, 2)
    at = x + np.tile([-_BESIDE, _BESIDE], len(rates))
    y = np.mean([np.interp(at, curve.x, curve.y, left=0.0, right=1.0) for curve in curves], axis=0)
    return Curve(tuple(x.tolist()), tuple(y.tolist()))
