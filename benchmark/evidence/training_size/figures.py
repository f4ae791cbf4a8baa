"""The figure of a card at one number of training images, over draws of these images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmark.evidence.intervals.formulas import around, t_quantile
from benchmark.evidence.intervals.seeds import AnyPairedScores, SeedFigure, seed_figure
from benchmark.evidence.intervals.trainings import seed_variance
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, Floats
from benchmark.evidence.metrics.registry import MetricError


@dataclass(frozen=True, eq=False)
class DrawnScores:
    """The scores of a card trained on several draws of one size, all on the same test images.

    Attributes:
        paired: Scores and decisions of each run.
        draws: The draw of each run; runs of one draw differ in their seed.
    """

    paired: AnyPairedScores
    draws: tuple[int, ...]

    def values(self, metric: str) -> dict[int, float | None]:
        """Return the mean over seeds of `metric` by draw; None where a run has none."""
        by_draw: dict[int, list[float | None]] = {}
        for draw, value in zip(self.draws, self.paired.values(metric), strict=True):
            by_draw.setdefault(draw, []).append(value)
        return {draw: _mean(values) for draw, values in sorted(by_draw.items())}

    def deviations(self, metric: str, class_sizes: ClassSizes, draws: Sequence[int]) -> Floats | None:
        """Return by how much each test patient moves the mean over some draws.

        Args:
            metric: The metric or key.
            class_sizes: Whether the class sizes of the test set were drawn or fixed.
            draws: The draws.

        Returns:
            Deviations (patients,); None where the metric is undefined.
        """
        try:
            influences = self._by_draw(self.paired.influence_values(metric, class_sizes))
        except MetricError:
            return None
        known = sorted(set(self.draws))
        rows = [known.index(draw) for draw in draws]
        mean: Floats = influences[rows].mean(axis=0)
        deviations: Floats = self.clusters.deviations(mean[None])[0]
        return deviations

    @property
    def clusters(self) -> Clusters:
        """The test patients."""
        first = self.paired.runs[0]
        return Clusters(first.y_true, first.patient)

    def figure(self, metric: str, class_sizes: ClassSizes = "drawn", level: float = 0.95) -> SeedFigure:
        """Return the mean of a metric over draws, with an interval that accounts for draws and test patients.

        Draws are to the training images what seeds are to initial weights, so the interval is that of `seed_figure`:
        the draws share the test images (Obuchowski and Rockette 1995). Runs of one draw count as their mean.

        Args:
            metric: The metric; for several classes its key.
            class_sizes: Whether the class sizes of the test set were drawn or fixed.
            level: Confidence level of the interval, in (0, 1).

        Returns:
            The figure; `seeds` and `spread` are those of the draws.
        """
        if len(set(self.draws)) in (1, len(self.draws)):
            return seed_figure(metric, self.paired, class_sizes=class_sizes, level=level)
        values = self.values(metric)
        if any(value is None for value in values.values()):
            reason = self.paired.reason(metric)
            return SeedFigure(metric, None, None, None, None, reason, len(values), None, None)
        defined = np.array(list(values.values()), dtype=np.float64)
        value, spread = float(defined.mean()), float(defined.std(ddof=1))
        try:
            influences = self._by_draw(self.paired.influence_values(metric, class_sizes))
        except MetricError as failure:
            return SeedFigure(metric, value, None, None, None, str(failure), len(values), spread, None)
        clusters = self.clusters
        image_df = clusters.degrees_of_freedom(influences.mean(axis=0))
        variance, df = seed_variance([defined], clusters.covariance(influences), image_df)
        bounds = around(self.paired.record(metric), value, variance, t_quantile(level, df))
        if bounds is None:
            reason = "nothing varies between the draws or the test images"
            return SeedFigure(metric, value, None, None, None, reason, len(values), spread, None)
        method = f"images and draws, t with {df:.1f} df" + (", by patient" if clusters.repeated else "")
        return SeedFigure(metric, value, *bounds, method, None, len(values), spread, None, self.paired.caution(metric))

    def _by_draw(self, influences: Floats) -> Floats:
        """Return the means (draws, n) over the runs of each draw."""
        owner: npt.NDArray[np.int64] = np.array(self.draws)
        return np.stack([influences[owner == draw].mean(axis=0) for draw in sorted(set(self.draws))])


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return None if len(defined) < len(values) else float(np.mean(defined))
