"""Whether facts that need no content distinguish the classes: how bright, how large, how stored the images are.

A network can use whatever differs between the classes (shortcut learning, Geirhos et al. 2020, Nature Machine
Intelligence 2:665). Each group of facts is judged alone, by a linear classifier that sees nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy
from threadpoolctl import threadpool_limits

from benchmark.data.checks.batch_effect import Floats
from benchmark.data.checks.fact_groups import OF_CONTENT, FactGroup, FactName
from benchmark.data.dataset import Image
from benchmark.data.text import plural

LEVEL = 0.01
"""A group is above chance if at most this share of shuffles reaches its AUC."""

MATERIAL = 0.7
"""The least lower end of the interval of a material AUC: "acceptable discrimination" (Hosmer and Lemeshow 2000)."""

MATERIAL_OF_CONTENT = 0.9
"""The same for facts that depend on what images show, too, such as grey levels: "outstanding discrimination"."""

MIN_PATIENTS = 5
_FOLDS = 5
_SHUFFLES = 99
_CELLS = 4_000_000  # the most predictions in memory at once
_MOST_IMAGES = 6_000
_DECIMALS = 9  # equal facts must give equal predictions, which rounding errors of products differ by

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Shortcut:
    """How well one group of facts alone distinguishes the classes.

    All figures are None, and `reason` says why, if the group cannot be judged.

    Attributes:
        facts: The group.
        auc: Cross-validated AUC by patient; of three or more classes, the mean of each against the rest.
        low: Lower end of its 95% interval.
        high: Upper end.
        chance: The AUC that 95 of 100 data sets do not exceed if the classes of their patients are shuffled.
        p: Share of shuffles that reach `auc`.
        images: Number of images that were judged.
        detail: The fact that differs most, with its values by class.
        reason: Why there are no figures, else None.
        unit: What was shuffled: "images" if patients are not known.
        in_pixels: Whether decoded pixels can carry a trace of the facts, as they cannot of a lossless format.
    """

    facts: FactName
    auc: float | None
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    p: float | None = None
    images: int = 0
    detail: str | None = None
    reason: str | None = None
    unit: str = "patients"
    in_pixels: bool = True

    @property
    def notable(self) -> bool:
        """Whether the AUC is above chance at the 1% level, and its whole interval is material."""
        return self.p is not None and self.p <= LEVEL and self.low is not None and self.low >= self.limit

    @property
    def limit(self) -> float:
        """The least lower end of the interval of a notable AUC."""
        return MATERIAL_OF_CONTENT if self.facts in OF_CONTENT else MATERIAL

    def verdict(self) -> str:
        """Whether it is notable, and if not, why: `no (lower end below 0.90)`."""
        if self.notable:
            return "yes"
        if self.low is None:
            return "no"
        return f"no (lower end below {self.limit:.2f})" if self.low < self.limit else "no (shuffled classes reach it)"

    def figures(self) -> str:
        """The AUC with its interval and the level of chance."""
        if self.auc is None or self.chance is None:
            return f"unknown: {self.reason}"
        ends = "" if self.low is None or self.high is None else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"AUC {self.auc:.2f}{ends}, shuffled {self.unit} {self.chance:.2f}"

    def line(self) -> str:
        """Say in one line that the group distinguishes the classes, and what that means."""
        detail = "" if self.detail is None else f" ({self.detail})"
        verb = "distinguish" if self.facts.endswith("s") else "distinguishes"
        if not self.in_pixels:
            meaning = "decoded pixels do not carry it, so no model can use it; the classes may have other sources"
        elif self.facts in OF_CONTENT:
            meaning = "part of that may be what the images show; compare it with what a card adds"
        else:
            meaning = "a model can reach that without looking at the content"
        return f"{self.facts} alone {verb} the classes: {self.figures()}{detail}; {meaning}"


@dataclass(frozen=True, eq=False)
class Assessment:
    """One group with the scores behind its figures.

    Attributes:
        shortcut: The figures, without an interval.
        rows: The judged images (m,), as indices.
        labels: Their classes (m,), numbered from 0 without gaps.
        scores: Out-of-fold scores (m, k): each image is scored by a classifier that saw no image of its patient.
    """

    shortcut: Shortcut
    rows: Labels
    labels: Labels
    scores: Floats


def judge(
    images: Sequence[Image],
    groups: Sequence[FactGroup],
    classes: Sequence[str],
    *,
    unit: str = "patients",
    seed: int = 0,
) -> tuple[Assessment, ...]:
    """Judge how well each group of facts alone distinguishes the classes of images.

    Of three or more classes, those with fewer than five patients are left out. Of very many images, those of randomly
    drawn patients are judged.

    Args:
        images: The images (n,). Images of the test part must not be among them if anything is chosen by the result.
        groups: Facts about these images.
        classes: The names of the classes.
        unit: "images" if patients are not known.
        seed: Decides folds, shuffles and drawn patients.

    Returns:
        A result per group.
    """
    labels = np.array([image.label for image in images], dtype=np.int64)
    patients = np.array([image.patient for image in images])
    counts = {label: len(set(patients[labels == label])) for label in range(len(classes))}
    frequent = [label for label, count in counts.items() if count >= MIN_PATIENTS]
    if len(frequent) < 2 or (len(classes) == 2 and len(frequent) < len(classes)):
        rare = next(label for label, count in counts.items() if count < MIN_PATIENTS)
        reason = f"{plural(counts[rare], unit.removesuffix('s'))} of {classes[rare]}; {MIN_PATIENTS} are needed"
        return tuple(_without(group, reason, unit) for group in groups)
    rows = _sample(np.flatnonzero(np.isin(labels, frequent)), patients, seed)
    numbers = np.searchsorted(frequent, labels[rows])
    cluster = np.unique(patients[rows], return_inverse=True)[1]
    shuffled, folds = _shuffled(numbers, cluster, seed), _folds(numbers, cluster, seed)
    names = [classes[label] for label in frequent]
    with threadpool_limits(1, "blas"):  # small products, on which more threads only wait
        return tuple(
            _judge(group.take(rows), rows, shuffled, folds, names, unit)
            if group.reason is None
            else _without(group, group.reason, unit)
            for group in groups
        )


def scores_on(facts: FactGroup, labels: Labels, fitted: Labels, scored: Labels, count: int) -> Floats:
    """Fit a linear classifier to the facts of some images and score others.

    Args:
        facts: The facts about n images.
        labels: Their classes (n,); only those of `fitted` are used.
        fitted: The images to fit to, as indices.
        scored: The images to score (m,), as indices.
        count: The number of classes k.

    Returns:
        Scores (m, k) in [0, 1] whose rows sum to 1.
    """
    from sklearn.linear_model import Ridge  # here, because it loads slowly

    inputs = _inputs(facts, fitted)
    with threadpool_limits(1, "blas"):
        model = Ridge().fit(inputs[fitted], np.eye(count)[labels[fitted]])
        return as_scores(np.atleast_2d(model.predict(inputs[scored])))


def as_scores(predicted: Floats) -> Floats:
    """Turn linear predictions (n, k), whose rows sum to 1, into scores in [0, 1] with the same order in each column."""
    rounded = np.round(predicted, _DECIMALS)
    lift = max(0.0, -float(rounded.min()))
    scores: Floats = (rounded + lift) / (1 + lift * predicted.shape[1])
    return scores.clip(0, 1)


def _without(group: FactGroup, reason: str, unit: str) -> Assessment:
    nothing = np.zeros(0, np.int64)
    return Assessment(Shortcut(group.name, None, reason=reason, unit=unit), nothing, nothing, np.zeros((0, 2)))


def _judge(
    group: FactGroup,
    rows: Labels,
    shuffled: Labels,
    folds: Sequence[tuple[Labels, Labels]],
    names: Sequence[str],
    unit: str,
) -> Assessment:
    if not group.varies:
        return _without(group, "the same for all images", unit)
    from sklearn.linear_model import Ridge  # here, because it loads slowly

    inputs = _inputs(group, np.arange(len(rows)))
    observed = np.empty((len(rows), len(names)))
    aucs: list[float] = []
    for columns in _blocks(shuffled, len(names)):
        predicted = np.empty((len(rows), columns.shape[1], len(names)))
        for fitted, scored in folds:
            targets = np.eye(len(names))[columns[fitted]].reshape(len(fitted), -1)
            model = Ridge().fit(inputs[fitted], targets)
            predicted[scored] = model.predict(inputs[scored]).reshape(len(scored), -1, len(names))
        predicted = np.round(predicted, _DECIMALS)
        if not aucs:
            observed = predicted[:, 0]
        aucs += _macro_auc(predicted, columns).tolist()
    auc, *by_chance = aucs
    shortcut = Shortcut(
        facts=group.name,
        auc=auc,
        chance=float(np.quantile(by_chance, 0.95)),
        p=float(1 + sum(value >= auc for value in by_chance)) / (1 + len(by_chance)),
        images=len(rows),
        detail=_detail(group, shuffled[:, 0], names),
        unit=unit,
        in_pixels=group.in_pixels,
    )
    return Assessment(shortcut, rows, shuffled[:, 0], as_scores(observed))


def _inputs(group: FactGroup, fitted: Labels) -> Floats:
    """Numbers on the scale of the `fitted` images, their squares, and an indicator of each kind.

    Squares detect facts that vary more around the same mean.
    """
    standard = _standard(group.numbers, fitted)
    columns = [standard, _standard(standard**2, fitted)]
    if group.kinds is not None:
        kinds = np.array(group.kinds)
        columns.append((kinds[:, None] == np.unique(kinds)).astype(np.float64))
    return np.hstack(columns)


def _standard(values: Floats, fitted: Labels) -> Floats:
    spread = values[fitted].std(axis=0)
    standard: Floats = (values - values[fitted].mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0)
    return standard


def _sample(rows: Labels, patients: npt.NDArray[np.str_], seed: int) -> Labels:
    """The images of randomly drawn patients, if there are more than can be judged in reasonable time."""
    if len(rows) <= _MOST_IMAGES:
        return rows
    unique, index, counts = np.unique(patients[rows], return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(unique))
    within = np.cumsum(counts[order]) <= _MOST_IMAGES
    return rows[np.isin(index, order[within])]


def _folds(labels: Labels, patients: Labels, seed: int) -> list[tuple[Labels, Labels]]:
    """The fitted and the scored images of each fold. Patients are stratified by the class of their first image.

    Folds of patients are drawn in a fraction of the time that `StratifiedGroupKFold` takes for thousands of groups.
    """
    from sklearn.model_selection import StratifiedKFold  # here, because it loads slowly

    first = np.unique(patients, return_index=True)[1]
    split = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(first, labels[first])
    return [
        (np.flatnonzero(np.isin(patients, fitted)), np.flatnonzero(np.isin(patients, scored)))
        for fitted, scored in split
    ]


def _shuffled(labels: Labels, patients: Labels, seed: int) -> Labels:
    """Classes (n, 1 + shuffles), first as observed, then with the classes of the patients shuffled.

    The images of a patient keep one class if they have one.
    """
    units, index = np.unique(np.stack([patients, labels], axis=1), axis=0, return_inverse=True)
    generator = np.random.default_rng(seed)
    of_units = np.stack([units[:, 1], *(generator.permutation(units[:, 1]) for _ in range(_SHUFFLES))], axis=1)
    shuffled: Labels = of_units[index.reshape(-1)]
    return shuffled


def _blocks(shuffled: Labels, classes: int) -> Sequence[Labels]:
    """`shuffled` in blocks of columns that limit memory."""
    width = max(1, _CELLS // (len(shuffled) * classes))
    return [shuffled[:, start : start + width] for start in range(0, shuffled.shape[1], width)]


def _macro_auc(predicted: Floats, labels: Labels) -> Floats:
    """Mean over classes of the AUC of each against the rest, for each column.

    Args:
        predicted: Predictions (n, m, k).
        labels: Classes (n, m).

    Returns:
        The AUCs (m,).
    """
    # The two columns of two classes sum to 1, so that one has the AUC of both.
    of_classes = range(predicted.shape[2]) if predicted.shape[2] > 2 else (1,)
    mean: Floats = np.mean([_auc(predicted[..., label], labels == label) for label in of_classes], axis=0)
    return mean


def _auc(values: Floats, members: npt.NDArray[np.bool_]) -> Floats:
    """AUC of each column of `values` (n, m) for the `members` (n, m)."""
    inside = members.sum(axis=0)
    above = (scipy.stats.rankdata(values, axis=0) * members).sum(axis=0) - inside * (inside + 1) / 2  # Mann-Whitney's U
    auc: Floats = above / (inside * (len(members) - inside))
    return auc


def _detail(group: FactGroup, labels: Labels, names: Sequence[str]) -> str:
    """The kind or number that differs most between two classes, with its values in these."""
    described: tuple[float, str] = (-1.0, "")
    if group.kinds is not None:
        counts = [Counter(np.array(group.kinds)[labels == label].tolist()) for label in range(len(names))]
        sizes = [sum(count.values()) for count in counts]
        for kind in sorted(set(group.kinds)):
            shares = [count[kind] / size for count, size in zip(counts, sizes, strict=True)]
            low, high = int(np.argmin(shares)), int(np.argmax(shares))
            text = f"{kind}: {shares[high]:.0%} of {names[high]}, {shares[low]:.0%} of {names[low]}"
            described = max(described, (shares[high] - shares[low], text))
    for column, name in enumerate(group.columns):
        medians = [float(np.median(group.numbers[labels == label, column])) for label in range(len(names))]
        low, high = int(np.argmin(medians)), int(np.argmax(medians))
        if low == high:
            continue
        pair = np.isin(labels, (low, high))
        auc = float(_auc(group.numbers[pair, column, None], (labels[pair] == high)[:, None])[0])
        text = f"median {name}: {medians[high]:,.4g} in {names[high]}, {medians[low]:,.4g} in {names[low]}"
        described = max(described, (2 * abs(auc - 0.5), text))
    return described[1] or f"no {group.name} differs alone"
