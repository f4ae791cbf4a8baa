"""The plan for a statement: each of its parts by simulated measurements, judged like real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import fmean

import numpy as np

from benchmark.evidence.comparison.multiclass import multiclass_differences
from benchmark.evidence.comparison.paired import difference
from benchmark.evidence.comparison.power import POWER
from benchmark.evidence.comparison.verdict import Decision, of_one_training, present
from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.intervals.seeds import MulticlassPairedScores, PairedScores
from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.registry import label_of
from benchmark.evidence.planning.noise import Noise, not_plannable
from benchmark.evidence.planning.search import MOST, Chances, images_with_power, scaled_images, smallest_with_power
from reports.audit.figures import AuditRow
from reports.audit.sentences import contradicted
from reports.claims.model import Claims
from reports.claims.statement import (
    Assertion,
    AtLeast,
    AtMost,
    Diagnosis,
    Equivalent,
    MatrixOf,
    NotSuperior,
    OfFigure,
    Statement,
    Superior,
    ThresholdMatters,
)
from reports.planning.figures import World, test_sizes, world_of
from reports.planning.model import BETWEEN_CARDS, SEEDS, ClaimPlan, Experiment
from reports.planning.printed import PrintedTruth, bound_of, is_loss, printed_truth, printed_values
from reports.verdicts.statements import Judged, as_gain, interval_decision

_CONTRADICTED = (
    "the figures that the printed ones imply contradict it (zoo audit); --difference X plans for another truth"
)
_STEPS = 6
_BISECTIONS = 40


def statement_plans(
    claims: Claims,
    rows: Mapping[str, AuditRow],
    statement: Statement,
    experiment: Experiment,
    alike: Mapping[str, bool],
) -> Iterator[ClaimPlan]:
    """Plan the verdict on each part of a statement.

    Args:
        claims: The claims.
        rows: Its audited rows by name.
        statement: The statement.
        experiment: The planned measurement.
        alike: By name of card, whether the seed changes nothing, as for a probe.

    Yields:
        One plan per part.
    """
    forms = statement.assertion.forms()
    for number, form in enumerate(forms, start=1):
        about = statement.id if len(forms) == 1 else f"{statement.id} ({number} of {len(forms)})"
        assertion = form.assertion
        entry = ClaimPlan(about, _in_words(assertion), "statement")
        every_seed_alike = bool(assertion.cards) and all(alike.get(name, False) for name in assertion.cards)
        is_contradicted = experiment.from_printed and contradicted(claims, rows, statement, form) is not None
        yield _plan(entry, claims, rows, assertion, experiment, every_seed_alike, is_contradicted)


def _plan(
    entry: ClaimPlan,
    claims: Claims,
    rows: Mapping[str, AuditRow],
    assertion: Assertion,
    experiment: Experiment,
    every_seed_alike: bool,
    is_contradicted: bool,
) -> ClaimPlan:
    if isinstance(assertion, MatrixOf):
        return replace(entry, note="decided by the audit of the printed figures; nothing is measured")
    if isinstance(assertion, Diagnosis):
        return _of_diagnosis(entry, assertion, experiment.noise.seeds, every_seed_alike)
    if isinstance(assertion, ThresholdMatters):
        return replace(entry, note="depends on the threshold that validation chooses")
    if not isinstance(assertion, (Superior, Equivalent, AtLeast)):
        return replace(entry, note="no plan for this form of statement")
    sizes = experiment.sizes or _sizes(claims)
    reason = _obstacle(assertion, sizes)
    if reason is not None or sizes is None:
        return replace(entry, note=reason)
    noise = replace(experiment.noise, spread=0.0, agreement=1.0) if every_seed_alike else experiment.noise
    expected = _expected(claims, assertion, experiment)
    as_printed = printed_truth(claims, rows, assertion) if experiment.from_printed else None
    if as_printed is not None and (reason := as_printed.why_not) is not None:
        return replace(entry, limit=bound_of(assertion), note=reason)
    if is_contradicted:
        return replace(entry, limit=bound_of(assertion), note=_CONTRADICTED)
    world = world_of(assertion.key, sizes, experiment)
    # Without names, parts about other cards with the same figures are simulated once.
    unnamed = assertion.model_copy(update={name: "" for name in ("a", "b", "card") if hasattr(assertion, name)})
    simulation = _Simulation(world, unnamed, expected, noise, every_seed_alike, experiment.search_sets)
    planned = _of_interval(simulation, experiment.difference, experiment.sets, as_printed)
    return replace(planned, about=entry.about, claim=entry.claim)


@dataclass(frozen=True)
class _Simulation:
    world: World
    assertion: Judged
    expected: float
    noise: Noise
    every_seed_alike: bool
    search_sets: int

    @property
    def bound(self) -> float:
        """The margin or the bound of the claim."""
        return bound_of(self.assertion)

    @property
    def of_equal_cards(self) -> bool:
        """Whether the claim is true of two cards that do not differ."""
        return isinstance(self.assertion, (NotSuperior, Equivalent))

    def truth(self, distance: float, holds: bool) -> float:
        """The true figure, or gain, at which the claim holds, or does not hold, by a distance."""
        downwards = isinstance(self.assertion, (AtMost, NotSuperior, Equivalent))
        return self.bound + (distance if holds != downwards else -distance)

    @property
    def is_one_training(self) -> bool:
        """Whether one training of a recipe is measured, which cannot contradict a claim (`of_one_training`)."""
        return self.noise.seeds == 1 and not self.every_seed_alike

    def distances(self, difference: float) -> tuple[float, float]:
        """Distances from the bound at which the claim holds and does not: the difference, or half the greatest."""
        return min(difference, self.greatest(True) / 2), min(difference, self.greatest(False) / 2)

    def greatest(self, holds: bool) -> float:
        """The greatest distance from the bound that figures allow, where the claim holds or does not."""
        low, high = 0.0, 2.0
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.fits(self.truth(middle, holds)) else (low, middle)
        return low

    def fits(self, truth: float) -> bool:
        """Whether figures can have this true value."""
        least, greatest = self.world.range
        values = (truth,) if isinstance(self.assertion, AtLeast) else self._pair(truth)
        return all(least <= value <= greatest for value in values)

    def chances(self, truth: float, sets: int) -> Chances:
        generator = np.random.default_rng(0)
        return Chances(tuple(self._decision(truth, generator) for _ in range(sets)))

    def power(self, truth: float) -> float:
        """The probability of `reproduced`, as accurate as a step of a search needs."""
        return self.chances(truth, self.search_sets).of("reproduced")

    def at(self, images: int) -> _Simulation:
        return replace(self, world=self.world.with_images(images))

    def of_seeds(self, seeds: int) -> _Simulation:
        return replace(self, noise=replace(self.noise, seeds=seeds))

    def _pair(self, gain: float) -> tuple[float, float]:
        """True figures of two cards whose mean is expected, and of which the first is better by the gain."""
        sign = -1.0 if is_loss(self.assertion.key) else 1.0
        return self.expected + sign * gain / 2, self.expected - sign * gain / 2

    def _decision(self, truth: float, generator: np.random.Generator) -> Decision:
        if isinstance(self.assertion, AtLeast):
            measured = self.world.measure(truth, self.noise, generator)
        else:
            measured = self._gain(truth, generator)
        decision = interval_decision(self.assertion, measured)
        return of_one_training(decision) if self.is_one_training else decision

    def _gain(self, gain: float, generator: np.random.Generator) -> SampleEstimate:
        key, sizes = self.assertion.key, self.world.class_sizes
        first, second = self.world.draw_pair(self._pair(gain), BETWEEN_CARDS, self.noise, generator)
        if isinstance(first, PairedScores) and isinstance(second, PairedScores):
            one = difference(key, first, second, class_sizes=sizes)
        elif isinstance(first, MulticlassPairedScores) and isinstance(second, MulticlassPairedScores):
            cards = {"a": first, "b": second}
            one = multiclass_differences((key,), cards, class_sizes=sizes)[key, "a", "b"]
        else:
            raise TypeError("two cards of one world have the same classes")
        return as_gain(SampleEstimate.of(one, self.world.images), key)


@lru_cache(maxsize=1000)
def _of_interval(simulation: _Simulation, difference: float, sets: int, as_printed: PrintedTruth | None) -> ClaimPlan:
    """The plan for a part of a statement, without its name."""
    entry = ClaimPlan("", "", "statement", limit=simulation.bound)
    metric, (step, step_wrong) = label_of(simulation.assertion.key), simulation.distances(difference)
    if as_printed is not None:
        step = min(as_printed.distance, simulation.greatest(True))
        right, entry = simulation.truth(step, holds=True), replace(entry, if_true=as_printed.words)
    elif simulation.of_equal_cards:
        right, entry = 0.0, replace(entry, if_true="no difference")
    else:
        right = simulation.truth(step, holds=True)
        what = metric if isinstance(simulation.assertion, AtLeast) else "gain"
        entry = replace(entry, if_true=f"an assumed {what} of {right:.3g}")
    differs: float | None = None
    if not simulation.is_one_training:
        differs = simulation.chances(simulation.truth(step_wrong, holds=False), sets).of("differs")
    same = simulation.chances(right, sets)
    entry = replace(
        entry,
        attainable=same.limit() if simulation.of_equal_cards else _distance(simulation, step),
        power=same.of("reproduced"),
        power_to_differ=differs,
    )
    if simulation.of_equal_cards and simulation.bound <= right:
        return replace(entry, note="no number of images: the margin is 0, so equal cards never show it")
    start = simulation.world.images
    if simulation.of_equal_cards and entry.attainable is not None and not right:
        start = scaled_images(start, entry.attainable, simulation.bound)
    images = images_with_power(_power(simulation.at, right), start)
    seeds = smallest_with_power(_power(simulation.of_seeds, right), (1,) if simulation.every_seed_alike else SEEDS)
    return replace(entry, images=images, seeds=seeds, note=None if images is not None else f"more than {MOST:,} images")


def _power(variant: Callable[[int], _Simulation], truth: float) -> Callable[[int], float]:
    return lambda number: variant(number).power(truth)


def _distance(simulation: _Simulation, start: float) -> float | None:
    """The smallest distance beyond the bound at which the claim is reproduced with 80% probability."""

    def enough(distance: float) -> bool:
        return simulation.power(simulation.truth(distance, holds=True)) >= POWER

    low, high, greatest = 0.0, start, simulation.greatest(True)
    while not enough(high):
        if high >= greatest:
            return None
        low, high = high, min(greatest, 2 * high)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _of_diagnosis(entry: ClaimPlan, assertion: Diagnosis, seeds: int, every_seed_alike: bool) -> ClaimPlan:
    finding = " or ".join(assertion.finding)

    def differs(count: int) -> bool:
        return present((False,) * count, finding, every_seed_alike=every_seed_alike).verdict == "differs"

    holds = present((True,) * seeds, finding, every_seed_alike=every_seed_alike).verdict == "reproduced"
    fewest = next((count for count in range(1, 101) if differs(count)), None)
    note = f"differs only if {fewest} trainings or more were run" if fewest is not None and fewest > seeds else None
    return replace(
        entry,
        if_true="every training has it",
        power=float(holds),
        power_to_differ=None if seeds == 1 and not every_seed_alike else float(differs(seeds)),
        seeds=1,
        note=note,
    )


def _obstacle(assertion: Judged, sizes: Mapping[str, int] | None) -> str | None:
    """Why no plan can be made for a part of a statement; None if one can."""
    if assertion.split != "test":
        return f"a {assertion.split} figure; plans are for test figures"
    if (reason := not_plannable(assertion.key)) is not None:
        return reason
    if sizes is None:
        return "the size of the test set is not stated; give --test and --positives"
    if len(sizes) > 2 and find_multiclass(assertion.key) is None:
        return f"{label_of(assertion.key)} is of two classes, and the test set has {len(sizes)}"
    if len(sizes) == 2 and assertion.key != assertion.metric:
        instead = (
            "; it is balanced accuracy: plan `metric: balanced_accuracy`" if assertion.key == "recall:macro" else ""
        )
        return f"no plan for {label_of(assertion.key)} of two classes{instead}"
    if assertion.of_class is not None and assertion.of_class not in sizes:
        return f"the test set has no class {assertion.of_class}"
    return None


def _sizes(claims: Claims) -> dict[str, int] | None:
    """The test images by class of the first row that states them."""
    return next((sizes for row in claims.rows if (sizes := test_sizes(row)) is not None), None)


def _expected(claims: Claims, assertion: Judged, experiment: Experiment) -> float:
    """The mean of the printed test figures of the cards, or the assumption of the experiment."""
    printed = [values for name in assertion.cards if (values := printed_values(claims, assertion, name))]
    return fmean(map(fmean, printed)) if printed else experiment.expected


def _in_words(assertion: Assertion) -> str:
    if isinstance(assertion, Diagnosis):
        return f"{assertion.card}: {' or '.join(assertion.finding)}"
    if isinstance(assertion, MatrixOf):
        return f"the matrix of {assertion.matrix} belongs to {assertion.card}"
    label = label_of(assertion.key) if isinstance(assertion, OfFigure) else ""
    match assertion:
        case NotSuperior():
            return f"{assertion.a} not better than {assertion.b} in {label} by more than {assertion.margin:g}"
        case Superior():
            return f"{assertion.a} better than {assertion.b} in {label} by more than {assertion.margin:g}"
        case Equivalent():
            return f"{assertion.a} and {assertion.b} within {assertion.within:g} in {label}"
        case AtMost():
            return f"{assertion.card} {label} at most {assertion.value:g}"
        case AtLeast():
            return f"{assertion.card} {label} at least {assertion.value:g}"
        case ThresholdMatters():
            return f"{assertion.card}: threshold from validation better in {label_of(assertion.metric)}"
    return type(assertion).__name__
