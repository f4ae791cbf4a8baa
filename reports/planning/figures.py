"""The plan for a printed figure: simulated measurements, judged like real ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmark.evidence.comparison.power import POWER
from benchmark.evidence.comparison.verdict import Decision
from benchmark.evidence.estimate import SampleEstimate, Trainings
from benchmark.evidence.intervals.formulas import Bounds, z_quantile
from benchmark.evidence.metrics.printed import PRINTED, printed_label
from benchmark.evidence.planning.classes import ClassWorld
from benchmark.evidence.planning.noise import Noise, not_plannable
from benchmark.evidence.planning.search import MOST, Chances, images_with_power, scaled_images, smallest_with_power
from benchmark.evidence.planning.worlds import BinaryWorld
from reports.audit.audit import Audit, AuditRow
from reports.claims.model import Claims, Row
from reports.claims.printed import PrintedClassMatrix
from reports.planning.model import SEEDS, ClaimPlan, Experiment
from reports.results.comparison.published import (
    has_counterpart,
    minus_published,
    published_interval,
)
from reports.verdicts.figures import different_prevalence, figure_decision, figure_in_words, margin_of
from reports.verdicts.published import ruling, why_no_interval, without_misprint
from zoo.models.published import PublishedFigure

World = BinaryWorld | ClassWorld
_MANY_SEEDS = 1000


def figure_plan(
    claims: Claims, audit: Audit, row: Row, printed: PublishedFigure, experiment: Experiment, every_seed_alike: bool
) -> ClaimPlan:
    """Plan the verdict on a printed figure.

    Args:
        claims: The claims.
        audit: Their audit, from which the interval of the printed figure follows.
        row: The row of the figure.
        printed: The printed figure, of the finished model on test.
        experiment: The planned measurement.
        every_seed_alike: Whether the seed changes nothing, as for a probe.

    Returns:
        The plan, or why there is none.
    """
    entry = ClaimPlan(row.name, figure_in_words(printed), "figure", limit=margin_of(claims, printed))
    audited = next(each for each in audit.rows if each.name == row.name)
    audited = without_misprint(audit, row, audited, claims.matrices)
    sizes = experiment.sizes or test_sizes(row)
    reason = _obstacle(claims, audit, row, printed, audited, sizes)
    interval = (
        published_interval(printed, SampleEstimate.missing(1, "not measured"), audited) if reason is None else None
    )
    if reason is None and interval is None:
        reason = why_no_interval(row, audited)
    if reason is not None or interval is None or sizes is None:
        return replace(entry, note=reason)
    noise = replace(experiment.noise, spread=0.0, agreement=1.0) if every_seed_alike else experiment.noise
    simulation = _Simulation(
        world_of(printed.key, sizes, experiment, _rates(claims, row, audited)),
        printed,
        interval,
        audited,
        margin_of(claims, printed),
        noise,
        every_seed_alike,
        experiment.search_sets,
    )
    same = simulation.chances(experiment.sets)
    differs = simulation.power_to_differ(experiment.sets, experiment.difference)
    unlimited = simulation.chances(experiment.sets, unlimited=True)
    entry = replace(
        entry,
        if_true="no difference",
        attainable=same.limit(),
        attainable_unlimited=unlimited.limit(),
        power=same.of("reproduced"),
        power_to_differ=differs,
    )
    if unlimited.of("reproduced") < POWER:
        return replace(entry, note="no number of images or seeds: the published figure is too uncertain")
    start, limit = simulation.world.images, simulation.margin
    if entry.attainable is not None and entry.attainable_unlimited is not None:
        start = scaled_images(start, entry.attainable, limit, entry.attainable_unlimited)
    images = images_with_power(simulation.power_of_images, start)
    seeds = smallest_with_power(simulation.power_of_seeds, (1,) if every_seed_alike else SEEDS)
    note = None if images is not None else f"more than {MOST:,} images"
    return replace(entry, images=images, seeds=seeds, note=note)


def test_sizes(row: Row) -> dict[str, int] | None:
    """The images per class of the test set behind a row; None where it is not stated."""
    if row.of_several is not None:
        return dict(row.of_several.sizes)
    return None if row.of_two is None else {"negatives": row.of_two.negatives, "positives": row.of_two.positives}


def world_of(
    key: str, sizes: Mapping[str, int], experiment: Experiment, rates: tuple[tuple[float, ...], ...] | None = None
) -> World:
    """The simulated recipe and test sets of a figure.

    Args:
        key: The key of the figure.
        sizes: Test images by class.
        experiment: The planned measurement.
        rates: Shares (k, k) of decisions by true class, from which the operating point is known; None for equal rates.

    Returns:
        The world, of two classes or of more.
    """
    if len(sizes) > 2:
        return ClassWorld(key, tuple(sizes.items()), experiment.class_sizes, rates)
    negatives, positives = sizes.values()
    specificity, recall = (0.8, 0.8) if rates is None else (rates[0][0], rates[1][1])
    return BinaryWorld(key, negatives, positives, experiment.class_sizes, recall, specificity)


@dataclass(frozen=True)
class _Simulation:
    world: World
    printed: PublishedFigure
    interval: Bounds
    audited: AuditRow
    margin: float
    noise: Noise
    every_seed_alike: bool
    search_sets: int

    def chances(self, sets: int, difference: float = 0.0, *, unlimited: bool = False) -> Chances:
        """Simulate verdicts.

        The true figure of the published recipe is as uncertain as its interval says, and so is the training behind it.
        """
        generator = np.random.default_rng(0)
        return Chances(tuple(self._decision(generator, difference, unlimited) for _ in range(sets)))

    @property
    def is_one_training(self) -> bool:
        return self.noise.seeds == 1 and not self.every_seed_alike

    def power_to_differ(self, sets: int, difference: float) -> float | None:
        """The probability of `differs`; None for one training, which never has it (`of_one_training`)."""
        return None if self.is_one_training else self.chances(sets, difference).of("differs")

    def power_of_images(self, images: int) -> float:
        return replace(self, world=self.world.with_images(images)).chances(self.search_sets).of("reproduced")

    def power_of_seeds(self, seeds: int) -> float:
        return replace(self, noise=replace(self.noise, seeds=seeds)).chances(self.search_sets).of("reproduced")

    def _decision(self, generator: np.random.Generator, difference: float, unlimited: bool) -> Decision:
        truth = self._truth(generator)
        if difference:
            # Downwards, unless the metric has no such value.
            truth += -difference if self.printed.value - difference > self.world.range[0] else difference
        noise = self.noise
        if unlimited:
            trainings = Trainings(_MANY_SEEDS, noise.spread) if noise.spread else None
            measured = SampleEstimate(truth, truth, truth, self.world.images, trainings=trainings)
        else:
            measured = self.world.measure(truth, noise, generator)
        delta = minus_published(measured, self.printed, self.interval)
        return figure_decision(delta, self.margin, not unlimited and self.is_one_training)

    def _truth(self, generator: np.random.Generator) -> float:
        """Draw the mean over trainings of the published recipe, around the printed figure."""
        step = float(generator.standard_normal())
        end = self.interval[1] if step > 0 else self.interval[0]
        truth = self.printed.value + abs(step) * (end - self.printed.value) / z_quantile(0.95)
        truth += self.noise.spread * float(generator.standard_normal()) if self.noise.spread else 0.0
        least, greatest = self.world.range
        return min(max(truth, least), greatest)


def _obstacle(
    claims: Claims,
    audit: Audit,
    row: Row,
    printed: PublishedFigure,
    audited: AuditRow,
    sizes: Mapping[str, int] | None,
) -> str | None:
    """Why no plan can be made for a figure; None if one can."""
    if (finding := ruling(audit, row, printed)) is not None:
        return f"impossible whatever is measured: {finding.statement}"
    if not has_counterpart(printed):
        return _why_not_measured(printed)
    if (otherwise := audit.fits_otherwise(row.name, printed)) is not None:
        return f"not comparable whatever is measured: {otherwise.statement}"
    if (reason := not_plannable(printed.key)) is not None:
        return reason
    if sizes is None:
        return "the size of its test set is not stated; give --test and --positives"
    if row.test is None:
        return why_no_interval(row, audited)
    if (len(sizes) > 2) != row.is_multiclass:
        return f"different classes: the planned test set has {len(sizes)}"
    if row.of_two is not None:
        different = different_prevalence(row, printed, sizes["positives"] / sum(sizes.values()))
        return None if different is None else f"not comparable: {different}"
    return None


def _why_not_measured(printed: PublishedFigure) -> str:
    if printed.upper is not None:
        return "a printed range is no single figure that runs could be compared with"
    label = printed_label(printed.key)
    record = PRINTED.get(printed.key)
    if record is not None and record.average is not None:
        return f"{label} of two classes is audited, but runs are not measured by it; a figure of one class has a plan"
    return f"{label} is audited, but runs are not measured by it, so no verdict would come out"


def _rates(claims: Claims, row: Row, audited: AuditRow) -> tuple[tuple[float, ...], ...] | None:
    """The shares of decisions by true class that a printed or an implied confusion matrix gives; None without one."""
    matrices = audited.matrices or audited.cut or ()
    if matrices:
        matrix = matrices[len(matrices) // 2]
        counts: tuple[tuple[float, ...], ...] = ((matrix.tn, matrix.fp), (matrix.fn, matrix.tp))
    else:
        of_row = (each for each in claims.matrices if each.row == row.name and isinstance(each, PrintedClassMatrix))
        printed = next(of_row, None)
        if printed is None or row.of_several is None:
            return None
        counts = printed.reordered(tuple(row.of_several.sizes))
    # Half an image more of every kind keeps rates of 0 and 1 from being taken as certain.
    padded = [[count + 0.5 for count in each] for each in counts]
    return tuple(tuple(count / sum(each) for count in each) for each in padded)
