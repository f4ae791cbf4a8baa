"""95% intervals of chosen thresholds: those that the validation images do not exclude."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.special import betainc

from benchmark.evidence.intervals.bootstrap import draws, percentile
from benchmark.evidence.intervals.formulas import Bounds, t_quantile
from benchmark.evidence.intervals.uncertainty import interval
from benchmark.evidence.metrics.definitions import value_of
from benchmark.evidence.metrics.influence import Clusters, Floats
from benchmark.evidence.scores import ValidationScores

LEVEL = 0.95
CANDIDATES = 400
"""As many cuts are looked at, at most; between them an interval reaches to the next one."""

_WINDOW_LEVEL = 0.05
_ONE_PATIENT = "no interval: all validation images are of one patient"


@dataclass(frozen=True, eq=False)
class Choice:
    """A threshold that a rule chose, and all that its interval may rest on.

    Attributes:
        scores: Validation scores of both classes, not all the same.
        value: The rule's parameter.
        threshold: What the rule chose on `scores`.
        again: The rule's choices on resamples: (scores, weights (samples, n)) -> thresholds (samples,), NaN for none.
        replicates: How many resamples to draw.
        seed: What resamples are drawn from.
    """

    scores: ValidationScores
    value: float
    threshold: float
    again: Callable[[ValidationScores, Floats], Floats]
    replicates: int
    seed: int


IntervalFunction = Callable[[Choice], Bounds | str]
"""The 95% interval in [0, 1] of the thresholds that the rule might choose on images without end, or why there is none.
Patients are what was drawn where they are known, else images."""


def declared(choice: Choice) -> Bounds | str:
    """No interval: nothing was chosen."""
    return "a declared threshold has no interval"


def bootstrap(choice: Choice) -> Bounds | str:
    """The middle 95% of the choices on resamples (percentile bootstrap, Efron 1981)."""
    if _one_patient(choice.scores):
        return _ONE_PATIENT
    scores = choice.scores
    order = np.lexsort((scores.y_true, scores.y_score))  # the order of images must not decide who is drawn
    patients = None if scores.patient is None else tuple(scores.patient[image] for image in order)
    ordered = ValidationScores("val", scores.y_true[order], scores.y_score[order], patients)
    blocks = draws(ordered.y_true, ordered.patient, count=choice.replicates, seed=choice.seed)
    thresholds = np.concatenate([choice.again(ordered, weights.T) for weights in blocks])
    missing = int(np.isnan(thresholds).sum())
    return percentile(thresholds, LEVEL) or (
        f"no interval: {missing} of {choice.replicates} resamples lack a class or have no threshold"
    )


def share_target(metric: str, choice: Choice) -> Bounds | str:
    """The thresholds at which the 95% interval of `metric`, `recall` or `specificity`, contains the target (Woodruff
    1952)."""
    return _inverted(choice, partial(_around_target, metric))


def balanced_errors(choice: Choice) -> Bounds | str:
    """The thresholds at which false positives and false negatives may be equally many (McNemar 1947)."""
    return _inverted(choice, _balanced)


def worthwhile_windows(choice: Choice) -> Bounds | str:
    """The thresholds that no window of images beside them excludes.

    A threshold is excluded if some window of images directly above it contains significantly too few positives to
    belong there, or some window directly below it significantly too many.
    """
    return _inverted(choice, _worth_it)


def _inverted(choice: Choice, accept: Callable[[ValidationScores, _Cuts, float], np.ndarray]) -> Bounds | str:
    # The thresholds that cut the images as the chosen one does always belong.
    if _one_patient(choice.scores):
        return _ONE_PATIENT
    cuts = _cuts_of(choice.scores, choice.threshold)
    accepted = accept(choice.scores, cuts, choice.value) | (cuts.first == cuts.of(choice.threshold))
    indices = np.flatnonzero(accepted)
    return cuts.lowest(int(indices[0])), cuts.highest(int(indices[-1]))


def _one_patient(scores: ValidationScores) -> bool:
    return scores.patient is not None and len(set(scores.patient)) == 1


@dataclass(frozen=True, eq=False)
class _Cuts:
    """`distinct` scores (m,), ascending, and the candidate cuts: the `first` of them (c,) that each one calls positive,
    from 0 (all) to m (none)."""

    distinct: Floats
    first: np.ndarray

    @property
    def thresholds(self) -> Floats:
        """A threshold for each cut (c,); where it calls none positive, the next number above all scores."""
        values: Floats = np.append(self.distinct, math.nextafter(self.distinct[-1], math.inf))[self.first]
        return values

    def of(self, threshold: float) -> int:
        """The first of the distinct scores that `threshold` calls positive."""
        return int(np.searchsorted(self.distinct, threshold))

    def lowest(self, cut: int) -> float:
        """Where the thresholds end for which a lower candidate stands."""
        return 0.0 if cut == 0 else float(self.distinct[self.first[cut - 1]])

    def highest(self, cut: int) -> float:
        """Where the thresholds begin for which a higher candidate stands."""
        return 1.0 if cut + 1 == len(self.first) else float(self.distinct[self.first[cut + 1] - 1])


def _cuts_of(scores: ValidationScores, chosen: float) -> _Cuts:
    distinct = np.unique(scores.y_score)
    last = len(distinct) - int(distinct[-1] == 1)  # a score of 1 is positive at every threshold up to 1
    first = np.linspace(0, last, min(CANDIDATES, last + 1)).round().astype(int)
    cuts = _Cuts(distinct, first)
    return _Cuts(distinct, np.union1d(first, cuts.of(chosen)))


def _around_target(metric: str, scores: ValidationScores, cuts: _Cuts, target: float) -> np.ndarray:
    label = int(metric == "recall")
    units = Clusters(scores.y_true, scores.patient)
    sides = np.array([_side(metric, scores, threshold, units, target) for threshold in cuts.thresholds])
    around: np.ndarray = sides == 0
    # Where several images of the class share a score, the share may jump over the target there, and the threshold
    # before the jump is what the rule would choose, however far its share lies above.
    index = np.searchsorted(cuts.distinct, scores.y_score[scores.y_true == label])
    at_once = np.bincount(np.searchsorted(cuts.first, index, side="right") - 1, minlength=len(sides))[:-1] > 1
    falling, leaving = (sides[:-1], sides[1:]) if label else (sides[1:], sides[:-1])
    jump = at_once & (falling > 0) & (leaving <= 0)
    around[:-1] |= jump & bool(label)
    around[1:] |= jump & (not label)
    return around


def _side(metric: str, scores: ValidationScores, threshold: float, units: Clusters, target: float) -> int:
    """-1 where the interval of the share lies below the target, 1 above it, 0 around it."""
    share = value_of(metric, scores, threshold)
    assert share is not None  # both classes are there
    estimate = interval(metric, share, scores.y_score, threshold, units, level=LEVEL)
    assert estimate.low is not None
    assert estimate.high is not None
    return int(estimate.low > target) - int(estimate.high < target)


def _balanced(scores: ValidationScores, cuts: _Cuts, value: float) -> np.ndarray:
    units = Clusters(scores.y_true, scores.patient)
    called = scores.y_score >= cuts.thresholds[:, None]
    wrong = units.sums(called.astype(np.float64) - scores.y_true)  # false positives less false negatives
    concerned = np.count_nonzero(wrong, axis=1).tolist()
    freedom = [max(1, count - 1) if units.repeated else math.inf for count in concerned]
    errors = np.sqrt((wrong**2).sum(axis=1))
    more = wrong.sum(axis=1)
    kept: np.ndarray = abs(more) <= errors * [t_quantile(LEVEL, each) for each in freedom]
    if not kept.any():  # many images share a score, and the numbers are equal at neither of the cuts beside it
        last = int(np.flatnonzero(more > 0)[-1])
        kept[last : last + 2] = True
    return kept


def _worth_it(scores: ValidationScores, cuts: _Cuts, ratio: float) -> np.ndarray:
    """A window is the images between two cuts. They belong above the threshold when at least 1 in 1 + `ratio` of them
    is positive. The share is tested at 5% to one side (mid-p, Lancaster 1961), as if it were just that in the whole
    window and with as many images as their patients are worth (Kish 1965). Windows are many and not corrected for:
    since the share rises with the score, few of them are ever as near to the limit as the test supposes, and
    docs/simulation.md shows what coverage that leaves."""
    step = np.searchsorted(cuts.first, np.searchsorted(cuts.distinct, scores.y_score), side="right") - 1
    positive = _before(np.bincount(step, scores.y_true, len(cuts.first)))
    images = _before(np.bincount(step, minlength=len(cuts.first)))
    low, high = np.triu_indices(len(cuts.first), 1)
    positives, counted = positive[high] - positive[low], images[high] - images[low]
    if scores.patient is not None:
        unit = np.unique(scores.patient, return_inverse=True)[1]
        held = np.zeros((unit.max() + 1, len(cuts.first)))
        np.add.at(held, (unit, step), 1)
        before = _before(held)
        products = before.T @ before
        squares = np.diag(products)
        worth = counted / (squares[high] + squares[low] - 2 * products[low, high])
        positives, counted = positives * worth, counted * worth
    few, many = _mid_tails(positives, counted, 1 / (1 + ratio))
    kept = np.ones(len(cuts.first), dtype=bool)
    kept[low[few < _WINDOW_LEVEL]] = False  # the window above the cut belongs below
    kept[high[many < _WINDOW_LEVEL]] = False  # the window below the cut belongs above
    return kept


def _before(counts: npt.ArrayLike) -> Floats:
    """Of `counts` (..., c), how many lie before each of the c places."""
    counted = np.asarray(counts, dtype=np.float64)
    found: Floats = np.cumsum(counted, axis=-1) - counted
    return found


def _mid_tails(successes: Floats, n: Floats, share: float) -> tuple[Floats, Floats]:
    """Binomial probabilities of as few `successes` of `n` and of as many, half of the probability of just that number
    left out; numbers need not be whole."""
    up_to = np.where(successes < n, betainc(np.maximum(n - successes, 1e-12), successes + 1, 1 - share), 1.0)
    fewer = np.where(successes > 0, betainc(n - successes + 1, np.maximum(successes, 1e-12), 1 - share), 0.0)
    few: Floats = (up_to + fewer) / 2
    return few, 1 - few
